"""The verdict on every metric, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from assay.metrics.cell_data import Metric
from assay.results.inert import to_csv
from assay.results.statistics.diagnosis import WorldCheck
from assay.results.tables.text import escape_markdown, markdown_table

TELLS, FAILS, UNCHECKED = "tells", "fails", "not checked"
LEAST_AUC = 0.9
LEAST_MONOTONICITY = 0.8
MOST_FALSE_ALARMS = 0.1
# What is the worst of several worlds.
WORST: dict[str, np.ufunc] = {
    **dict.fromkeys(("auc", "monotonicity"), np.fmin),
    **dict.fromkeys(("false_alarms", "removal_range", "length_range"), np.fmax),
}
# Properties that a wrong explanation may have as well as a right one.
NOT_TRUTH = frozenset({"compute time", "complexity", "numerical quality"})


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """One line of the table: the worst that was found in any world (`WorldCheck`).

    verdict: "tells" if auc >= 0.9, monotonicity >= 0.8 and false_alarms <= 0.1 in every world where they are
    defined, "fails" if not, and "not checked" where the question makes no sense or could not be asked. note:
    why it fails or was not checked, and where inverted explanations are not clearly worse than random ones.
    """

    metric: str
    auc: float
    monotonicity: float
    false_alarms: float
    removal_range: float
    length_range: float
    verdict: str
    note: str


def verdict(metric: Metric, worlds: Mapping[str, WorldCheck]) -> MetricCheck:
    """The worst of all worlds."""
    defined = {world: check for world, check in worlds.items() if not np.isnan(check.auc)}
    if not defined:
        return unchecked(metric.name, "undefined in every world")
    failures = {world: _failures(check) for world, check in defined.items()}
    reasons = [f"{world}: {', '.join(texts)}" for world, texts in failures.items() if texts]
    undefined = [f"undefined in {world}" for world in worlds if world not in defined]
    worst = {
        name: float(choose.reduce([getattr(check, name) for check in defined.values()]))
        for name, choose in WORST.items()
    }
    notes = "; ".join([*reasons, *_about_inverted(defined), *undefined])
    return MetricCheck(metric.name, **worst, verdict=FAILS if reasons else TELLS, note=notes)


def unchecked(metric: str, reason: str) -> MetricCheck:
    """The line of a metric that was not checked."""
    undefined = dict.fromkeys(WORST, float("nan"))
    return MetricCheck(metric, **undefined, verdict=UNCHECKED, note=reason)


def _failures(check: WorldCheck) -> list[str]:
    """What keeps a metric from telling explanations apart, with its number."""
    found = []
    if check.auc < LEAST_AUC:
        found.append(f"AUC {check.auc:.2f}")
    # Written so that an undefined monotonicity fails.
    if not check.monotonicity >= LEAST_MONOTONICITY:
        found.append(f"monotonicity {check.monotonicity:.2f}")
    if check.false_alarms > MOST_FALSE_ALARMS:
        found.append(f"false alarms {check.false_alarms:.2f}")
    return found


def _about_inverted(worlds: Mapping[str, WorldCheck]) -> list[str]:
    """Where inverted explanations are preferred to random ones, and where the two are not told apart."""
    better = [name for name, check in worlds.items() if check.inverted <= 1 - LEAST_AUC]
    unclear = [name for name, check in worlds.items() if 1 - LEAST_AUC < check.inverted < LEAST_AUC]
    notes = [f"prefers inverted to random ({', '.join(better)})"] if better else []
    return notes + ([f"inverted not told from random ({', '.join(unclear)})"] if unclear else [])


def metric_checks_csv(checks: Sequence[MetricCheck]) -> bytes:
    """CSV with a line per metric; numbers to three digits, empty where there is none."""
    table = pd.DataFrame(map(asdict, checks), columns=list(MetricCheck.__dataclass_fields__))
    return to_csv(table, float_format="%.3f")


def to_markdown(checks: Sequence[MetricCheck]) -> str:
    """The table to read."""
    headings = ["metric", "AUC", "monotonicity", "false alarms", "by removal", "by length", "verdict", "note"]
    rows = []
    for check in checks:
        name, *numbers, verdict, note = asdict(check).values()
        digits = ("–" if np.isnan(value) else f"{value:.2f}" for value in numbers)
        rows.append([f"`{name}`", *digits, verdict, escape_markdown(note)])
    return "\n".join(markdown_table("", headings, "lrrrrrll", rows))


def summary(checks: Sequence[MetricCheck]) -> str:
    """One line that names the metrics that fail."""
    failing = [check.metric for check in checks if check.verdict == FAILS]
    return f"fails: {', '.join(failing) if failing else 'none'}"
