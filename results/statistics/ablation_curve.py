"""How far the logit falls without the top neurons and without random ones, over texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.neurons.ablation import Fall
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.intervals import Floats, Interval
from assay.results.statistics.means import mean_interval
from assay.tasks.grouping import cluster_numbers


@dataclass(frozen=True, slots=True)
class AblationCurve:
    """Means over texts at each count of ablated neurons.

    Attributes:
        counts: how many neurons are ablated.
        texts: how many texts it rests on.
        top: mean fall of the logit without the top neurons; random: without random ones.
        top_intervals, random_intervals, difference_intervals: of these, and of top - random by text.
    """

    counts: tuple[int, ...]
    texts: int
    top: tuple[float, ...]
    random: tuple[float, ...]
    top_intervals: tuple[Interval, ...]
    random_intervals: tuple[Interval, ...]
    difference_intervals: tuple[Interval, ...]

    def rows(self) -> list[dict[str, float]]:
        """One row per count, with the ends of the intervals."""
        names = ("top", "random", "difference")
        ends = [getattr(self, f"{name}_intervals") for name in names]
        return [
            {"ablated": count, "texts": self.texts, "top": self.top[at], "random": self.random[at]}
            | {
                f"{name}_{side}": getattr(each[at], side)
                for name, each in zip(names, ends, strict=True)
                for side in ("low", "high")
            }
            for at, count in enumerate(self.counts)
        ]


def ablation_curve(
    falls: Sequence[Fall], counts: Sequence[int], clusters: Mapping[str, str], bootstrap: Bootstrap
) -> AblationCurve:
    """The curve of some texts and targets; targets of one text, and texts of one cluster, hang together.

    Args:
        falls: at least one.
        counts: those of the falls.
        clusters: the name of a text's cluster by its id, where it is not alone.
        bootstrap: of the intervals.
    """
    ids = [fall.example_id for fall in falls]
    groups = cluster_numbers(ids, clusters)
    top, random = np.array([fall.top for fall in falls]), np.array([fall.random for fall in falls])

    def intervals(values: Floats) -> tuple[Interval, ...]:
        return tuple(mean_interval(column, groups, bootstrap) for column in values.T)

    return AblationCurve(
        tuple(counts),
        len(set(ids)),
        tuple(top.mean(axis=0).tolist()),
        tuple(random.mean(axis=0).tolist()),
        *map(intervals, (top, random, top - random)),
    )
