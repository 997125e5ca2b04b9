"""Baselines that are fitted, several, or different for every label, from configuration to store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from assay.explainers.baselines import Mask
from assay.explainers.sampled_baselines import Mean, Negatives, RandomTokens
from assay.harness.cli import main
from assay.harness.config.choice import choose
from assay.harness.config.compose import configuration
from assay.harness.config.keys import key
from assay.harness.reporting.collect import collect
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, parse_json
from assay.harness.trials.cells import Loaded, explain_part
from assay.harness.trials.experiment import load_trials, open_experiment, run
from assay.harness.trials.plan import cells
from assay.harness.trials.trial import load_model
from assay.tasks.errors import InputError

SMALL = [
    "name=baselines",
    "task=planted_counting",
    "task.train=200",
    "task.dev=40",
    "task.test=20",
    "task.length=[6,6]",
    "model=linear",
    "model.training.epochs=2",
    "metric=[faithfulness,compute_time]",
    "report.bootstrap=20",
    "shard=8",
]
AUTOGRAD = [*SMALL, "explainer=[random,occlusion]", "baseline=[mask]"]
SETTINGS = [
    *SMALL,
    "explainer=[random,occlusion,integrated_gradients]",
    "explainer.integrated_gradients.steps=4",
    "baseline=[mask,unk,mean,negatives,random]",
    "baseline@removal=[mean]",
    "baseline.random.draws=3",
]


def _count(monkeypatch: pytest.MonkeyPatch, fits: list[str]) -> None:
    for kind in (Mean, Negatives, RandomTokens):

        def counted(self, engine, sample, fitted=kind.fitted):
            fits.append(self.name)
            assert len(sample) == 200
            return fitted(self, engine, sample)

        monkeypatch.setattr(kind, "fitted", counted)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A finished store, and which baselines were fitted on the way."""
    store, fits = tmp_path_factory.mktemp("store"), []
    with pytest.MonkeyPatch.context() as patch:
        _count(patch, fits)
        run(open_experiment([*SETTINGS, f"store={store}"]))
    assert not list(store.glob("ledger/*"))
    return store, fits


def test_every_baseline_of_a_trial_is_fitted_once_the_removal_included(done: tuple[Path, list[str]]) -> None:
    assert sorted(done[1]) == ["mean", "negatives", "random"]


def test_a_finished_trial_fits_nothing(done: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[str] = []
    _count(monkeypatch, fits)
    run(open_experiment([*SETTINGS, f"store={done[0]}"]))
    assert fits == []


def test_cells_say_what_becomes_of_an_absent_token(done: tuple[Path, list[str]]) -> None:
    records = [parse_json(path) for path in done[0].glob("cells/*/cell.json")]
    policies = {record["baseline"]: record["baseline_policy"] for record in records}
    assert set(policies) == {"", "mask", "unk", "mean", "negatives", "random"}
    assert policies[""] is None
    assert "mean of the training texts without the label" in policies["negatives"]


def test_the_plan_of_long_texts_stops_at_what_the_model_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["explainer=[shapley_gp]", "explainer.shapley_gp.rows=40", "baseline=[mask]"]
    settings += ["model.max_tokens=4", "model.over_limit=truncate", f"store={tmp_path}"]
    assert main(["plan", *SMALL, *settings]) == 0
    # Four of six words: 16 coalitions, each asked once.
    assert f"{20 * 16:,} model rows of {20 * 16 * 4:,} tokens" in capsys.readouterr().out


def test_the_plan_counts_rows_per_label_and_per_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *SETTINGS, f"store={tmp_path}"]) == 0
    plan = capsys.readouterr().out
    (trial,) = load_trials(open_experiment([*SETTINGS, f"store={tmp_path}"]))
    texts, labels = len(trial.task.test), len(trial.task.labels)
    # Six words: the text, the empty one, one row without each word; four steps there and back, and two ends.
    rows = {"occlusion": (8, 8), "integrated_gradients": (6 + 4 * labels, 6 + 4)}
    for explainer, (together, alone) in rows.items():
        expected = {"mask": together, "mean": together, "negatives": labels * alone, "random": 3 * together}
        for baseline, of_one in expected.items():
            (line,) = [line for line in plan.splitlines() if line.startswith(f"{explainer} ({baseline})")]
            assert f" {of_one * texts:,} " in line, line


