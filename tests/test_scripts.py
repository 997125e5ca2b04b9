"""Every script that can be run says how, which also shows that its imports find what they mean."""

from __future__ import annotations

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


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_takes_help(path: Path):
    run = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("usage: ") and "--quick" in run.stdout


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
