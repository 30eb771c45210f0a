"""Which head of sentiment reads reviews, and what a reading carries of it."""

from pathlib import Path

import numpy as np
import pytest
from support.artefacts import polarity_artefact
from support.encoders import HashEncoder, SwitchableEncoder

from models.batching.batcher import MicroBatcher
from models.encoder.bert import BertEncoder
from models.encoder.locate import DEFAULT_ENCODER
from models.exceptions import TextRejectedError
from models.profile import Projection
from models.sentiment.head import PolarityHead
from models.text.cleaning import clean
from streams.exceptions import ConfigurationError
from streams.inference.loading import load_inference
from streams.inference.sentiment import SHIPPED, artefact_for, identify_embeddings
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.records.observer import Reading
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics

PROJECTION = Projection.orthogonal(HashEncoder.dimension)
TEXTS = ("A hat that fits well.", "The second hat I bought here, <b>worn</b> daily.", "", "\u597d\u7684\u5e3d\u5b50")
NOISY = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


async def read(texts: tuple[str, ...], head: PolarityHead | None) -> list[Reading | TextRejectedError]:
    batcher = MicroBatcher(SwitchableEncoder())
    await batcher.start()
    try:
        return await TextReader(batcher, PROJECTION, head).read(texts)
    finally:
        await batcher.stop()


def expected(text: str, head: PolarityHead) -> float:
    encoder = HashEncoder()
    return float(head.polarity(encoder.embed(encoder.tokenize([clean(text)])))[0])


async def test_a_reading_has_the_polarity_of_the_embedding_before_it_is_projected() -> None:
    head = polarity_artefact().polarity
    readings = await read(TEXTS, head)
    assert [reading.polarity for reading in readings] == [
        None if not text else pytest.approx(expected(text, head), abs=1e-6) for text in TEXTS
    ]
    without = await read(TEXTS, None)
    for one, other in zip(readings, without, strict=True):
        assert other.polarity is None
        assert one.noisy == other.noisy
        assert np.array_equal(one.projected, other.projected) or one.projected is other.projected is None


async def test_what_is_noisy_empty_or_refused_has_no_polarity() -> None:
    readings = await read((NOISY, " ", "POISON", TEXTS[0]), polarity_artefact().polarity)
    assert readings[0] == Reading(noisy=True, projected=None)
    assert readings[1] == Reading(noisy=False, projected=None)
    assert isinstance(readings[2], TextRejectedError)
    assert readings[3].polarity is not None


async def test_a_title_has_no_polarity() -> None:
    batcher = MicroBatcher(HashEncoder())
    await batcher.start()
    try:
        reader = TitleReader(TextReader(batcher, PROJECTION), 10, Metrics())
        assert (await reader.read([TEXTS[0]]))[TEXTS[0]].polarity is None
    finally:
        await batcher.stop()


def test_the_named_head_is_loaded(tmp_path: Path) -> None:
    saved = polarity_artefact()
    saved.save(tmp_path)
    settings = load_settings(sentiment_artefact=str(tmp_path))
    head = load_inference(settings, Metrics(), HashEncoder()).sentiment
    assert head is not None
    assert head.identity == saved.polarity.identity


def test_an_encoder_without_a_head_has_none() -> None:
    assert load_inference(load_settings(), Metrics(), HashEncoder()).sentiment is None


def test_a_head_that_is_named_and_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    polarity_artefact(encoder_identity="another@0123456789ab").save(tmp_path)
    with pytest.raises(ConfigurationError, match=r"WHEREWITHAL_SENTIMENT_ARTEFACT: encoder: .*another@") as refused:
        load_inference(load_settings(sentiment_artefact=str(tmp_path)), Metrics(), HashEncoder())
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_SENTIMENT_ARTEFACT"):
        load_inference(load_settings(sentiment_artefact=str(tmp_path / "none")), Metrics(), HashEncoder())


class Shorter(HashEncoder):
    weights_digest = "0" * 64


def test_other_weights_or_another_name_are_other_embeddings_and_p_is_no_part_of_it() -> None:
    assert identify_embeddings(Shorter()) != identify_embeddings(HashEncoder())
    assert identify_embeddings(HashEncoder()).startswith("hash-encoder@")


@pytest.fixture(scope="module")
def bundled() -> BertEncoder:
    return BertEncoder.load(DEFAULT_ENCODER, device="cpu")


PRAISE = (
    "I love it, best purchase in years.",
    "Great quality, fits perfectly and looks beautiful.",
    "Excellent value, works exactly as described.",
    "Very comfortable and well made, highly recommended!",
    "My daughter adores this toy, wonderful gift.",
    "Fast delivery and a fantastic product.",
)
COMPLAINTS = (
    "Terrible, it broke after two days.",
    "Complete waste of money, do not buy.",
    "Poor quality and it smells awful.",
    "Arrived damaged and nobody answers my mails.",
    "The worst headphones I have ever owned.",
    "Disappointing, cheap plastic, went straight back.",
)


def test_the_shipped_head_fits_the_bundled_encoder_and_tells_plain_praise_from_plain_complaint(
    bundled: BertEncoder,
) -> None:
    """Of shopping, though it learnt English from films; plain words alone, so no measure of how good it is."""
    artefact = artefact_for("", bundled)
    assert artefact is not None
    texts = [clean(text) for text in (*PRAISE, *COMPLAINTS)]
    polarity = artefact.polarity.polarity(bundled.embed(bundled.tokenize(texts)))
    right = np.concatenate([polarity[: len(PRAISE)] > 0, polarity[len(PRAISE) :] < 0])
    assert right.mean() >= 0.75
    assert polarity[: len(PRAISE)].mean() > 0.2 > -0.2 > polarity[len(PRAISE) :].mean()


def test_every_shipped_head_loads_and_has_a_card() -> None:
    folders = [path.parent for path in SHIPPED.glob("*/model.json")]
    assert "all-MiniLM-L6-v2" in {folder.name for folder in folders}
    for folder in folders:
        artefact = artefact_for_folder(folder)
        assert artefact.polarity.identity in (folder / "card.md").read_text(encoding="utf-8")


def artefact_for_folder(folder: Path):
    from models.artefact.polarity import PolarityArtefact

    return PolarityArtefact.load(folder)
