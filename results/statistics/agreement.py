"""Whether metrics agree: Kendall's tau between the rankings of the explainers by every two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.results.columns import AgreementRow, ComparisonRow, from_table, to_table
from assay.results.minus import minus
from assay.results.records import Group, grouped, trained_groups
from assay.results.statistics.estimates import Floats
from assay.results.statistics.ranking import FEWEST, candidate_values, defined_mean, tau
from assay.results.tables.text import escape_markdown, how_to_read, markdown_table

AVERAGE = "mean over tasks and models"


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
    rows = grouped(from_table(ComparisonRow, comparison), lambda row: row.group)
    every = [_of_group(group, rows[group], metrics) for group in trained_groups(rows)]
    single = [of_group for of_group in map(_defined, every) if of_group.metrics]
    if len(single) < 2:
        return single
    mean = defined_mean(np.stack([of_group.tau for of_group in every]))
    explainers = np.max([of_group.explainers for of_group in every], axis=0)
    return [_defined(Agreement(None, tuple(metrics), mean, explainers, len(single))), *single]


def _of_group(group: Group, rows: Sequence[ComparisonRow], metrics: Sequence[Metric]) -> Agreement:
    _, values = candidate_values(rows, metrics)
    taus = np.full((len(metrics), len(metrics)), np.nan)
    for i, j in zip(*np.tril_indices(len(metrics), -1), strict=True):
        taus[i, j] = taus[j, i] = tau(values[:, i], values[:, j])
    defined = np.isfinite(values)
    shared = (defined[:, :, None] & defined[:, None, :]).sum(axis=0).astype(np.float64)
    return Agreement(group, tuple(metrics), taus, shared)


def _defined(agreement: Agreement) -> Agreement:
    """Without the metrics that have no tau with any other."""
    kept = np.flatnonzero(np.isfinite(agreement.tau).any(axis=1))
    block = np.ix_(kept, kept)
    metrics = tuple(agreement.metrics[index] for index in kept)
    taus, explainers = agreement.tau[block], agreement.explainers[block]
    return replace(agreement, metrics=metrics, tau=taus, explainers=explainers)


def agreement_table(found: Sequence[Agreement]) -> pd.DataFrame:
    """The table of AgreementRow: a row per pair of metrics; the mean over groups has no task."""
    rows = []
    for each in found:
        for i, j in zip(*np.tril_indices(len(each.metrics), -1), strict=True):
            if np.isfinite(each.tau[i, j]):
                numbers = float(each.tau[i, j]), int(each.explainers[i, j]), each.groups
                group = each.group or ("", "", "")
                rows.append(AgreementRow(*group, each.metrics[j].name, each.metrics[i].name, *numbers))
    return to_table(AgreementRow, rows)


def agreement_markdown(found: Sequence[Agreement]) -> str:
    """GitHub Markdown, a triangle of tau per group."""
    lines = ["# Agreement of metrics", "", how_to_read("agreement"), ""]
    for each in found:
        names = [metric.name for metric in each.metrics]
        rows = [
            [escape_markdown(name), *map(two_digits, row[: i + 1]), *[""] * (len(names) - 2 - i)]
            for i, (name, row) in enumerate(zip(names[1:], each.tau[1:], strict=True))
        ]
        lines += [*markdown_table(each.title, ["", *names[:-1]], "l" + "r" * (len(names) - 1), rows), ""]
    if not found:
        lines.append(f"No group has {FEWEST} explainers that two metrics rank.")
    return "\n".join(lines).rstrip() + "\n"


def two_digits(value: float) -> str:
    """Two digits behind the point, a minus sign for less than nothing, "" for what is no number."""
    if not np.isfinite(value):
        return ""
    return minus(f"{value:.2f}".replace("-0.00", "0.00"))
