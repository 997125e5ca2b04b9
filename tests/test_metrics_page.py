"""docs/metrics.md lists what configuration offers, and says of each metric what the metric declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from assay.metrics.cell_data import Metric

ROOT = Path(__file__).parents[1]
CONF = sorted((ROOT / "conf" / "metric").glob("*.yaml"))


def row(path: Path) -> str:
    """The line of the table that a YAML file and its class ask for."""
    what = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ").rstrip(".")
    ((name, settings),) = OmegaConf.load(path).items()
    metric: Metric = instantiate(settings)
    better = {"higher": "↑", "lower": "↓"}[metric.direction]
    low, high = (f"{bound:g}".replace("-inf", "").replace("inf", "") for bound in metric.bounds)
    bounds = f"{low}..{high}" if low or high else "any"
    needs = ", ".join(sorted(need.replace("_", " ") for need in metric.needs)) or "–"
    return f"| `{name}` | {what} | {better} | {bounds} | {metric.random_level} | {needs} |"


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_the_page_has_the_metrics_line(path: Path):
    assert row(path) in (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines()
