"""What a head of polarity is held against: no text at all, words of a list, and runs of letters fitted to the texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.libraries import library
from streams.offline.sentiment.lexicon import Lexicon
from streams.offline.sentiment.pairs import Pair

PRIOR: Final = "share of praise"
LEXICON: Final = "lexicon"
LETTERS: Final = "runs of letters"

Vector = NDArray[np.float64]


def baselines(train: Sequence[Pair], unseen: Sequence[Pair]) -> dict[str, Vector]:
    """Return the probability of praise of each unseen text by each baseline, corpus by corpus.

    `share of praise` is that of the corpus. `lexicon` is `Lexicon`, its score made a probability by a logistic
    regression on the texts that heads learn from. `runs of letters` is a logistic regression on tf-idf of one to four
    letters in a row, fitted to the same texts: what those texts alone teach, without an encoder. All are fitted to one
    corpus, which a head is not: it is told no language.

    Raises:
        MissingLibraryError: scikit-learn or the package of the lexicon is not installed.
    """
    lexicon = Lexicon()
    found = {name: np.empty(len(unseen)) for name in (PRIOR, LEXICON, LETTERS)}
    for corpus in dict.fromkeys(pair.corpus for pair in unseen):
        known = [pair for pair in train if pair.corpus == corpus]
        rows = [row for row, pair in enumerate(unseen) if pair.corpus == corpus]
        asked = [unseen[row].text for row in rows]
        texts = [pair.text for pair in known]
        positive = np.array([pair.positive for pair in known])
        found[PRIOR][rows] = positive.mean()
        found[LEXICON][rows] = _by_score(lexicon, texts, positive, asked)
        found[LETTERS][rows] = _by_letters(texts, positive, asked)
    return found


def _by_score(lexicon: Lexicon, texts: list[str], positive: NDArray[np.bool_], asked: list[str]) -> Vector:
    model = library("sklearn.linear_model").LogisticRegression(C=1e6)
    model.fit([[lexicon.score(text)] for text in texts], positive)
    told: Vector = model.predict_proba([[lexicon.score(text)] for text in asked])[:, 1]
    return told


def _by_letters(texts: list[str], positive: NDArray[np.bool_], asked: list[str]) -> Vector:
    vectorizer = library("sklearn.feature_extraction.text").TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True
    )
    model = library("sklearn.linear_model").LogisticRegression(C=4.0, max_iter=1000)
    model.fit(vectorizer.fit_transform(texts), positive)
    told: Vector = model.predict_proba(vectorizer.transform(asked))[:, 1]
    return told
