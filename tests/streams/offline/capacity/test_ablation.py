"""The ablation: purchases folded as the worker folds them, and what text adds found where it is."""

from collections.abc import Iterator

import numpy as np
import pytest

from features.users.catalogue import NAMES
from models.profile import WIDTH, Projection
from streams.offline.capacity.ablation import ablation
from streams.offline.capacity.journey import BEFORE, YEAR, Journey, fold, sparse
from streams.offline.capacity.page import page
from streams.offline.capacity.tastes import SERVED, WAYS, Tastes, led_by
from streams.offline.complete_journey.households import Household
from streams.offline.complete_journey.purchases import Item, Purchase

DAY = 86_400_000
HOUSEHOLDS = 40
RICH, POOR = ("aged cheese", "fine wine"), ("value bread", "store soda")


def purchases() -> Iterator[Purchase]:
    """Thirty-two baskets of two lines, 12 days apart; every second household buys what the rich buy, mostly."""
    rng = np.random.default_rng(0)
    for basket in range(32):
        for household in range(HOUSEHOLDS):
            for line in range(2):
                dear = rng.random() < (0.8 if household % 2 else 0.2)
                words = (RICH if dear else POOR)[rng.integers(2)]
                item = Item(words, words.split()[1], False)
                paid = float(1 + rng.integers(5))
                yield Purchase(str(household), f"{household}-{basket}", str(line), basket * 12 * DAY, 2, paid, item)


@pytest.fixture(scope="module")
def journey() -> Journey:
    return fold(purchases)


def test_households_are_seen_after_their_baskets_before_the_end_and_at_it(journey: Journey) -> None:
    seen = {name: len(found.users) for name, found in journey.snapshots.items()}
    assert seen == {"1": 40, "3": 40, "10": 40, "30": 40, BEFORE: 40, YEAR: 40}
    orders = NAMES.index("lifetime_orders")
    for name, count in {"1": 1, "3": 3, "10": 10, "30": 30, YEAR: 32}.items():
        assert set(journey.snapshots[name].values[:, orders]) == {count}
    # Baskets of days 0, 12, ... 372; the last 30 days begin after day 342.
    assert set(journey.snapshots[BEFORE].values[:, orders]) == {29}
    later = sum(p.paid for p in purchases() if p.household == "7" and p.timestamp > 342 * DAY)
    assert journey.spent["7"] == pytest.approx(later)


def test_weights_halve_in_sixty_days(journey: Journey) -> None:
    found = journey.snapshots["3"]
    place = found.users.index("5")
    bought = [p for p in purchases() if p.household == "5"][:6]
    for title, weight in found.bought[place].items():
        ages = [(24 * DAY - p.timestamp) / DAY for p in bought if p.item.title == journey.titles[title]]
        assert weight == pytest.approx(sum(2 ** (-age / 60) for age in ages))
    assert sum(found.plain[place].values()) == 6
    assert sparse(found.plain, len(journey.titles)).sum() == 6 * HOUSEHOLDS


def test_text_that_tells_is_found_by_every_way_to_read_it_and_told_on_the_page(journey: Journey) -> None:
    embeddings = np.random.default_rng(1).normal(size=(len(journey.titles), 100))
    led = led_by(journey.snapshots[YEAR], {"0", "1"}, embeddings)
    tastes = Tastes(embeddings, Projection.orthogonal(100, seed=3), led, journey.titles, journey.categories)
    for way in WAYS:
        vectors = tastes.of(way, journey.snapshots[YEAR])
        assert vectors.shape == (HOUSEHOLDS, WIDTH)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    known = [Household(str(i), i % 2, "Under 15K", "45-54", "2", "2 Adults", "0") for i in range(HOUSEHOLDS)]
    steps = []
    document = ablation(
        journey,
        tastes,
        known,
        draws=20,
        seed=0,
        progress=lambda name, done, of: steps.append((done, of)),
        ways=(SERVED,),
    )
    for found in (document["capacity"][YEAR], document["ways"][SERVED]["decayed"]):
        assert found["n"] == HOUSEHOLDS
        assert found["spearman"]["text"]["value"] > 0.5
        assert found["lift"]["spearman"]["value"] > 0.3
    assert document["ways"][SERVED]["decayed"] == document["capacity"][YEAR]
    assert document["fairness"]["age"]["groups"]["45-54"]["users"] == HOUSEHOLDS
    assert steps[-1] == (steps[-1][1] - 1, steps[-1][1])
    text = page(document | {"encoder": "mini@0123456789ab", "seed": 0})
    for words in ("30 baskets", "the whole year", "BERT, P of the scorer in use", "### household size", "simulated"):
        assert words in text
