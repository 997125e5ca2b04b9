"""A run that is ended from outside gives its claims back, leaves no half-written file, ends its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.storage.store import Store

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")

RUN = [
    *("name=long", "task=planted_counting", "task.train=300", "task.test=400", "limits.default.test=400"),
    *("model=maxpool", "model.training.epochs=1", "explainer=[shapley_sampling]", "baseline=[mask]"),
    *("metric=[compute_time]", "shard=20", "report.bootstrap=20"),
]
# A worker at a job: it has claimed it, and a file is half-written.
WORKER = """
import sys, time
from pathlib import Path
from assay.harness.storage.locks import acquire
from assay.harness.storage.store import Store, atomic_file
from assay.harness.trials.termination import ended_with_launcher
store = Store(sys.argv[1])
with ended_with_launcher():
    if sys.argv[2] == "busy":
        with acquire(store, "work", "work"), atomic_file(store.root / "cells" / "a" / "x.json") as part:
            part.write_text("half")
            Path(sys.argv[3]).touch()
            time.sleep(60)
Path(sys.argv[3]).touch()
time.sleep(60)
"""
# What launches it, as joblib does, or without a word.
LAUNCHER = """
import subprocess, sys, time
from contextlib import nullcontext
from assay.harness.trials.termination import launching
with launching() if sys.argv[1] == "launching" else nullcontext():
    print(subprocess.Popen([sys.executable, "-c", *sys.argv[2:]]).pid, flush=True)
    time.sleep(60)
"""
POOL = """
import os, time
from functools import partial
from assay.results.parallel import process_pool

if __name__ == "__main__":
    with process_pool(2) as over:
        for pid in over([os.getpid, os.getpid, partial(time.sleep, 60), partial(time.sleep, 60)]):
            print(pid, flush=True)
"""


def _wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: did not happen in {seconds} seconds"
        time.sleep(0.1)


def _launched(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LAUNCHER, *arguments], stdout=subprocess.PIPE, text=True)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """Numbers of processes that are killed after the test, if they still run."""
    processes: list[int] = []
    yield processes
    for process in filter(_runs, processes):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_a_worker_ends_with_its_launcher(state: str, tmp_path: Path, ended: list[int]) -> None:
    store, ready = Store(tmp_path / "store"), tmp_path / "ready"
    arguments = ["launching", WORKER, str(store.root), state, str(ready)]
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *arguments], stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        worker = int(one.stdout.readline())
        ended += [worker, one.pid]
        _wait_until(ready.exists, "the worker's start")
        assert len(store.claims()) == (state == "busy")
        one.kill()
        _wait_until(lambda: not _runs(worker), "the worker's end", seconds=8)
    assert store.claims() == []
    assert not [path for path in (store.root / "cells").rglob("*") if path.is_file()]


def test_what_no_launcher_started_outlives_its_parent(tmp_path: Path, ended: list[int]) -> None:
    ready = tmp_path / "ready"
    arguments = ["shell", WORKER, str(tmp_path / "store"), "busy", str(ready)]
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, *arguments], stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        worker = int(one.stdout.readline())
        ended += [worker, one.pid]
        _wait_until(ready.exists, "the worker's start")
        one.kill()
        time.sleep(2)
        assert _runs(worker)
        # Its output is a pipe that it inherited.
        os.kill(worker, signal.SIGKILL)


def test_the_processes_of_a_report_end_with_it(tmp_path: Path, ended: list[int]) -> None:
    program = tmp_path / "pool.py"
    program.write_text(POOL)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        workers = {int(one.stdout.readline()) for _ in range(2)}
        children = Path(f"/proc/{one.pid}/task/{one.pid}/children")
        workers |= {int(pid) for pid in children.read_text().split()} if children.exists() else set()
        ended += [*workers, one.pid]
        one.kill()
        _wait_until(lambda: not any(map(_runs, workers)), "the end of the processes", seconds=8)


def test_sigterm_gives_back_what_was_claimed_and_the_next_run_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "run", *RUN, f"store={store}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
        _wait_until(lambda: list(store.glob("cells/*/explanations/part-00001.parquet")), "a part")
        _wait_until(lambda: list(store.glob("claims/*.json")), "a claim")
        run.terminate()
        assert run.stderr is not None
        said = run.stderr.read()
        assert run.wait() == 143
    assert said.splitlines()[-1] == "assay: stopped; run the same command again to go on"
    assert "Traceback" not in said
    assert not list(store.glob("claims/*")) and not list(store.glob("ledger/*"))
    assert not [path for path in store.rglob(".*") if path.is_file()]
    assert main(["verify", f"store={store}"]) == 0
    assert list(store.glob("cells/*/explanations/part-*")) and not list(store.glob("cells/*/cell.json"))
