"""What is known of the metrics themselves: whether each told good explanations from bad ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Check:
    """How one metric did on explanations of known quality; note: where it failed, with its number."""

    metric: str
    verdict: str
    note: str


Checks = Mapping[str, Check]


def packaged_checks() -> dict[str, Check]:
    """The checks that come with the program, by metric; none if the file is not there."""
    file = files("assay.results").joinpath("metric_checks.csv")
    if not file.is_file():
        return {}
    return read_checks(file.read_text(encoding="utf-8").splitlines())


def read_checks(lines: Iterable[str]) -> dict[str, Check]:
    """Checks by metric from CSV lines with the columns metric, verdict and note among others."""
    return {row["metric"]: Check(row["metric"], row["verdict"], row["note"]) for row in csv.DictReader(lines)}


def warning(checks: Checks, metric: str, title: str) -> str:
    """What to say where a conclusion leans on a metric that failed its check; "" if it did not.

    A metric measured with another removal operator, "name[operator]", has the check of "name".
    """
    check = checks.get(metric) or checks.get(metric.partition("[")[0])
    if check is None or check.verdict != FAILS:
        return ""
    note = f" ({check.note})" if check.note else ""
    failed = f"{title} did not tell good explanations from bad ones where the causes are known{note}"
    return f"{failed}; who is best by it is not proven"
