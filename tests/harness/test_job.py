"""Jobs share the work of an experiment, and mend what was damaged; the bytes stay the same."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_run import SMALL

from assay.harness.cli import main
from assay.harness.command_line.reports import REPAIR_ATTEMPTS
from assay.harness.storage import store as store_module
from assay.harness.trials.job import threads

SHARDS, CELLS = 3, 6
PROGRAM = """
import sys
import assay.harness.trials.job
from assay.harness.cli import main

explain = assay.harness.trials.job.explain_part
notes = sys.argv[1]

def noted(cell, loaded, store, number):
    found = explain(cell, loaded, store, number)
    with open(notes, "a") as file:
        file.write(f"{cell.key} {number}\\n")
    return found

assay.harness.trials.job.explain_part = noted
sys.exit(main(sys.argv[2:]))
"""


def _tables(store: Path) -> dict[str, bytes]:
    kept = [*store.glob("experiments/small/comparison.*"), *store.glob("cells/*/explanations/*.parquet")]
    kept += [*store.glob("cells/*/scores/*.parquet"), *store.glob("pairs/*/**/*.parquet")]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", *SMALL, f"store={store}"]) == 0
    return _tables(store)


@pytest.fixture
def finished(expected: dict[str, bytes], tmp_path: Path) -> Path:
    """A store of its own, finished."""
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    assert _tables(tmp_path) == expected
    return tmp_path


def test_a_trial_cut_into_portions_leaves_the_same_bytes(expected: dict[str, bytes], tmp_path: Path) -> None:
    assert main(["run", *SMALL, "shards_per_job=2", f"store={tmp_path}"]) == 0
    assert _tables(tmp_path) == expected
    assert not list(tmp_path.glob("claims/*"))


def test_two_runs_on_one_store_share_the_work(expected: dict[str, bytes], tmp_path: Path) -> None:
    notes, store = tmp_path / "notes", tmp_path / "store"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(notes), "run", *SMALL, f"store={store}"],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    explained = notes.read_text().split("\n")[:-1]
    assert len(explained) == len(set(explained)) == CELLS * SHARDS
    assert _tables(store) == expected


def test_damaged_files_are_set_aside_and_computed_anew(finished: Path, expected: dict[str, bytes]) -> None:
    part = sorted(finished.glob("cells/*/explanations/part-00001.parquet"))[0]
    scores = [path for path in finished.glob("*/*/scores/*.parquet") if part.parents[1] not in path.parents]
    assert len(scores) > REPAIR_ATTEMPTS
    harmed = [part, *scores]
    for path in harmed:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    # The page is made anew, so what it is made from is read.
    (finished / "experiments" / "small" / "report.json").unlink()
    # Nobody reads the part of a finished cell, unless a metric is scored that was not before.
    next(part.parents[1].glob("scores/*.parquet")).unlink()
    assert main(["run", *SMALL, f"store={finished}"]) == 0
    assert _tables(finished) == expected
    assert {path.with_name(f"{path.name}.damaged") for path in harmed} == set(finished.rglob("*.damaged"))


def test_damaged_weights_are_set_aside_and_trained_anew(finished: Path, expected: dict[str, bytes]) -> None:
    weights = sorted(finished.glob("models/*/weights.safetensors"))[0]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    sorted(finished.glob("cells/*/cell.json"))[0].unlink()
    for score in finished.glob("cells/*/scores/*.parquet"):
        score.unlink()
    assert main(["run", *SMALL, f"store={finished}"]) == 0
    assert _tables(finished) == expected
    assert len(list(finished.glob("models/*.damaged"))) == 1


@pytest.mark.parametrize("writes", [0, 3, 20, 37])
def test_a_full_disk_stops_the_run_in_one_sentence_and_nothing_is_lost(
    writes: int,
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The disk is full after so many writes."""
    sync, left = os.fsync, iter(range(writes))

    def full(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(store_module.os, "fsync", full)
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 1
    assert "is full; nothing that was finished is lost" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.glob("ledger/*"))
    assert not list(tmp_path.glob("claims/*"))
    monkeypatch.undo()
    assert main(["run", *SMALL, f"store={tmp_path}"]) == 0
    assert _tables(tmp_path) == expected


def test_threads_are_set_for_a_block() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with threads(None):
        assert torch.get_num_threads() == before
