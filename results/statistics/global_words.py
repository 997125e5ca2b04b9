"""The words of each class over all texts, by every explainer, and how stable they are over seeds and
explainers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev

import pandas as pd
from scipy.stats import rankdata

from assay.results.columns import to_table
from assay.results.records import Group, Method, grouped
from assay.results.statistics.ranking import FEWEST as FEWEST_RANKED
from assay.results.statistics.word_totals import NAMED_TEXTS, WordMean, Words
from assay.results.word_columns import GlobalWordRow, WordStabilityRow
from assay.tasks.arrays import Floats

MODEL_SEEDS, EXPLAINER_SEEDS, EXPLAINERS = "model seeds", "explainer seeds", "explainers"
# Words of a class and explainer in the table.
LISTED = 50


@dataclass(frozen=True, slots=True, eq=False)
class WordRun:
    """The words of one method with one model seed and one explainer seed, by `word_means`."""

    group: Group
    method: Method
    seed: str
    explainer_seed: int
    words: Words


@dataclass(frozen=True, slots=True, eq=False)
class GlobalWords:
    """words: of every class by every method, those with the largest means. stability: of their order."""

    words: tuple[GlobalWordRow, ...]
    stability: tuple[WordStabilityRow, ...]

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files."""
        return {
            "global_words": to_table(GlobalWordRow, self.words),
            "global_words_stability": to_table(WordStabilityRow, self.stability),
        }


def global_words(runs: Sequence[WordRun], listed: int = LISTED) -> GlobalWords:
    """The words of each class, means over explainer seeds, then over model seeds.

    The interval is of texts alone: the mean of those of the runs, which is wide enough whatever the runs of
    the same texts have in common. listed: words of a class and method, those with the largest mean by size.
    """
    words: list[GlobalWordRow] = []
    stability: list[WordStabilityRow] = []
    for group, of_group in grouped(runs, lambda run: run.group).items():
        labels = list(dict.fromkeys(label for run in of_group for label in run.words))
        for label in labels:
            by_method = grouped(of_group, lambda run: run.method)
            means = {method: _means(some, label) for method, some in by_method.items()}
            for method, found in means.items():
                strongest = sorted(found, key=lambda word: (-abs(found[word].value), word))[:listed]
                words += [
                    _row(group, method, label, word, found[word], by_method[method]) for word in strongest
                ]
            stability += _stability(group, label, by_method, means)
    return GlobalWords(tuple(words), tuple(stability))


def _means(runs: Sequence[WordRun], label: str) -> dict[str, WordMean]:
    """Of each word the mean over model seeds of the mean over explainer seeds."""
    by_seed = grouped(runs, lambda run: run.seed)
    seeds = [_mean_of([run.words.get(label, {}) for run in some]) for some in by_seed.values()]
    return _mean_of(seeds)


def _mean_of(runs: Sequence[Mapping[str, WordMean]]) -> dict[str, WordMean]:
    found: dict[str, list[WordMean]] = {}
    for run in runs:
        for word, mean in run.items():
            found.setdefault(word, []).append(mean)
    return {word: _joined(means) for word, means in found.items()}


def _joined(means: Sequence[WordMean]) -> WordMean:
    if len(means) == 1:
        return means[0]
    named = tuple(dict.fromkeys(text for mean in means for text in mean.named))[:NAMED_TEXTS]
    note = next((mean.note for mean in means if mean.note), "")
    return WordMean(
        fmean(mean.value for mean in means),
        fmean(mean.low for mean in means),
        fmean(mean.high for mean in means),
        min(mean.texts for mean in means),
        min(mean.occurrences for mean in means),
        named,
        note,
    )


def _row(
    group: Group, method: Method, label: str, word: str, mean: WordMean, runs: Sequence[WordRun]
) -> GlobalWordRow:
    by_seed = grouped(runs, lambda run: run.seed)
    known = [
        [run.words[label][word].value for run in some if word in run.words.get(label, {})]
        for some in by_seed.values()
    ]
    values = [fmean(some) for some in known if some]
    return GlobalWordRow(
        *group,
        *method,
        label,
        word,
        mean.value,
        mean.low,
        mean.high,
        stdev(values) if len(values) > 1 else math.nan,
        len(values),
        mean.texts,
        mean.occurrences,
        json.dumps(list(mean.named), ensure_ascii=False),
        mean.note,
    )


def _stability(
    group: Group,
    label: str,
    by_method: Mapping[Method, Sequence[WordRun]],
    means: Mapping[Method, Mapping[str, WordMean]],
) -> Iterable[WordStabilityRow]:
    ranks = _Ranks()
    for method, runs in by_method.items():
        words = [run.words.get(label, {}) for run in runs]
        seeds = list(zip(runs, words, strict=True))
        models = [(a, b) for (one, a), (two, b) in combinations(seeds, 2) if _other_model(one, two)]
        draws = [(a, b) for (one, a), (two, b) in combinations(seeds, 2) if _other_draw(one, two)]
        others = [(means[method], found) for other, found in means.items() if other != method]
        for over, pairs in ((MODEL_SEEDS, models), (EXPLAINER_SEEDS, draws), (EXPLAINERS, others)):
            found = [pair for pair in (ranks.correlation(*both) for both in pairs) if pair is not None]
            if found:
                rho, shared = fmean(rho for rho, _ in found), min(shared for _, shared in found)
                yield WordStabilityRow(*group, *method, label, over, rho, len(found), shared)


def _other_model(one: WordRun, two: WordRun) -> bool:
    return one.seed != two.seed and one.explainer_seed == two.explainer_seed


def _other_draw(one: WordRun, two: WordRun) -> bool:
    return one.seed == two.seed and one.explainer_seed != two.explainer_seed


class _Ranks:
    """The ranks of words by their means, which most pairs share."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[str, ...]], Floats] = {}

    def correlation(
        self, one: Mapping[str, WordMean], two: Mapping[str, WordMean]
    ) -> tuple[float, int] | None:
        """Spearman's rank correlation over the words of both, and their number; None where it is undefined.

        Both must live as long as this.
        """
        shared = tuple(sorted(one.keys() & two.keys()))
        if len(shared) < FEWEST_RANKED:
            return None
        x, y = self._centred(one, shared), self._centred(two, shared)
        scale = math.sqrt(float(x @ x) * float(y @ y))
        return (float(x @ y) / scale, len(shared)) if scale > 0 else None

    def _centred(self, means: Mapping[str, WordMean], words: tuple[str, ...]) -> Floats:
        place = id(means), words
        if place not in self._known:
            self._known[place] = rankdata([means[word].value for word in words]) - (len(words) + 1) / 2
        return self._known[place]
