"""The stories as they are printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from features.users.families import Family, family_of
from streams.operating.demo.choosing import Role
from streams.operating.demo.standing import Move
from streams.operating.demo.stories import Story
from streams.operating.demo.words import counted, day, doings, money, number

DAYS_TOLD: Final = 3
PARTS_TOLD: Final = 3

_TITLES: Final = {
    Role.FORESEEN: "Foreseen: of those scored premium, {user} then spent most",
    Role.MISSED: "Missed: of those scored low, {user} then spent most",
    Role.DRIFTING: "Drifting away: {user}, scored {tier}, then spent less than half of what was expected",
}
_COLOURS: Final = {Role.FORESEEN: "green", Role.MISSED: "yellow", Role.DRIFTING: "red"}


def told(story: Story, currency: str) -> RenderableType:
    """Tell a story, at any width."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    for label, line in _lines(story, currency):
        grid.add_row(Text(label), line)
    title = _TITLES[story.role].format(user=story.user_id, tier=story.before["tier"])
    return Group(Text(title, style=f"bold {_COLOURS[story.role]}"), grid)


def _lines(story: Story, currency: str) -> Iterator[tuple[str, Text]]:
    known = story.known
    orders, idle = int(known["lifetime_orders"] or 0), round(known["days_since_last_purchase"] or 0)
    spent = money(known["lifetime_spend"] or 0, currency)
    yield (
        "before",
        Text(f"{counted(orders, 'order', 'orders')} for {spent}, the last {counted(idle, 'day', 'days')} ago"),
    )
    yield "", _standing(story.before, currency)
    for happened in story.days[:DAYS_TOLD]:
        line = Text(doings(happened.orders, happened.simulated, currency))
        if happened.score is not None:
            line.append(f": score {happened.score['score']:.1f}", style="bold")
        yield day(happened.on), line
    if not story.days:
        yield "then", Text("nothing")
    more = len(story.days) - DAYS_TOLD
    if more > 0:
        yield "", Text(f"and {counted(more, 'more day', 'more days')}")
    yield "after", _standing(story.after, currency)
    for place, line in enumerate(_why(story)):
        yield "" if place else "why", line
    yield "a shop", Text(_advice(story, currency))


def _standing(score: Mapping[str, Any], currency: str) -> Text:
    text = Text(f"score {score['score']:.1f}", style="bold")
    expected = money(score["expected_spend"], currency)
    return text.append(f", {score['tier']}, {expected} expected in 30 days", style="not bold")


def _why(story: Story) -> Iterator[Text]:
    by_family: defaultdict[Family, list[Move]] = defaultdict(list)
    for move in story.moves:
        by_family[family_of(move.feature)].append(move)
    sums = {family: sum(move.by for move in moves) for family, moves in by_family.items()}
    largest = sorted(sums, key=lambda family: -abs(sums[family]))
    yield Text(f"the prediction, the logarithm of money, moved by {sum(sums.values()):+.2f}:")
    for family in largest[:PARTS_TOLD]:
        yield _part(sums[family], family, by_family[family])
    yield Text(f"{sum(sums[family] for family in largest[PARTS_TOLD:]):+.2f}  all else")


def _part(by: float, family: Family, moves: Sequence[Move]) -> Text:
    text = Text(f"{by:+.2f}", style="green" if by > 0 else "red")
    text.append(f"  {family.name}", style="default")
    changed = [move for move in moves if move.before != move.after]
    if not changed:
        return text.append(", as time passes", style="default")
    shown = next((move for move in changed if move.feature == family.headline), changed[0])
    told = f": {shown.feature} {number(shown.before)} to {number(shown.after)}"
    return text.append(told, style="default")


def _advice(story: Story, currency: str) -> str:
    after = story.after
    if story.role is Role.FORESEEN:
        shown = f"new {after['tags'][0]} first" if after["tags"] else "what is new first"
        return f"gives no discount for orders that come anyway; its recommender shows {shown}."
    if story.role is Role.MISSED:
        return (
            f"that goes by the score alone passes over this shopper, who spent {money(story.spent, currency)}. "
            "The order moved the score at once: offers that read it live can still follow."
        )
    where = f"--where tier={after['tier']} --where lifecycle={after['labels']['lifecycle']}"
    return f"wins back early: `wherewithal scores {where}` lists those alike for a mail."
