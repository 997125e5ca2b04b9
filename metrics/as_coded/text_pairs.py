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
    for text, own in enumerate(words):
        for word in own:
            postings[word].append(text)
    labels = _numbered([frozenset(example.labels) for example in examples])
    pictures = _numbered([example.id.split(".jpg")[0] for example in examples])
    similar, different = _First(pairs), _First(pool)
    for text, own in enumerate(words):
        sharing = [np.array(postings[word], dtype=np.intp) for word in own]
        shared = np.bincount(np.concatenate([np.empty(0, dtype=np.intp), *sharing]), minlength=texts)
        later = np.arange(text + 1, texts)
        later = later[pictures[later] != pictures[text]]
        equal = labels[later] == labels[text]
        alike, unlike = later[equal & (shared[later] > 0)], later[~equal]
        similar.offer(text, alike, -shared[alike])
        different.offer(text, unlike, shared[unlike])
    drawn = rng.sample(range(len(different)), min(pairs, len(different)))
    first, second, rank = np.concatenate([similar.columns, different.columns[:, drawn]], axis=1)
    return Pairs(first, second, np.abs(rank).astype(np.float64), np.arange(len(first)) < len(similar))


@dataclass(slots=True, eq=False)
class _First:
    """The first `size` of the pairs offered, by rising rank and then in the order offered.

    columns: (3, P) the first text, the second text and the rank of each pair.
    """

    size: int
    columns: Ints = field(default_factory=lambda: np.empty((3, 0), dtype=np.intp))

    def __len__(self) -> int:
        return self.columns.shape[1]

    def offer(self, first: int, second: Ints, rank: Ints) -> None:
        """Pairs of one text with others."""
        if len(self) == self.size:
            better = rank < self.columns[2, -1]
            second, rank = second[better], rank[better]
        if len(rank):
            offered = np.stack([np.full(len(second), first), second, rank])
            columns = np.concatenate([self.columns, offered], axis=1)
            self.columns = columns[:, np.argsort(columns[2], kind="stable")[: self.size]]


def _words(example: Example) -> frozenset[str]:
    return frozenset(example.texts[-1].lower().split()) - ENGLISH_STOP_WORDS


def _numbered(values: Sequence[object]) -> Ints:
    """(n,) a number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)