def test_what_a_cell_costs_is_within_what_was_planned(done: tuple[Path, list[str]]) -> None:
    (trial,) = load_trials(open_experiment([*SETTINGS, f"store={done[0]}"]))
    labels = len(trial.task.labels)
    for path in done[0].glob("cells/*/cell.json"):
        record = parse_json(path)
        if record["explainer"] == "occlusion":
            table = pq.read_table(StoredCell(path.parent).part(0))
            times = {"negatives": labels, "random": 3}.get(record["baseline"], 1)
            assert 0 < np.max(table["forward_rows"]) <= 8 * times
            has_error = record["baseline"] == "random"
            assert (table["standard_error"].null_count == 0) == has_error


def test_weights_that_differ_in_a_digit_do_not_change_the_draws_and_another_seed_does(tmp_path: Path) -> None:
    experiment = open_experiment([*AUTOGRAD, "seed=0,1", f"store={tmp_path / 'store'}"])
    first, second = (load_model(trial, experiment.store) for trial in load_trials(experiment))
    found = [
        _scores(loaded, Store(tmp_path / name))
        for name, loaded in {"a": first, "b": replace(first, weights="other"), "c": second}.items()
    ]
    assert found[0] == found[1] != found[2]


def _scores(loaded: Loaded, store: Store) -> list[list[float]]:
    """The random explainer's, of the first shard."""
    cell = cells(loaded.trial, loaded.weights, loaded.capabilities)[0]
    explain_part(cell, loaded, store, 0)
    return pq.read_table(StoredCell(store.cell(cell.key)).part(0))["scores"].to_pylist()


def test_a_removal_that_differs_by_label_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="baseline 'negatives' means something else for every label, but"):
        open_experiment([*AUTOGRAD, "baseline@removal=[negatives]", f"store={tmp_path}"])


def test_random_tokens_can_be_the_removal(tmp_path: Path) -> None:
    run(open_experiment([*AUTOGRAD, "baseline@removal=[random]", f"store={tmp_path}"]))
    assert not list(tmp_path.glob("ledger/*"))
    assert len(list(tmp_path.glob("cells/*/scores/faithfulness-*.parquet"))) == 2


def test_metrics_that_take_tokens_away_are_measured_by_every_removal(tmp_path: Path) -> None:
    settings = ["metric=[faithfulness,compute_time]", f"store={tmp_path}"]
    experiment = open_experiment([*AUTOGRAD, *settings, "baseline@removal=[mask,delete]"])
    results = collect(experiment, run(experiment))
    names = ["faithfulness", "faithfulness[delete]", "compute_time"]
    assert [metric.name for metric in results.metrics] == names
    assert results.metrics[1].title == "Faithfulness (AUC-TP), by delete"
    found = {(cell.metric, cell.method): cell for cell in results.cells}
    assert {metric for metric, _ in found} == set(names)
    # What one operator alone leaves is not computed again, and is the same under either name.
    one = open_experiment([*AUTOGRAD, *settings, "baseline@removal=[delete]"])
    before = {path for path in tmp_path.rglob("*.parquet")}
    alone = collect(one, run(one))
    assert {path for path in tmp_path.rglob("*.parquet")} == before
    for cell in alone.cells:
        if cell.metric == "faithfulness":
            other = found["faithfulness[delete]", cell.method]
            for part, values in cell.parts.items():
                np.testing.assert_array_equal(values, other.parts[part])


def test_scores_are_named_by_the_removal_and_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(["metric=[faithfulness]"])
    name = choose(config).metrics[0].key
    assert choose(configuration(["metric=[faithfulness]", "baseline@removal=[pad]"])).metrics[0].key != name
    monkeypatch.setattr(Mask, "version", 2)
    assert choose(config).metrics[0].key != name


def test_settings_of_a_baseline_name_its_cells() -> None:
    def identity(*overrides: str) -> str:
        return key(choose(configuration(["explainer=[occlusion]", *overrides])).methods[0].identity)

    names = [identity("baseline=[random]", *more) for more in ([], ["baseline.random.draws=6"])]
    names += [identity("baseline=[mean]", *more) for more in ([], ["baseline.mean.sample=9"])]
    assert len(set(names)) == 4


def test_a_failing_fit_is_in_the_ledger_and_the_other_cells_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InputError("broken on purpose")

    monkeypatch.setattr(Negatives, "fitted", fail)
    run(open_experiment([*SMALL, "explainer=[occlusion]", "baseline=[mask,negatives]", f"store={tmp_path}"]))
    (failed,) = tmp_path.glob("ledger/*")
    assert parse_json(failed)["sentence"] == "broken on purpose"
    assert [parse_json(path)["baseline"] for path in tmp_path.glob("cells/*/cell.json")] == ["mask"]
