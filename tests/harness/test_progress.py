"""The bar over a sweep, and the answer to SIGUSR1, which must disturb nothing."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.harness.cli import main
from assay.harness.config.choice import EVERY_CAPABILITY
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import write_json
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.explained import ExplainedTexts
from assay.harness.trials.plan import cells
from assay.harness.trials.progress import Progress, progress, report_on_sigusr1, say_begun, sweep_progress

SMALL = ["name=watched", "task=planted", "task.train=60", "task.dev=20", "task.test=10", "model=linear"]
SMALL += ["explainer=[random,occlusion]", "baseline=[mask]", "limits.default.test=10", "shard=4"]


def test_the_line_says_where_how_far_and_since_when() -> None:
    where = Progress("planted / cnn / seed 0", 40)
    where.at("lime (mask)", 20)
    where.tick(5)
    line = where.line()
    assert line.startswith("planted / cnn / seed 0: 5 of 40 texts (12%), since 2")
    assert "; now at lime (mask), 5 of 20 texts (25%), since 2" in line
    where.at("scores of lime (mask)")
    line = where.line()
    assert "5 of 40 texts" in line
    assert "; now at scores of lime (mask), since 2" in line


def test_enclosing_blocks_answer_too_and_what_was_before_is_restored(
    capfd: pytest.CaptureFixture[str],
) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with progress("the sweep"), progress("the trial", 8) as trial:
            trial.tick(2)
            os.kill(os.getpid(), signal.SIGUSR1)
        trial_line, sweep_line = capfd.readouterr().err.splitlines()
        assert trial_line.startswith("assay: the trial: 2 of 8 texts (25%), since ")
        assert sweep_line.startswith("assay: the sweep: since ")
        assert heard == [signal.SIGUSR1]
        os.kill(os.getpid(), signal.SIGUSR1)
        assert len(heard) == 2
        assert capfd.readouterr().err == ""
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_signals_of_launchers_are_left_alone() -> None:
    others = signal.SIGUSR2, signal.SIGTERM
    before = [signal.getsignal(other) for other in others]
    with report_on_sigusr1(lambda: "here"):
        assert [signal.getsignal(other) for other in others] == before
        assert signal.getsignal(signal.SIGUSR1) not in (signal.SIG_DFL, None)


WORKER = """
import sys, time
from assay.harness.trials.progress import progress

with progress("the trial", 100) as where:
    where.at("lime (mask)", 50)
    where.tick(3)
    print("ready", flush=True)
    total = 0
    for number in range(3_000_000):
        total += number
    time.sleep(0.3)
    print(total)
"""


def test_a_process_answers_again_and_again_and_ends_as_it_would() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(5):
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.02)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == f"{sum(range(3_000_000))}\n"
    assert 1 <= err.count("assay: the trial: 3 of 100 texts (3%), since ") <= 5
    assert err.count("now at lime (mask), 3 of 50 texts (6%), since ") == len(err.splitlines())


def test_the_bar_counts_and_is_silent_in_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("assay.harness.trials.progress.EVERY_SECONDS", 0.01)
    for stream, wanted in ((Terminal(), True), (io.StringIO(), False)):
        counted: list[int] = []

        def count(counted: list[int] = counted) -> int:
            counted.append(1)
            return 2 * len(counted)

        monkeypatch.setattr(sys, "stderr", stream)
        with sweep_progress("experiment small", 1000, count):
            time.sleep(0.2)
        shown = stream.getvalue()
        assert ("experiment small" in shown and "/1000" in shown and "texts/s" in shown) is wanted
        assert (len(counted) > 3) is wanted
        assert wanted or not shown


def test_the_sweep_tells_the_time_left(capfd: pytest.CaptureFixture[str]) -> None:
    found = iter([10, 30])
    with sweep_progress("experiment small", 50, lambda: next(found, 30)):
        os.kill(os.getpid(), signal.SIGUSR1)
    line = capfd.readouterr().err
    assert "assay: experiment small: 30 of 50 texts (60%), since " in line
    assert " left\n" in line


def test_explained_texts_are_counted_on_disk(tmp_path: Path) -> None:
    experiment = open_experiment([*SMALL, "seed=0,1", f"store={tmp_path}"])
    trials, store = load_trials(experiment), experiment.store
    count = ExplainedTexts(trials, store)
    assert (count.total, count()) == (40, 0)
    has = EVERY_CAPABILITY
    write_json(store.model(trials[0].model_key) / "card.json", {"weights": "w", "abilities": sorted(has)})
    planned = cells(trials[0], "w", has)
    for number, done in ((0, 4), (1, 8), (2, 10)):
        path = StoredCell(store.cell(planned[0].key)).part(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.with_name(f".{path.name}.17.part").touch()
        assert count() == done
    write_json(store.cell(planned[1].key) / "cell.json", {})
    assert count() == 20
    write_json(store.model(trials[1].model_key) / "card.json", {"weights": "v", "abilities": []})
    assert count() == 30  # a model that cannot mask has no occlusion, so that is not waited for


def test_asking_a_run_where_it_is_changes_nothing(tmp_path: Path) -> None:
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    tables = []
    for asked in (True, False):
        store = tmp_path / str(asked)
        heard = tmp_path / f"{asked}.log"
        with heard.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program, "run", *SMALL, "seed=0", f"store={store}"],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )
        # The interpreter needs a moment until anything of ours can answer.
        while asked and process.poll() is None and not store.exists():
            time.sleep(0.01)
        while asked and process.poll() is None:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.01)
        process.wait(timeout=120)
        err = heard.read_text(encoding="utf-8")
        assert process.returncode == 0, err
        assert ("experiment watched: " in err and "now at occlusion (mask)" in err) is asked
        kept = [path for path in store.rglob("*.parquet") if "seconds" not in path.parts]
        tables.append({path.relative_to(store): path.read_bytes() for path in kept})
    assert tables[0] == tables[1] and tables[0]


def test_a_run_without_a_terminal_says_each_trial_and_the_report(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "task=planted", "task.train=20", "task.dev=4", "task.test=4", "model=linear", "seed=0,1"]
    words += ["model.training.epochs=1", "explainer=[random,saliency_l2]", "metric=[compute_time]"]
    words += [f"store={tmp_path / 'store'}", "report.bootstrap=20", "shards_per_job=1", "shard=2"]
    assert main(words) == 0
    said = re.findall(r"^assay: \d\d:\d\d:\d\d (.*)$", capfd.readouterr().err, re.MULTILINE)
    assert said == ["planted / linear / seed 0", "planted / linear / seed 1", "writing the report"]
    # Nothing is left to do.
    assert main(words) == 0
    assert not re.findall(r"^assay: \d\d:\d\d:\d\d", capfd.readouterr().err, re.MULTILINE)


def test_on_a_terminal_no_line_stands_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    say_begun("planted / cnn / seed 0")
    assert not terminal.getvalue()
