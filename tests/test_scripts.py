"""Every script that can be run says how, which also shows that its imports find what they mean."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = [
    path
    for path in sorted((Path(__file__).parents[1] / "scripts").glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


# Runs each script with --help; what they import is imported once.
ASK_ALL = """
import contextlib, io, json, runpy, sys
told = {}
for path in sys.argv[1:]:
    sys.argv, sys.path[0] = [path, "--help"], path.rpartition("/")[0]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_path(path, run_name="__main__")
            status = None
        except SystemExit as stop:
            status = stop.code
        except BaseException as error:
            status = repr(error)
    told[path] = status, said.getvalue()
print(json.dumps(told))
"""


def test_each_takes_help() -> None:
    paths = [str(path) for path in SCRIPTS]
    run = subprocess.run([sys.executable, "-c", ASK_ALL, *paths], capture_output=True, text=True, check=True)
    told: dict[str, tuple[object, str]] = json.loads(run.stdout)
    assert told.keys() == set(paths)
    for path, (status, said) in told.items():
        assert status == 0, f"{path}: {status}: {said}"
        assert said.startswith("usage: ") and "--quick" in said, path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "bench_marginal",
        "reproduce_diffmask_toy",
        "reproduce_input_marginalization",
        "reproduce_vmask",
    ],
)
def test_quick_is_under_a_minute_of_one_core_and_ends_with_its_bar(name: str) -> None:
    """By the time of the processor, whatever else the machine does."""
    (path,) = [path for path in SCRIPTS if path.stem == name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, path, "--quick"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = run.stdout.splitlines()[-1] if run.stdout else ""
    assert told.startswith("bar: met" if run.returncode == 0 else "bar: missed"), run.stderr
    # One that times how fast the machine is may miss it where other work disturbs it.
    assert run.returncode == 0 or name.startswith("bench"), told
    assert after.ru_utime - before.ru_utime < 60
