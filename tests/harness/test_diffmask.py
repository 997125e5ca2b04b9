"""DiffMask with trained gates from configuration to store."""

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest

import assay
import assay.explainers.masks.diffmask
import assay.explainers.masks.gate_training
import assay.harness.trials.trained_gates
from assay.explainers.masks.diffmask import DiffMask, TrainedDiffMask
from assay.explainers.masks.gate_training import GateSettings
from assay.harness.cli import main
from assay.harness.interface.settings import settings_of, shipped
from assay.harness.reporting.collect import notes
from assay.harness.storage.layout import StoredCell, StoredModel, is_set_aside
from assay.harness.storage.store import parse_json, write_json
from assay.harness.trials.experiment import load_trials, open_experiment, run
from assay.harness.trials.job import run_cells
from assay.harness.trials.made_with import read_made_with
from assay.harness.trials.records import read_explanations
from assay.harness.trials.trained_gates import gates_key
from assay.harness.trials.trial import load_model
from assay.harness.upkeep.references import references_of_experiment
from assay.models.saving import weights_hash
from assay.results.training_costs import pays_from
from assay.tasks.errors import InputError

OPTIONS: dict[str, Any] = {"steps": 6, "batch_size": 8, "warmup": 0, "epsilon": 1e-6}
SMALL = [
    *("name=gates", "task=planted_counting", "task.train=120", "task.dev=30", "task.test=12"),
    *("task.length=[6,6]", "model=lstm", "model.training.epochs=1", "model.units=6", "model.hidden=4"),
    *(
        "report.bootstrap=20",
        "shard=8",
        "explainer=[random,diffmask,occlusion]",
        "metric=[sparsity,randomisation]",
    ),
    *("baseline=[mask]", *(f"explainer.diffmask.{name}={value}" for name, value in OPTIONS.items())),
]
FIRST = "explainer.diffmask.layer=embedding"
# Six batches of 8 as they are and masked; then 30 texts as they are, and masked at each of two layers.
FORWARD, BACKWARD = 2 * 6 * 8 + 3 * 30, 6 * 8


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A finished store with the scores of two layers, and how often gates were trained."""
    store, trainings = tmp_path_factory.mktemp("store"), []
    train = assay.harness.trials.trained_gates.train_gates
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            assay.harness.trials.trained_gates,
            "train_gates",
            lambda *arguments: trainings.append(1) or train(*arguments),
        )
        for layer in ([], [FIRST]):
            run(open_experiment([*SMALL, *layer, f"store={store}"]))
    assert not list(store.glob("ledger/*"))
    return store, len(trainings)


def _cells(store: Path) -> list[StoredCell]:
    found = [StoredCell(path.parent) for path in sorted(store.glob("cells/*/cell.json"))]
    cells = [cell for cell in found if parse_json(cell.record)["explainer"] == "diffmask"]
    return sorted(cells, key=lambda cell: str(_settings(cell)["layer"]))


def _settings(cell: StoredCell) -> dict[str, Any]:
    return parse_json(cell.record)["config"]["explainer"]["diffmask"]


def _gates(store: Path) -> Path:
    found = (path for path in store.glob("models/*/training.json") if not is_set_aside(path.parent))
    (folder,) = [path.parent for path in found if _of_gates(path)]
    return folder


def _of_gates(path: Path) -> bool:
    return "gates_of" in parse_json(path)


def test_gates_are_trained_once_for_all_layers_and_kept(done: tuple[Path, int]) -> None:
    store, trainings = done
    assert trainings == 1 and not list((store / "models").glob(".*"))
    report = parse_json(StoredModel(_gates(store)).training)
    assert (report["forward_rows"], report["backward_rows"]) == (FORWARD, BACKWARD)
    assert report["cpu_seconds"] > 0 and [layer["layer"] for layer in report["layers"]] == [
        "embedding",
        "states",
    ]


def test_what_training_cost_is_on_record_apart_from_the_cost_of_a_text(done: tuple[Path, int]) -> None:
    last, first = _cells(done[0])
    assert (_settings(last)["layer"], _settings(first)["layer"]) == (None, "embedding")
    for cell in (last, first):
        trained = parse_json(cell.record)["trained"]
        assert (trained["forward_rows"], trained["backward_rows"]) == (FORWARD, BACKWARD)
        table = pq.read_table(cell.part(0))
        assert set(table["forward_rows"].to_pylist()) == {1}
        assert set(table["backward_rows"].to_pylist()) == {0}
        # Seconds are of explaining alone, too.
        assert "cpu_seconds" not in trained
    others = [StoredCell(path.parent) for path in done[0].glob("cells/*/cell.json")]
    (random,) = [cell for cell in others if parse_json(cell.record)["explainer"] == "random"]
    assert "trained" not in parse_json(random.record)
    assert "by_layer" not in pq.read_table(random.part(0)).column_names


def test_scores_of_all_layers_are_stored_beside_those_of_the_chosen_one(done: tuple[Path, int]) -> None:
    last, first = _cells(done[0])
    for one, other in zip(read_explanations(last.part(0)), read_explanations(first.part(0)), strict=True):
        assert one.by_layer is not None and one.by_layer.shape == (2, len(one.tokens))
        np.testing.assert_array_equal(one.by_layer, other.by_layer)
        np.testing.assert_array_equal(one.scores, one.by_layer[1])
        np.testing.assert_array_equal(other.scores, one.by_layer[0])


def test_metrics_are_of_explaining_and_one_of_changed_models_is_left_out(done: tuple[Path, int]) -> None:
    for cell in _cells(done[0]):
        assert [path.name.split("-")[0] for path in cell.score_files()] == ["sparsity"]


def test_the_report_says_from_how_many_texts_training_pays_and_draws_the_layers(
    done: tuple[Path, int],
) -> None:
    assert pays_from(FORWARD + BACKWARD, 1, 8) == 34  # 234 / 7
    assert pays_from(100, 1, 1) is None and pays_from(101, 1, 101) == 2
    experiment = open_experiment([*SMALL, f"store={done[0]}"])
    (note,) = [note for note in notes(load_trials(experiment), experiment.store) if "training of" in note]
    # Six steps meet no such bound, and the report says so as the training did.
    told = [note for note in notes(load_trials(experiment), experiment.store) if "did not come to" in note]
    assert [note[: note.index(":")] for note in told] == ["planted_counting / lstm / seed 0, diffmask"]
    # The text, each of its six words absent, and all of them.
    assert note == (
        "planted_counting / lstm: training of diffmask asked 234 model rows, once, which are in no cost per "
        "text; with them it is cheaper than occlusion (mask) from 34 texts on"
    )
    assert main(["report", *SMALL, f"store={done[0]}"]) == 0
    folder = done[0] / "experiments" / "gates"
    svg = (folder / "figures" / "layers.svg").read_text()
    assert "embedding" in svg and "states" in svg
    assert "occlusion (mask): from 34 texts" in (folder / "figures" / "cost_of_training.svg").read_text()
    assert "34 texts on" in (folder / "report.html").read_text()


def test_verify_finds_nothing_and_clean_keeps_the_gates_that_are_used(
    done: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", f"store={done[0]}"]) == 0, capsys.readouterr().out
    used = references_of_experiment([*SMALL, f"store={done[0]}"])
    assert _gates(done[0]).name in used.folders["models"]
    other = references_of_experiment([*SMALL, "explainer.diffmask.seed=1", f"store={done[0]}"])
    assert _gates(done[0]).name not in other.folders["models"]
    assert not other.may_use("models", _gates(done[0]))


def test_clean_keeps_gates_of_a_model_whose_weights_are_not_known(
    done: tuple[Path, int], tmp_path: Path
) -> None:
    """Its card was lost: until the model is loaded again nothing tells that the gates are not of it."""
    store = shutil.copytree(done[0], tmp_path / "store")
    for card in store.glob("models/*/card.json"):
        card.unlink()
    gates = _gates(store)
    assert main(["clean", f"store={store}", "--unused-by", " ".join(SMALL), "--yes"]) == 0
    assert gates.is_dir()


def test_damaged_gates_are_trained_anew_and_are_the_same(
    done: tuple[Path, int], caplog: pytest.LogCaptureFixture
) -> None:
    experiment = open_experiment([*SMALL, f"store={done[0]}"])
    (trial,) = load_trials(experiment)
    (explainer,) = [m.explainer for m in trial.choice.methods if isinstance(m.explainer, DiffMask)]
    first = cast(TrainedDiffMask, load_model(trial, experiment.store).fitted_explainer(explainer))
    folder = _gates(done[0])
    loaded = load_model(trial, experiment.store)
    assert folder.name == gates_key(explainer, loaded.weights, trial)
    (folder / "weights.safetensors").write_bytes(b"torn")
    again = cast(TrainedDiffMask, loaded.fitted_explainer(explainer))
    assert "train again" in caplog.text
    assert again.about == first.about
    for one, other in zip(first.gates.parameters(), again.gates.parameters(), strict=True):
        assert one.equal(other)
    assert weights_hash(cast(Any, loaded.model)) == loaded.weights


def test_gates_of_another_model_in_the_folder_of_these_are_trained_anew(
    done: tuple[Path, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole files under a wrong name, such as after copying by hand, would load as well."""
    store = shutil.copytree(done[0], tmp_path / "store")
    experiment = open_experiment([*SMALL, f"store={store}"])
    (trial,) = load_trials(experiment)
    (explainer,) = [m.explainer for m in trial.choice.methods if isinstance(m.explainer, DiffMask)]
    path = StoredModel(_gates(store)).training
    write_json(path, {**parse_json(path), "gates_of": "another model"})
    loaded = load_model(trial, experiment.store)
    loaded.fitted_explainer(explainer)
    assert "has gates of another model than its name tells; train again" in caplog.text
    assert parse_json(StoredModel(_gates(store)).training)["gates_of"] == loaded.weights


