"""Whether an explanation's numbers can be taken at their word: do they add up, would they come out again?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.metrics.resampling import ratio, resampled_mean, unit_means
from assay.metrics.rows import long
from assay.metrics.subject import Checks, Subject

RESOLUTION = 1e-6


@dataclass(frozen=True, slots=True)
class Completeness:
    """Mean |f(x) - f(baseline) - sum of scores| as a share of the mean |f(x) - f(baseline)|.

    0 for an exact additive method; less than float32 scores can resolve, 1e-6, counts as 0. Of means,
    because single texts whose absence changes nothing would rule a mean of shares. NaN for methods without a
    baseline. Source: Sundararajan et al., ICML 2017 (completeness).
    """

    name: ClassVar[str] = "completeness"
    title: ClassVar[str] = "Completeness gap (share)"
    property: ClassVar[str] = "numerical quality"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    random_level: ClassVar[str] = "none, because random scores have no baseline to add up to"

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and target: `gap` and `effect`, both absolute."""
        return _table(subject, lambda found: {"gap": np.abs(found.gap), "effect": np.abs(found.effect)})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean gap over mean effect."""
        gap, effect = (resampled_mean(unit_means(parts[part]), index) for part in ("gap", "effect"))
        share = ratio(gap, effect)
        return np.where(share < RESOLUTION, 0.0, share)


@dataclass(frozen=True, slots=True)
class SelfAgreement:
    """Mean reliability: the correlation to expect between an explainer's scores from two seeds.

    Predicted from the standard errors of one run (`assay.explainers.reliability`). NaN for methods that draw
    nothing or say nothing of their error.
    """

    name: ClassVar[str] = "self_agreement"
    title: ClassVar[str] = "Self-agreement (correlation)"
    property: ClassVar[str] = "numerical quality"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()
    random_level: ClassVar[str] = "none, because random scores carry no standard error; it would be 0"

    def score(self, subject: Subject) -> pd.DataFrame:
        """Per example and target: `reliability`."""
        return _table(subject, lambda found: {"reliability": found.reliability})

    def summarise(
        self, parts: dict[str, NDArray[np.float64]], index: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """(B,) mean over texts."""
        return resampled_mean(unit_means(parts["reliability"]), index)


def _table(subject: Subject, parts: Callable[[Checks], Mapping[str, NDArray[np.float64]]]) -> pd.DataFrame:
    """The long table of (N, K) arrays, of explained classes alone."""
    tables = []
    for shard in subject.shards:
        found = parts(shard.checks())
        row, target = np.nonzero(~np.isnan(shard.scores).any(axis=2))
        units = [shard.examples[at].id for at in row.tolist()]
        tables.append(long(units, {part: values[row, target] for part, values in found.items()}, target))
    return pd.concat(tables, ignore_index=True)
