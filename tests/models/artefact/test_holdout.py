"""Who is held out: by a hash, the same everywhere and at any time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.artefacts import fitted_artefact

from models.artefact.artefact import Artefact
from models.artefact.card import card
from models.artefact.files import DOCUMENT_FILE
from models.artefact.holdout import SALT, Holdout
from models.exceptions import ArtefactError
from models.training.rows import assign_folds

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)


@given(user=IDS, less=SHARES, more=SHARES)
def test_who_is_held_out_stays_so_in_a_greater_share(user: str, less: float, more: float) -> None:
    less, more = sorted([less, more])
    assert not Holdout(salt=SALT, share=less).holds_out(user) or Holdout(salt=SALT, share=more).holds_out(user)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_the_share_of_users_is_the_one_asked_for(share: float) -> None:
    holdout = Holdout(salt=SALT, share=share)
    held = sum(holdout.holds_out(f"user-{number}") for number in range(20_000))
    # Four standard deviations of a binomial.
    assert abs(held / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def test_the_salt_decides_and_nothing_else_does() -> None:
    users = [f"user-{number}" for number in range(2000)]
    held, again, other = (
        {user for user in users if Holdout(salt=salt, share=0.5).holds_out(user)} for salt in (SALT, SALT, "other")
    )
    assert held == again
    assert 400 < len(held & other) < 600


def test_users_who_are_left_fall_into_every_fold_alike() -> None:
    holdout = Holdout(salt=SALT, share=0.2)
    users = [user for number in range(10_000) if not holdout.holds_out(user := f"user-{number}")]
    folds = assign_folds(users, 5, 0).tolist()
    assert all(1400 < folds.count(fold) < 1800 for fold in range(5))


@pytest.mark.parametrize(
    "changes",
    [{"share": 0.0}, {"share": 1.0}, {"share": float("nan")}, {"salt": ""}, {"salt": "x" * 65}, {"users": -1}],
)
def test_what_is_no_holdout_is_refused_in_one_line(changes: dict[str, object]) -> None:
    with pytest.raises(ArtefactError, match="holdout: expected a salt of 1 to 64 bytes") as refused:
        Holdout(**{"salt": SALT, "share": 0.2, **changes})  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_an_artefact_remembers_its_holdout_in_a_format_that_earlier_releases_refuse(tmp_path: Path) -> None:
    holdout = Holdout(salt=SALT, share=0.25, users=40, rows=300)
    made, without = fitted_artefact(holdout=holdout), fitted_artefact()
    made.save(tmp_path)
    assert '"format_version": 3' in (tmp_path / DOCUMENT_FILE).read_text()
    assert Artefact.load(tmp_path).holdout == holdout
    assert Artefact.load(tmp_path).version == made.version != without.version
    text = card(made, "command")
    assert "a share of 0.25 of the users" in text
    assert "40 users with 300 rows" in text
    assert "Held out" not in card(without, "command")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"share": 0.25', '"share": 0.5', "changed after it was saved"),
        ('"share": 0.25', '"share": 1.5', "damaged file .*holdout: expected"),
        ('"salt": "holdout"', '"pepper": "holdout"', "damaged"),
        ('"format_version": 3', '"format_version": 2', "changed after it was saved"),
    ],
)
def test_a_holdout_that_was_changed_is_noticed(before: str, after: str, message: str, tmp_path: Path) -> None:
    fitted_artefact(holdout=Holdout(salt=SALT, share=0.25)).save(tmp_path)
    document = (tmp_path / DOCUMENT_FILE).read_text()
    assert before in document
    (tmp_path / DOCUMENT_FILE).write_text(document.replace(before, after))
    with pytest.raises(ArtefactError, match=message):
        Artefact.load(tmp_path)


def test_a_holdout_comes_back_from_json() -> None:
    holdout = Holdout(salt="é", share=0.1, users=3, rows=5)
    assert msgspec.json.decode(msgspec.json.encode(holdout), type=Holdout) == holdout
