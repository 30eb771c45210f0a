"""A table of a shop becomes events: columns by a mapping, numbers as numbers, ids from the content."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.exceptions import ConfigurationError
from streams.records.events import Click, Review
from streams.records.ndjson import RejectedLine
from streams.sources.options import SourceOptions
from streams.sources.reading import check_sources, read_sources
from streams.sources.table import header_of, read_table

ORDERS = """customer,order_id,date,sku,category,amount,quantity
4711,o1,2025-11-24,s1,"toys, games",59.97,3
4711,o1,2025-11-24,s2,,5,
4712,o2,2025-11-25 08:30,s1,toys,19.99,1
"""
MAPPING = {"user_id": "customer", "timestamp": "date", "item_id": "sku", "amount": "amount"}
PURCHASES = {"columns": MAPPING, "constants": {"action": "purchase"}, "timezone": ZoneInfo("UTC")}


def write(folder: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refusal(file: Path, **options: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_sources([file], SourceOptions(**options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_table_of_orders_becomes_purchases(tmp_path: Path, verdicts) -> None:
    (two, first), (three, second), (four, third) = verdicts(write(tmp_path, ORDERS), **PURCHASES)
    assert (two, three, four) == (2, 3, 4)
    assert (first.user_id, first.item_id, first.category, first.price, first.quantity) == (
        *("4711", "s1", "toys, games"),
        *(19.99, 3),
    )
    assert (second.category, second.price, second.quantity) == (None, 5.0, 1)
    assert (first.timestamp, third.timestamp) == (1_763_942_400_000, 1_764_059_400_000)
    assert {type(event) for event in (first, second, third)} == {Click}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_line_ends_marks_and_packing_make_no_difference(
    tmp_path: Path, verdicts, delimiter: str
) -> None:
    expected = [event for _, event in verdicts(write(tmp_path, ORDERS), **PURCHASES)]
    other = (
        ORDERS.replace('"toys, games"', "toys; games").replace(",", delimiter).replace("toys; games", '"toys, games"')
    )
    file = write(tmp_path, gzip.compress(("\ufeff" + other.replace("\n", "\r\n")).encode()), "orders.csv.gz")
    assert [event for _, event in verdicts(file, **PURCHASES)] == expected


def test_decimal_commas_are_read_if_asked(tmp_path: Path, verdicts) -> None:
    file = write(tmp_path, "customer;date;sku;amount\nu;2025-11-24;s;1.234,50\nu;2025-11-24;t;12.50\n")
    (_, comma), (_, point) = verdicts(file, **PURCHASES, decimal_comma=True)
    assert comma.price == 1234.5
    # With decimal commas this is no number: 1250, or 12.5?
    assert "price: expected a number" in point.detail
    assert [getattr(event, "price", "none") for _, event in verdicts(file, **PURCHASES)] == ["none", 12.5]


def test_ids_follow_from_the_content(tmp_path: Path, verdicts) -> None:
    rows = ORDERS.splitlines()
    first = [event.event_id for _, event in verdicts(write(tmp_path, ORDERS), **PURCHASES)]
    again = "\n".join([rows[0], rows[3], rows[1], rows[2], rows[2]])
    moved = [event.event_id for _, event in verdicts(write(tmp_path, again, "again.csv"), **PURCHASES)]
    # The same rows in another file and at other places keep their ids; a row that stands twice is two events.
    assert moved == [first[2], first[0], first[1], f"{first[1]}-1"]
    both = [event.event_id for _, event in verdicts(tmp_path / "orders.csv", tmp_path / "again.csv", **PURCHASES)]
    assert both == first + moved
    assert len(set(first)) == 3


def test_rows_of_a_folder_are_counted_together(tmp_path: Path, verdicts) -> None:
    for name in ("1.csv", "2.csv"):
        write(tmp_path, ORDERS, name)
    assert len({event.event_id for _, event in verdicts(tmp_path, **PURCHASES)}) == 6


def test_the_topic_follows_from_the_fields(tmp_path: Path, verdicts) -> None:
    table = "user_id,timestamp,item_id,action,query,text,rating\nu,1764000000000,i,view,,,\nu,1764000000000,,,shoes,,\n"
    file = write(tmp_path, table + "u,1764000000000,i,,, well made ,4.5\nu,1764000000000,i,,,,\n")
    click, search, review, nothing = (event for _, event in verdicts(file))
    assert (click.action, search.query) == ("view", "shoes")
    assert isinstance(review, Review)
    assert (review.text, review.rating) == (" well made ", 4.5)
    assert nothing.detail.startswith("row: expected `topic`, or one of `action`")


def test_a_row_that_cannot_be_read_is_refused_by_itself(tmp_path: Path, verdicts) -> None:
    table = b"user_id,timestamp,item_id,action,category\n"
    table += b"u,1764000000000,i,view\n" + b'u,1764000000000,i,view,"a\nb"\n' + b"u,1764000000000,i,view,gr\xfcn\n"
    table += b'u,1764000000000,i,"view"x,a\n\nu,1764000000000,i,view,a,,\nu,1764000000000,i,view,"never closed\n'
    found = verdicts(write(tmp_path, table))
    assert [(line, getattr(event, "reason", None)) for line, event in found] == [
        *((2, "malformed"), (3, None), (5, "malformed")),
        *((6, "malformed"), (8, None), (9, "malformed")),
    ]
    assert found[0][1].detail == "row: expected 5 cells as in the header, found 4"
    assert found[1][1].category == "a\nb"
    assert "UTF-8" in found[2][1].detail
    # What was written is kept for the dead letter.
    refused = [
        arrived.record.raw for arrived in read_sources([tmp_path / "orders.csv"]) if hasattr(arrived.record, "raw")
    ]
    assert refused[0] == b"u,1764000000000,i,view"
    assert refused[-1] == b'u,1764000000000,i,view,"never closed'


@pytest.mark.parametrize("opened", ['"open', '"opened here, closed there'])
def test_rows_that_a_quote_takes_in_are_refused_one_by_one(tmp_path: Path, opened: str) -> None:
    lines = [f"u,2025-11-24T00:00:00Z,view,i{number}" for number in range(50)]
    lines[10] = f"u,2025-11-24T00:00:00Z,view,{opened}"
    if "closed" in opened:
        lines[30] = f'u,2025-11-24T00:00:00Z,view,i",{lines[30]}'
    header = "user_id,timestamp,action,item_id"
    arrivals = list(read_sources([write(tmp_path, "\n".join([header, *lines]) + "\n")]))
    assert [arrived.line for arrived in arrivals] == list(range(2, 52))
    refused = {arrived.line: arrived.record.raw for arrived in arrivals if isinstance(arrived.record, RejectedLine)}
    assert refused == {
        place + 2: lines[place].encode() for place in (range(10, 31) if "closed" in opened else range(10, 50))
    }


def test_a_header_with_a_strange_quote_costs_no_row() -> None:
    rows = list(read_table(iter([b'a,"b"c\n1,2\n3,4\n']), ",", ["a", "bc"]))
    assert isinstance(rows[0][1], RejectedLine)
    assert rows[1:] == [(2, {"a": "1", "bc": "2"}), (3, {"a": "3", "bc": "4"})]


def test_quotes_that_open_behind_others_do_not_make_one_row_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sources.table.MAX_LINE_BYTES", 1000)
    rows = list(read_table(iter([b"a,b\n" + b'x","y\n' * 1000]), ",", ["a", "b"]))
    assert [number for number, _ in rows] == list(range(2, 1002))
    assert all(isinstance(row, RejectedLine) for _, row in rows)


@pytest.mark.parametrize(
    ("written", "quantity"), [("1.000", 1000), ("2,00", 2), ("3", 3), ("12.000", 12_000), ("2,5", None)]
)
def test_pieces_with_a_decimal_comma(tmp_path: Path, verdicts, written: str, quantity: int | None) -> None:
    table = f"user_id;timestamp;action;item_id;quantity;amount\nu;1764000000000;purchase;i;{written};2.000,00\n"
    ((_, event),) = verdicts(write(tmp_path, table), columns={"amount": "amount"}, decimal_comma=True)
    if quantity is None:
        assert not isinstance(event, Click)
    else:
        assert (event.quantity, event.price) == (quantity, 2000 / quantity)


def test_a_table_that_makes_no_event_is_refused_by_its_header(tmp_path: Path) -> None:
    file = write(tmp_path, ORDERS)
    assert "found no `user_id`, `timestamp` among `customer`, `order_id`" in refusal(file)
    assert "name columns by --map FIELD=COLUMN" in refusal(file)
    assert "found no `topic`" in refusal(file, columns=MAPPING)
    assert "expected a column `client` for `user_id`" in refusal(file, columns={"user_id": "client"})
    twice = write(tmp_path, "user_id,user_id,timestamp,query\nu,v,1,q\n")
    assert "found `user_id` twice" in refusal(twice)


@pytest.mark.parametrize("name", ["orders.csv", "orders.txt", "orders"])
def test_a_table_is_known_by_its_header_too(tmp_path: Path, name: str) -> None:
    assert "--map FIELD=COLUMN" in refusal(write(tmp_path, ORDERS, name))


def test_lines_of_junk_are_no_table(tmp_path: Path, verdicts) -> None:
    file = write(tmp_path, "hello, world\nthis is, it, here\n1,2\n", "junk.ndjson")
    assert [event.detail[-7:] for _, event in verdicts(file)] == ["no JSON"] * 3


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=3), max_size=5), st.sampled_from(",;\t|"))
def test_what_python_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    table = io.StringIO()
    writer = csv.writer(table, delimiter=delimiter)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    whole = table.getvalue().encode()
    assert header_of(whole) == (delimiter, ["a", "b", "c"])
    found = [row for _, row in read_table(iter([whole]), delimiter, ["a", "b", "c"])]
    written = [row for row in rows if any(map(str.strip, row))]
    assert len(found) == len(written)
    for read, row in zip(found, written, strict=True):
        if len(row) == 3:
            assert read == {name: cell.strip() or None for name, cell in zip("abc", row, strict=True)}
        else:
            assert isinstance(read, RejectedLine)


@given(st.binary())
def test_no_bytes_raise(whole: bytes) -> None:
    head = b"user_id,timestamp,query\n"
    assert all(number >= 2 for number, _ in read_table(iter([head, whole]), ",", ["user_id", "timestamp", "query"]))
