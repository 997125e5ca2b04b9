"""The baseline `mlm` and Input Marginalization from configuration to store."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

import assay
import assay.explainers.marginal.mlm
import assay.models.mlm_training
from assay.explainers.marginal.mixture import Mixture
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.harness.cli import main
from assay.harness.config.choice import choose
from assay.harness.config.compose import configuration
from assay.harness.config.keys import key
from assay.harness.interface.settings import settings_of, shipped
from assay.harness.reporting.collect import alike, collect, notes
from assay.harness.reporting.paying import rows_of_text
from assay.harness.storage.layout import StoredCell, StoredModel
from assay.harness.storage.store import Store, parse_json
from assay.harness.trials.experiment import load_trials, open_experiment, run
from assay.harness.trials.made_with import read_made_with
from assay.harness.trials.masked_lms import is_masked_lm, to_train, trained_mlm, warnings
from assay.harness.trials.notes import mlm_note
from assay.harness.trials.trial import load_model
from assay.harness.upkeep.references import references_of_experiment
from assay.models.mlm_quality import Prediction
from assay.models.mlm_training import MLMReport
from assay.models.saving import weights_hash
from assay.models.trained_mlm import TrainedMLM
from assay.models.training import Training
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.layout import split_grids
from assay.results.tables.shared_operator import SHARED
from assay.tasks.errors import InputError

TINY = [
    *("baseline.mlm.trained.dimensions=8", "baseline.mlm.trained.units=6", "baseline.mlm.trained.layers=1"),
    *("baseline.mlm.trained.training.epochs=2", "baseline.mlm.trained.training.learning_rate=0.02"),
]
SMALL = [
    *("name=marginal", "task=planted_counting", "task.train=200", "task.dev=40", "task.test=12"),
    *("task.length=[6,6]", "model=linear", "model.training.epochs=2", "report.bootstrap=20", "shard=8"),
    *("explainer=[random,input_marginalization,occlusion,kernel_shap]", "explainer.kernel_shap.rows=20"),
    *("baseline=[mask,mlm]", "metric=[comprehensiveness,faithfulness,log_odds,leave_one_out_correlation]"),
    *TINY,
]
FEW = ["baseline.mlm.sigma=null", "baseline.mlm.top_k=3"]
REMOVAL = [
    *("baseline@removal=[mask,mlm]", "removal.mlm.sigma=null", "removal.mlm.mc_samples=4"),
    *(setting.replace("baseline.", "removal.") for setting in TINY),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A finished store, whose removal operators are `mask` and `mlm`, and how many models were trained."""
    store, trainings = tmp_path_factory.mktemp("store"), []
    train = assay.explainers.marginal.mlm.train_mlm
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            assay.explainers.marginal.mlm,
            "train_mlm",
            lambda *arguments: trainings.append(1) or train(*arguments),
        )
        run(open_experiment([*SMALL, *FEW, *REMOVAL, f"store={store}"]))
    assert not list(store.glob("ledger/*"))
    return store, len(trainings)


def _cells(store: Path, explainer: str, baseline: str) -> list[StoredCell]:
    found = [(StoredCell(path.parent), parse_json(path)) for path in store.glob("cells/*/cell.json")]
    return [
        cell for cell, record in found if (record["explainer"], record["baseline"]) == (explainer, baseline)
    ]


def test_one_model_is_trained_for_explainers_and_metrics_and_kept(done: tuple[Path, int]) -> None:
    store, trainings = done
    assert trainings == 1
    assert not list((store / "models").glob(".*"))
    reports = [parse_json(path) for path in store.glob("models/*/training.json")]
    (report,) = [report for report in reports if is_masked_lm(report)]
    assert report["tokens"] > 0 and len(report["epochs"]) == 2 and report["stopped"] == "epochs"
    assert {"perplexity", "top_1"} == set(report["model"]) == set(report["trigram"]) == set(report["unigram"])


