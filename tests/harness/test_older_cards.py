"""A card from before Assay asked for a capability says nothing about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.config.choice import (
    ASKED_AT_FIRST,
    EVERY_CAPABILITY,
    capabilities_record,
    recorded_capabilities,
)
from assay.harness.storage.store import write_json


def test_what_nobody_asked_for_is_taken_to_be_there_until_somebody_does() -> None:
    later = {"pooled_vector", "concepts", "concept_bottleneck"}
    assert recorded_capabilities({"abilities": ["layer:embedding"]}) == {"layer:embedding", *later}
    assert recorded_capabilities(capabilities_record({"gradients"})) == {"gradients"}
    assert ASKED_AT_FIRST < EVERY_CAPABILITY


def test_a_finished_model_is_explained_by_a_method_that_needs_a_later_capability(
    store: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without loading it, the plan would leave the method out with a wrong reason, and do nothing."""
    for card in store.glob("models/*/card.json"):
        record = json.loads(card.read_text(encoding="utf-8"))
        known = sorted({*record["abilities"]} - {"pooled_vector"})
        write_json(card, {"weights": record["weights"], "abilities": known})
    chosen = [one for one in tiny if not one.startswith("explainer=")]
    assert main(["run", *chosen, "explainer=[random,occlusion,pooled_ig]", f"store={store}"]) == 0
    assert "no pooled vector" not in capsys.readouterr().out
    table = (store / "experiments" / "tiny" / "comparison.csv").read_text(encoding="utf-8")
    assert "pooled_ig" in table
    assert all(
        "pooled_vector" in card.read_text(encoding="utf-8") for card in store.glob("models/*/card.json")
    )
