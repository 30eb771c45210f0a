"""The origin that an artefact records: what the training rows say about the shop's money."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.artefact.origin import Origin
from streams.inference.money import money_of


def origin_of(
    values: NDArray[np.float64],
    users: Sequence[str],
    instants: NDArray[np.int64],
    *,
    shop: str,
    currency: str,
) -> Origin:
    """Measure the money in rows.

    Each user counts once for the range, by the last row, as in the sample of what is served. The price bands are those
    of rows: a user is labelled again and again.

    Args:
        values: float64[n, k], in the order of `features.users.catalogue.SCALARS`, NaN for null.
        users: n ids.
        instants: int64[n], T in ms.
        shop: in words; empty for a shop that nobody named.
        currency: of all amounts.
    """
    last = {users[place]: place for place in np.argsort(instants, kind="stable").tolist()}
    newest = money_of(values[list(last.values())])
    return Origin.fit(shop, currency, viewed=newest.viewed, orders=newest.orders, prices=money_of(values).prices)