def test_what_rests_on_another_masked_model_is_made_anew(
    done: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Explanations and scores: time may end training elsewhere the second time."""
    store = shutil.copytree(done[0], tmp_path / "store")
    (folder,) = [p.parent for p in store.glob("models/*/training.json") if is_masked_lm(parse_json(p))]
    shutil.rmtree(folder)
    (explained,), (plain,) = _cells(store, "input_marginalization", "mlm"), _cells(store, "occlusion", "mask")
    explained.part(1).unlink()
    explained.record.unlink()
    before = {path: path.read_bytes() for path in plain.score_files()}
    by_mlm = [path for path in before if "removal" in read_made_with(path)]
    assert 2 <= len(by_mlm) < len(before)
    by_mlm[0].unlink()
    train = assay.explainers.marginal.mlm.train_mlm
    monkeypatch.setattr(
        assay.explainers.marginal.mlm,
        "train_mlm",
        lambda spec, *rest: train(replace(spec, seed=7), *rest),
    )
    run(open_experiment([*SMALL, *FEW, *REMOVAL, f"store={store}"]))
    assert not list(store.glob("ledger/*"))
    weights = parse_json(StoredModel(folder).training)["weights"]
    assert {tuple(read_made_with(part).items()) for part in explained.parts()} == {(("baseline", weights),)}
    assert parse_json(explained.record)["masked_language_model"]["weights"] == weights
    for path, content in before.items():
        if path in by_mlm:
            assert read_made_with(path) == {"removal": weights} and path.read_bytes() != content
        else:
            assert path.read_bytes() == content and not read_made_with(path)


def test_rows_by_which_training_pays_are_also_those_of_the_masked_model(done: tuple[Path, int]) -> None:
    ((mixed,), (plain,)) = (_cells(done[0], "occlusion", baseline) for baseline in ("mlm", "mask"))
    # One row of the masked model for each of six absent words, and one for all of them absent.
    table = pq.read_table(mixed.part(0)).to_pandas()
    assert set(table["mlm_rows"]) == {7}
    assert rows_of_text(mixed) == pytest.approx(table["forward_rows"].mean() + 7)
    assert rows_of_text(plain) == 8


def test_one_model_is_trained_in_memory_for_all_that_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    task = assay.task("planted_counting", train=60, dev=10, test=6, length=[6, 6])
    model = assay.fit("linear", task, training={"epochs": 1})
    trainings, train = [], assay.explainers.marginal.mlm.train_mlm
    monkeypatch.setattr(
        assay.explainers.marginal.mlm, "train_mlm", lambda *rest: trainings.append(1) or train(*rest)
    )
    tiny = TrainedMLM(dimensions=8, units=6, layers=1, training=Training(epochs=1, mask_rate=0.2))
    names = {
        "three": MaskedLanguageModel(sigma=None, top_k=3, trained=tiny),
        "two": MaskedLanguageModel(sigma=None, top_k=2, trained=tiny),
    }
    other = MaskedLanguageModel(sigma=None, top_k=2, trained=replace(tiny, seed=4))
    assay.explain(model, task.test[:2], "occlusion", baseline={**names, "other": other})
    assert len(trainings) == 2


def test_without_development_texts_the_seed_of_training_alone_holds_texts_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baselines that differ in draws alone share one training."""
    trainings: list[int] = []
    train = assay.explainers.marginal.mlm.train_mlm
    counted = lambda *arguments: trainings.append(1) or train(*arguments)  # noqa: E731
    monkeypatch.setattr(assay.explainers.marginal.mlm, "train_mlm", counted)
    task = assay.task("planted_counting", train=100, dev=20, test=2, length=[6, 6])
    engine = assay.fit("linear", task, training={"epochs": 1}).engine
    spec = TrainedMLM(dimensions=8, units=6, layers=1, training=Training(epochs=1, mask_rate=0.15))
    first = MaskedLanguageModel(trained=spec)
    other_draws, other_training = replace(first, seed=1), replace(first, trained=replace(spec, seed=1))
    assert first.split(task.train, ()) == other_draws.split(task.train, ())
    assert first.split(task.train, ())[1] != other_training.split(task.train, ())[1]
    kept: Store | dict[str, Any]
    for number, kept in enumerate((Store(tmp_path), {}), start=1):
        found = [trained_mlm(one, engine, task.train, (), kept)[0] for one in (first, other_draws)]
        assert len(trainings) == number
        assert weights_hash(found[0]) == weights_hash(found[1])  # type: ignore[arg-type]


def test_records_have_the_mode_the_bits_and_both_costs(done: tuple[Path, int]) -> None:
    (cell,) = _cells(done[0], "input_marginalization", "mlm")
    record = parse_json(cell.record)
    assert "(joint mode)" in record["baseline_policy"]
    about = record["masked_language_model"]
    assert not about["beats_trigram"] or about["model"]["top_1"] > about["trigram"]["top_1"]
    table = pq.read_table(cell.part(0))
    assert set(table["output_space"].to_pylist()) == {"log2_odds"}
    assert table["mlm_rows"].to_pylist() == [6] * len(table)
    assert table["mlm_tokens"].to_pylist() == [36] * len(table)
    # The text, and at most three replacements of each word, of which the word itself may be one.
    assert 13 <= np.min(table["forward_rows"]) <= np.max(table["forward_rows"]) <= 19
    assert np.isnan(table["value_baseline"]).all()
    (plain,) = _cells(done[0], "occlusion", "mask")
    assert "masked_language_model" not in parse_json(plain.record)
    assert "mlm_rows" not in pq.read_table(plain.part(0)).column_names
    assert not _cells(done[0], "input_marginalization", "mask")


def test_page_and_run_say_how_good_the_masked_model_is(done: tuple[Path, int]) -> None:
    experiment = open_experiment([*SMALL, *FEW, f"store={done[0]}"])
    trials = load_trials(experiment)
    (note,) = [note for note in notes(trials, experiment.store) if "masked language model" in note]
    assert "names " in note and "a trigram " in note
    about = {"model": {"perplexity": 9.0, "top_1": 0.3}, "trigram": {"top_1": 0.4}, "beats_trigram": False}
    assert mlm_note(trials[0], about).endswith("this is not a test of the paper's claim")
    assert "not a test" not in mlm_note(trials[0], {**about, "beats_trigram": True})


def test_the_quality_is_said_where_only_metrics_ask_the_masked_model(done: tuple[Path, int]) -> None:
    chosen = [setting for setting in SMALL if not setting.startswith(("explainer", "baseline="))]
    chosen += ["explainer=[random,occlusion]", "baseline=[mask]", *REMOVAL, f"store={done[0]}"]
    chosen = [setting for setting in chosen if not setting.startswith("baseline.mlm")]
    experiment = open_experiment(chosen)
    assert [note for note in notes(load_trials(experiment), experiment.store) if "a trigram " in note]


def test_results_on_two_trainings_are_not_set_side_by_side_unsaid(
    done: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shutil.copytree(done[0], tmp_path / "store")
    (folder,) = [p.parent for p in store.glob("models/*/training.json") if is_masked_lm(parse_json(p))]
    shutil.rmtree(folder)
    train = assay.explainers.marginal.mlm.train_mlm
    monkeypatch.setattr(
        assay.explainers.marginal.mlm, "train_mlm", lambda spec, *rest: train(replace(spec, seed=7), *rest)
    )
    more = [
        setting.replace("input_marginalization,", "input_marginalization,exact_search,") for setting in SMALL
    ]
    experiment = open_experiment([*more, *FEW, f"store={store}"])
    trials = load_trials(experiment)
    assert not [note for note in notes(trials, experiment.store) if "must not be compared" in note]
    run(experiment)
    (note,) = [note for note in notes(trials, experiment.store) if "must not be compared" in note]
    (added,) = _cells(store, "exact_search", "mlm")
    assert "results rest on 2 masked language models of the same settings" in note
    assert "exact_search (mlm) on other weights than input_marginalization (mlm)" in note
    assert f"remove cells/{added.folder.name} from the store and run again" in note


@pytest.mark.parametrize(
    ("tokens", "ours", "theirs", "better"),
    [
        (4000, 0.30, 0.26, True),
        (4000, 0.27, 0.26, False),
        (4000, 0.2, 0.3, False),
        (250, 1 / 250, 0.0, False),
    ],
)
def test_a_masked_model_is_better_than_a_trigram_only_where_that_is_certain(
    tokens: int, ours: float, theirs: float, better: bool
) -> None:
    found = [Prediction(9.0, top_1) for top_1 in (ours, 0.1, theirs)]
    report = MLMReport(
        tokens, 30, *found, candidates=3.0, epochs=(), best_epoch=0, stopped="time", cpu_seconds=1.0
    )
    assert report.beats_trigram == better


def test_exports_have_the_mode_and_both_costs(done: tuple[Path, int], tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    command = ["export", *SMALL, *FEW, f"store={done[0]}", "--to", str(tmp_path / "scores.csv")]
    assert main([*command, "--explanations", str(folder)]) == 0
    tables = [pq.read_table(path).to_pandas() for path in sorted(folder.glob("data/*.parquet"))]
    for table in tables:
        (baseline,) = set(table["baseline"])
        mixed = baseline == "mlm"
        assert mixed == table["mlm_rows"].gt(0).all() == table["mlm_tokens"].gt(0).any()
        assert mixed == all("(joint mode)" in str(policy) for policy in table["baseline_policy"])
        assert (table["saturated"] >= 0).all()
    assert {table["explainer"][0] for table in tables if table["mlm_rows"].any()} > {"input_marginalization"}


def test_tables_mark_what_shares_the_masked_model_beside_what_does_not(done: tuple[Path, int]) -> None:
    # Another draw of the same model under another name.
    removal = ["baseline@removal=[mask,mlm]", "removal.mlm.sigma=null", "removal.mlm.mc_samples=4"]
    removal += [setting.replace("baseline.", "removal.") for setting in TINY]
    experiment = open_experiment([*SMALL, *FEW, *removal, f"store={done[0]}"])
    results = collect(experiment, load_trials(experiment))
    assert results.alike == {"mask": frozenset({"mask"}), "mlm": frozenset({"mlm"})}
    tables = split_grids(compare(results, Bootstrap(n=20)), results.metrics, "mask", {}, results.alike)
    marked = {
        (row.method.baseline, column.name.endswith("[mlm]"))
        for grid in tables
        for row in grid.rows
        for column, entry in zip(grid.columns, row.entries, strict=True)
        if SHARED in entry.mark
    }
    assert marked == {("mask", False), ("mlm", True)}
    # Beside each metric stands one that does not share it.
    assert not any("every metric here" in remark for grid in tables for remark in grid.remarks)


def test_a_generator_is_known_under_any_name() -> None:
    mlm = shipped("baseline", "mlm")
    config = configuration(["explainer=[occlusion]", "baseline=[mask]", "metric=[faithfulness]"])
    OmegaConf.set_struct(config, False)
    config.baseline = {"few": mlm | {"sigma": None, "top_k": 3}, "mask": config.baseline["mask"]}
    config.removal = {"drawn": mlm | {"sigma": None, "mc_samples": 4}, "mlm": config.baseline["mask"]}
    assert alike(choose(config), "drawn") == {"few": frozenset({"drawn"}), "mask": frozenset({"mlm"})}
    # Words of a checkpoint are others than those of a model of the task's own texts, however that is trained.
    for other, same in (({"trained": mlm["trained"] | {"seed": 5}}, {"drawn"}), ({"path": "folder"}, set())):
        config.removal = {"drawn": mlm | {"sigma": None, "mc_samples": 4} | other}
        assert alike(choose(config), "drawn")["few"] == frozenset(same)
        config.baseline = {"few": mlm | {"sigma": None, "top_k": 3} | other}
        assert alike(choose(config), "drawn")["few"] == frozenset({"drawn"})
        config.baseline = {"few": mlm | {"sigma": None, "top_k": 3}}


def test_occlusion_and_shapley_values_take_the_same_texts(done: tuple[Path, int]) -> None:
    (cell,) = _cells(done[0], "kernel_shap", "mlm")
    for row in pq.read_table(cell.part(0)).to_pylist():
        assert sum(row["scores"]) == pytest.approx(row["value_input"] - row["value_baseline"], abs=1e-4)


def test_every_cell_is_scored_by_both_operators(done: tuple[Path, int]) -> None:
    for baseline in ("mask", "mlm"):
        (cell,) = _cells(done[0], "occlusion", baseline)
        names = [path.name.rpartition("-")[0] for path in cell.score_files()]
        for metric in ("comprehensiveness", "faithfulness", "log_odds", "leave_one_out_correlation"):
            assert names.count(metric) == 2
    (cell,) = _cells(done[0], "occlusion", "mlm")
    found = [
        pq.read_table(path).to_pandas() for path in cell.score_files() if path.stem.startswith("log_odds")
    ]
    assert not np.allclose(*(table["value"].dropna() for table in found))


def test_verify_finds_nothing_and_clean_keeps_the_model(
    done: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", f"store={done[0]}"]) == 0, capsys.readouterr().out
    used = references_of_experiment([*SMALL, *FEW, f"store={done[0]}"])
    for folder in done[0].glob("models/*"):
        record = parse_json(StoredModel(folder).training)
        assert is_masked_lm(record) == used.may_use("models", folder)


def test_a_damaged_model_is_trained_anew(done: tuple[Path, int], caplog: pytest.LogCaptureFixture) -> None:
    experiment = open_experiment([*SMALL, *FEW, f"store={done[0]}"])
    (trial,) = load_trials(experiment)
    loaded = load_model(trial, experiment.store)
    (baseline,) = {m.baseline for m in trial.choice.methods if isinstance(m.baseline, MaskedLanguageModel)}
    arguments = baseline, loaded.engine, trial.task.train, trial.task.dev, experiment.store
    first, _ = trained_mlm(*arguments)
    folder = next(
        path.parent for path in done[0].glob("models/*/training.json") if is_masked_lm(parse_json(path))
    )
    (folder / "weights.safetensors").write_bytes(b"torn")
    again, _ = trained_mlm(*arguments)
    assert "train again" in caplog.text
    assert weights_hash(again) == weights_hash(first)  # type: ignore[arg-type]
    assert isinstance(loaded.fitted(baseline), Mixture)


def test_training_stopped_half_way_leaves_nothing_half_written(
    done: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = open_experiment([*SMALL, *FEW, f"store={done[0]}"])
    (trial,) = load_trials(experiment)
    engine = load_model(trial, experiment.store).engine
    (baseline,) = to_train(trial.choice)
    epoch = assay.models.mlm_training._epoch

    def stop(*arguments: Any) -> Any:
        if arguments[4] == 2:
            raise KeyboardInterrupt
        return epoch(*arguments)

    arguments = baseline, engine, trial.task.train, trial.task.dev
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(assay.models.mlm_training, "_epoch", stop)
        trained_mlm(*arguments, Store(tmp_path))
    # The state of the first epoch, and neither a model nor a claim.
    (state,) = tmp_path.glob("models/.*")
    assert state.stat().st_size and not list(tmp_path.glob("models/[!.]*"))
    assert not list(tmp_path.glob("claims/*"))
    numbers: list[int] = []
    monkeypatch.setattr(assay.models.mlm_training, "_epoch", lambda *a: numbers.append(a[4]) or epoch(*a))
    resumed, _ = trained_mlm(*arguments, Store(tmp_path))
    assert numbers == [2] and not list(tmp_path.glob("models/.*"))
    whole, _ = trained_mlm(*arguments, experiment.store)
    assert weights_hash(resumed) == weights_hash(whole)  # type: ignore[arg-type]


def test_the_command_trains_it_and_prints_how_good_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        "train-mlm",
        "task=planted_counting",
        "task.train=200",
        "task.dev=40",
        "model=linear,cnn",
        *TINY,
    ]
    for _ in range(2):
        assert main([*settings, f"store={tmp_path}"]) == 0
        told = capsys.readouterr().out
        for reference in ("masked LM", "trigram", "unigram"):
            # Both classifiers read texts alike, so they share one.
            assert told.count(f"  {reference}: perplexity ") == 1
        assert "2 epochs in" in told and "ended because all epochs were done" in told
    assert len(list(tmp_path.glob("models/*"))) == 1


def test_what_a_report_says_against_its_model() -> None:
    good = {"perplexity": 10.0, "top_1": 0.3}
    record = {"model": good, "trigram": {"perplexity": 20.0, "top_1": 0.2}, "stopped": "perplexity"}
    record |= {"beats_trigram": True, "cpu_seconds": 1200.0}
    assert warnings(record) == []
    (late,) = warnings({**record, "stopped": "time"})
    assert "ended after 20 CPU minutes at perplexity 10.0" in late
    (weak,) = warnings({**record, "beats_trigram": False})
    assert "not a test of what Input Marginalization claims" in weak


def test_the_plan_counts_both_models_and_advises_fewer_replacements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *SMALL, f"store={tmp_path}"]) == 0
    many = capsys.readouterr().out
    assert "input_marginalization (mlm): 84 rows of the masked language model, and at most" in many
    assert "set baseline.mlm.sigma=null and baseline.mlm.top_k=10, or mc_samples" in many
    # 200 texts, two epochs.
    assert "at most 1 masked language model of at most 20 min of the processor and 400 rows each" in many
    assert main(["plan", *SMALL, *FEW, f"store={tmp_path}"]) == 0
    few = capsys.readouterr().out
    # Seven texts of which one is whole, three replacements each.
    assert f"and at most {12 * 7 * 3} model rows, with mask {12 * 7}." in few
    assert "set baseline.mlm.sigma=null" not in few
    assert "baseline 'mask' is no masked language model; choose baseline=[mlm]" in few


def test_the_plan_bounds_the_training_of_what_metrics_replace_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["task=planted_counting", "task.train=200", "model=linear,cnn", "explainer=[occlusion]"]
    chosen += ["baseline=[mask]", "baseline@removal=[mlm]", f"store={tmp_path}"]
    assert main(["plan", *chosen, "metric=[faithfulness]"]) == 0
    assert "at most 2 masked language models of at most 20 min of the processor" in capsys.readouterr().out
    # No metric takes tokens away.
    assert main(["plan", *chosen, "metric=[sparsity]"]) == 0
    assert "masked language model" not in capsys.readouterr().out


def test_settings_name_cells_and_texts_without_training_are_refused(tmp_path: Path) -> None:
    def identity(*overrides: str) -> str:
        chosen = ["explainer=[occlusion]", "baseline=[mlm]", *overrides]
        return key(choose(configuration(chosen)).methods[0].identity)

    changes = ["seed=1", "mode=independent", "sigma=0.001", "draws=3", "renormalise=false", "trained.units=9"]
    assert len({identity(), *(identity(f"baseline.mlm.{change}") for change in changes)}) == 7
    with pytest.raises(InputError, match="mode is 'both'; expected one of joint, independent"):
        identity("baseline.mlm.mode=both")
    with pytest.raises(InputError, match="sets sigma and top_k of sigma, top_k and mc_samples"):
        identity("baseline.mlm.top_k=3")


def test_the_python_interface_finds_the_same_and_needs_no_store(done: tuple[Path, int]) -> None:
    assert settings_of("baseline", MaskedLanguageModel()) == shipped("baseline", "mlm")
    task = assay.task("planted_counting", train=200, dev=40, test=12, length=[6, 6])
    model = assay.fit("linear", task, training={"epochs": 2})
    spec = TrainedMLM(dimensions=8, units=6, layers=1, training=Training(epochs=2, mask_rate=0.15))
    baseline = MaskedLanguageModel(sigma=None, top_k=3, trained=spec)
    found = assay.explain(model, task.test[:2], "input_marginalization", baseline=baseline)
    explanation = found["input_marginalization"][0]
    assert explanation.scores.any() and np.isfinite(explanation.scores).all()
    with pytest.raises(InputError, match="baseline 'mask' is no masked language model"):
        assay.explain(model, task.test[:2], "input_marginalization")
