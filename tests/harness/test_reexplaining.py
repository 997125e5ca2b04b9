"""Metrics that explain once more, from the command line: the cell's own explainer, baseline and draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from assay.explainers.baselines import Baseline
from assay.explainers.sampled_baselines import Mean
from assay.harness.cli import main
from assay.models.engine import Engine
from assay.tasks.example import Example

METRICS = ["seed_stability", "max_sensitivity", "randomisation"]
COMMAND = [
    "run",
    "name=again",
    "task=planted",
    "task.train=400",
    "task.dev=60",
    "task.test=30",
    "model=cnn",
    "model.training.epochs=6",
    "explainer=[random,saliency_l2,occlusion,lime]",
    "explainer.lime.rows=40",
    "baseline=[mean]",
    f"metric=[{','.join(METRICS)}]",
    "targets=predicted",
    "limits.default.test=30",
    "report.bootstrap=20",
]


def _values(store: Path) -> dict[tuple[str, str], float]:
    table = pd.read_csv(store / "experiments" / "again" / "comparison.csv", keep_default_na=False)
    return {
        (metric, explainer): float(value)
        for metric, explainer, value in zip(table["metric"], table["explainer"], table["value"], strict=True)
        if value
    }


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], float]:
    store = tmp_path_factory.mktemp("store")
    assert main([*COMMAND, f"store={store}"]) == 0
    return _values(store)


def test_deterministic_explainers_are_stable_and_random_ones_are_not(
    values: dict[tuple[str, str], float],
) -> None:
    assert values["seed_stability", "saliency_l2"] == pytest.approx(1.0, abs=1e-6)
    assert values["seed_stability", "occlusion"] == pytest.approx(1.0, abs=1e-6)
    assert abs(values["seed_stability", "random"]) < 0.2
    assert 0.2 < values["seed_stability", "lime"] < 1.0


def test_only_explainers_that_read_the_model_change_with_it(values: dict[tuple[str, str], float]) -> None:
    assert values["randomisation", "random"] == 1.0
    assert values["randomisation", "saliency_l2"] < 0.9
    assert values["randomisation", "occlusion"] < 0.9


def test_scores_move_with_the_text(values: dict[tuple[str, str], float]) -> None:
    assert values["max_sensitivity", "random"] > 0.7
    assert values["max_sensitivity", "saliency_l2"] > 0


def test_another_run_gives_the_same_numbers(values: dict[tuple[str, str], float], tmp_path: Path) -> None:
    assert main([*COMMAND, f"store={tmp_path}", "explainer=[lime]", "shard=7"]) == 0
    again = _values(tmp_path)
    for metric in METRICS:
        assert again[metric, "lime"] == pytest.approx(values[metric, "lime"], abs=1e-4)


def test_a_changed_model_gets_a_baseline_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_to: list[Engine] = []
    fitted = Mean.fitted

    def spy(baseline: Mean, engine: Engine, sample: Sequence[Example]) -> Baseline:
        fitted_to.append(engine)
        return fitted(baseline, engine, sample)

    monkeypatch.setattr(Mean, "fitted", spy)
    settings = [setting for setting in COMMAND if "lime" not in setting]
    settings += ["explainer=[occlusion]", "metric=[seed_stability,randomisation]"]
    assert main([*settings, f"store={tmp_path}"]) == 0
    # Once for the trial's model, and once for each of the three stages.
    assert len({id(engine.model) for engine in fitted_to}) == len(fitted_to) == 4
