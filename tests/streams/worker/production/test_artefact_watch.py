"""Artefacts that are taken over, and those that are refused, by a watch on a folder."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from support.artefacts import fitted_artefact, ship
from support.encoders import HashEncoder
from support.patience import PATIENCE_S

from models.artefact.artefact import Artefact
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.exceptions import ArtefactError
from streams.inference.active_scorer import Scoring
from streams.inference.loading import Inference, load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.production.artefact_watch import ArtefactWatch


class Watched:
    """A watch on a folder whose artefact scores already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = Metrics()
        ship(fitted_artefact(), folder)
        self.inference: Inference = load_inference(load_settings(artefact=str(folder)), self.metrics, HashEncoder())
        self.taken: list[Scoring] = []
        self.current: str | None = self.inference.artefact.version
        self.watch = ArtefactWatch(
            "live",
            folder,
            accept=self.inference.read,
            current=lambda: self.current,
            take=self.take,
            metrics=self.metrics,
            on_failure=pytest.fail,
        )

    def take(self, scoring: Scoring) -> None:
        self.taken.append(scoring)
        self.current = scoring.version

    @property
    def refused(self) -> float | None:
        return self.metrics.registry.get_sample_value("wherewithal_artefact_refused_total", {"role": "live"})

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.watch.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "live")


def of_an_unserved_feature(artefact: Artefact) -> Artefact:
    model = artefact.scorer.model
    names = ("wishes_30d", *model.standardiser.names[1:])
    other = replace(model, standardiser=replace(model.standardiser, names=names))
    return replace(artefact, scorer=replace(artefact.scorer, model=other))


async def test_a_new_artefact_is_taken_over_once(watched: Watched) -> None:
    await watched.look(3)
    assert watched.taken == [], "the one that scores already is none"
    version = ship(fitted_artefact(intercept=1.0), watched.folder)
    await watched.look(5)
    assert [scoring.version for scoring in watched.taken] == [version]
    assert watched.taken[0].fitted
    assert watched.refused == 0


async def test_a_folder_without_an_artefact_is_said_once_and_waited_for(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    away = watched.folder.rename(watched.folder.with_name("away"))
    with caplog.at_level(logging.WARNING, logger="wherewithal"):
        watched.watch.start(0.01)
        async with asyncio.timeout(PATIENCE_S):
            while not caplog.records:
                await asyncio.sleep(0.01)
        (line,) = caplog.records
        assert line.fields == {"role": "live", "folder": str(watched.folder)}
        version = ship(fitted_artefact(intercept=1.0), away)
        away.rename(watched.folder)
        async with asyncio.timeout(PATIENCE_S):
            while not watched.taken:
                await asyncio.sleep(0.01)
        await watched.watch.stop()
    assert [scoring.version for scoring in watched.taken] == [version]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (of_an_unserved_feature(fitted_artefact()), "features: artefact"),
        (fitted_artefact(encoder_identity="another@123456789abc"), "encoder: artefact"),
        (fitted_artefact(seed=7), "restart the workers with it"),
    ],
    ids=["feature", "encoder", "projection"],
)
async def test_an_artefact_made_for_something_else_is_refused_once_and_the_old_one_stays(
    watched: Watched, caplog: pytest.LogCaptureFixture, candidate: Artefact, said: str
) -> None:
    before = watched.current
    ship(candidate, watched.folder)
    with caplog.at_level(logging.WARNING, logger="wherewithal"):
        await watched.look(5)
    assert (watched.taken, watched.current, watched.refused) == ([], before, 1)
    (line,) = caplog.records
    assert said in line.fields["found"]
    assert line.fields["kept"] == before
    assert "\n" not in line.fields["found"]


async def test_an_artefact_of_another_width_is_refused(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    path = watched.folder / DOCUMENT_FILE
    document = orjson.loads(path.read_bytes()) | {"profile_width": 32}
    path.write_bytes(orjson.dumps(document))
    await watched.look()
    assert (watched.taken, watched.refused) == ([], 1)
    assert "width 64, found 32" in caplog.records[-1].fields["found"]


async def test_a_damaged_artefact_is_refused_until_it_is_mended(watched: Watched) -> None:
    version = ship(fitted_artefact(intercept=1.0), watched.folder)
    tensors = watched.folder / TENSORS_FILE
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-8])
    await watched.look(4)
    assert (watched.taken, watched.refused) == ([], 1)
    tensors.write_bytes(whole)
    await watched.look(2)
    assert [scoring.version for scoring in watched.taken] == [version]


async def test_an_artefact_that_is_being_copied_is_left_alone(watched: Watched, tmp_path: Path) -> None:
    version = ship(fitted_artefact(intercept=1.0), tmp_path / "new")
    await watched.look()
    whole = (tmp_path / "new" / TENSORS_FILE).read_bytes()
    for length in range(1000, 5000, 1000):
        (watched.folder / TENSORS_FILE).write_bytes(whole[:length])
        await watched.look(1)
    (watched.folder / TENSORS_FILE).write_bytes(whole)
    (watched.folder / DOCUMENT_FILE).write_bytes((tmp_path / "new" / DOCUMENT_FILE).read_bytes())
    await watched.look(2)
    assert [scoring.version for scoring in watched.taken] == [version]
    assert watched.refused == 0


async def test_a_folder_that_goes_away_changes_nothing(watched: Watched) -> None:
    for name in (DOCUMENT_FILE, TENSORS_FILE):
        (watched.folder / name).unlink()
    await watched.look(3)
    assert (watched.taken, watched.refused) == ([], 0)


async def test_asking_reads_the_folder_even_where_it_was_refused(watched: Watched) -> None:
    ship(fitted_artefact(encoder_identity="another@123456789abc"), watched.folder)
    await watched.look(3)
    await watched.watch.look(again=True)
    assert watched.refused == 2


def test_a_worker_that_scores_from_behaviour_alone_takes_what_it_could_have_started_with() -> None:
    inference = load_inference(load_settings(), Metrics(), HashEncoder())
    assert not inference.fitted
    elsewhere = fitted_artefact(encoder_identity="another@123456789abc", intercept=1.0)
    assert not inference.accept(elsewhere).fitted
    with pytest.raises(ArtefactError, match="restart"):
        inference.accept(fitted_artefact(seed=7))
