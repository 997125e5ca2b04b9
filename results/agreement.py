"""Whether metrics agree: Kendall's tau between the rankings of the explainers by every two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.metrics.subject import Metric
from assay.results.ranking import FEWEST, candidate_values, groups_of, tau
from assay.results.records import Group, of_trained
from assay.results.statistics import Floats
from assay.results.tables import escape_markdown, pipes

COLUMNS = ("task", "model", "kind", "metric", "other", "tau", "n_explainers", "n_groups")
AVERAGE = "mean over tasks and models"
READING = (
    "Kendall's tau-b between the rankings of the explainers (controls left out) by two metrics, better "
    "explainers first whichever way the metric points: 1 is the same order, 0 none in common, −1 the "
    "reverse. Metrics of different properties need not agree, for the best explainer in one sense need "
    "not be the best in another; metrics of one property that do not agree measure something else than "
    "its name says. With few explainers tau jumps: of 5 explainers, one exchanged pair changes it by 0.2."
)


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Tau (M, M) between M metrics in one group, or its mean over `groups` groups (`group` is None then).

    explainers: (M, M) how many both metrics rank, the most of any group.
    """

    group: Group | None
    metrics: tuple[Metric, ...]
    tau: Floats
    explainers: Floats
    groups: int = 1

    @property
    def title(self) -> str:
        """What it is of, in one line."""
        return AVERAGE if self.group is None else self.group.title


def agreement(comparison: pd.DataFrame, metrics: Sequence[Metric]) -> list[Agreement]:
    """The mean over the groups of trained models if there are several, then each of them.

    Metrics without any tau in a group are left out of it, and groups that have none.
    """
    found = [_of_group(comparison, group, metrics) for group in of_trained(groups_of(comparison))]
    single = [of for of in map(_known, found) if of.metrics]
    if len(single) < 2:
        return single
    with np.errstate(invalid="ignore"):
        stack = np.stack([of.tau for of in found])
        there = np.isfinite(stack)
        mean = np.where(there, stack, 0.0).sum(axis=0) / np.where(
            there.any(axis=0), there.sum(axis=0), np.nan
        )
    explainers = np.max([of.explainers for of in found], axis=0)
    return [_known(Agreement(None, tuple(metrics), mean, explainers, len(single))), *single]


def _of_group(comparison: pd.DataFrame, group: Group, metrics: Sequence[Metric]) -> Agreement:
    _, values = candidate_values(comparison, group, metrics)
    count = len(metrics)
    found = np.full((count, count), np.nan)
    there = np.isfinite(values)
    shared = (there[:, :, None] & there[:, None, :]).sum(axis=0).astype(np.float64)
    for one in range(count):
        for other in range(one):
            found[one, other] = found[other, one] = tau(values[:, one], values[:, other])
    return Agreement(group, tuple(metrics), found, shared)


def _known(of: Agreement) -> Agreement:
    """Without the metrics that have no tau with any other."""
    kept = np.flatnonzero(np.isfinite(of.tau).any(axis=1))
    among = np.ix_(kept, kept)
    metrics = tuple(of.metrics[place] for place in kept)
    return Agreement(of.group, metrics, of.tau[among], of.explainers[among], of.groups)


def agreement_table(found: Sequence[Agreement]) -> pd.DataFrame:
    """The table of COLUMNS: a row per pair of metrics; the mean over groups has their number and no task."""
    rows = []
    for of in found:
        names = of.group or ("", "", "")
        for one, other in zip(*np.tril_indices(len(of.metrics), -1), strict=True):
            if np.isfinite(of.tau[one, other]):
                pair = of.metrics[other].name, of.metrics[one].name
                counts = int(of.explainers[one, other]), of.groups
                rows.append((*names, *pair, float(of.tau[one, other]), *counts))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def agreement_markdown(found: Sequence[Agreement]) -> str:
    """GitHub Markdown, a triangle of tau per group."""
    lines = ["# Agreement of metrics", "", f"{READING}", ""]
    for of in found:
        names = [escape_markdown(metric.name) for metric in of.metrics]
        lines += [f"## {escape_markdown(of.title)}", "", pipes(["", *names[:-1]])]
        lines.append(pipes(["---", *("---:" for _ in names[:-1])]))
        for place, name in enumerate(names[1:], 1):
            cells = [
                two_digits(of.tau[place, other]) if other < place else "" for other in range(len(names) - 1)
            ]
            lines.append(pipes([name, *cells]))
        lines.append("")
    if not found:
        lines.append(f"No group has {FEWEST} explainers that two metrics rank.")
    return "\n".join(lines).rstrip() + "\n"


def two_digits(value: float) -> str:
    """Two digits behind the point, a minus sign for less than nothing, "" for what is no number."""
    if not np.isfinite(value):
        return ""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
