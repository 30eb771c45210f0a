"""The table of faults: what is counted, and how a page takes it in."""

from __future__ import annotations

import pytest
from chaos.account import HEAD, RULE, Account, done_in, lost_and_doubled, table, with_accounts
from support.paths import ROOT

ONE = Account("one", 10_000, 0, 2, 3, 4, 1.26, 2.34)
TWO = Account("two", 10_300, 1, 0, 0, 0, 0.0, 0.0)


def revisions(**of: int) -> dict[str, dict[str, int]]:
    return {user: {"revision": revision} for user, revision in of.items()}


def test_what_one_user_has_lost_is_not_made_up_for_by_what_another_has_doubled() -> None:
    wanted = revisions(a=5, b=5, c=2, d=1)
    assert lost_and_doubled(wanted, revisions(a=4, b=7, d=1)) == (3, 2)


def test_a_page_takes_new_rows_in_place_of_those_of_the_same_fault_and_keeps_the_rest() -> None:
    page = f"# Page\n\n{HEAD}\n{RULE}\n\nbehind\n"
    first = with_accounts(page, [ONE, TWO])
    assert first == "\n".join(["# Page", "", *table([ONE, TWO]), "", "behind", ""])
    assert table([ONE])[-1] == "| one | 10,000 | 0 | 2 | 3 | 4 | 1.3 | 2.3 |"
    again = Account("one", 11_000, 0, 0, 0, 0, 3.0, 3.0)
    assert with_accounts(first, [again]) == first.replace(table([ONE])[-1], table([again])[-1])


def test_a_page_without_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a page with the line"):
        with_accounts("# Page\n", [ONE])


def test_the_page_has_a_row_of_no_fault_that_is_not_tried() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = [line for line in page.partition(RULE + "\n")[2].splitlines() if line.startswith("|")]
    tried = (ROOT / "tests" / "chaos" / "test_kafka_nodes.py").read_text()
    assert [row for row in rows if f'"{done_in(row)}"' not in tried] == []
