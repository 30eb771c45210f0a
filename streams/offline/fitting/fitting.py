"""From files of events to a scorer of one's own: fold, hold users out, train, compare, judge, and write."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from features.users.catalogue import NAMES
from models.artefact.card import CARD_FILE, card
from models.artefact.files import artefact_bytes
from models.artefact.holdout import SALT, Holdout
from models.libraries import library
from models.measures.chance import chance_warning
from streams.inference.loading import load_inference
from streams.offline.evaluation.from_rows import from_rows as material_of
from streams.offline.evaluation.publishing import publish
from streams.offline.evaluation.report import evaluate
from streams.offline.fitting.contest import Contest, Rules, contest
from streams.offline.fitting.enough import check_buyers, check_folds, check_history, check_users
from streams.offline.fitting.table import Table, on_holdout
from streams.offline.history.folding import Account
from streams.offline.history.instants import suiting_step
from streams.offline.history.output import Plan, write_history
from streams.offline.history.refused import Refused
from streams.offline.training.categories import Choice
from streams.offline.training.holding_out import hold_out
from streams.offline.training.source import from_rows
from streams.progress import Progress
from streams.settings import Settings
from streams.sources.options import SourceOptions
from streams.telemetry.metrics import Metrics

HISTORY_FOLDER: Final = "history"
ARTEFACT_FOLDER: Final = "artefact"
COMPARISON_FILE: Final = "comparison.json"

_LIBRARIES: Final = ("lightgbm", "optuna", "lifetimes", "sklearn", "matplotlib", "jinja2")
"""Those that training and report need; to miss one is said before the history is folded."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The options of a run.

    Attributes:
        rules: of the training.
        step: between instants, ms; None for one that suits the length of the history.
        share: of the users to hold out, above 0 and below 1.
        draws: resamplings behind the intervals of the report.
        choice: of the scorer's categories.
        shop: whose events they are, in words; empty where nobody names it.
        command: what makes the artefact again, for its card.
    """

    rules: Rules
    step: int | None
    share: float
    draws: int
    choice: Choice
    shop: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The result of a run.

    Attributes:
        account: of the events.
        step: between instants, ms.
        rows: number of rows trained on.
        users: number of their users.
        holdout: the users held out.
        trained: the scorers, and the choice among them.
        table: of all scorers and baselines, on the users held out.
        warning: what to say of that scorer if it is not told apart from chance; else None.
    """

    account: Account
    step: int
    rows: int
    users: int
    holdout: Holdout
    trained: Contest
    table: Table
    warning: str | None


def fit(
    settings: Settings,
    files: Sequence[Path],
    output: Path,
    wishes: Wishes,
    options: SourceOptions,
    refused: Refused,
    progress: Progress,
) -> Fitted:
    """Fit a scorer to a shop's events and write a folder, which appears in full or not at all.

    The folder holds `history` (as the command of that name writes it, with targets), `artefact` (with its card),
    `report.html` and `report.json` (as `evaluate` writes them) and `comparison.json`. The scorer is the one that the
    cross-validation over the users trained on prefers. The users held out have no say in that: they judge it.

    Args:
        settings: of encoder, scorer in use and the meaning of events.
        files: of events, in the order of arrival.
        output: a folder that is new or empty.
        wishes: the options.
        options: say how the files are read.
        refused: takes what is refused, and says how much may be.
        progress: called with the progress.

    Raises:
        ConfigurationError: the files cannot be read, or hold too little.
        RefusedInputError: more is refused than may be.
        InvalidInputError: rows on which something cannot be fitted or measured.
        MissingLibraryError: a library of the extra `train` is not installed.
        EncoderUnavailableError: the encoder is down.
    """
    for name in _LIBRARIES:
        library(name)
    output = output.absolute()
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as aside:
        made = Path(aside) / "made"
        made.mkdir()
        fitted = _fit(settings, files, made, wishes, options, refused, progress)
        # Over a new or empty folder a rename is one step.
        made.replace(output)
    return fitted


def _fit(
    settings: Settings,
    files: Sequence[Path],
    made: Path,
    wishes: Wishes,
    options: SourceOptions,
    refused: Refused,
    progress: Progress,
) -> Fitted:
    progress("loading the encoder", 0, 1)
    inference = load_inference(settings, Metrics(), offline=True)
    plan = Plan(step=wishes.step, suiting=wishes.step is None)
    history = made / HISTORY_FOLDER
    written = write_history(settings, inference, files, plan, history, True, options, refused, progress)
    account = written.account
    step = wishes.step or suiting_step(account.oldest or 0, account.newest or 0)
    check_history(account, written.rows_with_target or 0)
    everybody = from_rows(settings, history, inference=inference, choice=wishes.choice, shop=wishes.shop)
    check_users(everybody)
    source, held_out, holdout = hold_out(everybody, Holdout(salt=SALT, share=wishes.share))
    check_buyers(source, held_out)
    check_folds(source, wishes.rules)
    trained = contest(
        source,
        holdout,
        wishes.rules,
        progress=lambda kind, done, of: progress(f"training {kind}", done, of),
    )
    artefact = trained.artefact
    folder = made / ARTEFACT_FOLDER
    artefact.save(folder)
    (folder / CARD_FILE).write_text(card(artefact, wishes.command), encoding="utf-8")
    progress("comparing with baselines", 0, 1)
    material = material_of(history, artefact)
    table = on_holdout(material, trained.artefacts, inference.artefact)
    comparison = {"chosen": trained.chosen, "losses": dict(trained.losses), **table.document()}
    (made / COMPARISON_FILE).write_bytes(orjson.dumps(comparison, option=orjson.OPT_INDENT_2) + b"\n")
    report = evaluate(
        artefact.serving(NAMES, None, artefact.width),
        material,
        currency=settings.currency,
        size_bytes=artefact_bytes(folder),
        draws=wishes.draws,
        seed=wishes.rules.seed,
        progress=progress,
    )
    publish(report, made)
    return Fitted(
        account=account,
        step=step,
        rows=len(source.users),
        users=len(set(source.users)),
        holdout=holdout,
        trained=trained,
        table=table,
        warning=chance_warning(artefact.metrics),
    )
