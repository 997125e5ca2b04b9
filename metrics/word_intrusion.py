"""Word intrusion: can the word that does not belong be told from the words that a dimension holds together?

Murphy, Talukdar and Mitchell, COLING 2012, after Chang et al., NIPS 2009. Automatic: the reader is another
space of word vectors, which must not be made from the table that is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from assay.tasks.arrays import Floats, Ints
from assay.tasks.errors import InputError, check_at_least
from assay.tasks.randomness import generator

# Of the space of co-occurrence.
SPACE = 50
# Counted at a time, so that memory does not grow with the texts.
TEXTS = 1000


@dataclass(frozen=True, slots=True)
class WordIntrusion:
    """How often the intruder is the word least like the others.

    A question is the `top` words of a dimension and one intruder: a word of its lower half that is among the
    top tenth of another dimension. It is found if its mean similarity to the others is the lowest; ties count
    as their expected value. A guess finds 1 / (top + 1).

    Attributes:
        top: words of the dimension in a question.
        draws: questions per dimension.
        seed: of the intruders.
    """

    top: int = 5
    draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("knowledge: words of a question", self.top, 2)
        check_at_least("knowledge: questions per dimension", self.draws, 1)

    @property
    def chance(self) -> float:
        """What guessing finds."""
        return 1 / (self.top + 1)

    def score(self, table: Floats, space: Floats) -> Floats:
        """(n,) the share of questions answered of each dimension; NaN for one that holds too few words.

        Args:
            table: (V, n) words by dimensions.
            space: (V, m) the independent vectors of the same words.
        """
        lengths = np.linalg.norm(space, axis=1, keepdims=True)
        unit = space / np.where(lengths > 0, lengths, 1.0)
        medians = np.median(table, axis=0)
        tenth = np.sort(table, axis=0)[-max(1, len(table) // 10)]
        # Where most words have 0, as in sparse codes, the top tenth is smaller.
        high = (table >= tenth) & (table > medians)
        found = np.full(table.shape[1], np.nan)
        for at, column in enumerate(table.T):
            words = np.argsort(-column, kind="stable")[: self.top]
            others = high[:, np.arange(table.shape[1]) != at].any(axis=1)
            intruders = np.flatnonzero(others & (column <= medians[at]))
            if len(intruders) and len(words) == self.top and (column[words] > medians[at]).all():
                drawn = generator(self.seed, "intruder", at).choice(intruders, self.draws)
                found[at] = np.mean([_found(unit[[*words, intruder]]) for intruder in drawn])
        return found


def _found(vectors: Floats) -> float:
    """Whether the last of the unit vectors is the one least like the others; by chance among equals."""
    similarity = vectors @ vectors.T
    means = similarity.sum(axis=1) - similarity.diagonal()
    least = np.isclose(means, means.min(), rtol=0, atol=1e-9)
    return float(least[-1]) / float(least.sum())


def cooccurrence_space(texts: Iterable[Ints], words: int, window: int = 5, size: int = SPACE) -> Floats:
    """(words, m) vectors from which words stand near each other: positive PMI, reduced by SVD.

    Levy and Goldberg, NIPS 2014. Counts of a window that reaches `window` tokens to either side; words beyond
    `words`, and -1, keep their places and are not counted.

    Args:
        texts: the tokens of each text as numbers of words.
        words: how many words there are.
        window: how far it reaches.
        size: m at most.

    Raises:
        InputError: if hardly any two words stand near each other.
    """
    pairs = csr_array((words, words), dtype=np.float64)
    reader = iter(texts)
    while chunk := list(islice(reader, TEXTS)):
        pairs = pairs + _neighbours(chunk, words, window)
    size = min(size, words - 2)
    if size < 2 or pairs.nnz < words:
        raise InputError(
            f"word intrusion: the texts hold {pairs.nnz} pairs of neighbouring words for {words} words, too "
            "few to say which words are alike; give more training texts, or a smaller knowledge.words"
        )
    pairs = pairs.tocoo()
    rows, columns = pairs.coords
    totals = np.bincount(rows, pairs.data, words)
    pmi = np.log(pairs.data * totals.sum() / (totals[rows] * totals[columns]))
    positive = csr_array((np.maximum(pmi, 0.0), (rows, columns)), shape=(words, words))
    start = generator("co-occurrence").standard_normal(words)
    vectors, values, _ = svds(positive, k=size, v0=start)
    return vectors * np.sqrt(values)


def _neighbours(texts: Sequence[Ints], words: int, window: int) -> csr_array:
    """(words, words) how often one stands near another."""
    pairs = csr_array((words, words), dtype=np.float64)
    for distance in range(1, window + 1):
        long = [text for text in texts if len(text) > distance]
        left = np.concatenate([np.empty(0, np.intp), *(text[:-distance] for text in long)])
        right = np.concatenate([np.empty(0, np.intp), *(text[distance:] for text in long)])
        known = (left >= 0) & (left < words) & (right >= 0) & (right < words)
        ones = np.ones(int(known.sum()))
        counts = csr_array((ones, (left[known], right[known])), shape=(words, words))
        pairs = pairs + counts + counts.T
    return pairs


def random_table(like: Floats, seed: int) -> NDArray[np.float64]:
    """A table of independent normal draws with the mean and deviation of each dimension of another."""
    drawn = generator("random table", seed).standard_normal(like.shape)
    return drawn * like.std(axis=0) + like.mean(axis=0)
