"""The table of a task and model, printed while the others still run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from assay.harness.reporting import early_tables as module
from assay.harness.reporting.early_tables import early_table, early_tables
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment, run
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import complete

SMALL = ["name=early", "task=planted", "task.train=60", "task.dev=20", "task.test=12", "task.length=[2,5]"]
SMALL += [
    "explainer=[random,occlusion,gold]",
    "baseline=[mask]",
    "limits.default.test=12",
    "metric=[human_agreement]",
]


def overrides(store: Path, *more: str) -> list[str]:
    return [*SMALL, f"store={store}", *more]


def test_the_first_table_comes_before_the_last_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
    experiment = open_experiment(overrides(tmp_path, "model=linear", "model.name=a,b,c", "seed=0,1"))
    left: list[int] = []

    def table(of: Experiment, trials: Sequence[Trial]) -> str:
        left.append(sum(not complete(trial, of.store) for trial in load_trials(of)))
        return early_table(of, trials)

    monkeypatch.setattr(module, "early_table", table)
    trials = run(experiment, early_tables)
    shown = capfd.readouterr().out
    # The last one's is in the report, which follows.
    assert left and left[0] > 0 and len(left) <= 2
    of_first = [trial for trial in trials if trial.model_name == "a"]
    assert early_table(experiment, of_first) in shown and "planted / c" not in shown


def test_one_task_and_model_or_a_finished_run_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    alone = open_experiment(overrides(tmp_path / "one", "model=linear", "seed=0,1"))
    run(alone, early_tables)
    several = open_experiment(overrides(tmp_path / "two", "model=linear", "model.name=a,b"))
    run(several)
    capfd.readouterr()
    with early_tables(several, load_trials(several)):
        pass
    assert not capfd.readouterr().out


def test_a_table_that_fails_stops_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> str:
        raise OSError("no space")

    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(module, "early_table", fail)
    experiment = open_experiment(overrides(tmp_path, "model=linear", "model.name=a,b,c"))
    trials = run(experiment, early_tables)
    assert all(complete(trial, experiment.store) for trial in trials)
    assert "the table of planted / a cannot be shown yet: no space" in capfd.readouterr().err


def test_the_time_that_a_table_takes_delays_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: set[str] = set()
    shown: list[str] = []

    def table(of: Experiment, trials: Sequence[Trial]) -> str:
        # Some twenty times as long would be waited if it counted as asking.
        time.sleep(0.5)
        shown.append(trials[0].model_name)
        return ""

    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(module, "early_table", table)
    monkeypatch.setattr(module, "complete", lambda trial, _: trial.model_name in done)
    experiment = open_experiment(overrides(tmp_path, "model=linear", "model.name=a,b,c"))
    with early_tables(experiment, load_trials(experiment)):
        for name in ("a", "b"):
            done.add(name)
            end = time.monotonic() + 5
            while name not in shown:
                assert time.monotonic() < end, f"the table of {name} did not come"
                time.sleep(0.02)
        done.add("c")
    assert shown == ["a", "b"]
