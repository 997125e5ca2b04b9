"""Similar and different pairs of a task's texts, found without comparing every text with every other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, ExplainedText, explained_texts
from assay.metrics.long_table import long, pair_name
from assay.tasks.arrays import Bools, Floats, Ints
from assay.tasks.example import Example
from assay.tasks.grouping import cluster_numbers, clusters

# Words are dropped as too common after so many pairs of texts that share a word: bounds time and memory.
CANDIDATES = 2_000_000
# The different pairs are the least overlapping of this many times as many random ones.
POOL = 5
# The most rounds of random draws of different pairs; a task in which nearly all labels agree has too few.
ROUNDS = 20


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

    def places(self) -> tuple[Ints, Ints]:
        """(P,) and (P,) the first and second texts of the pairs, as positions in `texts`."""
        return np.searchsorted(self.texts, self.first), np.searchsorted(self.texts, self.second)

    def table(
        self,
        examples: Sequence[Example],
        activation_distance: Floats,
        explanation_distance: Floats,
    ) -> pd.DataFrame:
        """The long table, one row per pair (`assay.metrics.long_table.pair_name`) and part.

        Args:
            examples: All examples.
            activation_distance: (P,) distance of the texts' activations.
            explanation_distance: (P,) distance of their explanations.
        """
        ids = [examples[text].id for text in self.texts]
        parts = {
            "activation_distance": activation_distance,
            "explanation_distance": explanation_distance,
            "overlap": self.overlap,
            "similar": self.similar,
        }
        return long([pair_name(ids[i], ids[j]) for i, j in zip(*self.places(), strict=True)], parts)


def texts_at(subject: CellData, positions: Ints) -> Iterator[ExplainedText]:
    """The texts at rising positions of a cell."""
    chosen = set(positions.tolist())
    return (text for position, text in enumerate(explained_texts(subject.shards)) if position in chosen)


def choose_pairs(
    examples: Sequence[Example], pairs: int, rng: np.random.Generator, texts: int | None = None
) -> Pairs:
    """At most `pairs` similar and `pairs` different pairs of examples, of at most `texts` random ones.

    Similar: equal labels and the largest overlap. Different: no label in common and the smallest overlap
    among a random sample. Overlap is the number of words two texts share over the number they have between
    them (Jaccard); the bare number of shared words would pair long texts with long ones and so let length
    stand in for likeness. Words are lower-cased, English stop words are dropped, and so are, for similar
    pairs, the commonest words once the rarer ones give enough candidates. Ties are broken at random.
    Texts of one group are no pair: they are alike, and so are their explanations, for that reason alone.
    The choice does not depend on the order of the examples beyond that of their ids.
    """
    by_id = np.array(sorted(range(len(examples)), key=lambda text: examples[text].id), dtype=np.intp)
    if texts is not None and len(by_id) > texts:
        by_id = by_id[np.sort(rng.choice(len(by_id), texts, replace=False))]
    words = [content_words(examples[text]) for text in by_id]
    labels = [frozenset(examples[text].labels) for text in by_id]
    group = cluster_numbers([examples[text].id for text in by_id], clusters(examples)).tolist()
    chosen = [_similar(words, labels, group, pairs, rng), _different(words, labels, group, pairs, rng)]
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
    words: Sequence[frozenset[str]],
    labels: Sequence[frozenset[int]],
    group: Sequence[int],
    pairs: int,
    rng: np.random.Generator,
) -> _Columns:
    """First, second and overlap of the most overlapping pairs of equal labels, by an inverted index."""
    postings: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for position, (text, label) in enumerate(zip(words, labels, strict=True)):
        for word in text:
            postings[word, tuple(sorted(label))].append(position)
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
    groups = np.array(group, dtype=np.intp)
    apart = groups[keys // len(words)] != groups[keys % len(words)]
    keys, count = keys[apart], count[apart]
    first, second = keys // len(words), keys % len(words)
    overlap = count / (sizes[first] + sizes[second] - count)
    best = np.lexsort((rng.random(len(keys)), -overlap))[:pairs]
    return first[best], second[best], overlap[best]


def _different(
    words: Sequence[frozenset[str]],
    labels: Sequence[frozenset[int]],
    group: Sequence[int],
    pairs: int,
    rng: np.random.Generator,
) -> _Columns:
    """First, second and overlap of the least overlapping among random pairs without a common label."""
    texts, pool = len(words), POOL * pairs
    if texts * (texts - 1) // 2 <= pool:
        first, second = np.triu_indices(texts, 1)
        kept = _no_label_shared(labels, group, first, second)
        first, second = first[kept], second[kept]
    else:
        seen = np.empty(0, dtype=np.int64)
        for _ in range(ROUNDS):
            drawn = np.sort(rng.integers(texts, size=(pool, 2)), axis=1).T
            kept = _no_label_shared(labels, group, *drawn)
            every = np.concatenate([seen, drawn[0, kept] * texts + drawn[1, kept]])
            # Each pair once, in the order in which they were drawn.
            seen = every[np.sort(np.unique(every, return_index=True)[1])]
            if len(seen) >= pool:
                break
        first, second = np.divmod(seen[:pool], texts)
    overlap = _overlaps(words, first, second)
    best = np.lexsort((rng.random(len(overlap)), overlap))[:pairs]
    return first[best], second[best], overlap[best]


def _no_label_shared(
    labels: Sequence[frozenset[int]], group: Sequence[int], first: Ints, second: Ints
) -> Bools:
    """(P,) whether the texts of each pair have different labels, none in common, and are of two groups."""
    names = {label: place for place, label in enumerate(sorted(frozenset().union(*labels)))}
    of_text = np.zeros((len(labels), len(names)), dtype=bool)
    for text, own in enumerate(labels):
        of_text[text, [names[label] for label in own]] = True
    one, other, groups = of_text[first], of_text[second], np.array(group, dtype=np.intp)
    shared, apart = (one & other).any(axis=1), (one != other).any(axis=1)
    return ~shared & apart & (groups[first] != groups[second])


def _overlaps(words: Sequence[frozenset[str]], first: Ints, second: Ints) -> Floats:
    """(P,) the Jaccard overlap of the words of the texts of each pair."""
    # Slow to import, and every command imports this file.
    from scipy.sparse import csr_array

    sizes = np.array([len(text) for text in words], dtype=np.intp)
    places = {word: place for place, word in enumerate(sorted(frozenset().union(*words)))}
    at = np.array([places[word] for text in words for word in text], dtype=np.intp)
    shape = len(words), max(1, len(places))
    present = csr_array((np.ones(len(at)), at, np.concatenate([[0], np.cumsum(sizes)])), shape=shape)
    shared = present[first].multiply(present[second]).sum(axis=1)
    return shared / np.maximum(sizes[first] + sizes[second] - shared, 1)