def _half_done(store: Path, to: Path) -> tuple[Path, StoredCell, StoredCell]:
    """A copy of a store that lost its gates and the last shard of one cell; that cell, and a complete one."""
    copy = shutil.copytree(store, to / "store")
    shutil.rmtree(_gates(copy))
    half, whole = _cells(copy)
    for path in (half.part(1), half.seconds(1), half.record):
        path.unlink()
    return copy, half, whole


def test_parts_of_other_gates_are_made_anew(
    done: tuple[Path, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A cell never rests on two trainings. Time may end training elsewhere the second time."""
    store, half, whole = _half_done(done[0], tmp_path)
    kept, before = whole.part(0).read_bytes(), read_explanations(half.part(0))
    # Scores on a metric of an earlier run are of the explanations that go.
    earlier = half.score_file("earlier.parquet")
    shutil.copy(half.score_files()[0], earlier)
    train = assay.harness.trials.trained_gates.train_gates

    def other(settings: GateSettings, *rest: Any) -> Any:
        return train(replace(settings, seed=7), *rest)

    monkeypatch.setattr(assay.harness.trials.trained_gates, "train_gates", other)
    experiment = open_experiment([*SMALL, f"store={store}"])
    run(experiment)
    assert not list(store.glob("ledger/*"))
    told = capsys.readouterr().err
    assert "was trained anew and has other weights than before, so 2 of its files are made anew" in told
    assert not earlier.exists()
    weights = parse_json(StoredModel(_gates(store)).training)["weights"]
    assert parse_json(half.record)["trained"]["weights"] == weights
    (trial,) = load_trials(experiment)
    (explainer,) = [m.explainer for m in trial.choice.methods if isinstance(m.explainer, DiffMask)]
    loaded = load_model(trial, experiment.store)
    encodings = loaded.model.encode([example.texts for example in trial.task.test])
    gates = cast(TrainedDiffMask, loaded.fitted_explainer(explainer))
    expected = gates.by_layer(loaded.engine, encodings)
    found = [one for part in half.parts() for one in read_explanations(part)]
    by_text = {one.example_id: cast(np.ndarray, one.by_layer) for one in found}
    for example, scores in zip(trial.task.test, expected, strict=True):
        np.testing.assert_allclose(by_text[example.id], scores, rtol=1e-5)
    first = read_explanations(half.part(0))
    assert any((one.scores != two.scores).any() for one, two in zip(before, first, strict=True))
    for path in (*half.parts(), *half.score_files()):
        assert read_made_with(path) == {"gates": weights}
    # What is complete stays, and tells by which gates it was made.
    assert whole.part(0).read_bytes() == kept
    assert read_made_with(whole.part(0)) == {"gates": parse_json(whole.record)["trained"]["weights"]}
    assert parse_json(whole.record)["trained"]["weights"] != weights


def test_parts_of_equal_gates_stay(
    done: tuple[Path, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, half, _ = _half_done(done[0], tmp_path)
    written = half.part(0).stat().st_mtime_ns
    run(open_experiment([*SMALL, f"store={store}"]))
    assert half.part(0).stat().st_mtime_ns == written and half.done
    assert "trained anew" not in capsys.readouterr().err


def test_a_disk_that_is_full_while_gates_are_trained_stops_the_run_in_one_sentence(
    done: tuple[Path, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, half, _ = _half_done(done[0], tmp_path)
    monkeypatch.setattr(assay.explainers.masks.gate_training, "LOOK", 2)
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        if not self.name.endswith(".training.part"):
            return write(self, content)
        write(self, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert main(["run", *SMALL, f"store={store}"]) == 1
    assert "is full; nothing that was finished is lost" in capsys.readouterr().err
    assert not list(store.glob("models/.*")) and not list(store.glob("claims/*"))
    assert not list(store.glob("ledger/*")) and not half.done
    assert main(["run", *SMALL, f"store={store}"]) == 0 and half.done


def test_a_job_whose_gates_are_not_those_of_the_store_reads_them_anew(
    done: tuple[Path, int], tmp_path: Path
) -> None:
    """Or two jobs would remove each other's parts for ever."""
    store, half, _ = _half_done(done[0], tmp_path)
    experiment = open_experiment([*SMALL, f"store={store}"])
    (trial,) = load_trials(experiment)
    (explainer,) = [m.explainer for m in trial.choice.methods if isinstance(m.explainer, DiffMask)]
    loaded = load_model(trial, experiment.store)
    gates = cast(TrainedDiffMask, loaded.fitted_explainer(explainer))
    written = half.part(0).stat().st_mtime_ns
    stale = replace(gates, about={**gates.about, "weights": "others"})
    loaded._explainers[explainer] = stale
    run_cells(loaded, experiment.store)
    assert half.part(0).stat().st_mtime_ns == written and half.done
    assert parse_json(half.record)["trained"]["weights"] == gates.about["weights"]


def test_the_plan_tells_what_training_asks_apart(
    done: tuple[Path, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [setting for setting in SMALL if not setting.startswith("explainer=")]
    settings = [*settings, "explainer=[diffmask]"]
    assert main(["plan", *settings, f"store={tmp_path}"]) == 0
    told = capsys.readouterr().out
    said = r"Training of diffmask: (\d trainings?), together at most ([\d,]+) model rows more, once"
    ((trainings, rows),) = re.findall(said, told)
    assert trainings == "1 training"
    assert FORWARD + BACKWARD <= int(rows.replace(",", "")) <= FORWARD + BACKWARD + 13 * 30
    assert main(["plan", *settings, "seed=0,1", f"store={tmp_path}"]) == 0
    ((trainings, both),) = re.findall(said, capsys.readouterr().out)
    assert trainings == "2 trainings" and int(both.replace(",", "")) == 2 * int(rows.replace(",", ""))
    assert "To do: 12 model rows" in told
    assert main(["plan", *SMALL, f"store={done[0]}"]) == 0
    assert "Training of diffmask" not in capsys.readouterr().out


def test_the_python_interface_trains_in_memory() -> None:
    assert settings_of("explainer", DiffMask()) == shipped("explainer", "diffmask")
    task = assay.task("planted_counting", train=60, dev=10, test=6, length=[6, 6])
    model = assay.fit("cnn", task, training={"epochs": 1})
    found = assay.explain(model, task.test[:2], {"gates": DiffMask(**OPTIONS)})
    assert found["gates"][0].scores.any()
    with pytest.raises(InputError, match="it is made from training texts, and the task has none"):
        assay.explain(assay.wrap(model.model), ["a b c"], {"gates": DiffMask(**OPTIONS)})


def test_two_layers_are_read_off_one_training_in_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    task = assay.task("planted_counting", train=60, dev=10, test=6, length=[6, 6])
    model = assay.fit("lstm", task, training={"epochs": 1}, units=6, hidden=4)
    trainings, train = [], assay.explainers.masks.diffmask.train_gates
    monkeypatch.setattr(
        assay.explainers.masks.diffmask, "train_gates", lambda *rest: trainings.append(1) or train(*rest)
    )
    methods = {name: DiffMask(layer=name, **OPTIONS) for name in ("embedding", "states")}
    found = assay.explain(model, task.test[:2], {**methods, "more": DiffMask(**{**OPTIONS, "seed": 3})})
    # Another seed is another training.
    assert len(trainings) == 2
    for place, name in enumerate(methods):
        record = found[name].records[0][0]
        np.testing.assert_array_equal(record.scores, record.by_layer[place])


@pytest.mark.slow
def test_scores_of_a_pair_are_made_anew_with_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [setting for setting in SMALL if not setting.startswith(("metric", "explainer=", "model="))]
    settings += ["explainer=[diffmask]", "metric=[rationale_consistency]", "model=cnn", "seed=0,1"]
    settings = [setting for setting in settings if not setting.startswith(("model.units", "model.hidden"))]
    run(open_experiment([*settings, f"store={tmp_path}"]))
    (scores,) = tmp_path.glob("pairs/*/scores/*.parquet")
    before = read_made_with(scores)
    assert len(before) == 2 and len(set(before.values())) == 2
    first = next(path.parent for path in sorted(tmp_path.glob("models/*/training.json")) if _of_gates(path))
    shutil.rmtree(first)
    for cell in _cells(tmp_path):
        cell.record.unlink()
    train = assay.harness.trials.trained_gates.train_gates
    monkeypatch.setattr(
        assay.harness.trials.trained_gates,
        "train_gates",
        lambda settings, *rest: train(replace(settings, seed=7), *rest),
    )
    run(open_experiment([*settings, f"store={tmp_path}"]))
    assert not list(tmp_path.glob("ledger/*"))
    after = read_made_with(scores)
    assert sum(before[name] == weights for name, weights in after.items()) == 1
