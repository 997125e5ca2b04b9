"""Trials side by side leave the bytes, and say the words, of trials one after the other."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from omegaconf import OmegaConf
from small_run import SMALL

from assay.harness.cli import main
from assay.harness.config.compose import configuration
from assay.harness.storage.locks import started
from assay.harness.trials import experiment as module
from assay.harness.trials import workers
from assay.harness.trials.experiment import open_experiment, run
from assay.harness.trials.titles import title
from assay.harness.trials.workers import MOST, run_side_by_side, worker_count

# Long enough to be ended meanwhile.
LONG = [
    *("name=long", "task=planted_counting", "task.train=300", "task.test=240", "limits.default.test=240"),
    *("model=maxpool", "model.training.epochs=1", "explainer=[shapley_sampling]", "baseline=[mask]"),
    *("explainer.shapley_sampling.permutations=200", "seed=0,1,2", "engine.threads=1", "workers=2"),
    *("metric=[compute_time]", "shard=20", "report.bootstrap=20"),
]
# Not guarded by a test of its name: whoever runs it again starts a run of its own. What a shell starts behind
# an "&" ignores Ctrl-C, and so do its children, such as these tests.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "import sys; from assay.harness.cli import main; status = main(sys.argv[1:]); sys.exit(status)"
)


def _tables(store: Path) -> dict[str, bytes]:
    kept = [*store.glob("experiments/small/comparison.*"), *store.glob("cells/*/explanations/*.parquet")]
    kept += [*store.glob("cells/*/scores/*.parquet"), *store.glob("pairs/*/**/*.parquet")]
    kept += [*store.glob("models/*/weights.safetensors"), *store.glob("trials/*/predictions.parquet")]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


def _wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: did not happen in {seconds} seconds"
        time.sleep(0.1)


class Told(NamedTuple):
    """What a run returned and said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """The store of a run in this process, and what it said."""
    store, out, err = tmp_path_factory.mktemp("in-turn"), StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["run", *SMALL, f"store={store}"])
    return store, Told(status, out.getvalue(), err.getvalue())


def test_side_by_side_leaves_the_same_bytes_and_says_the_same(
    in_turn: tuple[Path, Told], tmp_path: Path
) -> None:
    # From a file, which a process that ran it again would start a run of.
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), "run", *SMALL, f"store={tmp_path / 'store'}", "workers=2"]
    found, (store, expected) = subprocess.run(command, capture_output=True, text=True), in_turn
    assert found.returncode == expected.returncode == 0
    assert _tables(tmp_path / "store") == _tables(store)
    assert not list((tmp_path / "store").glob("claims/*"))

    def lines(text: str) -> list[str]:
        return sorted(line for line in text.splitlines() if "WARNING" in line)

    assert lines(found.stderr) == lines(expected.stderr) != []
    begun = [line.split(maxsplit=2)[2] for line in found.stderr.splitlines() if "/ seed" in line[:60]]
    assert {"planted_counting / maxpool / seed 0", "planted_counting / maxpool / seed 1"} <= set(begun)
    assert found.stdout.replace(str(tmp_path / "store"), str(store)) == expected.stdout


@pytest.mark.slow
def test_portions_of_a_trial_are_jobs_of_their_own(in_turn: tuple[Path, Told], tmp_path: Path) -> None:
    assert main(["run", *SMALL, f"store={tmp_path}", "workers=2", "shards_per_job=2"]) == 0
    assert _tables(tmp_path) == _tables(in_turn[0])


def test_one_trial_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(module, "run_side_by_side", never)
    assert main(["run", *SMALL, f"store={tmp_path}", "workers=2", "seed=0"]) == 0
    # Of two trials one is done.
    assert main(["run", *SMALL, f"store={tmp_path}", "workers=2"]) == 0


