"""Pairs of texts as the diagnostic study's script draws them, without looking at all of them at once."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from assay.metrics.text_pairs import Pairs
from assay.tasks.arrays import Ints
from assay.tasks.example import Example

Positions = Ints


def draw_pairs(examples: Sequence[Example], pairs: int, pool: int, rng: random.Random) -> Pairs:
    """At most `pairs` similar and `pairs` different pairs of examples, by the number of words they share.

    Similar: equal labels and a word in common, those that share most. Different: other labels, a draw from
    the `pool` that share least. Equal numbers: in the order of the data set, so that where many share nothing
    the different pairs are all about the first few texts. Words are what stands between white space, in lower
    case, without English stop words; of a pair of texts those of the second. Examples of one picture, whose
    ids agree up to ".jpg", are no pair. Memory grows with the texts and `pool`, not with the pairs.

    The result's overlap is the number of shared words. Stop words are scikit-learn's, as those of the script
    are not shipped. Source: consist_data_sample_instance_pairs.py of Atanasova et al. 2020.
    """
    texts = len(examples)
    words = [_words(example) for example in examples]
    postings: dict[str, list[int]] = defaultdict(list)
    for at, of_text in enumerate(words):
        for word in of_text:
            postings[word].append(at)
    labels = _numbered([frozenset(example.labels) for example in examples])
    pictures = _numbered([example.id.split(".jpg")[0] for example in examples])
    similar, different = _First(pairs), _First(pool)
    for at, of_text in enumerate(words):
        sharing = [np.array(postings[word], dtype=np.intp) for word in of_text]
        shared = np.bincount(np.concatenate([np.empty(0, dtype=np.intp), *sharing]), minlength=texts)
        later = np.arange(at + 1, texts)
        later = later[pictures[later] != pictures[at]]
        equal = labels[later] == labels[at]
        alike, unlike = later[equal & (shared[later] > 0)], later[~equal]
        similar.offer(at, alike, -shared[alike])
        different.offer(at, unlike, shared[unlike])
    drawn = rng.sample(range(len(different.rank)), min(pairs, len(different.rank)))
    first = np.concatenate([similar.first, different.first[drawn]])
    second = np.concatenate([similar.second, different.second[drawn]])
    overlap = np.concatenate([-similar.rank, different.rank[drawn]]).astype(np.float64)
    return Pairs(first, second, overlap, np.arange(len(first)) < len(similar.rank))


@dataclass(slots=True, eq=False)
class _First:
    """The first `size` of the pairs offered, by rising rank and then in the order offered."""

    size: int
    first: Positions = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    second: Positions = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    rank: Positions = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def offer(self, first: int, second: Positions, rank: Positions) -> None:
        """Pairs of one text with others."""
        if len(self.rank) == self.size:
            better = rank < self.rank[-1]
            second, rank = second[better], rank[better]
        if not len(rank):
            return
        rank = np.concatenate([self.rank, rank])
        kept = np.argsort(rank, kind="stable")[: self.size]
        self.rank = rank[kept]
        self.first = np.concatenate([self.first, np.full(len(second), first)])[kept]
        self.second = np.concatenate([self.second, second])[kept]


def _words(example: Example) -> frozenset[str]:
    return frozenset(example.texts[-1].lower().split()) - ENGLISH_STOP_WORDS


def _numbered(values: Sequence[object]) -> Positions:
    """(n,) a number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)
