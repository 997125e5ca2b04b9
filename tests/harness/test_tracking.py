"""Finished cells in experiment trackers: the scores of the comparison table, each run once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay.harness.cli import main
from assay.harness.exchange.trackers import TRACKERS, Run, Tracker
from assay.harness.exchange.tracking import runs, track
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.tasks.errors import InputError

SMALL = ["name=tracked", "task=planted", "task.train=80", "task.dev=20", "task.test=12", "model=linear"]
SMALL += ["model.training.epochs=1", "seed=0,1", "explainer=[random,occlusion]", "baseline=[mask]"]
SMALL += ["metric=[human_agreement,faithfulness,rationale_consistency]", "report.bootstrap=20", "shard=5"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The overrides of an experiment that was run."""
    overrides = [*SMALL, f"store={tmp_path_factory.mktemp('store')}"]
    assert main(["run", *overrides]) == 0
    return overrides


def _runs(overrides: list[str]) -> list[Run]:
    experiment = open_experiment(overrides)
    return runs(experiment, load_trials(experiment))


def test_a_run_holds_the_scores_of_the_comparison_table(finished: list[str]) -> None:
    found = _runs(finished)
    assert len({run.id for run in found}) == len(found) == 6  # 2 explainers on 2 models and on their pair
    store = Path(finished[-1].removeprefix("store="))
    table = pd.read_csv(store / "experiments" / "tracked" / "comparison.csv").set_index(
        ["explainer", "metric"]
    )
    values: dict[tuple[str, str], list[float]] = {}
    for run in found:
        for name, value in run.metrics.items():
            values.setdefault((run.parameters["explainer"], name), []).append(value)
    for explainer in ("occlusion", "random"):
        for metric in ("human_agreement", "faithfulness"):
            expected = table["value"][explainer, metric]
            assert sum(values[explainer, metric]) / 2 == pytest.approx(expected)
        # One pair of models: nothing to average, and the very same interval.
        row = table.loc[(explainer, "rationale_consistency")]
        assert values[explainer, "rationale_consistency"] == pytest.approx([row["value"]])
        assert values[explainer, "rationale_consistency/low"] == pytest.approx([row["low"]])
        assert values[explainer, "rationale_consistency/high"] == pytest.approx([row["high"]])


def test_parameters_are_the_axes_and_settings(finished: list[str]) -> None:
    (run,) = [
        run
        for run in _runs(finished)
        if run.parameters["explainer"] == "occlusion" and run.parameters["seed"] == "1"
    ]
    assert run.title == "planted / linear / seed 1 / occlusion (mask) / 0"
    assert run.parameters | {"task": "planted", "model": "linear", "baseline": "mask"} == run.parameters
    assert run.parameters["weights"] and run.parameters["version.torch"]
    assert run.metrics["seconds_per_text"] > 0
    low, value, high = (run.metrics[f"faithfulness{end}"] for end in ("/low", "", "/high"))
    assert low <= value <= high


def test_nothing_is_written_twice(
    finished: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Run] = []
    monkeypatch.setitem(TRACKERS, "mlflow", Tracker("json", lambda run, *_: written.append(run)))
    experiment = open_experiment(finished)
    trials = load_trials(experiment)
    assert track(experiment, trials, "mlflow", tmp_path).written == 6
    assert track(experiment, trials, "mlflow", tmp_path).known == 6
    assert len(written) == 6
    # Runs with other scores, and the runs of another experiment, are new.
    fewer = [*finished, "metric=[faithfulness]"]
    experiment = open_experiment([*fewer, "name=other"])
    assert track(experiment, load_trials(experiment), "mlflow", tmp_path).written == 4
    assert {run.id for run in written[6:]}.isdisjoint(run.id for run in written[:6])


def test_what_was_written_before_a_crash_is_not_written_again(
    finished: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Run] = []

    def crash(run: Run, *_: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(run)

    monkeypatch.setitem(TRACKERS, "mlflow", Tracker("json", crash))
    experiment = open_experiment(finished)
    trials = load_trials(experiment)
    with pytest.raises(KeyboardInterrupt):
        track(experiment, trials, "mlflow", tmp_path)
    monkeypatch.setitem(TRACKERS, "mlflow", Tracker("json", lambda run, *_: written.append(run)))
    found = track(experiment, trials, "mlflow", tmp_path)
    assert (found.written, found.known) == (4, 2)
    assert len({run.id for run in written}) == 6


def test_a_missing_package_is_one_sentence(
    finished: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main(["track", *finished, "--to", "wandb"]) == 1
    err = capsys.readouterr().err
    assert "pip install 'assay[track-wandb]'" in err
    assert len(err.splitlines()) == 1
    experiment = open_experiment(finished)
    with pytest.raises(InputError, match="needs a package"):
        track(experiment, [], "wandb", None)


def _twice(overrides: list[str], to: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command; the record is taken away in between, so that the tracker itself must know."""
    for _ in range(2):
        assert main(["track", *overrides, "--to", to, "--folder", str(folder)]) == 0
        assert "Runs written: 6, there already: 0." in capsys.readouterr().out
        known = json.loads((folder / "assay-tracked.json").read_text(encoding="utf-8"))
        assert len(known) == 6
        (folder / "assay-tracked.json").unlink()


def _same(found: dict[str, float], run: Run) -> None:
    assert found == pytest.approx(run.metrics, rel=1e-6)


def test_tensorboard_reads_what_was_written(
    finished: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # pyright: ignore[reportMissingImports]
        EventAccumulator,
    )

    _twice(finished, "tensorboard", tmp_path, capsys)
    folders = list((tmp_path / "tracked").iterdir())
    assert len(folders) == 6
    for run in _runs(finished):
        (folder,) = [folder for folder in folders if folder.name.endswith(run.id)]
        events = EventAccumulator(str(folder)).Reload()
        _same({name: events.Scalars(name)[-1].value for name in events.Tags()["scalars"]}, run)


def test_wandb_writes_a_folder_per_run(
    finished: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb")
    _twice(finished, "wandb", tmp_path, capsys)
    assert {run.id for run in _runs(finished)} == {
        path.name.rpartition("-")[2] for path in (tmp_path / "wandb").glob("offline-run-*")
    }
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 6
    assert all(any(path.glob("*.wandb")) for path in (tmp_path / "wandb").glob("offline-run-*"))


def test_mlflow_reads_what_was_written(
    finished: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

    _twice(finished, "mlflow", tmp_path, capsys)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    known = client.get_experiment_by_name("tracked")
    assert known is not None
    found = {run.data.tags["assay.id"]: run for run in client.search_runs([known.experiment_id])}
    assert len(client.search_runs([known.experiment_id])) == len(found) == 6
    for run in _runs(finished):
        _same(found[run.id].data.metrics, run)
        assert found[run.id].data.params == run.parameters
