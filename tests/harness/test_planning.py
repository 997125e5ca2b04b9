"""Plans: what they know of large tasks, how estimates follow from speeds; stored work costs nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.harness.cli import main
from assay.harness.config.compose import configuration
from assay.harness.costs.calibration import calibrate
from assay.harness.costs.estimate import Amount, CellWork, Estimate, TrialWork, estimate
from assay.harness.costs.planning import duration, plan, size
from assay.harness.costs.speeds import Rate, Speeds, keep, method_name, metric_name, recall, speeds_key
from assay.harness.trials import census
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.loading import load_trial
from assay.tasks import local as local_files
from assay.tasks import planted as generated
from assay.tasks import preview as previews
from assay.tasks.errors import InputError
from assay.tasks.local import local
from assay.tasks.planted import planted
from assay.tasks.preview import Sizes, preview
from assay.tasks.reviews import reviews

SMALL = [
    "name=small",
    "task=planted_counting",
    "task.train=120",
    "task.dev=30",
    "task.test=40",
    "task.length=[10,10]",
    "model=maxpool",
    "model.training.epochs=2",
    "explainer=[random,saliency_l2,occlusion]",
    "metric=[human_agreement,faithfulness,seed_stability]",
    "limits.default.test=null",
    "shard=16",
    "report.bootstrap=20",
    "engine.threads=1",
]


def _experiment(store: Path, *overrides: str) -> Experiment:
    return open_experiment([*SMALL, f"store={store}", *overrides])


def _estimate(experiment: Experiment, *, of_each: float = 1e-3) -> Estimate:
    """Everything takes `of_each` seconds a unit, and nothing at once."""
    found, _ = census.outlooks(experiment.configs, experiment.store)
    known = {}
    for outlook in found:
        choice = outlook.trial.choice
        names = [method_name(method) for method in choice.methods]
        names += [metric_name(chosen, method) for chosen in choice.metrics for method in choice.methods]
        rates = {name: Rate(of_each, of_each) for name in [*names, "asking", "training"]}
        known[speeds_key(outlook.trial.config)] = Speeds(rates)
    return estimate(found, known, experiment.store)


# What a plan knows of large tasks.


def test_a_large_generated_task_is_counted_and_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    options = dict(configuration(["task=planted_counting", "task.train=700", "task.test=900"]).task)
    del options["_target_"]
    assert preview(planted, options) is None
    monkeypatch.setattr(generated, "LARGE_TEXTS", 1000)
    seen = preview(planted, options)
    whole = planted(rule="counting", train=700, dev=500, test=900)
    assert seen is not None
    assert seen.sizes == (len(whole.train), len(whole.dev), len(whole.test))
    assert len(seen.sample.test) == previews.SAMPLE
    assert (seen.sample.labels, seen.sample.ground_truth) == (whole.labels, whole.ground_truth)
    assert seen.loading > 0


def _write(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        lines = ["text,label", *(f'"{row["text"]}",{row["label"]}' for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _rows(count: int) -> list[dict[str, str]]:
    """One label occurs once, in a row that a sample misses; texts hold line breaks and grow longer."""
    labels = ["rare" if at == 4 * count // 5 + 1 else "ab"[at % 2] for at in range(count)]
    return [
        {"text": "word,\n" * (1 + at // 100) + str(at), "label": label} for at, label in enumerate(labels)
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_large_file_is_counted_as_it_would_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = _write(tmp_path / f"texts{suffix}", _rows(2003))
    assert preview(local, {"path": str(path)}) is None
    monkeypatch.setattr(local_files, "LARGE_BYTES", 0)
    seen, whole = preview(local, {"path": str(path)}), local(path=str(path))
    assert seen is not None
    assert seen.sizes == (len(whole.train), len(whole.dev), len(whole.test))
    assert seen.sample.labels == whole.labels == ("a", "b", "rare")
    texts = {example.texts for split in (whole.train, whole.dev, whole.test) for example in split}
    sampled = [example.texts for example in (*seen.sample.train, *seen.sample.dev, *seen.sample.test)]
    assert previews.SAMPLE <= len(sampled) < 2 * previews.SAMPLE
    assert set(sampled) <= texts
    mean = sum(len(text[0]) for text in sampled) / len(sampled)
    assert mean == pytest.approx(sum(len(text[0]) for text in texts) / len(texts), rel=0.05)


def test_a_large_folder_is_counted_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "LARGE_BYTES", 0)
    _write(tmp_path / "train.csv", _rows(1000))
    _write(tmp_path / "test.csv", _rows(500))
    names = {"train": "train.csv", "test": "test.csv"}
    seen = preview(local, {"path": str(tmp_path), **names})
    whole = local(path=str(tmp_path), train="train.csv", test="test.csv")
    assert seen is not None
    assert seen.sizes == (len(whole.train), len(whole.dev), len(whole.test))


def test_other_tasks_are_loaded_to_be_known() -> None:
    assert preview(reviews, {}) is None


def test_given_labels_are_those_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "LARGE_BYTES", 0)
    path = _write(tmp_path / "texts.csv", _rows(1500))
    labels = ["rare", "b", "a"]
    seen, whole = (
        preview(local, {"path": str(path), "labels": labels}),
        local(path=str(path), labels=labels),
    )
    assert seen is not None
    assert (seen.sample.labels, seen.sizes.test) == (whole.labels, len(whole.test))
    assert sum(len(getattr(seen.sample, split)) for split in Sizes._fields) >= previews.SAMPLE


def test_options_that_a_task_does_not_take_are_told_by_its_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "task=planted_counting", "+task.wrong=1", f"store={tmp_path}"]) == 1
    out = capsys.readouterr().out
    assert "Cannot be read:" in out and "wrong" in out


def test_a_plan_of_a_sample_counts_rows_as_one_of_all_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["task.test=3000", "task.length=[8,20]", "limits.default.train=100"]
    whole = _estimate(_experiment(tmp_path, *overrides))
    monkeypatch.setattr(generated, "LARGE_TEXTS", 1000)
    experiment = _experiment(tmp_path, *overrides)
    seen, _ = census.outlooks(experiment.configs, experiment.store)
    assert seen[0].sizes == Sizes(100, 30, 3000)
    assert seen[0].count.sum() == pytest.approx(3000)
    sampled = _estimate(_experiment(tmp_path, *overrides))
    for one, other in zip(sampled.cells, whole.cells, strict=True):
        assert one.rows == pytest.approx(other.rows, rel=0.05)
        assert (one.stored, other.stored) == (None, False)


def test_a_large_trial_that_was_run_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = _experiment(tmp_path)
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    (trial,) = load_trials(experiment)
    monkeypatch.setattr(generated, "LARGE_TEXTS", 100)
    assert [cell.stored for cell in _estimate(experiment).cells] == [None] * 3
    census.remember(trial, experiment.store)
    assert not list(tmp_path.glob("tasks/*.json")), "small trials are looked up by their texts"
    monkeypatch.setattr(census, "LARGE", 100)
    census.remember(trial, experiment.store)
    assert [cell.stored for cell in _estimate(experiment).cells] == [True] * 3
    assert [cell.stored for cell in _estimate(_experiment(tmp_path, "task.seed=1")).cells] == [None] * 3


def test_a_file_that_changed_is_not_taken_for_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path / "texts.csv", _rows(300))
    overrides = [*SMALL[6:], "task=local", f"task.path={path}", f"store={tmp_path / 'store'}"]
    overrides = [one for one in overrides if not one.startswith("metric")]
    experiment = open_experiment(overrides)
    monkeypatch.setattr(census, "LARGE", 0)
    monkeypatch.setattr(local_files, "LARGE_BYTES", 0)
    (trial,) = load_trials(experiment)
    census.remember(trial, experiment.store)
    (before,), _ = census.outlooks(experiment.configs, experiment.store)
    _write(path, _rows(301))
    (after,), _ = census.outlooks(experiment.configs, experiment.store)
    assert (before.known, after.known) == (True, False)


# How estimates follow from speeds.


def test_twice_the_texts_take_twice_the_time_and_disk(tmp_path: Path) -> None:
    one, two = (_estimate(_experiment(tmp_path, f"limits.default.test={n}")) for n in (20, 40))
    for cell, double in zip(one.cells, two.cells, strict=True):
        assert double.explaining.seconds == pytest.approx(2 * cell.explaining.seconds)
        assert double.amount.bytes == pytest.approx(2 * cell.amount.bytes)
        assert cell.explaining.seconds > 0
        assert cell.amount.bytes > 0


def test_a_metric_with_a_budget_of_texts_takes_no_more(tmp_path: Path) -> None:
    metrics = ["metric=[seed_stability]", "metric.seed_stability.texts=10"]
    sizes = [f"limits.default.test={n}" for n in (5, 10, 40)]
    few, budget, many = (_estimate(_experiment(tmp_path, *metrics, one)) for one in sizes)
    for a, b, c in zip(few.cells, budget.cells, many.cells, strict=True):
        assert 2 * a.scoring.seconds == pytest.approx(b.scoring.seconds) == pytest.approx(c.scoring.seconds)


def test_training_counts_epochs_and_an_untrained_model_none(tmp_path: Path) -> None:
    two, six = (_estimate(_experiment(tmp_path, f"model.training.epochs={n}")) for n in (2, 6))
    assert six.trials[0].training.seconds == pytest.approx(3 * two.trials[0].training.seconds)
    untrained = _estimate(_experiment(tmp_path, "model.init_only=true"))
    assert two.trials[0].training.seconds > 0 == untrained.trials[0].training.seconds


def test_training_in_two_stages_counts_both(tmp_path: Path) -> None:
    def seconds(base: int, masked: int) -> float:
        epochs = [f"model.base_training.epochs={base}", f"model.training.epochs={masked}"]
        return _estimate(_experiment(tmp_path, "model=vmask_cnn", *epochs)).trials[0].training.seconds

    assert seconds(3, 2) == pytest.approx(5 * seconds(0, 1))
    assert seconds(3, 0) == 0


def test_a_frozen_encoder_reads_its_texts_once(tmp_path: Path) -> None:
    general = [one for one in SMALL if not one.startswith(("task", "model"))]
    accidents = ["task=planted_accidents", "task.train=120", "task.dev=30", "task.test=40"]

    def seconds(epochs: int, frozen: str) -> float:
        model = ["model=concept_minilm", f"model.training.epochs={epochs}", f"model.frozen={frozen}"]
        chosen = open_experiment([*general, *accidents, *model, f"store={tmp_path}"])
        return _estimate(chosen).trials[0].training.seconds

    assert seconds(40, "true") == pytest.approx(seconds(1, "true")) == pytest.approx(seconds(1, "false"))
    assert seconds(40, "false") == pytest.approx(40 * seconds(1, "true"))
    assert seconds(0, "true") == 0


def test_a_model_with_concepts_needs_a_task_with_questions(tmp_path: Path) -> None:
    message = "'concept_cnn' answers auxiliary questions, but task 'planted_counting' has none"
    with pytest.raises(InputError, match=message):
        load_trial(_experiment(tmp_path, "model=concept_cnn").configs[0])


def test_work_whose_speed_is_unknown_is_named(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path)
    (outlook,), _ = census.outlooks(experiment.configs, experiment.store)
    known = {speeds_key(outlook.trial.config): Speeds({"asking": Rate(1.0)})}
    assert {"training", "occlusion (mask)", "faithfulness"} <= estimate(
        [outlook], known, experiment.store
    ).amount.unknown


def _trial(jobs: int, cells: Sequence[CellWork], loading: float = 0.0) -> TrialWork:
    nothing = Amount()
    return TrialWork("trial", jobs, Amount(loading), nothing, nothing, tuple(cells), ())


def _cell(explaining: float, scoring: float = 0.0) -> CellWork:
    return CellWork("cell", False, 0, 0, Amount(explaining), Amount(scoring), scoring)


def test_workers_share_jobs_but_not_what_is_one_piece() -> None:
    whole = Estimate((_trial(1, [_cell(60)]), _trial(1, [_cell(40)]), _trial(1, [_cell(20)])), Amount(5))
    assert [whole.seconds(n) for n in (1, 2, 3, 9)] == [125, 65, 65, 65]
    cut = Estimate((_trial(4, [_cell(80)], loading=1.0),), Amount())
    assert [cut.seconds(n) for n in (1, 2, 4, 8)] == [84, 42, 21, 21]
    bound = Estimate((_trial(4, [_cell(40, 40)], loading=1.0),), Amount())
    assert bound.seconds(4) == 41


def test_jobs_are_cut_by_shards(tmp_path: Path) -> None:
    cut = _estimate(_experiment(tmp_path, "shards_per_job=2"))
    assert [trial.jobs for trial in cut.trials] == [2]  # 40 texts, 3 shards of 16


def test_stored_work_costs_nothing_and_times_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    done = _estimate(_experiment(tmp_path))
    assert done.amount == Amount()
    assert [(trial.jobs, cell.stored) for trial in done.trials for cell in trial.cells] == [(0, True)] * 3
    more = _estimate(_experiment(tmp_path, "explainer=[random,saliency_l2,occlusion,leave_one_out]"))
    assert [cell.stored for cell in more.cells] == [True, True, True, False]
    assert [cell.amount.seconds > 0 for cell in more.cells] == [False, False, False, True]
    assert more.trials[0].training.seconds == more.trials[0].asking.seconds == 0
    capsys.readouterr()
    assert main(["plan", *SMALL, f"store={tmp_path}", "task.test=80", "task.seed=1"]) == 0
    text = capsys.readouterr().out
    assert "from earlier timings" in text
    # Explainers and metrics were timed by the run; training was not, because another model was trained.
    assert re.search(
        r"no timings yet\): the model's answers, training. Run with --calibrate to include them", text
    )
    # So the time is a lower bound, and says so.
    assert "Time: at least " in text and "Disk: at least " in text and "Time: about " not in text
    assert "training ?, the model's answers ?, explanations " in text
    table = text.partition("\n\n")[2].partition("\n\n")[0]
    (_, trial) = table.splitlines()
    assert trial.count("≥ ") == 2
    folder = next(tmp_path.glob("cells/*/cell.json")).parent
    (folder / "cell.json").unlink()
    (folder / "explanations" / "part-00001.parquet").unlink()
    (begun,) = [cell for cell in _estimate(_experiment(tmp_path)).cells if cell.amount.seconds]
    fresh = {cell.title: cell for cell in _estimate(_experiment(tmp_path / "fresh")).cells}[begun.title]
    assert begun.explaining.seconds == pytest.approx(fresh.explaining.seconds / 3)
    assert begun.rows == pytest.approx(fresh.rows / 3, abs=1)


def test_finished_cells_count_for_more_than_calibrations_and_lend_their_speed(tmp_path: Path) -> None:
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    experiment = _experiment(tmp_path, "explainer=[random,saliency_l2,occlusion,lime]", "task.seed=1")
    found, _ = census.outlooks(experiment.configs, experiment.store)
    name, methods = speeds_key(found[0].trial.config), found[0].trial.choice.methods
    impossible = {what: Rate(1e9) for what in (*map(method_name, methods[:3]), "asking")}
    keep(experiment.store, name, Speeds(impossible))
    known = recall(found, experiment.store)[name]
    assert known.rates["asking"].seconds == 1e9
    rates = [known.method(method) for method in methods]
    assert all(rate is not None and rate.seconds < 1 and rate.bytes > 0 for rate in rates)
    # No cell of LIME is finished: it is taken to go as fast per token as the others that ask the model.
    assert method_name(methods[3]) not in known.rates
    middle = sorted(rate.seconds for rate in rates[1:3] if rate is not None)
    assert middle[0] <= known.rates["model"].seconds <= middle[1]


def test_pairs_of_models_are_counted(tmp_path: Path) -> None:
    overrides = ["metric=[rationale_consistency]", "seed=0,1,2"]
    experiment = _experiment(tmp_path, *overrides)
    found, _ = census.outlooks(experiment.configs, experiment.store)
    (chosen,) = found[0].trial.choice.metrics
    rates = {"asking": Rate(0.5), metric_name(chosen, found[0].trial.choice.methods[0]): Rate(0.1)}
    known = {speeds_key(outlook.trial.config): Speeds(rates) for outlook in found}
    # Three pairs, 40 texts, two models that are asked, three cells.
    assert estimate(found, known, experiment.store).pairs.seconds == pytest.approx(3 * 40 * (1 + 3 * 0.1))


# Calibration and the command.


def test_a_calibration_times_everything_and_is_remembered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = _experiment(tmp_path, "metric=[faithfulness,seed_stability,rationale_consistency]")
    text = plan(experiment, calibrated=False, workers=1).text
    assert "Time and disk are not known" in text and "time" not in text.splitlines()[2]
    found, _ = census.outlooks(experiment.configs, experiment.store)
    (speeds,) = calibrate(found, seconds=2.0).values()
    choice = found[0].trial.choice
    names = list(map(method_name, choice.methods))
    names += [metric_name(chosen, method) for chosen in choice.metrics for method in choice.methods]
    assert {"asking", "training", "weights", *names} <= set(speeds.rates)
    assert all(rate.seconds > 0 < rate.bytes for rate in (speeds.rates[name] for name in names[:3]))
    again = next(chosen for chosen in choice.metrics if chosen.metric.name == "seed_stability")
    assert len({metric_name(again, method) for method in choice.methods}) == len(choice.methods)
    keep(experiment.store, speeds_key(found[0].trial.config), speeds)
    later = plan(experiment, calibrated=False, workers=2).text
    assert "from earlier timings" in later and "by 2 workers" in later and "want of timings" not in later
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_a_model_that_is_not_trained_is_calibrated_without(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path, "model.init_only=true")
    (speeds,) = calibrate(census.outlooks(experiment.configs, experiment.store)[0], 1.0).values()
    assert "training" not in speeds.rates and "asking" in speeds.rates


def test_texts_that_cannot_be_read_are_told_and_leave_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "task=local", "task.path=nowhere.csv", f"store={tmp_path}"]) == 1
    out = capsys.readouterr().out
    assert "Cannot be read:" in out and "nowhere.csv does not exist" in out
    # No table without rows, no sum of nothing.
    assert "nothing to plan" in out and "model rows to do" not in out and "To do" not in out
    assert not list(tmp_path.glob("ledger/*"))


@pytest.mark.parametrize("workers", ["0", "-1", "many"])
def test_workers_must_be_a_number(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plan", f"--workers={workers}"])
    assert "expected a number of workers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (3.14, "3.1 s"), (59.4, "59 s"), (60, "1 min"), (3599.6, "60 min"), (12_000, "3 h 20 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_read_well() -> None:
    assert [size(count) for count in (1200, 3.21e6, 4.6e9, 2e12)] == ["1 kB", "3.2 MB", "4.6 GB", "2.0 TB"]


@pytest.mark.slow
def test_a_million_texts_are_planned_in_little_time_and_memory(tmp_path: Path) -> None:
    """Seconds of the processor, because those of the clock belong to everybody on the machine."""
    script = (
        "import sys; from pathlib import Path; from assay.harness.cli import main;"
        "status = main(['plan', 'experiment=million', 'store=' + sys.argv[1]]);"
        "lines = Path('/proc/self/status').read_text().splitlines();"
        "print([line for line in lines if line.startswith('VmHWM')][0]); sys.exit(status)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "1 trials, 20 cells" in run.stdout
    assert "Left out" not in run.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
    # Not ru_maxrss, in which Linux counts what the parent had.
    peak = re.search(r"VmHWM:\s+(\d+) kB", run.stdout)
    assert peak is not None
    assert int(peak[1]) * 1024 < 500e6
