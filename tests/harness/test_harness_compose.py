"""Overrides become trials; anything that does not fit is one sentence."""

from __future__ import annotations

import pytest

from harness.compose import configuration, sweep
from tasks.errors import InputError


def test_an_experiment_crosses_its_axes_and_the_last_runs_fastest() -> None:
    trials = sweep(["experiment=quickstart"]).trials()
    assert len(trials) == 8
    assert [trial[-1] for trial in trials[:2]] == ["seed=0", "seed=1"]


def test_the_command_line_replaces_an_axis() -> None:
    crossed = sweep(["experiment=quickstart", "seed=7"])
    assert "seed" not in crossed.axes
    assert len(crossed.trials()) == 4
    assert all("seed=7" in trial for trial in crossed.trials())


def test_the_command_line_adds_an_axis_that_lists_are_not() -> None:
    crossed = sweep(["model=cnn,maxpool", "explainer=[occlusion,lime]"])
    assert crossed.axes == {"model": ("cnn", "maxpool")}
    assert list(configuration(crossed.trials()[0]).explainer) == ["occlusion", "lime"]


def test_arguments_say_the_same_to_hydra() -> None:
    crossed = sweep(["experiment=quickstart", "model=cnn"])
    assert "task=planted_counting,reviews" in crossed.arguments()
    assert "model=cnn" in crossed.arguments()


def test_settings_of_an_explainer_that_was_not_chosen_are_dropped() -> None:
    config = configuration(["experiment=quickstart", "explainer=[occlusion]"])
    assert list(config.explainer) == ["occlusion"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["explainer=[limee]"], r"there is no explainer named 'limee'; did you mean 'lime'\?"),
        (["model=cn"], r"there is no model named 'cn'; did you mean 'cnn'\?"),
        (["experiment=quickstrt"], r"did you mean 'quickstart'\?"),
        (["baseline=[maks]"], r"did you mean 'mask'\?"),
        (["seed=abc"], "the configuration does not fit at seed: .*Integer"),
        (["sed=1"], "the configuration does not fit.*sed"),
        (["targets=gild"], "the configuration does not fit at targets: .*gild"),
        (["+explainer.lmie.rows=3"], r"no explainer named 'lmie'; did you mean 'lime'\?"),
        (["explainer=[occlusion]", "explainer.lime.rows=3"], "explainer.lime"),
        (["seed"], "could not be read"),
        (["+sweep.seed=[]"], "axis 'seed' .* empty"),
    ],
)
def test_what_does_not_fit_is_one_sentence(overrides: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        for trial in sweep(overrides).trials():
            configuration(trial)
    assert "\n" not in str(caught.value)
