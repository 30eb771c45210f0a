"""The output of `wherewithal history`: Parquet parts for Feast's offline store, and the rows to train on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from features.offline_parquet import OFFLINE_FOLDER, offline_table
from features.online.rows import OnlineRow
from features.users.point_in_time import Snapshot
from models.batching.batcher import MicroBatcher
from streams.exceptions import ConfigurationError
from streams.inference.loading import Inference
from streams.offline.history.folding import Account, History
from streams.offline.history.instants import regular, suiting_step
from streams.offline.history.refused import Refused
from streams.offline.history.targets import Spent, is_covered
from streams.offline.training.categories import FILE_NAME as CATEGORIES_FILE
from streams.offline.training.categories import write_counts
from streams.offline.training.rows_file import FILE_NAME, TrainingRow, schema, to_table
from streams.progress import Progress
from streams.settings import Settings
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.places import Place

ROWS_IN_PART: Final = 20_000

_NO_FENCE: Final = (0, 0, 0)


@dataclass(frozen=True)
class Plan:
    """The instants at which to fold, in ms.

    Attributes:
        instants: for every user or item, rising.
        step: for every one, its multiples within the history; None for no step.
        suiting: for every one, the multiples of the step that suits the length of the history.
        entities: (user or item, instant) pairs.
    """

    instants: Sequence[int] = ()
    step: int | None = None
    suiting: bool = False
    entities: Iterable[tuple[str, int]] = ()

    def within(self, account: Account) -> list[int]:
        """Return the instants of everybody in a history that was gathered, rising."""
        if (self.suiting or self.step is not None) and account.oldest is not None and account.newest is not None:
            step = self.step or suiting_step(account.oldest, account.newest)
            return regular(step, account.oldest, account.newest)
        return list(self.instants)


@dataclass(frozen=True)
class Written:
    """The result of a run.

    Attributes:
        account: of the events.
        rows: written; with none there is no folder.
        rows_with_target: of these, those whose 30 days after are over; None if no targets were asked for.
        instants: that the plan has for everybody; None if it names users or items.
        instants_with_target: of these, those whose 30 days after the history covers.
        texts_read, titles_read: distinct texts and titles that were read.
        first_duplicate: its place; None without a duplicate.
        facts: that the applied events state, those of users erased since included; None in a history of users.
        items: that have a fact; None in a history of users.
    """

    account: Account
    rows: int
    rows_with_target: int | None
    instants: int | None
    instants_with_target: int | None
    texts_read: int
    titles_read: int
    first_duplicate: Place | None
    facts: int | None = None
    items: int | None = None


@contextmanager
def beside(output: Path, *names: str) -> Iterator[list[Path]]:
    """Yield paths on the same disk as an output, in a folder that is gone afterwards with what is left in it.

    Of what was made in full there, a rename over the output, which is empty (`check_output`), is one step.
    """
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
        yield [Path(folder) / name for name in names]


def write_history(
    settings: Settings,
    inference: Inference,
    files: Sequence[Path],
    plan: Plan,
    output: Path,
    targets: bool,
    options: SourceOptions = AS_THEY_ARE,
    refused: Refused | None = None,
    progress: Progress | None = None,
) -> Written:
    """Fold files and write a folder: the parts under `offline`, `training_rows.parquet` and `categories.csv`.

    The folder appears in full or not at all. Without a row there is none.

    Args:
        settings: decide which events are valid.
        inference: the models; the batcher is started and stopped here.
        files: the history, in the order of arrival.
        plan: the instants.
        output: a folder that is new or empty.
        targets: whether the training rows have `spend_30d_after`.
        options: say how the files are read.
        refused: takes what is refused, and says how much may be; by default all may.
        progress: told how far reading and folding are.

    Raises:
        ConfigurationError: the history cannot be read.
        RefusedInputError: more is refused than may be.
        EncoderUnavailableError: the encoder is down.
    """
    output = output.absolute()
    with beside(output, "spilled", "made") as (spilled, made):
        spilled.mkdir()
        refused = refused or Refused()
        history = History(settings, inference, files, spilled, options, refused, progress)
        with _Output(made, inference, targets) as out:
            instants = asyncio.run(_fold(history, inference.batcher, plan, out, targets))
        if out.rows:
            write_counts(made / CATEGORIES_FILE, history.categories)
            made.replace(output)
    shared = None if plan.entities else instants
    newest = history.account.newest
    return Written(
        account=history.account,
        rows=out.rows,
        rows_with_target=out.rows_with_target if targets else None,
        instants=None if shared is None else len(shared),
        instants_with_target=sum(is_covered(at, newest) for at in shared) if targets and shared is not None else None,
        texts_read=history.texts_read,
        titles_read=history.titles_read,
        first_duplicate=refused.places.place(history.first_duplicate),
    )


def check_output(output: Path) -> None:
    """Refuse a folder that is not empty, because its rows would be joined with the new ones.

    Raises:
        ConfigurationError: it is neither empty nor a new folder in an existing one, or no rename can take its place.
    """
    if output.is_symlink() or output.is_mount():
        raise ConfigurationError(f"{output}: expected a plain folder, found a link or a mount: name a new folder in it")
    if output.is_dir() and not any(output.iterdir()):
        return
    if output.exists() or not output.absolute().parent.is_dir():
        raise ConfigurationError(f"{output}: expected a new or empty folder in one that exists, found otherwise")


async def _fold(history: History, batcher: MicroBatcher, plan: Plan, out: _Output, targets: bool) -> list[int]:
    """Fold the history; return the instants of every user."""
    history.gather()
    for user_id, instant in plan.entities:
        history.note(user_id, instant)
    account = history.account
    instants = plan.within(account)
    await batcher.start()
    try:
        async with aclosing(history.users()) as users:
            async for user in users:
                spent = Spent(user, account.newest) if targets else None
                for snapshot in user.folded.snapshots(sorted({*instants, *user.notes})):
                    out.add(user.user_id, snapshot, None if spent is None else spent.after(snapshot.instant))
    finally:
        await batcher.stop()
    return instants


class _Output:
    """Scores rows and writes them in parts."""

    def __init__(self, folder: Path, inference: Inference, targets: bool) -> None:
        import pyarrow.parquet as pq

        self._parts = folder / OFFLINE_FOLDER
        self._parts.mkdir(parents=True)
        self._encoder = inference.encoder
        self._scoring = inference.scoring
        self._targets = targets
        self._training: Any = pq.ParquetWriter(folder / FILE_NAME, schema(targets))
        self._waiting: list[TrainingRow] = []
        self._written = 0
        self.rows = self.rows_with_target = 0

    def __enter__(self) -> _Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and (self._waiting or not self._written):
                self._write()
        finally:
            self._training.close()

    def add(self, user_id: str, found: Snapshot, spend_after: float | None) -> None:
        """Take one row."""
        self._waiting.append(
            TrainingRow(
                user_id=user_id,
                instant=found.instant,
                scalars=found.scalars,
                profile=found.profile,
                taste=found.taste,
                revision=found.revision,
                encoder=self._encoder,
                spend_after=spend_after,
            )
        )
        self.rows += 1
        self.rows_with_target += spend_after is not None
        if len(self._waiting) == ROWS_IN_PART:
            self._write()

    def _write(self) -> None:
        import pyarrow.parquet as pq

        rows, self._waiting = self._waiting, []
        self._training.write_table(to_table(rows, self._targets))
        part = self._parts / f"part-{self._written:05}.parquet"
        pq.write_table(offline_table(self._scored(rows)), part)
        self._written += 1

    def _scored(self, rows: Sequence[TrainingRow]) -> list[OnlineRow]:
        if not rows:
            return []
        predicted = self._scoring.predict([row.scalars for row in rows], np.stack([row.profile for row in rows]))
        scores = zip(predicted.expected_spend.tolist(), predicted.score.tolist(), predicted.tier, strict=True)
        return [
            OnlineRow(
                user_id=row.user_id,
                fence=_NO_FENCE,
                scalars=row.scalars,
                event_time=row.instant,
                revision=row.revision,
                profile=row.profile.tobytes(),
                taste=row.taste.tobytes(),
                # Of a history every title is read.
                titles_waiting=0,
                encoder=row.encoder,
                score=score,
                expected_spend=spend,
                tier=tier,
                scorer=self._scoring.version,
            )
            for row, (spend, score, tier) in zip(rows, scores, strict=True)
        ]
