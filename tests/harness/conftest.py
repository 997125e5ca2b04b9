"""A small finished experiment, made once; whoever changes its store changes a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assay.harness.cli import main

TINY = [
    "name=tiny",
    "task=planted_counting",
    "task.train=120",
    "task.dev=30",
    "task.test=20",
    "model=maxpool",
    "model.training.epochs=2",
    "seed=0,1",
    "explainer=[random,saliency_l2,occlusion]",
    "baseline=[mask,delete]",
    "metric=[faithfulness,rationale_consistency,compute_time]",
    "limits.default.test=20",
    "shard=8",
    "report.bootstrap=20",
]


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """The experiment's overrides, without its store: 2 trials of 4 cells of 3 shards."""
    return list(TINY)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its store when all is done. Not to be changed."""
    store = tmp_path_factory.mktemp("finished") / "store"
    assert main(["run", *TINY, f"store={store}"]) == 0
    return store


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "store"))
