"""The verdict on every metric, and the table of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from assay.metrics.subject import Metric
from assay.results.diagnosis import WorldCheck
from assay.results.tables import escape_markdown

TELLS, FAILS, UNCHECKED = "tells", "fails", "not checked"
LEAST_AUC = 0.9
LEAST_MONOTONICITY = 0.8
MOST_FALSE_ALARMS = 0.1
# Properties that a wrong explanation may have as well as a right one.
NOT_TRUTH = frozenset({"compute time", "complexity", "numerical quality"})


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """One line of the table: the worst that was found in any world (`assay.results.diagnosis.WorldCheck`).

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
    found = {name: check for name, check in worlds.items() if not np.isnan(check.auc)}
    if not found:
        return unchecked(metric.name, "undefined in every world")
    reasons = [
        f"{name}: {', '.join(failures)}" for name, one in found.items() if (failures := _failures(one))
    ]
    notes = [
        *reasons,
        *_about_inverted(found),
        *(f"undefined in {name}" for name in worlds if name not in found),
    ]
    return MetricCheck(
        metric.name,
        auc=_worst([one.auc for one in found.values()], min),
        monotonicity=_worst([one.monotonicity for one in found.values()], min),
        false_alarms=_worst([one.false_alarms for one in found.values()], max),
        removal_range=_worst([one.removal_range for one in found.values()], max),
        length_range=_worst([one.length_range for one in found.values()], max),
        verdict=FAILS if reasons else TELLS,
        note="; ".join(notes),
    )


def unchecked(metric: str, reason: str) -> MetricCheck:
    """The line of a metric that was not checked."""
    nothing = float("nan")
    return MetricCheck(metric, nothing, nothing, nothing, nothing, nothing, UNCHECKED, reason)


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
    better = [name for name, one in worlds.items() if one.inverted <= 1 - LEAST_AUC]
    unclear = [name for name, one in worlds.items() if 1 - LEAST_AUC < one.inverted < LEAST_AUC]
    notes = [f"prefers inverted to random ({', '.join(better)})"] if better else []
    return notes + ([f"inverted not told from random ({', '.join(unclear)})"] if unclear else [])


def _worst(values: Sequence[float], choose: Callable[[Iterable[float]], float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return choose(defined) if defined else float("nan")


def to_csv(checks: Sequence[MetricCheck]) -> str:
    """CSV with a line per metric; numbers to three digits, empty where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(MetricCheck)], lineterminator="\n")
    writer.writeheader()
    for check in checks:
        writer.writerow({name: _number(value, 3, "") for name, value in asdict(check).items()})
    return text.getvalue()


def to_markdown(checks: Sequence[MetricCheck]) -> str:
    """The table to read."""
    headings = ["metric", "AUC", "monotonicity", "false alarms", "by removal", "by length", "verdict", "note"]
    lines = [f"| {' | '.join(headings)} |", "| --- |" + " ---: |" * 5 + " --- | --- |"]
    for check in checks:
        cells = [_number(value, 2, "–") for value in asdict(check).values()]
        cells[0], cells[-1] = f"`{cells[0]}`", escape_markdown(cells[-1])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(checks: Sequence[MetricCheck]) -> str:
    """One line that names the metrics that fail."""
    failing = [check.metric for check in checks if check.verdict == FAILS]
    return f"fails: {', '.join(failing) if failing else 'none'}"


def _number(value: str | float, digits: int, missing: str) -> str:
    if isinstance(value, str):
        return value
    return missing if np.isnan(value) else f"{value:.{digits}f}"
