"""docs/explainers.md lists what configuration offers, with what each method declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from assay.explainers.protocol import Explainer

ROOT = Path(__file__).parents[1]
CONF = sorted((ROOT / "conf" / "explainer").glob("*.yaml"))


def row(path: Path) -> str:
    """The line of the table that a YAML file and its class ask for."""
    what = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
    ((name, settings),) = OmegaConf.load(path).items()
    explainer: Explainer = instantiate(settings)
    traits = explainer.traits
    said = {"signed": traits.signed, "additive": traits.additive, "draws": traits.stochastic}
    declares = ", ".join(word for word, holds in said.items() if holds) or "–"
    needs = ", ".join(sorted(need.replace("_", " ") for need in traits.needs)) or "–"
    use = traits.baseline.replace("none", "–")
    return f"| `{name}` | {what} | {declares} | {use} | {needs} |"


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_the_page_has_the_methods_line(path: Path):
    assert row(path) in (ROOT / "docs" / "explainers.md").read_text(encoding="utf-8").splitlines()
