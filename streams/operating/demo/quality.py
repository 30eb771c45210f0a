"""What the demo's scores were worth, measured on customers on whom no scorer was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.measures.spend import concordance, top_decile_share
from streams.contract import HORIZON
from streams.offline.sample.orders import Order, is_held_out
from streams.offline.sample.training_set import spend_after
from streams.operating.read_back import Scores


@dataclass(frozen=True)
class Quality:
    """The agreement between scores and later spend, for customers on whom no scorer was trained.

    Attributes:
        customers: number of customers scored.
        buyers: number of them that bought in the 30 days after.
        spent: what they spent in the 30 days after, in the currency of the orders.
        concordance: share of pairs with different spend that the scores order rightly; 0.5 is chance.
        top_decile_share: share of the money spent by the tenth with the highest predictions.
        concordance_of_past_spend: the same for an order by what was spent in the 30 days before.
    """

    customers: int
    buyers: int
    spent: float
    concordance: float
    top_decile_share: float
    concordance_of_past_spend: float


def quality_of(orders: Mapping[str, Sequence[Order]], scores: Scores, instant: int) -> Quality:
    """Compare scores as of an instant (ms) with what the held-out customers spent in the 30 days after it."""
    held_out = [user_id for user_id in sorted(scores) if is_held_out(user_id)]
    actual = np.array([spend_after(orders[user_id], instant) for user_id in held_out])
    predicted = np.array([scores[user_id]["prediction"] for user_id in held_out])
    past = np.array([spend_after(orders[user_id], instant - HORIZON) for user_id in held_out])
    return Quality(
        customers=len(held_out),
        buyers=int((actual > 0).sum()),
        spent=round(float(actual.sum()), 2),
        concordance=round(float(concordance(actual, predicted)), 4),
        top_decile_share=round(float(top_decile_share(actual, predicted)), 4),
        concordance_of_past_spend=round(float(concordance(actual, past)), 4),
    )
