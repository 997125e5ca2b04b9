"""The state of an experiment is told from what was kept, without torch, and only as long as that holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.state.manifest import digest_of, recall
from assay.harness.state.plan_snapshot import plan_work
from assay.harness.trials.experiment import load_trials, open_experiment

ROOT = Path(__file__).parents[2]
SMALL = [
    "name=small",
    "task=planted",
    *("task.train=60", "task.dev=20", "task.test=8"),
    "model=linear",
    "model.training.epochs=1",
    "seed=0,1",
    "explainer=[random,saliency_l2,occlusion]",
    "baseline=[mask]",
    "metric=[entropy,rationale_consistency]",
    "report.bootstrap=20",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of an experiment that is finished, its store in it."""
    overrides = [*SMALL, f"store={tmp_path_factory.mktemp('finished')}"]
    assert main(["run", *overrides]) == 0
    return overrides


def _store(overrides: list[str]) -> Path:
    return Path(overrides[-1].removeprefix("store="))


def test_what_is_recalled_is_what_is_planned(finished: list[str]) -> None:
    experiment = open_experiment(finished)
    planned = plan_work(experiment, load_trials(experiment))
    found = recall(finished)
    assert found is not None
    assert (found.name, found.store.root, found.planned) == ("small", _store(finished), planned)
    assert sum(len(trial.cells) for trial in planned.trials) == 6
    assert planned.pairs


def test_status_of_a_known_experiment_imports_neither_torch_nor_hydra(finished: list[str]) -> None:
    program = (
        "import sys; from assay.harness.cli import main; code = main(sys.argv[1:]); "
        "print(sorted({'torch', 'hydra', 'transformers'} & set(sys.modules))); sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, "status", *finished], capture_output=True, text=True, cwd=Path.cwd(),
        env={"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "6 of 6 cells done" in run.stdout
    assert run.stdout.splitlines()[-1] == "[]"


def test_both_ways_say_the_same(
    finished: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["status", *finished]) == 0
    known = capsys.readouterr().out
    monkeypatch.setattr("assay.harness.state.manifest.recall", lambda _: None)
    assert main(["status", *finished]) == 0
    assert capsys.readouterr().out == known


def test_another_command_or_folder_or_code_of_ones_own_is_not_recalled(
    finished: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recall([*finished, "seed=0"]) is None
    with monkeypatch.context() as changed:
        changed.chdir(tmp_path)
        assert recall(finished) is None
    with monkeypatch.context() as changed:
        changed.setenv("ASSAY_TRUST", "mine")
        assert recall(finished) is None
    assert recall(finished) is not None


def test_changed_code_or_configuration_has_another_digest(finished: list[str], tmp_path: Path) -> None:
    for name in ("conf", "tasks", "models", "explainers", "metrics", "harness"):
        (tmp_path / name).mkdir()
    (tmp_path / "conf" / "one.yaml").write_text("rows: 1\n", encoding="utf-8")
    (tmp_path / "metrics" / "one.py").write_text("version = 1\n", encoding="utf-8")
    before = digest_of(finished, tmp_path)
    assert before is not None and before == digest_of(finished, tmp_path)
    (tmp_path / "metrics" / "one.py").write_text("version = 2\n", encoding="utf-8")
    changed = digest_of(finished, tmp_path)
    assert changed not in (None, before)
    (tmp_path / "conf" / "one.yaml").write_text("rows: 2\n", encoding="utf-8")
    assert digest_of(finished, tmp_path) not in (None, before, changed)
    (tmp_path / "conf" / "one.yaml").write_text("rows: ${oc.env:ROWS}\n", encoding="utf-8")
    assert digest_of(finished, tmp_path) is None


def test_a_snapshot_takes_the_place_of_the_one_before(finished: list[str]) -> None:
    other = ["seed=1" if override == "seed=0,1" else override for override in finished]
    for command, earlier in ((other, finished), (finished, other)):
        experiment = open_experiment(command)
        plan_work(experiment, load_trials(experiment))
        assert recall(command) is not None
        assert recall(earlier) is None
        assert len(list((_store(finished) / "experiments" / "small").glob("manifest-*.json"))) == 1


def test_a_model_that_became_another_is_planned_anew(finished: list[str]) -> None:
    plan = open_experiment(finished)
    plan_work(plan, load_trials(plan))
    card = next(_store(finished).glob("models/*/card.json"))
    before = card.read_text(encoding="utf-8")
    card.write_text(json.dumps({**json.loads(before), "weights": "others"}), encoding="utf-8")
    assert recall(finished) is None
    card.write_text(before, encoding="utf-8")
    assert recall(finished) is not None
    card.rename(card.with_suffix(".gone"))
    assert recall(finished) is None
    card.with_suffix(".gone").rename(card)


def test_pairs_are_planned_anew_when_other_cells_are_explained(finished: list[str]) -> None:
    plan = open_experiment(finished)
    planned = plan_work(plan, load_trials(plan))
    record = _store(finished) / "cells" / planned.trials[0].cells[0].key / "cell.json"
    record.rename(record.with_suffix(".gone"))
    assert recall(finished) is None
    fewer = plan_work(plan, load_trials(plan))
    assert sum(len(pair.scores) for pair in fewer.pairs) < sum(len(pair.scores) for pair in planned.pairs)
    found = recall(finished)
    assert found is not None and found.planned == fewer
    record.with_suffix(".gone").rename(record)
    assert recall(finished) is None


def test_a_file_that_the_configuration_names_is_watched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "dev", "test"):
        lines = [{"text": f"{split} {word} {n}", "label": word} for word in ("good", "bad") for n in range(4)]
        (data / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    overrides = [*(text for text in SMALL if not text.startswith("task")), "task=local", f"task.path={data}"]
    overrides += [*(f"task.{split}={split}.jsonl" for split in ("train", "dev", "test")), "task.name=mine"]
    overrides.append(f"store={tmp_path / 'store'}")
    main(["status", *overrides])
    assert recall(overrides) is not None
    with (data / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"text": "one more", "label": "good"}')
    assert recall(overrides) is None
    main(["status", *overrides])
    assert recall(overrides) is not None
    (data / "new.txt").touch()
    assert recall(overrides) is None


def test_texts_that_cannot_be_read_are_looked_for_every_time(tmp_path: Path) -> None:
    overrides = [*(text for text in SMALL if not text.startswith("task")), "task=local", "task.path=nowhere"]
    overrides += ["task.name=mine", f"store={tmp_path}"]
    assert main(["status", *overrides]) == 1
    assert recall(overrides) is None
