"""Pairs of texts that a task makes alike or unlike, found without comparing every text with every other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.long_table import long, pair_name
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.example import Example

# Pairs of texts that share a word, looked at before words are dropped as too common: bounds time and memory.
CANDIDATES = 2_000_000
# The unlike pairs are the least overlapping of this many times as many random ones.
POOL = 5
# Random draws of unlike pairs go on for so many rounds; a task in which nearly all labels agree has too few.
ROUNDS = 20


T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of examples. first, second: (P,) positions. overlap: (P,) shared share of their words, 0..1.
    similar: (P,) bool."""

    first: Ints
    second: Ints
    overlap: Floats
    similar: Bools

    def __len__(self) -> int:
        return len(self.first)

    @property
    def texts(self) -> Ints:
        """(U,) rising positions of the texts that occur in pairs."""
        return np.unique(np.concatenate([self.first, self.second]))

    def table(
        self,
        examples: Sequence[Example],
        activation_distance: Floats,
        explanations: Sequence[T],
        distance: Callable[[T, T], float],
    ) -> pd.DataFrame:
        """The long table, one row per pair (`assay.metrics.long_table.pair_name`) and part.

        Args:
            examples: All examples.
            activation_distance: (P,) distance of the texts' activations.
            explanations: One per text of `texts`.
            distance: The distance of two explanations.
        """
        explained = dict(zip(self.texts.tolist(), explanations, strict=True))
        pairs = list(zip(self.first.tolist(), self.second.tolist(), strict=True))
        parts = {
            "activation_distance": activation_distance,
            "explanation_distance": [distance(explained[i], explained[j]) for i, j in pairs],
            "overlap": self.overlap,
            "similar": self.similar,
        }
        return long([pair_name(examples[i].id, examples[j].id) for i, j in pairs], parts)


def selected_rows(subject: CellData, texts: Ints) -> Iterator[tuple[Shard, int]]:
    """Shard and row of each text at the rising positions `texts` (U,) of a cell."""
    start = 0
    for shard in subject.shards:
        for row in texts[(texts >= start) & (texts < start + len(shard))] - start:
            yield shard, int(row)
        start += len(shard)


def choose_pairs(examples: Sequence[Example], pairs: int, rng: np.random.Generator) -> Pairs:
    """At most `pairs` similar and `pairs` different pairs of examples.

    Similar: equal labels and the largest overlap. Different: no label in common and the smallest overlap
    among a random sample. Overlap is the number of words two texts share over the number they have between
    them (Jaccard); the bare number of shared words would pair long texts with long ones and so let length
    stand in for likeness. Words are lower-cased, English stop words are dropped, and so are, for similar
    pairs, the commonest words once the rarer ones give enough candidates. Ties are broken at random.
    The choice does not depend on the order of the examples beyond that of their ids.
    """
    by_id = np.array(sorted(range(len(examples)), key=lambda at: examples[at].id), dtype=np.intp)
    words = [content_words(examples[at]) for at in by_id]
    labels = [frozenset(examples[at].labels) for at in by_id]
    chosen = [_similar(words, labels, pairs, rng), _different(words, labels, pairs, rng)]
    first, second, overlap = (np.concatenate(columns) for columns in zip(*chosen, strict=True))
    similar = np.arange(len(first)) < len(chosen[0][0])
    return Pairs(by_id[first], by_id[second], overlap, similar)


def content_words(example: Example) -> frozenset[str]:
    """The lower-cased words of the example's texts, without English stop words."""
    # Slow to import, and every command imports this file.
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = re.findall(r"\w+", " ".join(example.texts).lower())
    return frozenset(words) - ENGLISH_STOP_WORDS


_Columns = tuple[Ints, Ints, Floats]


def _similar(
    words: Sequence[frozenset[str]], labels: Sequence[frozenset[int]], pairs: int, rng: np.random.Generator
) -> _Columns:
    """First, second and overlap of the most overlapping pairs of equal labels, by an inverted index."""
    postings: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for at, (text, label) in enumerate(zip(words, labels, strict=True)):
        for word in text:
            postings[word, tuple(sorted(label))].append(at)
    sizes = np.zeros(len(words))
    shared, candidates = [np.empty(0, dtype=np.int64)], 0
    for _, texts in sorted(postings.items(), key=lambda item: (len(item[1]), item[0])):
        candidates += len(texts) * (len(texts) - 1) // 2
        if candidates > CANDIDATES:
            break
        sizes[texts] += 1
        i, j = np.triu_indices(len(texts), 1)
        members = np.array(texts, dtype=np.int64)
        shared.append(members[i] * len(words) + members[j])
    keys, count = np.unique(np.concatenate(shared), return_counts=True)
    first, second = keys // len(words), keys % len(words)
    overlap = count / (sizes[first] + sizes[second] - count)
    best = np.lexsort((rng.random(len(keys)), -overlap))[:pairs]
    return first[best], second[best], overlap[best]


def _different(
    words: Sequence[frozenset[str]], labels: Sequence[frozenset[int]], pairs: int, rng: np.random.Generator
) -> _Columns:
    """First, second and overlap of the least overlapping among random pairs without a common label."""
    texts, wanted = len(words), POOL * pairs
    if texts * (texts - 1) // 2 <= wanted:
        drawn = np.stack(np.triu_indices(texts, 1), axis=1)
        unlike = [(i, j) for i, j in drawn.tolist() if _apart(labels[i], labels[j])]
    else:
        seen: dict[tuple[int, int], None] = {}
        for _ in range(ROUNDS):
            drawn = np.sort(rng.integers(texts, size=(wanted, 2)), axis=1)
            seen |= dict.fromkeys((i, j) for i, j in drawn.tolist() if _apart(labels[i], labels[j]))
            if len(seen) >= wanted:
                break
        unlike = list(seen)[:wanted]
    first, second = np.array(unlike, dtype=np.intp).reshape(-1, 2).T
    overlap = np.array([_jaccard(words[i], words[j]) for i, j in unlike], dtype=np.float64)
    best = np.lexsort((rng.random(len(overlap)), overlap))[:pairs]
    return first[best], second[best], overlap[best]


def _apart(a: frozenset[int], b: frozenset[int]) -> bool:
    return a != b and not a & b


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(len(a | b), 1)