@pytest.mark.parametrize(
    "more", [["++hydra.job.env_set.HF_HUB_OFFLINE='1'"], ["workers=1"]], ids=["environment", "one worker"]
)
def test_hydra_runs_what_is_set_for_its_jobs(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[list[str]] = []
    monkeypatch.setattr(module, "launch", lambda arguments: launched.append(list(arguments)))
    run(open_experiment([*SMALL, f"store={tmp_path}", "workers=2", *more]))
    assert len(launched) == 1 and launched[0][-1] == "seed=0,1"


def test_jobs_of_one_task_and_model_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[str] = []
    monkeypatch.setattr(
        module, "run_side_by_side", lambda found, count: jobs.extend(name for name, _ in found)
    )
    crossed = [*SMALL, f"store={tmp_path}", "workers=2", "seed=0,1", "model=maxpool,linear"]
    swapped = [text for text in crossed if text != "model=maxpool" and not text.startswith("model.")]
    run(open_experiment(swapped))
    assert [job.split(" / ")[1:] for job in jobs] == [
        [model, f"seed {seed}"] for model in ("maxpool", "linear") for seed in (0, 1)
    ]


def test_a_containers_limit_of_memory_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole, limit = workers._memory(), tmp_path / "memory.max"
    monkeypatch.setattr(workers, "LIMIT", limit)
    for text, expected in (("max\n", whole), (f"{2**21}\n", 2**21), (f"{2**62}\n", whole)):
        limit.write_text(text)
        assert workers._memory() == expected
    limit.unlink()
    assert workers._memory() == whole


def test_how_many_workers_jobs_are_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(jobs: int, *overrides: str) -> int:
        return worker_count(configuration([*overrides, "model=linear"]), jobs)

    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    monkeypatch.setattr(workers, "_memory", lambda: 64 * 2**30)
    assert count(8) == 1
    assert count(8, "workers=3") == 3
    assert count(2, "workers=3") == 2
    assert count(0, "workers=3") == 1
    # A job without a number of threads takes every core.
    assert count(8, "workers=null") == 1
    assert count(8, "workers=null", "engine.threads=1") == 6
    assert count(8, "workers=null", "engine.threads=2") == 3
    assert count(8, "workers=null", "engine.threads=8") == 1
    assert count(8, "workers=null", "engine.threads=1", "engine.device=cuda") == 1
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    assert count(100, "workers=null", "engine.threads=1") == MOST
    monkeypatch.setattr(workers, "_memory", lambda: 5 * 2**30)
    assert count(100, "workers=null", "engine.threads=1") == 2


def test_a_job_that_fails_is_no_end_of_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    configs = open_experiment([*SMALL, f"store={tmp_path}"]).configs
    broken = OmegaConf.create({"store": str(tmp_path / "other")})
    with caplog.at_level(logging.WARNING):
        run_side_by_side([("broken", broken), *((title(one), one) for one in configs)], 2)
    assert len(list(tmp_path.glob("trials/*/trial.json"))) == 2
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1 and told[0].startswith("a job ended before its time")
    assert "Traceback" in told[0]


def _workers(store: Path) -> set[int]:
    found = set[int]()
    for path in store.glob("claims/*.json"):
        # One that goes, or is not written yet, is another time's.
        with suppress(FileNotFoundError, json.JSONDecodeError):
            found.add(json.loads(path.read_text())["process"])
    return found


@pytest.fixture
def long(tmp_path: Path) -> subprocess.Popen[str]:
    """A run with two workers at work, in a group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", *LONG, f"store={tmp_path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("how", ["ctrl-c", "sigterm", "sigkill"])
def test_the_workers_end_with_the_run(how: str, long: subprocess.Popen[str], tmp_path: Path) -> None:
    with long:
        _wait_until(lambda: len(_workers(tmp_path)) == 2, "two workers at work")
        both = _workers(tmp_path)
        assert long.pid not in both
        if how == "ctrl-c":
            os.killpg(long.pid, signal.SIGINT)
        else:
            long.send_signal(signal.SIGTERM if how == "sigterm" else signal.SIGKILL)
        said = long.communicate(timeout=60)[1]
        _wait_until(lambda: not any(map(started, both)), "the workers' end", 20)
    assert "Traceback" not in said
    assert long.returncode == {"ctrl-c": 130, "sigterm": 143, "sigkill": -9}[how]
    if how != "sigkill":
        assert said.splitlines()[-1] == "assay: stopped; run the same command again to go on"
    assert not list(tmp_path.glob("claims/*"))
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_a_worker_that_is_killed_costs_its_trial_alone(long: subprocess.Popen[str], tmp_path: Path) -> None:
    with long:
        _wait_until(lambda: len(_workers(tmp_path)) == 2, "two workers at work")
        os.kill(min(_workers(tmp_path)), signal.SIGKILL)
        said = long.communicate(timeout=300)[1]
    assert long.returncode == 1
    assert "seed 0 ended by signal 9; the others go on" in said or "seed 1 ended by signal 9" in said
    assert len(list(tmp_path.glob("cells/*/cell.json"))) == 2
    assert main(["run", *LONG, f"store={tmp_path}"]) == 0
    assert len(list(tmp_path.glob("cells/*/cell.json"))) == 3
