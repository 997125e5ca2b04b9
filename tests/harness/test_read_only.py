"""A store that can only be read can be asked; what would change it is refused in one sentence."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest


class Told(NamedTuple):
    """What a command returned and said."""

    returncode: int
    stdout: str
    stderr: str


# Carries out commands, one after the other in one process.
Run = Callable[..., list[Told]]
# Reads commands as JSON, and writes what each returned and said.
PROGRAM = """
import contextlib, io, json, sys
from assay.harness.cli import main
told = []
for command in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(command)
    told.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(told))
"""

# Root may write whatever the mode of a folder says, but not into what is mounted read-only.
MOUNT = "mount --bind {store} {store} && mount -o remount,bind,ro {store} && exec {command}"
AS_ROOT = hasattr(os, "getuid") and os.getuid() == 0


@pytest.fixture
def run(store: Path, tmp_path: Path) -> Run:
    """Runs commands on the store while nobody can write there."""
    if AS_ROOT:
        mount = MOUNT.format(store=shlex.quote(str(store)), command="true")
        tried = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False)
        if tried.returncode != 0:
            pytest.skip("as root only a mount can be read-only, and none can be made here")

    def command(*commands: Sequence[str]) -> list[Told]:
        asked = json.dumps([[*each, f"store={store}"] for each in commands])
        line = [sys.executable, "-c", PROGRAM, asked]
        if AS_ROOT:
            mount = MOUNT.format(store=shlex.quote(str(store)), command=shlex.join(line))
            line = ["unshare", "-m", "sh", "-c", mount]
        else:
            for path in [store, *store.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        finally:
            if not AS_ROOT:
                for path in [store, *store.rglob("*")]:
                    path.chmod(0o755 if path.is_dir() else 0o644)
        assert done.returncode == 0, done.stderr
        return [Told(*each) for each in json.loads(done.stdout)]

    return command


def _content(store: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def _without_warnings(said: str) -> list[str]:
    """Lines that are no warning; the models of these few texts may be no better than a constant."""
    return [line for line in said.splitlines() if "warning: " not in line]


ASKED = (
    ["status", "tiny"],
    ["verify"],
    ["plan", "tiny"],
    ["export", "tiny", "--to", "scores.csv", "--explanations", "explained"],
    *[["report", "tiny", "--to", "page"]] * 2,
)
CANNOT = "can only be read, so nothing can be computed"
REFUSED = (
    (["run", "tiny", "seed=2"], CANNOT),
    (["retry", "tiny"], CANNOT),
    (["plan", "tiny", "--calibrate"], CANNOT),
    (["verify", "--repair"], CANNOT),
    (["clean", "--yes"], CANNOT),
    (["roar", "tiny"], CANNOT),
    (["report", "tiny"], "write elsewhere, with --to FOLDER"),
    (["report", "tiny", "--to", "."], "was not written by this command"),
)
UNREADABLE = ["status", "task=local", "task.path=nowhere.csv", "name=other"]


def test_it_can_be_asked_and_what_would_change_it_is_refused(run: Run, store: Path, tmp_path: Path) -> None:
    before = _content(store)
    (tmp_path / "mine.txt").write_text("mine")
    told = run(*ASKED, *(command for command, _ in REFUSED), UNREADABLE)
    status, verified, plan, exported, *reports = told[: len(ASKED)]
    assert (status.returncode, status.stderr) == (0, "") and "8 of 8 cells done" in status.stdout
    assert verified.stdout == "No fault found\n"
    assert plan.returncode == 0
    for made, file in ((exported, "scores.csv"), *((report, "page/report.html") for report in reports)):
        assert (made.returncode, _without_warnings(made.stderr)) == (0, [])
        assert (tmp_path / file).is_file()
    tables = [folder / "comparison.csv" for folder in (tmp_path / "page", store / "experiments" / "tiny")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    for (command, sentence), refused in zip(REFUSED, told[len(ASKED) : -1], strict=True):
        assert refused.returncode == 1, command
        assert sentence in refused.stderr and refused.stderr.count("\n") == 1, refused
    assert (tmp_path / "mine.txt").exists()
    assert _content(store) == before
    assert told[-1].returncode == 1 and "nowhere.csv does not exist" in told[-1].stderr
    assert "Traceback" not in told[-1].stderr


def test_damage_in_it_is_told(run: Run, store: Path) -> None:
    part = min(store.glob("cells/*/explanations/part-00001.parquet"))
    part.write_bytes(part.read_bytes()[:-5])
    record = min(store.glob("trials/*/trial.json"))
    record.write_text("{")
    verified, status, report, export = run(
        ["verify"],
        ["status", "tiny"],
        ["report", "tiny", "--to", "page"],
        ["export", "tiny", "--explanations", "explained"],
    )
    assert verified.returncode == 1
    assert status.returncode == 0
    assert f"{record} is damaged, and the store can only be read" in report.stderr
    assert export.returncode == 1 and export.stderr.count("\n") == 1
    assert f"{part} is damaged, and the store can only be read" in export.stderr
    assert part.is_file() and record.read_text() == "{"
