"""Experiments of which no explainer, or no metric, fits: they say so and fail, with the reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.harness.cli import main

SMALL = ("task=planted", "task.train=40", "task.dev=20", "task.test=6", "model=linear")
WITHOUT_ATTENTION = ("explainer=[attention_last,attention_rollout]", "metric=[entropy]")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that all tests share, so that the model is trained once."""
    return tmp_path_factory.mktemp("nothing") / "store"


def call(store: Path, command: str, *overrides: str) -> int:
    return main([command, *SMALL, "model.training.epochs=1", *overrides, f"store={store}"])


def test_a_run_without_an_explainer_that_fits_says_so_and_fails(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("run", "report"):
        assert call(store, command, *WITHOUT_ATTENTION) == 1
        said = capsys.readouterr()
        assert "nothing to report, because no explainer fits" in said.err and not said.out
        assert "planted / linear / trained / attention_last" in said.err
        assert said.err.count("the model has no attention") == 1
    assert call(store, "status", *WITHOUT_ATTENTION) == 1
    assert "no explainer fits" in capsys.readouterr().err


def test_a_run_without_a_metric_that_fits_says_so_and_fails(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(store, "run", "explainer=[saliency_l1]", "metric=[rationale_consistency]") == 1
    said = capsys.readouterr().err
    assert "nothing to report, because no metric fits" in said
    assert "rationale_consistency: it compares two models; give more than one seed" in said


def test_one_that_fits_is_enough(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(store, "run", "explainer=[attention_last,saliency_l1]", "metric=[entropy]") == 0
    said = capsys.readouterr()
    assert "left out: attention_last: the model has no attention" in said.out and "fits" not in said.err
    assert call(store, "status", "explainer=[attention_last,saliency_l1]", "metric=[entropy]") == 0
