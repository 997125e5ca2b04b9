"""Status says done only of what today's code and configuration plan; the tests edit real files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tasks", "models", "explainers", "metrics", "results", "harness", "conf")
COMMAND = [
    "name=stale",
    "task=planted",
    *("task.train=40", "task.dev=20", "task.test=4"),
    "model=linear",
    "model.training.epochs=1",
    "seed=0",
    "explainer=[occlusion]",
    "baseline=[mask]",
    "metric=[entropy]",
    "report.bootstrap=20",
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code and the shipped configuration that a test may edit."""
    folder = tmp_path / "checkout" / "assay"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "__init__.py", folder)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _assay(checkout: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from assay.harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(checkout.parent), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def _edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_status_never_says_done_from_an_old_plan(checkout: Path, tmp_path: Path) -> None:
    assert _assay(checkout, tmp_path, "run", *COMMAND).returncode == 0
    done = _assay(checkout, tmp_path, "status", *COMMAND)
    assert done.returncode == 0 and "1 of 1 cells done" in done.stdout
    method = checkout / "explainers" / "perturbation" / "occlusion.py"
    _edit(method, "version: ClassVar[int] = 1", "version: ClassVar[int] = 1001")
    raised = _assay(checkout, tmp_path, "status", *COMMAND)
    assert raised.returncode == 1 and "0 of 1 cells done" in raised.stdout, raised.stdout
    _edit(method, "version: ClassVar[int] = 1001", "version: ClassVar[int] = 1")
    shipped = checkout / "conf" / "explainer" / "occlusion.yaml"
    _edit(shipped, "output: logit", "output: probability")
    changed = _assay(checkout, tmp_path, "status", *COMMAND)
    assert changed.returncode == 1 and "0 of 1 cells done" in changed.stdout, changed.stdout
