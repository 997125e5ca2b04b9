"""Curves: the area under the class's probability as tokens are removed or added, highest score first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData, gold, predicted
from assay.metrics.info import UNIT, MetricBase
from assay.metrics.masked_queries import (
    RANDOM_AREA,
    ScoredTargets,
    removal_info,
    score_targets,
    scored_targets,
)
from assay.metrics.options import percentage, whole
from assay.metrics.targets import target_option
from assay.metrics.token_masks import evenly, only, top, without
from assay.tasks.arrays import Floats, Ints

NEEDS = frozenset({"removal", "labels"})


@dataclass(frozen=True, slots=True)
class Deletion(MetricBase):
    """Area under the class's probability as the tokens are removed, highest score first; mean over texts.

    The curve runs from the full text to one without content tokens. The share of absent tokens runs from 0 to
    1 and so does the area, by the trapezoid rule.

    Attributes:
        target: The classes whose scores order the tokens and whose probability is observed: "predicted",
            "gold" or "all". In a multi-label task each such label is scored alone. Ties are broken at random,
            identically for every explainer.
        steps: Number of evenly spread shares, rounded down to whole tokens and placed at the rounded share;
            0 for every number of tokens.

    Source: Petsiuk et al., BMVC 2018 (RISE). Deviation: the removal operator in place of grey pixels.
    """

    info = removal_info("deletion", "Deletion (area)", "lower", UNIT, RANDOM_AREA, part="area", version=2)

    target: str = target_option("predicted")
    steps: int = whole(10, least=0)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `area`, and the probabilities at its ends, `full` and `emptied`.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._areas)

    def _areas(self, cases: ScoredTargets) -> pd.DataFrame:
        areas, emptied = _curve(cases, lambda tokens: evenly(tokens, self.steps))
        return cases.table({"area": areas, "full": cases.full, "emptied": emptied})


@dataclass(frozen=True, slots=True)
class Insertion(MetricBase):
    """Area under the class's probability as tokens are added to the emptied text, highest score first.

    The share of present tokens runs from 0 to 1. The value is the mean over texts.

    Attributes:
        target: As in `Deletion`.
        steps: As in `Deletion`.

    Source and deviation: as for `Deletion`.
    """

    info = removal_info("insertion", "Insertion (area)", "higher", UNIT, RANDOM_AREA, part="area", version=2)

    target: str = target_option("predicted")
    steps: int = whole(10, least=0)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and class: `area`, and the probabilities at its ends, `emptied` and `full`.

        Raises InputError when a class was not explained.
        """
        return score_targets(subject, self.target, self.name, self._areas)

    def _areas(self, cases: ScoredTargets) -> pd.DataFrame:
        areas, emptied = _curve(cases, lambda tokens: evenly(tokens, self.steps), adding=True)
        return cases.table({"area": areas, "emptied": emptied, "full": cases.full})


@dataclass(frozen=True, slots=True)
class AucRep(MetricBase):
    """Mean of the class's probability as the top `percent` of the tokens are replaced one by one.

    The class is the predicted one where it is right, in a multi-label task each predicted label that is
    right; wrong predictions are left out. The curve starts at the full text and ends where `percent` of the
    tokens, rounded up, are absent; the area under it, by the trapezoid rule, is divided by its width. Ties
    are broken at random, identically for every explainer. The value is the mean over texts, NaN where the
    model is right on none.

    Attributes:
        percent: Percent of the content tokens that are absent at the end of the curve.

    Source: AUC_rep of Kim et al., EMNLP 2020 (Input Marginalization). Deviation: they replace tokens by what
    a masked language model expects; here the removal operator replaces them, whichever it is. A comparison is
    flagged where an explainer's own baseline is the same operator: the operator that made the explanation
    then also judges it, which favours that explainer (Pham et al., arXiv 2110.11929).
    """

    info = removal_info(
        "auc_rep", "AUC of replacement", "lower", UNIT, RANDOM_AREA, part="area", needs=NEEDS, version=2
    )

    percent: int = percentage(20)

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example and right class: `area`, and the probabilities at its ends, `full` and `last`.

        Raises InputError when a class was not explained.
        """
        tables = []
        for shard in subject.shards:
            decided = predicted(shard.probabilities, multi_label=subject.multi_label)
            right = decided & gold(shard.examples, decided.shape[1])
            tables.append(self._areas(scored_targets(subject, shard, right, self.name)))
        return pd.concat(tables, ignore_index=True)

    def _areas(self, cases: ScoredTargets) -> pd.DataFrame:
        areas, last = _curve(cases, lambda tokens: np.arange(top((self.percent,), tokens)[0] + 1))
        return cases.table({"area": areas, "full": cases.full, "last": last})


def _curve(
    cases: ScoredTargets, counts: Callable[[int], Ints], *, adding: bool = False
) -> tuple[Floats, Floats]:
    """(M,) areas under the curves, and (M,) probabilities at their ends where tokens are absent.

    counts: From a number of tokens to the numbers of absent tokens, from 0 on; or if `adding`, to the numbers
    of present ones, up to all of them.
    """
    # The probability on the full text, at one end of the curve, is known.
    design, queried, absent_end = (only, slice(-1), 0) if adding else (without, slice(1, None), -1)
    curves = cases.probabilities(cases.ordered_masks(design, lambda tokens: counts(tokens)[queried]))
    areas, ends = np.full((2, len(curves)), np.nan)
    for case, (tokens, values) in enumerate(zip(cases.tokens, curves, strict=True)):
        if tokens:
            full = cases.full[case]
            ends[case] = values[absent_end]
            areas[case] = area(np.append(values, full) if adding else np.append(full, values), counts(tokens))
    return areas, ends


def area(values: Floats, counts: Ints) -> float:
    """Mean height of the polyline through `values` (S,) at rising `counts` (S,), S >= 2."""
    return float((np.diff(counts) * (values[1:] + values[:-1])).sum() / 2 / (counts[-1] - counts[0]))
