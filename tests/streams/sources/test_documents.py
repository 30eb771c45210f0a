"""Elements of JSON arrays, and objects over several lines, come out as they were written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources import documents
from streams.sources.documents import split_documents
from streams.sources.exceptions import UnreadableError

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
objects = st.dictionaries(st.text(), values, max_size=4)
indents = st.sampled_from([None, 0, 2, "\t"])


def blocks(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


@given(st.lists(values, min_size=1), indents, st.integers(1, 60), st.booleans())
def test_an_array_gives_its_elements(
    elements: list[object], indent: int | str | None, size: int, escaped: bool
) -> None:
    whole = json.dumps(elements, indent=indent, ensure_ascii=escaped).encode(errors="replace")
    found = [json.loads(element) for _, element in split_documents(blocks(whole, size))]
    assert found == json.loads(whole)


@given(st.lists(objects), indents, st.integers(1, 60), st.sampled_from(["", "\n", ",\n", " , "]))
def test_objects_one_after_the_other_give_themselves(
    elements: list[object], indent: int | str | None, size: int, between: str
) -> None:
    whole = between.join(json.dumps(element, indent=indent) for element in elements).encode()
    assert [json.loads(element) for _, element in split_documents(blocks(whole, size))] == elements


@given(st.binary(), st.integers(1, 9))
def test_any_bytes_give_elements_or_one_reason(whole: bytes, size: int) -> None:
    try:
        found = list(split_documents(blocks(whole, size)))
    except UnreadableError:
        return
    assert all(element.strip(b" \t\r\n") for _, element in found)
    assert [number for number, _ in found] == sorted(number for number, _ in found)


def test_elements_are_numbered_by_the_line_on_which_they_begin() -> None:
    whole = b'[\n\n {"a":\n 1},\n {"b": "}]\n"}\n]\n{"c":\n2} junk'
    found = list(split_documents(blocks(whole, 3)))
    assert found == [(3, b'{"a":\n 1}'), (5, b'{"b": "}]\n"}'), (8, b'{"c":\n2}'), (9, b"junk")]


@pytest.mark.parametrize("whole", [b'[{"a": 1}', b'[{"a": 1},', b'{"a": {}', b'[{"a": "b]'])
def test_a_text_that_ends_too_early_is_named(whole: bytes) -> None:
    with pytest.raises(UnreadableError, match="found the file cut off"):
        list(split_documents([whole]))


def test_an_element_beyond_the_bound_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 100)
    with pytest.raises(UnreadableError, match="at most 100 bytes"):
        list(split_documents([b'[{"a": "' + b"x" * 60, b"x" * 60, b'"}]']))
