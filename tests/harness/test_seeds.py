"""The seeds of explainers' draws are fixed: renamed code and later store versions move no drawn number."""

from __future__ import annotations

import pytest

from assay.harness.config.compose import configuration
from assay.harness.trials.loading import load_trial
from assay.harness.trials.seeds import request_seed

DATA = ("train", "dev", ["bad", "good"], False)
MODEL = {
    "_target_": "assay.models.cnn.Cnn",
    "name": "cnn",
    "training": {"_target_": "x.Training", "epochs": 8},
}


@pytest.mark.parametrize(
    ("model_seed", "explainer_seed", "more", "expected"),
    [
        (0, 0, (), 675169829231807805839193),
        (0, 1, (), 1149230361232376871943031),
        (1, 0, (), 765829406646800475910361),
        (0, 0, ("roar", 2), 766819382945760792900783),
    ],
)
def test_fixed_digits(
    model_seed: int, explainer_seed: int, more: tuple[str | int, ...], expected: int
) -> None:
    assert request_seed(DATA, MODEL, model_seed, explainer_seed, *more) == expected


def test_neither_class_names_nor_the_store_s_version_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = request_seed(DATA, MODEL, 0, 0)
    renamed = {**MODEL, "_target_": "elsewhere.Cnn", "training": {"_target_": "elsewhere.T", "epochs": 8}}
    monkeypatch.setattr("assay.harness.config.keys.STORE_VERSION", 99)
    assert request_seed(DATA, renamed, 0, 0) == before


@pytest.mark.parametrize(
    "other",
    [
        request_seed(("train 2", *DATA[1:]), MODEL, 0, 0),
        request_seed(DATA, {**MODEL, "name": "lstm"}, 0, 0),
        request_seed(DATA, {**MODEL, "training": {"epochs": 9}}, 0, 0),
        request_seed(DATA, MODEL, 1, 0),
        request_seed(DATA, MODEL, 0, 1),
        request_seed(DATA, MODEL, 0, 0, "roar", 0),
    ],
)
def test_everything_that_is_explained_is_part_of_it(other: int) -> None:
    assert request_seed(DATA, MODEL, 0, 0) != other


def test_fixed_digits_of_a_trial() -> None:
    sizes = ["task.train=40", "task.dev=20", "task.test=4"]
    trial = load_trial(configuration(["task=planted", *sizes, "model=linear", "seed=3"]))
    assert trial.request_seed(5) == 407732203605384626699801
    assert trial.request_seed(5) != trial.request_seed(6)
