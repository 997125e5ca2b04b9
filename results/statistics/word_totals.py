"""The words of a class as one explainer sees them: running totals, of which no text is kept."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from assay.results.records import grouped
from assay.results.statistics.informed import few_texts
from assay.tasks.arrays import Floats, Ints

# So many texts are named for each word, those where it has most weight.
NAMED_TEXTS = 3
# So many explanations are added at once.
AT_ONCE = 100
FLAT = "the same score in every text"


class ScoredWords(NamedTuple):
    """One explanation of a text by its W distinct words, in small letters, sub-words joined.

    values: (W,) the score of each word, mean over its occurrences. occurrences: (W,) how often it stands in
    the text. cluster: what the text hangs together with, such as its document; "" for a text alone.
    """

    text: str
    label: str
    words: Sequence[str]
    values: Floats
    occurrences: Ints
    cluster: str = ""


class Vocabulary(NamedTuple):
    """The distinct words of a text. words: (W,) in small letters. place: (n,) which of them each of its n
    written words is. occurrences: (W,)."""

    words: tuple[str, ...]
    place: Ints
    occurrences: Ints

    @classmethod
    def of(cls, written: Iterable[str]) -> Vocabulary:
        places: dict[str, int] = {}
        place = [places.setdefault(word.lower(), len(places)) for word in written]
        return cls(tuple(places), np.array(place, dtype=np.intp), np.bincount(place, minlength=len(places)))

    def scored(self, text: str, label: str, scores: Floats, cluster: str = "") -> ScoredWords:
        """With the scores (n,) of the written words."""
        values = np.bincount(self.place, scores, len(self.words)) / self.occurrences
        return ScoredWords(text, label, self.words, values, self.occurrences, cluster)


class WordMean(NamedTuple):
    """The mean attribution of a word over texts, with the interval of that mean.

    texts: with the word. occurrences: in all of them. named: ids of some texts. note: why there is no
    interval.
    """

    value: float
    low: float
    high: float
    texts: int
    occurrences: int
    named: tuple[str, ...]
    note: str = ""


@dataclass(slots=True)
class LabelTotals:
    """What is added up of the V words of one class: numbers, and of clusters their sums.

    Attributes:
        places: of each word its number.
        occurrences: (V,) in all texts.
        sums: (4, V) of the texts that stand alone the number, and the sums of their values, squares and
            cubes.
        clusters: of each word, by cluster the number of its texts and the sum of their values.
        named: of each word the texts where it has most weight, with that.
    """

    places: dict[str, int] = field(default_factory=dict)
    occurrences: Floats = field(default_factory=lambda: np.zeros(0))
    sums: Floats = field(default_factory=lambda: np.zeros((4, 0)))
    clusters: list[dict[str, tuple[int, float]]] = field(default_factory=list)
    named: list[list[tuple[float, str]]] = field(default_factory=list)

    def add(self, explained: Sequence[ScoredWords]) -> None:
        """More explanations for the class."""
        places = self.places
        word = np.array([places.setdefault(name, len(places)) for one in explained for name in one.words])
        if not len(word):
            return
        new = len(places) - len(self.named)
        self.occurrences = np.pad(self.occurrences, (0, new))
        self.sums = np.pad(self.sums, ((0, 0), (0, new)))
        self.clusters += [{} for _ in range(new)]
        self.named += [[] for _ in range(new)]
        text = np.repeat(np.arange(len(explained)), [len(one.words) for one in explained])
        values = np.concatenate([one.values for one in explained])
        occurrences = np.concatenate([one.occurrences for one in explained])
        self.occurrences += np.bincount(word, occurrences, len(places))
        alone = np.array([not one.cluster for one in explained])[text]
        for power, sums in enumerate(self.sums):
            sums += np.bincount(word[alone], values[alone] ** power, len(places))
        for at in np.flatnonzero(~alone):
            of_word, cluster = self.clusters[word[at]], explained[text[at]].cluster
            count, total = of_word.get(cluster, (0, 0.0))
            of_word[cluster] = count + 1, total + float(values[at])
        self._name(word, np.abs(values), text, [one.text for one in explained])

    def _name(self, word: Ints, weight: Floats, text: Ints, names: Sequence[str]) -> None:
        order = np.lexsort((np.unique(names, return_inverse=True)[1][text], weight, word))
        word = word[order]
        # The last ones of each word.
        last = np.searchsorted(word, word, "right") - np.arange(len(word)) <= NAMED_TEXTS
        at, kept = word[last], order[last]
        for number, size, name in zip(at.tolist(), weight[kept].tolist(), text[kept].tolist(), strict=True):
            heap = self.named[number]
            push = heapq.heappush if len(heap) < NAMED_TEXTS else heapq.heappushpop
            push(heap, (size, names[name]))

    def means(self, fewest: int, level: float) -> dict[str, WordMean]:
        """The mean over texts of the words that at least `fewest` texts have."""
        columns = zip(
            self.places,
            self.occurrences.tolist(),
            self.sums.T.tolist(),
            self.clusters,
            self.named,
            strict=True,
        )
        return {
            word: _mean(int(occurrences), sums, list(clusters.values()), named, level)
            for word, occurrences, sums, clusters, named in columns
            if sums[0] + sum(count for count, _ in clusters.values()) >= fewest
        }


def _mean(
    occurrences: int,
    sums: Sequence[float],
    clusters: Sequence[tuple[int, float]],
    named: Sequence[tuple[float, str]],
    level: float,
) -> WordMean:
    """The mean over texts, with Johnson's t interval, which allows for skewness (Johnson 1978, JASA 73).

    Texts of a cluster count as one unit: deviations are summed within it first.
    """
    alone, one, two, three = sums
    texts, units = int(alone) + sum(count for count, _ in clusters), int(alone) + len(clusters)
    value = (one + sum(total for _, total in clusters)) / texts
    strongest = tuple(text for _, text in sorted(named, key=lambda pair: (-pair[0], pair[1])))
    note = few_texts(texts, units)
    if note:
        return WordMean(value, math.nan, math.nan, texts, occurrences, strongest, note)
    gaps = np.array([total - count * value for count, total in clusters])
    squares = two - 2 * value * one + alone * value**2 + float((gaps**2).sum())
    cubes = three - 3 * value * two + 3 * value**2 * one - alone * value**3 + float((gaps**3).sum())
    scale = (abs(two) + float((gaps**2).sum())) or 1.0
    if squares <= 1e-12 * scale:
        return WordMean(value, math.nan, math.nan, texts, occurrences, strongest, FLAT)
    error = math.sqrt(squares * units / (units - 1)) / texts
    # The third moment over six times the variance and the number of units, here in sums.
    shift = cubes / squares / 6 / texts
    reach = float(stdtrit(units - 1, (1 + level) / 2)) * error
    return WordMean(value, value + shift - reach, value + shift + reach, texts, occurrences, strongest)


Words = Mapping[str, Mapping[str, WordMean]]


def word_means(
    explained: Iterable[ScoredWords], fewest: int, level: float = 0.95
) -> dict[str, dict[str, WordMean]]:
    """By label the words, in small letters, that at least `fewest` texts have.

    Memory grows with the vocabulary and with clusters, not with texts.
    """
    totals: dict[str, LabelTotals] = {}
    for several in _batches(explained):
        for label, of_label in grouped(several, lambda one: one.label).items():
            totals.setdefault(label, LabelTotals()).add(of_label)
    return {label: of_label.means(fewest, level) for label, of_label in totals.items()}


def _batches(explained: Iterable[ScoredWords]) -> Iterator[list[ScoredWords]]:
    rest = iter(explained)
    while several := list(islice(rest, AT_ONCE)):
        yield several
