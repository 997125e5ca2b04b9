"""A store that can only be read can be asked; what would change it is refused in one sentence."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

# Root may write whatever the mode of a folder says, but not into what is mounted read-only.
MOUNT = "mount --bind {store} {store} && mount -o remount,bind,ro {store} && exec {command}"
AS_ROOT = hasattr(os, "getuid") and os.getuid() == 0


@pytest.fixture
def run(store: Path, tmp_path: Path) -> Run:
    """Runs a command on the store while nobody can write there."""
    if AS_ROOT:
        mount = MOUNT.format(store=shlex.quote(str(store)), command="true")
        tried = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False)
        if tried.returncode != 0:
            pytest.skip("as root only a mount can be read-only, and none can be made here")
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", program, *arguments, f"store={store}"]
        if AS_ROOT:
            mount = MOUNT.format(store=shlex.quote(str(store)), command=shlex.join(line))
            line = ["unshare", "-m", "sh", "-c", mount]
        else:
            for path in [store, *store.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        finally:
            if not AS_ROOT:
                for path in [store, *store.rglob("*")]:
                    path.chmod(0o755 if path.is_dir() else 0o644)

    return command


def _content(store: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def _without_warnings(said: str) -> list[str]:
    """Lines that are no warning; the models of these few texts may be no better than a constant."""
    return [line for line in said.splitlines() if "warning: " not in line]


def test_it_can_be_asked(run: Run, store: Path, tmp_path: Path) -> None:
    before = _content(store)
    status = run("status", "tiny")
    assert (status.returncode, status.stderr) == (0, "") and "8 of 8 cells done" in status.stdout
    assert run("verify").stdout == "No fault found\n"
    assert run("plan", "tiny").returncode == 0
    exported = run("export", "tiny", "--to", "scores.csv", "--explanations", "explained")
    assert (exported.returncode, _without_warnings(exported.stderr)) == (0, []) and (
        tmp_path / "scores.csv"
    ).is_file()
    for _ in range(2):
        report = run("report", "tiny", "--to", "page")
        assert (report.returncode, _without_warnings(report.stderr)) == (0, []) and (
            tmp_path / "page/report.html"
        ).is_file()
    tables = [folder / "comparison.csv" for folder in (tmp_path / "page", store / "experiments" / "tiny")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert _content(store) == before


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["run", "tiny", "seed=2"], "can only be read, so nothing can be computed"),
        (["retry", "tiny"], "can only be read, so nothing can be computed"),
        (["plan", "tiny", "--calibrate"], "can only be read, so nothing can be computed"),
        (["verify", "--repair"], "can only be read, so nothing can be computed"),
        (["clean", "--yes"], "can only be read, so nothing can be computed"),
        (["roar", "tiny"], "can only be read, so nothing can be computed"),
        (["report", "tiny"], "write elsewhere, with --to FOLDER"),
        (["report", "tiny", "--to", "."], "was not written by this command"),
    ],
)
def test_it_is_not_changed(run: Run, command: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = run(*command)
    assert refused.returncode == 1
    assert sentence in refused.stderr and refused.stderr.count("\n") == 1
    assert (tmp_path / "mine.txt").exists()


def test_damage_in_it_is_told(run: Run, store: Path) -> None:
    part = min(store.glob("cells/*/explanations/part-00001.parquet"))
    part.write_bytes(part.read_bytes()[:-5])
    record = min(store.glob("trials/*/trial.json"))
    record.write_text("{")
    assert run("verify").returncode == 1
    assert run("status", "tiny").returncode == 0
    report = run("report", "tiny", "--to", "page")
    assert f"{record} is damaged, and the store can only be read" in report.stderr
    export = run("export", "tiny", "--explanations", "explained")
    assert export.returncode == 1 and export.stderr.count("\n") == 1
    assert f"{part} is damaged, and the store can only be read" in export.stderr
    assert part.is_file() and record.read_text() == "{"


def test_texts_that_cannot_be_read_are_told(run: Run) -> None:
    told = run("status", "task=local", "task.path=nowhere.csv", "name=other")
    assert told.returncode == 1 and "nowhere.csv does not exist" in told.stderr
    assert "Traceback" not in told.stderr
