"""Starting runs as sessions of their own, and killing all or one of a session's processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
# How the processes that run jobs are called: joblib's by their command line, Ray's by the title they take.
WORKERS = ("popen_loky", "ray::IDLE", "ray::_run_job")


@dataclass(frozen=True, slots=True)
class Session:
    """A run and everything it starts. log: where its output goes."""

    process: subprocess.Popen[bytes]
    log: Path

    def processes(self) -> dict[int, str]:
        """Living processes of the session by id, with their command lines."""
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                state, session = _state(folder)
                if session == self.process.pid and state != "Z":
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = command.decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
        return found

    def workers(self) -> list[int]:
        """The ids of those that run jobs."""
        of_session = self.processes().items()
        return sorted(pid for pid, command in of_session if any(name in command for name in WORKERS))

    def wait(self, seconds: float) -> int | None:
        """The exit status, None if it still runs after so many seconds."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """SIGKILL to every process of the session, until none is left."""
        while alive := self.processes():
            for pid in alive:
                kill(pid)
            time.sleep(0.02)
        self.process.wait()


def start(arguments: Sequence[str], log: Path) -> Session:
    """`assay` with these arguments, one thread, in a session of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "RAY_USAGE_STATS_ENABLED": "0",
        # What joblib and Ray leave behind when they are killed goes with the stores.
        "TMPDIR": str(log.parent),
        "JOBLIB_TEMP_FOLDER": str(log.parent),
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
    return Session(process, log)


def kill(pid: int) -> None:
    """SIGKILL to one process, which may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _state(folder: Path) -> tuple[str, int]:
    """State and session of a process."""
    # The name in brackets may hold blanks and brackets.
    fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[3])
