"""Places sort as the input does, whatever files are called."""

from __future__ import annotations

from streams.records.ndjson import Record
from streams.sources.arrived import Arrived
from streams.sources.places import Place, Places


def at(file: str, line: int) -> Arrived:
    return Arrived(file, line, Record("clicks", None, b"{}"))


def test_positions_sort_in_the_order_in_which_the_files_come() -> None:
    places = Places()
    came = [at("z", 1), at("z", 10), at("a", 2), at("a", 3)]
    positions = [places.position(arrived) for arrived in came]
    assert positions == sorted(positions)
    assert [places.place(position) for position in positions] == [Place(one.file, one.line) for one in came]
    assert places.place(None) is None


def test_a_name_that_is_no_utf_8_can_be_shown() -> None:
    places = Places()
    place = places.place(places.position(at(b"caf\xe9.ndjson".decode(errors="surrogateescape"), 7)))
    assert str(place) == "caf\ufffd.ndjson:7"


def test_a_name_is_no_command_to_the_terminal() -> None:
    assert str(Place("a\x1b[31m\u202eb\n", 1)) == r"a\u001b[31m\u202eb\u000a:1"
