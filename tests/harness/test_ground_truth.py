"""Agreement with the ground truth is measured where there is one, and refused elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.incompatibilities import metric_incompatibility
from assay.harness.trials.plan import Trial

SIZES = ["task.train=40", "task.dev=10", "task.test=10"]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    settings = ["task=planted", *SIZES, "model=cnn", "metric=[ground_truth_agreement]", f"store={tmp_path}"]
    (found,) = load_trials(open_experiment(settings))
    return found


def test_planted_tasks_have_a_ground_truth(trial: Trial) -> None:
    # The trial's limits made another task of it.
    assert trial.task.ground_truth
    assert metric_incompatibility(trial.choice.metrics[0], trial, frozenset()) is None


def test_it_is_refused_where_people_marked_the_rationales(trial: Trial) -> None:
    marked = replace(trial, task=replace(trial.task, ground_truth=False))
    reason = metric_incompatibility(trial.choice.metrics[0], marked, frozenset())
    assert reason == "nobody knows what causes the labels of this task; choose a planted one"
