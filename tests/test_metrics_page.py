"""docs/metrics.md lists what configuration offers, and says of each metric what the metric declares."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from assay.harness.config.build import build
from assay.harness.interface.settings import shipped
from assay.metrics.cell_data import Metric

ROOT = Path(__file__).parents[1]
CONF = sorted((ROOT / "conf" / "metric").glob("*.yaml"))


def row(path: Path) -> str:
    """The line of the table that a YAML file and its class ask for."""
    what = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ").rstrip(".")
    name, metric = path.stem, cast(Metric, build(shipped("metric", path.stem)))
    better = {"higher": "↑", "lower": "↓"}[metric.direction]
    low, high = (f"{bound:g}".replace("-inf", "").replace("inf", "") for bound in metric.bounds)
    bounds = f"{low}..{high}" if low or high else "any"
    needs = ", ".join(sorted(need.replace("_", " ") for need in metric.needs)) or "–"
    return f"| `{name}` | {what} | {better} | {bounds} | {metric.random_level} | {needs} |"


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_the_page_has_the_metrics_line(path: Path):
    assert row(path) in (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines()
