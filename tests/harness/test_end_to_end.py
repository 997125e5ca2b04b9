"""A small experiment from command to tables: resumed, killed, extended, and the same bytes every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_run import SMALL as SMALLER

from assay.harness.cli import main
from assay.models.engine import Engine

SMALL = [
    "name=small",
    "task=planted_counting",
    "task.train=200",
    "task.dev=40",
    "task.test=24",
    "model=maxpool",
    "model.training.epochs=2",
    "seed=0,1",
    "explainer=[gold,random,inverted,integrated_gradients,occlusion,lime]",
    "explainer.lime.rows=20",
    "explainer.integrated_gradients.steps=5",
    "baseline=[mask,delete]",
    "limits.default.test=24",
    "shard=8",
    "report.bootstrap=20",
]


def _tables(store: Path) -> dict[str, bytes]:
    """Everything that must be reproduced to the byte: tables, explanations and scores."""
    kept = [*store.glob("experiments/small/comparison.*"), *store.glob("cells/*/explanations/*.parquet")]
    kept += [*store.glob("cells/*/scores/*.parquet"), *store.glob("pairs/*/**/*.parquet")]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", *SMALL, f"store={store}"]) == 0
    return store


@pytest.fixture(scope="module")
def expected(undisturbed: Path) -> dict[str, bytes]:
    return _tables(undisturbed)


def test_a_run_leaves_tables_and_a_page(undisturbed: Path) -> None:
    folder = undisturbed / "experiments" / "small"
    names = {path.name for path in folder.iterdir()}
    assert {"comparison.csv", "comparison.md", "comparison.tex", "report.html"} <= names
    table = (folder / "comparison.md").read_text(encoding="utf-8")
    assert "occlusion" in table
    assert "Faithfulness" in table


def test_a_second_run_asks_no_model(
    undisturbed: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the model was asked")

    for method in ("logits", "gradients", "activations", "probabilities"):
        monkeypatch.setattr(Engine, method, refuse)
    assert main(["run", *SMALL, f"store={undisturbed}"]) == 0
    assert _tables(undisturbed) == expected


def test_a_wider_experiment_computes_only_what_is_new(undisturbed: Path, expected: dict[str, bytes]) -> None:
    cells = {path.name for path in (undisturbed / "cells").iterdir()}
    stamps = {path: path.stat().st_mtime_ns for path in undisturbed.glob("cells/*/cell.json")}
    changed = ("name=", "explainer", "baseline=")
    wider = [override for override in SMALL if not override.startswith(changed)]
    wider += ["name=wider", "explainer=[occlusion,saliency_l2]", "baseline=[mask]", f"store={undisturbed}"]
    wider += ["+explainer.lime.rows=20"]  # settings of an explainer that is not chosen, as experiments have
    assert main(["run", *wider]) == 0
    new = {path.name for path in (undisturbed / "cells").iterdir()} - cells
    assert len(new) == 2  # saliency, on two seeds
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert _tables(undisturbed).items() > expected.items()


@pytest.mark.parametrize(
    "moments",
    [(40,), pytest.param(tuple(range(1, 240, 8)), marks=pytest.mark.slow)],
    ids=["one", "many"],
)
def test_killed_at_any_moment_a_rerun_completes(
    expected: dict[str, bytes], tmp_path: Path, moments: tuple[int, ...]
) -> None:
    """A moment is the number of files in the store at which the process is killed."""
    for moment in moments:
        process = _start(tmp_path)
        while process.poll() is None and _files(tmp_path) < moment:
            time.sleep(0.005)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    assert _tables(tmp_path) == expected


def _files(store: Path) -> int:
    # os.walk passes over folders that are renamed under its feet, which Path.rglob does not.
    return sum(len(files) for _, _, files in os.walk(store))


def _start(store: Path) -> subprocess.Popen[bytes]:
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, "run", *SMALL, f"store={store}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )


def test_plan_and_status_tell_what_is_there(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *SMALL, f"store={undisturbed}"]) == 0
    assert "planted_counting / maxpool / seed 1" in capsys.readouterr().out
    assert main(["status", *SMALL, f"store={tmp_path}"]) == 1
    capsys.readouterr()
    assert main(["plan", *SMALL, f"store={tmp_path}"]) == 0
    out = capsys.readouterr().out
    assert "To do: " in out
    assert "baseline 'delete' changes the text's length" in out
    assert not (tmp_path / "cells").exists()


def test_explaining_one_class_leaves_out_what_needs_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [
        *SMALL,
        f"store={tmp_path}",
        "seed=0",
        "targets=predicted",
        "metric.human_agreement.target=gold",
    ]
    assert main(["run", *overrides]) == 0
    out = capsys.readouterr().out
    assert "it looks at the gold class, but targets=predicted" in out
    assert "it compares all classes; set targets=all" in out
    assert "Faithfulness" in out
    assert main(["run", *overrides[:-1], "metric.human_agreement.target=predicted"]) == 0
    assert "Human" in capsys.readouterr().out


def test_a_failing_cell_is_in_the_ledger_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.explainers.perturbation.lime import Lime

    def fail(*_: object) -> None:
        raise ZeroDivisionError("broken on purpose")

    monkeypatch.setattr(Lime, "design", fail)
    overrides = [*SMALLER, f"store={tmp_path}", "seed=0"]
    assert main(["run", *overrides]) == 1
    assert "broken on purpose" in capsys.readouterr().err
    assert main(["status", *overrides]) == 1
    assert "lime (mask)" in capsys.readouterr().out
    assert "occlusion" in (tmp_path / "experiments" / "small" / "comparison.md").read_text(encoding="utf-8")
    monkeypatch.undo()
    assert main(["run", *overrides]) == 0
    assert not list((tmp_path / "ledger").iterdir())
