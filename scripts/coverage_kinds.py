"""The kinds of estimators behind the metrics, recognised by the function that makes a value of the parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coverage_texts import CLUSTERED, EVEN
from coverage_worlds import (
    AREA,
    DROPPING,
    FIXED,
    MEAN,
    PAIRED,
    POOLED,
    RATIO,
    REGRESSION,
    RHO,
    World,
    correlations,
    f1_areas,
    fixed_errors,
    means,
    normalised_areas,
    pairs_of_texts,
    pooled_correlations,
    ratios,
    shares_right,
    tells,
    tells_nothing,
)

from assay.metrics.as_coded.faithfulness import FaithfulnessAsCoded
from assay.metrics.cell_data import Metric
from assay.metrics.confidence_indication import ConfidenceIndication, ConfidenceIndicationMax
from assay.metrics.faithfulness import Faithfulness, FaithfulnessMicro
from assay.metrics.feature_dropping import FeatureAttributionDropping
from assay.metrics.ground_truth import GroundTruthAgreement
from assay.metrics.info import MetricBase
from assay.metrics.numerical_quality import Completeness
from assay.metrics.post_hoc import Aopc
from assay.metrics.resampling import (
    distance_correlation,
    largest_within_splits,
    mean_drop,
    mean_of,
    mean_within_splits,
)
from assay.metrics.span_overlap import IouF1
from assay.results.statistics.text_pairs import is_pairwise
from assay.results.statistics.verdicts import is_extreme

Estimator = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """Metrics whose values are made alike, so that the coverage of one is that of all.

    estimators: what makes their values. pairs_of_texts: whether these are the units. pools: whether the units
    are of several pairs of models. worlds: what is simulated; nothing for extremes, which have no interval.
    """

    name: str
    estimators: frozenset[Estimator]
    worlds: Mapping[str, World] = field(default_factory=dict)
    pairs_of_texts: bool = False
    pools: bool = False

    def holds(self, metric: Metric) -> bool:
        """Whether the metric is of this kind."""
        return (
            estimator(metric) in self.estimators
            and is_pairwise(metric) == self.pairs_of_texts
            and is_extreme(metric) == (not self.worlds)
            and (getattr(metric, "pooled", "no") != "no") == self.pools
        )


def estimator(metric: Metric) -> Estimator:
    """What makes the value of the parts: the `summary` that the metric declares, or its own `summarise`."""
    own = type(metric).summarise
    return metric.info.summary if isinstance(metric, MetricBase) and own is MetricBase.summarise else own


KINDS = (
    Kind(
        "mean over texts",
        frozenset({mean_of, mean_drop, Aopc.summarise, GroundTruthAgreement.summarise}),
        {
            "mean": World(MEAN, means),
            "mean of 0 and 1": World(MEAN, shares_right, shapes=(EVEN, CLUSTERED)),
        },
    ),
    Kind(
        "ratio of means over texts",
        frozenset({Completeness.summarise, IouF1.summarise}),
        {"ratio of means": World(RATIO, ratios)},
    ),
    Kind(
        "mean over the tests of regressions that stay",
        frozenset({mean_within_splits}),
        {"mean of fixed errors": World(FIXED, fixed_errors)},
    ),
    Kind(
        "area under an F1 curve",
        frozenset({Faithfulness.summarise, FaithfulnessMicro.summarise, FaithfulnessAsCoded.summarise}),
        {"F1 area": World(AREA, f1_areas)},
    ),
    Kind(
        "area under an F1 curve, by its highest value",
        frozenset({FeatureAttributionDropping.summarise}),
        {"normalised F1 area": World(DROPPING, normalised_areas)},
    ),
    Kind(
        "regression, fitted anew",
        frozenset({ConfidenceIndication.summarise}),
        {
            "regression that tells nothing": World(REGRESSION, tells_nothing, finite=True),
            "regression": World(REGRESSION, tells, finite=True),
        },
    ),
    Kind(
        "rank correlation over texts, of pairs of models",
        frozenset({distance_correlation}),
        {"Spearman": World(RHO, correlations, of_model_pairs=True)},
    ),
    Kind(
        "rank correlation over the texts of several pairs of models",
        frozenset({distance_correlation}),
        {"Spearman, pooled": World(POOLED, pooled_correlations, of_model_pairs=True, pools=True)},
        pools=True,
    ),
    Kind(
        "rank correlation over pairs of texts",
        frozenset({distance_correlation}),
        {"Spearman, pairs of texts": World(PAIRED, pairs_of_texts)},
        pairs_of_texts=True,
    ),
    Kind(
        "extreme, without an interval", frozenset({ConfidenceIndicationMax.summarise, largest_within_splits})
    ),
)
WORLDS: dict[str, World] = {name: world for kind in KINDS for name, world in kind.worlds.items()}


def kinds_of(metric: Metric) -> list[str]:
    """The names of the kinds that hold a metric: one, or its coverage is not known."""
    return [kind.name for kind in KINDS if kind.holds(metric)]
