"""Customers at cut-offs: their orders as purchase events, folded into feature rows by the code that serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
import orjson

from features.observation import Observation, to_micros
from features.tiles import DAY
from features.users.catalogue import NAMES
from features.users.point_in_time import snapshots
from features.users.row import Value
from models.backtest.rows import CutOffRows
from models.backtest.two_part import RFM_COLUMNS, rfm
from streams.contract import CLICKS
from streams.exceptions import ConfigurationError
from streams.net_spend import net_spend
from streams.offline.backtest.cdnow import Order
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Click
from streams.records.observer import Observer

CALIBRATION_END: Final = int(datetime(1997, 10, 1, tzinfo=UTC).timestamp()) * 1000
"""The first instant after the calibration period, whose last day is 1997-09-30; epoch ms."""

HORIZON_DAYS: Final = 273
"""The 39 weeks after it, to the end of 1998-06-30."""

EARLIER_DAYS: Final = (112, 84, 56, 28)
"""How far before the end of the calibration period the earlier cut-offs lie: 16, 12, 8 and 4 weeks."""

_REPORT_EVERY: Final = 1000


class Panel(NamedTuple):
    """All customers with an order before a cut-off, at each cut-off that the protocols need.

    Attributes:
        at_end: at the end of the calibration period, with the spend of the holdout.
        earlier: at the earlier cut-offs, with horizons of 39 weeks as well, which reach into the holdout.
        inside: at the earlier cut-offs, with horizons that end with the calibration period.
    """

    at_end: CutOffRows
    earlier: list[CutOffRows]
    inside: list[CutOffRows]


def panel(customers: Mapping[str, Sequence[Order]], progress: Progress) -> Panel:
    """Fold every customer's orders up to each cut-off.

    Args:
        customers: the orders of each customer by time, at most one a day.
        progress: called with the number of customers done.

    Raises:
        ConfigurationError: an order makes no valid event, or no customer has an order before the first cut-off.
    """
    cut_offs = [CALIBRATION_END - days * DAY for days in (*EARLIER_DAYS, 0)]
    rows: dict[int, list[tuple[str, tuple[Value, ...]]]] = {cut_off: [] for cut_off in cut_offs}
    decoder, observer = Decoder(), Observer(())
    for done, (customer, orders) in enumerate(sorted(customers.items()), start=1):
        observed = [
            _observation(decoder, observer, order, number)
            for number, order in enumerate(orders)
            if order.timestamp < CALIBRATION_END
        ]
        for snapshot in snapshots(observed, cut_offs, encoder=""):
            rows[snapshot.instant].append((customer, snapshot.scalars))
        if done % _REPORT_EVERY == 0 or done == len(customers):
            progress("folding customers", done, len(customers))
    *before, end = cut_offs
    if not all(rows.values()):
        raise ConfigurationError(
            "orders: expected some before each cut-off, the first being 1997-06-11, found none; "
            "pass orders of the CDNOW cohort"
        )
    return Panel(
        at_end=_rows(customers, rows[end], end, HORIZON_DAYS),
        earlier=[_rows(customers, rows[cut_off], cut_off, HORIZON_DAYS) for cut_off in before],
        inside=[
            _rows(customers, rows[cut_off], cut_off, days) for cut_off, days in zip(before, EARLIER_DAYS, strict=True)
        ],
    )


def _observation(decoder: Decoder, observer: Observer, order: Order, number: int) -> Observation:
    units = max(order.units, 1)
    click = {
        "event_id": f"order-{number}",
        "user_id": order.customer_id,
        "item_id": "order",
        "action": "purchase",
        "timestamp": order.timestamp,
        "price": order.dollars / units,
        "quantity": units,
    }
    event = decoder.decode(CLICKS, order.customer_id.encode(), orjson.dumps(click), order.timestamp)
    if not isinstance(event, Click):
        raise ConfigurationError("orders: expected each to make a valid purchase event, found one that does not")
    return observer.observe(event, number)


def _rows(
    customers: Mapping[str, Sequence[Order]],
    folded: Sequence[tuple[str, tuple[Value, ...]]],
    cut_off: int,
    horizon_days: int,
) -> CutOffRows:
    matrix = np.array([scalars for _, scalars in folded], dtype=np.float64)
    until = cut_off + horizon_days * DAY
    numbers = np.empty((len(folded), RFM_COLUMNS))
    spent = np.empty(len(folded))
    for row, (customer, _) in enumerate(folded):
        orders = customers[customer]
        past = [order for order in orders if order.timestamp < cut_off]
        numbers[row] = rfm(
            np.array([(cut_off - order.timestamp) / DAY for order in past]),
            np.array([order.dollars for order in past]),
            np.array([float(order.units) for order in past]),
        )
        spent[row] = net_spend(
            ((order.timestamp, to_micros(order.dollars)) for order in orders), cut_off - 1, until - 1
        )
    return CutOffRows(
        customers=np.array([customer for customer, _ in folded]),
        features=dict(zip(NAMES, matrix.T, strict=True)),
        rfm=numbers,
        spent=spent,
        horizon_days=float(horizon_days),
    )
