"""The words of a class as one explainer sees them: running totals, of which no text is kept."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from assay.results.statistics.informed import few_texts

# So many texts are named for each word, those where it has most weight.
NAMED_TEXTS = 3
FLAT = "the same score in every text"


class ScoredWords(NamedTuple):
    """One explanation: the words of a text, sub-words joined, each with the sum of its tokens' scores.

    cluster: what the text hangs together with, such as its document; "" for a text alone.
    """

    text: str
    label: str
    words: list[tuple[str, float]]
    cluster: str = ""


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
class WordTotals:
    """What is added up of one word of one class: numbers, and of clusters their sums.

    sums: of the texts that stand alone the number, and the sums of their values, squares and cubes.
    """

    occurrences: int = 0
    sums: tuple[int, float, float, float] = (0, 0.0, 0.0, 0.0)
    clusters: dict[str, tuple[int, float]] = field(default_factory=dict)
    named: list[tuple[float, str]] = field(default_factory=list)

    def add(self, value: float, occurrences: int, text: str, cluster: str) -> None:
        """One more text with the word; value: its mean over the word's occurrences there."""
        self.occurrences += occurrences
        if cluster:
            count, total = self.clusters.get(cluster, (0, 0.0))
            self.clusters[cluster] = count + 1, total + value
        else:
            count, one, two, three = self.sums
            self.sums = count + 1, one + value, two + value**2, three + value**3
        push = heapq.heappush if len(self.named) < NAMED_TEXTS else heapq.heappushpop
        push(self.named, (abs(value), text))

    @property
    def texts(self) -> int:
        """How many texts have the word."""
        return self.sums[0] + sum(count for count, _ in self.clusters.values())

    def mean(self, level: float = 0.95) -> WordMean:
        """The mean over texts, with Johnson's t interval, which allows for skewness (Johnson 1978, JASA 73).

        Texts of a cluster count as one unit: deviations are summed within it first.
        """
        alone, one, two, three = self.sums
        texts, units = self.texts, alone + len(self.clusters)
        value = (one + sum(total for _, total in self.clusters.values())) / texts
        named = tuple(text for _, text in sorted(self.named, key=lambda pair: (-pair[0], pair[1])))
        note = few_texts(texts, units)
        if note:
            return WordMean(value, math.nan, math.nan, texts, self.occurrences, named, note)
        gaps = np.array([total - count * value for count, total in self.clusters.values()])
        squares = two - 2 * value * one + alone * value**2 + float((gaps**2).sum())
        cubes = three - 3 * value * two + 3 * value**2 * one - alone * value**3 + float((gaps**3).sum())
        scale = (abs(two) + float((gaps**2).sum())) or 1.0
        if squares <= 1e-12 * scale:
            return WordMean(value, math.nan, math.nan, texts, self.occurrences, named, FLAT)
        error = math.sqrt(squares * units / (units - 1)) / texts
        # The third moment over six times the variance and the number of units, here in sums.
        shift = cubes / squares / 6 / texts
        reach = float(t.ppf((1 + level) / 2, units - 1)) * error
        ends = value + shift - reach, value + shift + reach
        return WordMean(value, *ends, texts, self.occurrences, named)


Words = Mapping[str, Mapping[str, WordMean]]


def word_means(
    explained: Iterable[ScoredWords], fewest: int, level: float = 0.95
) -> dict[str, dict[str, WordMean]]:
    """By label the words, in small letters, that at least `fewest` texts have.

    Memory grows with the vocabulary and with clusters, not with texts.
    """
    totals: dict[str, dict[str, WordTotals]] = {}
    for one in explained:
        of_label = totals.setdefault(one.label, {})
        for word, (value, occurrences) in _by_word(one.words):
            of_label.setdefault(word, WordTotals()).add(value, occurrences, one.text, one.cluster)
    return {
        label: {word: found.mean(level) for word, found in of_label.items() if found.texts >= fewest}
        for label, of_label in totals.items()
    }


def _by_word(words: Iterable[tuple[str, float]]) -> Iterator[tuple[str, tuple[float, int]]]:
    """Each word once, with its mean over the text and how often it stands there."""
    sums: dict[str, tuple[float, int]] = {}
    for word, score in words:
        total, count = sums.get(word.lower(), (0.0, 0))
        sums[word.lower()] = total + score, count + 1
    for word, (total, count) in sums.items():
        yield word, (total / count, count)
