import random
from dataclasses import replace

import numpy as np
import pytest
from support.artefacts import fitted_artefact
from support.baskets import quiet_orders
from support.encoders import HashEncoder

from features.users.catalogue import NAMES, PROFILE_WIDTH
from models.artefact.artefact import Artefact
from models.scoring.population import reference_of
from streams.exceptions import ConfigurationError
from streams.offline.complete_journey.households import UNKNOWN, households
from streams.offline.evaluation.from_sample import GROUPS, from_sample
from streams.offline.evaluation.perturbing import KINDS, perturbed
from streams.offline.evaluation.stability import stability
from streams.offline.evaluation.texts import Texts
from streams.offline.sample.orders import is_held_out
from streams.offline.sample.training_set import CUT_OFFS, spend_after, training_set
from streams.records.events import text_of

TEXTS = ("A wonderful jazz album. No weak song on it!", "best rock cd", "这张摇滚专辑太好听了,强烈推荐!", "ok")


@pytest.fixture(scope="module")
def some():
    """The orders of forty customers of the sample."""
    return quiet_orders(40)


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    fitted = fitted_artefact()
    return fitted.serving(NAMES, fitted.encoder_identity, PROFILE_WIDTH)


@pytest.fixture(scope="module")
def material(some, artefact):
    return from_sample(artefact, HashEncoder(), some)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_change_is_the_same_for_the_same_seed(kind, text):
    assert perturbed(text, kind, 3) == perturbed(text, kind, 3)


def test_typing_errors_swap_neighbours_and_leave_every_letter():
    for text in TEXTS:
        changed = perturbed(text, "typing_errors", 0)
        assert sorted(changed) == sorted(text)
        assert len(changed.split()) == len(text.split())
    assert len({perturbed(TEXTS[0], "typing_errors", seed) for seed in range(20)}) > 5


def test_case_changes_nothing_but_case():
    for text in TEXTS:
        assert perturbed(text, "case", 1).casefold() == text.casefold()


def test_punctuation_leaves_the_words():
    def words(text):
        return [letter for letter in text if letter.isalnum()]

    for text in TEXTS:
        changed = perturbed(text, "punctuation", 2)
        assert words(changed) == words(text)
        assert changed != text


def test_spaces_leave_the_words():
    for text in TEXTS:
        changed = perturbed(text, "spaces", 2)
        assert changed.split() == text.split()
        assert changed != text


def test_a_synonym_replaces_a_known_word_and_only_that():
    assert KINDS["synonym"]("best rock", random.Random(0)) == "finest rock"
    assert KINDS["synonym"]("这张摇滚专辑", random.Random(0)) == "这张摇滚唱片"
    assert KINDS["synonym"]("ok", random.Random(0)) == "ok"


def test_the_halves_are_those_of_the_split_and_the_rows_those_of_training(some, artefact, material):
    assert all(is_held_out(user) for user in material.asked.users)
    assert not any(is_held_out(user) for user in material.known.users)
    assert set(material.asked.instants.tolist()) <= set(CUT_OFFS)
    assert material.overlap == "none"
    trained = training_set([order for order in some if not is_held_out(order.customer_id)], HashEncoder())
    assert material.known.users == trained.users
    assert material.known.instants.tolist() == trained.instants.tolist()
    assert material.known.money.tolist() == trained.money.tolist()
    assert np.array_equal(material.known.values, np.array(trained.scalars, dtype=np.float64), equal_nan=True)
    assert material.regular.tolist() == trained.regular.tolist()


def test_the_spend_judged_is_the_real_one_of_the_thirty_days_after(some, material):
    for row in range(0, len(material.asked.users), 17):
        own = [order for order in some if order.customer_id == material.asked.users[row]]
        assert material.asked.money[row] == spend_after(own, int(material.asked.instants[row]))


def test_groups_are_what_is_known_of_households(some, material):
    known = {household.user_id: household for household in households()}
    for column in GROUPS:
        for user, group in zip(material.asked.users, material.groups[column].tolist(), strict=True):
            assert group == (getattr(known[user], column) if user in known else UNKNOWN)
    assert len(set(material.groups["income"].tolist()) - {UNKNOWN}) > 1


def test_a_column_that_the_sample_does_not_have_is_refused(some, artefact):
    with pytest.raises(ConfigurationError, match="income, age"):
        from_sample(artefact, HashEncoder(), some, ["shoe_size"])


def test_another_encoder_is_judged_without_the_profile(some, artefact):
    class Other(HashEncoder):
        weights_digest = "00" * 32

    made = from_sample(artefact, Other(), some)
    assert not made.use_profile
    assert made.texts is None
    assert "another encoder" in made.without_texts


class CaseBlind(HashEncoder):
    """Reads small letters only, and no space twice: what two kinds of change leave as it was."""

    def tokenize(self, texts):
        return super().tokenize([" ".join(text.lower().split()) for text in texts])


def test_an_encoder_that_sees_no_difference_moves_no_score_and_one_that_does_moves_them(some, artefact):
    made = from_sample(artefact, CaseBlind(), some)
    assert isinstance(made.texts, Texts)
    asked = made.asked
    # Of its own population, in which scores are spread.
    everybody = artefact.scorer.predict(asked.values, asked.profiles).prediction
    scorer = replace(artefact.scorer, reference=reference_of(everybody))
    found = stability(scorer, made.texts, asked.users, asked.instants.tolist(), seed=0, most=8)
    assert found is not None
    assert found["users"] == 8
    assert set(found["kinds"]) == set(KINDS)
    for kind in ("case", "spaces"):
        assert found["kinds"][kind]["largest"] == 0
        assert found["kinds"][kind]["cosine"] == pytest.approx(1, abs=1e-6)
        assert found["kinds"][kind]["changed"] > 0
    typed = found["kinds"]["typing_errors"]
    assert typed["largest"] > 0
    assert typed["cosine"] < 0.9
    assert typed["difference"] == sorted(typed["difference"])
    assert found == stability(scorer, made.texts, asked.users, asked.instants.tolist(), seed=0, most=8)


def test_users_without_a_text_that_counts_are_not_drawn(some, artefact, material):
    texts = material.texts
    silent = Texts(
        {user: [event for event in own if not text_of(event)] for user, own in texts.events.items()},
        texts.readings,
        texts.encoder,
        texts.projection,
        texts.identity,
        texts.observer,
    )
    users = [user for user, own in silent.events.items() if own][:5]
    assert stability(artefact.scorer, silent, users, [CUT_OFFS[-1]] * len(users), seed=0) is None
