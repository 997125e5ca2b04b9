"""Agreement with graded rationales: do the scores rank tokens as people graded them?

A token's grade is its mean over the annotators who marked something, 1 for a mark without a grade. Grades are
compared with scores as they are; `task.rationale_threshold` has no part in it. Parts `group NAME:...` are the
same against the marks of one group of annotators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, Shard
from assay.metrics.correlation import correlation, spearman
from assay.metrics.human_agreement import average_precision
from assay.metrics.info import SIGNED, MetricBase
from assay.metrics.long_table import long, of_group
from assay.metrics.rationales import Marks, graded, of_groups, rationale_info, table
from assay.metrics.targets import target_option
from assay.metrics.ties import tie_levels
from assay.tasks.arrays import Floats

# From scores and grades (n,) of the tokens of a text to the parts of a metric.
Measure = Callable[[Floats, Floats], dict[str, float]]

graded_info = partial(rationale_info, needs=frozenset({"grades"}))


@dataclass(frozen=True, slots=True)
class GradedNdcg(MetricBase):
    """Normalised discounted cumulative gain of the scores against graded rationales.

    The gain is the grade, the discount 1 / log2(1 + rank). Ties share the mean of their discounts, as in
    scikit-learn's ndcg_score. The value is the mean over texts, NaN if no example of a resample has a
    rationale.

    Attributes:
        target: As in `HumanAgreement`.

    Source: Järvelin & Kekäläinen, TOIS 2002; ties: McSherry & Najork, ECIR 2008.
    """

    info = graded_info(
        "graded_ndcg",
        "nDCG (grades)",
        random_level="the mean of part `ndcg_random`, far above 0",
        part="ndcg",
    )

    target: str = target_option("gold")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `ndcg`, and its expectation under a random order `ndcg_random`; per example
        (target -1): `no_rationale`. Raises InputError when a class that is asked for was not explained."""
        return _scored(subject, self.target, self.name, _ndcg_parts)


@dataclass(frozen=True, slots=True)
class GradedSpearman(MetricBase):
    """Spearman rank correlation of the scores with the grades of a rationale, over the tokens of a text.

    Ties share their mean rank. 0 for scores that are all equal; a text whose tokens all have one grade has no
    order to recover and is left out. The value is the mean over texts.

    Attributes:
        target: As in `HumanAgreement`.
    """

    info = graded_info(
        "graded_spearman",
        "Spearman (grades)",
        bounds=SIGNED,
        random_level="about 0",
        part="correlation",
    )

    target: str = target_option("gold")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `correlation`; per example (target -1): `no_rationale`.

        Raises InputError when a class that is asked for was not explained."""
        return _scored(
            subject,
            self.target,
            self.name,
            lambda scores, grades: {"correlation": correlation(scores, grades, spearman)},
        )


@dataclass(frozen=True, slots=True)
class GradedPrecision(MetricBase):
    """Average precision of the scores against graded rationales: a token of grade g counts as g of a relevant
    and 1 - g of an irrelevant one.

    With grades of 0 and 1 it is the average precision of `HumanAgreement`. With others no ranking reaches 1:
    the part `ap_best` is what the order of the grades gets. The value is the mean over texts, NaN if no
    example of a resample has a rationale.

    Attributes:
        target: As in `HumanAgreement`.

    Source: Kekäläinen & Järvelin, JASIST 2002 (generalised precision and recall).
    """

    info = graded_info(
        "graded_precision",
        "MAP (grades)",
        random_level="the mean of part `ap_random`, a little above the mean grade",
        part="ap",
    )

    target: str = target_option("gold")

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `ap`, its expectation under a random order `ap_random`, and that of the best
        order `ap_best`; per example (target -1): `no_rationale`.

        Raises InputError when a class that is asked for was not explained."""
        return _scored(subject, self.target, self.name, _precision_parts)


def _scored(subject: CellData, target: str, metric: str, measure: Measure) -> pd.DataFrame:
    tables = []
    for shard in subject.shards:
        has, parts = _parts(subject, shard, target, metric, measure)
        tables.append(table(shard, has, parts))
        for group, own in of_groups(shard):
            has, parts = _parts(subject, own, target, metric, measure)
            if len(has.rows):
                named = {f"{of_group(group)}:{part}": values for part, values in parts.items()}
                tables.append(long([shard.ids[row] for row in has.rows], named, has.labels))
    return pd.concat(tables, ignore_index=True)


def _parts(
    subject: CellData, shard: Shard, target: str, metric: str, measure: Measure
) -> tuple[Marks, dict[str, list[float]]]:
    """One rationale per example and class, with grades, and the parts of each."""
    has, grades = graded(subject, shard, target, metric)
    found: list[dict[str, float]] = []
    for row, label, of_text in zip(has.rows, has.labels, grades, strict=True):
        content = shard.content[row]
        found.append(measure(shard.scores[row, label, content].astype(np.float64), of_text[content]))
    names = found[0] if found else ()
    return has, {name: [parts[name] for parts in found] for name in names}


def _ndcg_parts(scores: Floats, grades: Floats) -> dict[str, float]:
    best = discounted_gain(grades, grades)
    discounts = 1 / np.log2(np.arange(len(grades)) + 2)
    expected = grades.mean() * discounts.sum()
    return {"ndcg": discounted_gain(scores, grades) / best, "ndcg_random": expected / best}


def discounted_gain(scores: Floats, grades: Floats) -> float:
    """Discounted cumulative gain of ranking n tokens by score, (n,) each; ties share the mean discount."""
    levels = tie_levels(scores)
    place = levels.max(initial=0) - levels
    count = np.bincount(place)
    discounts = np.append(0.0, np.cumsum(1 / np.log2(np.arange(len(scores)) + 2)))
    ends = np.cumsum(count)
    shared = (discounts[ends] - discounts[ends - count]) / count
    return float((np.bincount(place, weights=grades) * shared).sum())


def _precision_parts(scores: Floats, grades: Floats) -> dict[str, float]:
    every = np.ones((1, len(grades)), dtype=bool)
    found, best = (
        float(average_precision(order[None], grades[None], every)[0]) for order in (scores, grades)
    )
    return {"ap": found, "ap_random": expected_graded_precision(grades), "ap_best": best}


def expected_graded_precision(grades: Floats) -> float:
    """The mean over all orders of the average precision of n tokens with grades (n,), one above 0.

    At rank r a token finds itself and r - 1 others before or at it: E[g (g + sum of r - 1 others)] / r, over
    the sum of grades, summed over r.
    """
    n, total, squares = len(grades), grades.sum(), (grades * grades).sum()
    harmonic = (1 / np.arange(1, n + 1)).sum()
    # The mean of g g' over two different tokens.
    products = (total * total - squares) / (n * (n - 1)) if n > 1 else 0.0
    return float((harmonic * squares / n + (n - harmonic) * products) / total)
