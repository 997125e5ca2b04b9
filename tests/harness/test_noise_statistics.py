"""What explainers that learn noise ask of training texts is planned and recorded apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.storage.store import parse_json
from assay.harness.trials.experiment import open_experiment, run

SMALL = [
    *("task=planted_counting", "task.train=40", "task.dev=10", "task.test=4", "task.length=[6,6]"),
    *("model=linear", "model.training.epochs=1", "metric=[sparsity]", "report.bootstrap=20"),
    *("explainer=[information_bottleneck,occlusion]", "explainer.information_bottleneck.steps=4"),
    *("explainer.information_bottleneck.samples=1", "explainer.information_bottleneck.texts=5"),
]


def test_the_plan_and_the_record_say_what_the_noise_was_measured_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *SMALL, f"store={tmp_path}"]) == 0
    told = capsys.readouterr().out
    assert "information_bottleneck: its noise is that of at most 5 training texts through the" in told
    run(open_experiment([*SMALL, f"store={tmp_path}"]))
    records = {record["explainer"]: record for record in map(parse_json, tmp_path.glob("cells/*/cell.json"))}
    assert records["information_bottleneck"]["noise_statistics"] == {"texts": 5, "tokens": 30}
    assert "noise_statistics" not in records["occlusion"]
