"""The three shoppers are chosen by rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.offline.sample.orders import is_held_out
from streams.operating.demo.choosing import Role, choose
from streams.operating.read_back import Scores

USERS = [user for user in map(str, range(40)) if is_held_out(user)]
SEEN = next(user for user in map(str, range(40)) if not is_held_out(user))


def record(value: float, tier: str) -> dict[str, object]:
    return {"score": value, "tier": tier, "expected_spend": 40.0}


def test_each_role_goes_to_the_extreme_of_its_kind() -> None:
    first, second, third, fourth, fifth, sixth = USERS[:6]
    before: Scores = {
        SEEN: record(99, "premium"),
        first: record(98, "premium"),
        second: record(97, "premium"),
        third: record(10, "low"),
        fourth: record(90, "high"),
        fifth: record(90, "high"),
        sixth: record(90, "high"),
    }
    after: Scores = {user: record(1, "low") for user in before} | {fifth: record(80, "high")}
    spent = {SEEN: 500.0, first: 30.0, second: 35.0, third: 5.0, fourth: 19.9, sixth: 20.0}
    assert choose(before, after, spent) == {Role.FORESEEN: second, Role.MISSED: third, Role.DRIFTING: fourth}


def test_nobody_is_chosen_where_nobody_fits() -> None:
    assert choose({}, {}, {}) == {}
    quiet: Scores = {user: record(60, "medium") for user in USERS}
    assert choose(quiet, quiet, dict.fromkeys(USERS, 10.0)) == {}


@given(st.data())
def test_a_choice_keeps_its_rule_and_does_not_hang_on_the_order(data: st.DataObject) -> None:
    records = st.builds(record, st.floats(0, 100), st.sampled_from(["low", "medium", "high", "premium"]))
    scores = st.dictionaries(st.sampled_from([*USERS, SEEN]), records)
    before, after = data.draw(scores), data.draw(scores)
    spent = data.draw(st.dictionaries(st.sampled_from([*USERS, SEEN]), st.floats(0, 1000)))
    chosen = choose(before, after, spent)
    assert chosen == choose(dict(reversed(before.items())), after, dict(reversed(spent.items())))
    for role, user in chosen.items():
        assert is_held_out(user)
        if role is Role.DRIFTING:
            assert spent.get(user, 0) < 20
            assert before[user]["score"] > after[user]["score"]
            assert before[user]["tier"] in ("high", "premium")
        else:
            assert before[user]["tier"] == {Role.FORESEEN: "premium", Role.MISSED: "low"}[role]
            rivals = [other for other in before if other in after and is_held_out(other)]
            assert spent[user] == max(
                spent.get(other, 0) for other in rivals if before[other]["tier"] == before[user]["tier"]
            )
