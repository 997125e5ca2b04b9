"""An experiment that every launcher must bring to the same bytes, with an explainer that can be slow."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# How long it takes over a text comes from the environment, since it must not change the names of cells.
SLOW = """
import os, time
from dataclasses import dataclass
from assay.explainers.perturbation.occlusion import Occlusion

@dataclass(frozen=True, slots=True)
class Slow(Occlusion):
    name = "slow"

    def solve(self, *arguments):
        time.sleep(float(os.environ.get("SLOW_SECONDS", "0")))
        return Occlusion.solve(self, *arguments)
"""

SMALL = (
    "name=small",
    "task=planted_counting",
    "task.train=300",
    "task.dev=60",
    "task.test=40",
    "model=maxpool",
    "model.training.epochs=3",
    "seed=0,1",
    "explainer=[random,slow,integrated_gradients,lime]",
    "explainer.lime.rows=30",
    "explainer.integrated_gradients.steps=5",
    "baseline=[mask,delete]",
    "metric=[faithfulness,rationale_consistency,dataset_consistency,self_agreement]",
    "limits.default.test=40",
    "engine.threads=1",
    "shard=8",
    "report.bootstrap=20",
)


@dataclass(frozen=True, slots=True)
class Assay:
    """The command line in processes of its own, with the slow explainer at hand."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, command: str, store: Path, *overrides: str, slow: float = 0.0) -> subprocess.Popen[str]:
        """`slow`: seconds that the slow explainer takes over a text and class."""
        program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
        arguments = ["--config-dir", str(self.folder / "conf"), *SMALL, f"store={store}", *overrides]
        return subprocess.Popen(
            [sys.executable, "-c", program, command, *arguments],
            env={**os.environ, **self.settings(slow)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )

    def settings(self, slow: float) -> dict[str, str]:
        """What the environment of every process must hold, those that Ray starts included."""
        path = os.pathsep.join([str(ROOT), str(self.folder)])
        return {**self.environment, "PYTHONPATH": path, "ASSAY_TRUST": "slow", "SLOW_SECONDS": str(slow)}

    def run(self, store: Path, *overrides: str, slow: float = 0.0) -> None:
        """Run to the end; the test fails when it does."""
        assert finish(self.start("run", store, *overrides, slow=slow))[0] == 0


def finish(process: subprocess.Popen[str], seconds: float = 400) -> tuple[int, str]:
    """Exit status and output of a process; kills it, and fails the test, when it takes longer."""
    try:
        output = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it did not end in {seconds} seconds; it said:\n{process.communicate()[0]}")
    print(output)
    return process.returncode, output


def wait_until(condition: Callable[[], object], what: str, seconds: float = 200) -> None:
    """Look ten times a second whether a condition holds; the test fails when it does not come about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what}: did not happen in {seconds} seconds")
        time.sleep(0.1)


def parts(store: Path) -> dict[Path, int]:
    """The files of explanations that are there, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in store.glob("cells/*/explanations/*.parquet")}


def tables(store: Path) -> dict[str, bytes]:
    """Everything that must be the same to the byte, whatever launched it: explanations, scores and tables."""
    patterns = ("cells/*/explanations/*.parquet", "cells/*/scores/*.parquet", "pairs/*/**/*.parquet")
    found = [
        path for pattern in (*patterns, "experiments/small/comparison.*") for path in store.glob(pattern)
    ]
    return {str(path.relative_to(store)): path.read_bytes() for path in found}


@pytest.fixture(scope="session")
def assay(tmp_path_factory: pytest.TempPathFactory) -> Assay:
    folder = tmp_path_factory.mktemp("assay")
    (folder / "slow.py").write_text(SLOW, encoding="utf-8")
    (folder / "conf" / "explainer").mkdir(parents=True)
    settings = "slow:\n  _target_: slow.Slow\n"
    (folder / "conf" / "explainer" / "slow.yaml").write_text(settings, encoding="utf-8")
    return Assay(folder)


@pytest.fixture(scope="session")
def expected(assay: Assay, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the experiment leaves when it runs in one process."""
    store = tmp_path_factory.mktemp("in_process")
    assay.run(store)
    found = tables(store)
    # Seven methods on two seeds, of which one makes no sense, in five shards each.
    assert sum("explanations" in name for name in found) == 2 * 6 * 5
    return found
