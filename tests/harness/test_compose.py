"""Overrides become trials; anything that does not fit is one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from assay.harness.config import composed as module
from assay.harness.config.compose import (
    Sweep,
    configuration,
    configurations,
    raw_configuration,
    readable,
    sweep,
)
from assay.harness.config.composed import anew, composed
from assay.tasks.errors import InputError


def test_an_experiment_crosses_its_axes_and_the_last_runs_fastest() -> None:
    trials = sweep(["experiment=quickstart"]).trials()
    assert len(trials) == 8
    assert [trial[-1] for trial in trials[:2]] == ["seed=0", "seed=1"]


def test_the_command_line_replaces_an_axis() -> None:
    crossed = sweep(["experiment=quickstart", "seed=7"])
    assert "seed" not in crossed.axes
    assert len(crossed.trials()) == 4
    assert all("seed=7" in trial for trial in crossed.trials())


@pytest.mark.parametrize(
    ("overrides", "seeds"),
    [
        (["seed=0,1", "seed=5"], {"5"}),
        (["seed=5", "seed=0,1"], {"0", "1"}),
        (["seed=0,1", "seed=2,3"], {"2", "3"}),
    ],
)
def test_of_a_key_given_twice_the_last_one_counts(overrides: list[str], seeds: set[str]) -> None:
    assert {str(config.seed) for config in configurations(sweep(overrides))} == seeds


@pytest.mark.parametrize("given", ["model=[maxpool,cnn]", "task=[reviews,planted_counting]"])
def test_a_list_of_what_is_chosen_once_is_refused(given: str) -> None:
    """Hydra would merge them, and run the last alone."""
    group, _, names = given.partition("=")
    with pytest.raises(InputError) as refused:
        sweep([given])
    each = names.strip("[]")
    assert str(refused.value) == f"{given} is a list; expected one {group}; {group}={each} runs each of them"
    assert sweep([f"{group}=[{each.split(',')[0]}]"]).trials()


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


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=quickstart"],
        ["experiment=unfair_tos", "seed=3,4"],
        ["model=cnn,maxpool", "seed=0,1", "explainer=[occlusion,lime]", "explainer.lime.rows=30,60"],
        ["model.name=a,b", "targets=all,gold", "engine.budget=null,512", "explainer_seeds=[0,1],[2]"],
        ["task=planted", "task.length=[8,20],[9,9]", "limits.default.test=5,null", "+sweep.shard=[64,128]"],
        ["baseline=[mask],[pad,zero]", "model.training={epochs:1},{epochs:2,mask_rate:0}", "name='a b',c"],
        ["task.name=${model.name},x", "seed=1,2"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_composing_once_gives_what_composing_each_trial_gives(overrides: list[str]) -> None:
    crossed = sweep(overrides)
    found = configurations(crossed)
    alone = [configuration(trial) for trial in crossed.trials()]
    assert len(found) > 1 and found == alone
    assert [OmegaConf.to_yaml(one) for one in found] == [OmegaConf.to_yaml(one) for one in alone]
    resolved = [OmegaConf.to_container(one, resolve=True) for one in found]
    assert resolved == [OmegaConf.to_container(one, resolve=True) for one in alone]
    assert len({id(one) for one in found}) == len(found)


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=0,abc"],
        ["sed=0,1"],
        ["task.sise=0,1"],
        ["targets=all,gild"],
        ["model=cnn,cn"],
        ["explainer=[occlusion]", "explainer.lime.rows=3,4"],
        ["+explainer.lmie.rows=3,4"],
    ],
    ids=lambda overrides: overrides[-1],
)
def test_composing_once_raises_the_same_sentences(overrides: list[str]) -> None:
    def sentence(compose: Callable[[Sweep], object]) -> str:
        with pytest.raises(InputError) as caught:
            compose(sweep(overrides))
        return str(caught.value)

    def each(crossed: Sweep) -> list[DictConfig]:
        return [configuration(trial) for trial in crossed.trials()]

    assert sentence(configurations) == sentence(each)


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=3", "++seed=5", "name=a"],
        ["++seed=5", "seed=3"],
        ["limits.default.test=4", "limits.cnn.test=3", "limits.default.test=5"],
        ["task=planted", "task.train=5", "+task.more=1", "task.train=6", "++task.train=7"],
        ["explainer.lime.rows=9", "explainer=[lime]", "model=linear", "explainer.lime.rows=10"],
        ["task=planted", "seed=1", "task=reviews", "seed=2", "task=planted", "seed=1"],
        ["shard=4", "~limits.default.test", "experiment=quickstart", "report={texts: 3}"],
        ["name=${model.name}", "++axes={seed: 1}", "baseline@removal=[mask,delete]", "seed=7"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_values_set_afterwards_are_as_hydra_sets_them(overrides: list[str]) -> None:
    def outcome(compose: Callable[[], DictConfig]) -> object:
        try:
            return OmegaConf.to_yaml(compose())
        except Exception as error:
            return type(error)

    written = tuple(map(readable, overrides))
    assert outcome(lambda: raw_configuration(overrides)) == outcome(lambda: anew(written))
    assert outcome(lambda: raw_configuration(overrides)) == outcome(lambda: anew(written))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What Hydra is asked from now on; nothing is remembered."""
    found: list[tuple[str, ...]] = []

    def ask(overrides: tuple[str, ...]) -> DictConfig:
        found.append(overrides)
        return anew(overrides)

    monkeypatch.setattr(module, "anew", ask)
    module._remembered.cache_clear()
    return found


def test_what_is_composed_once_is_a_copy_each_time(asked: list[tuple[str, ...]]) -> None:
    first = configuration(["model=linear", "seed=1"])
    whole = OmegaConf.to_yaml(first)
    first.model.name = "changed"
    first.explainer.occlusion.output = "changed"
    first.metric.faithfulness = {"_target_": "changed"}
    assert OmegaConf.to_yaml(configuration(["model=linear", "seed=1"])) == whole
    assert configuration(["seed=2", "model=linear"]).seed == 2
    assert asked == [("model=linear",)]


def test_what_is_no_file_of_the_shipped_configuration_is_not_remembered(
    asked: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    for dimensions in (3, 4):
        settings = f"defaults: [cnn]\ndimensions: {dimensions}\n"
        (tmp_path / "model" / "mine.yaml").write_text(settings, encoding="utf-8")
        config = configuration(["model=mine", f'hydra.searchpath=["file://{tmp_path}"]'])
        assert config.model.dimensions == dimensions
        name = ("cnn", "lstm")[dimensions - 3]
        monkeypatch.setenv("ASSAY_TEST_MODEL", name)
        assert configuration(["model=${oc.env:ASSAY_TEST_MODEL}"]).model.name == name
    assert len(asked) == 4


def test_another_state_of_a_file_or_a_foreign_configuration_is_composed_anew(
    asked: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model" / "cnn.yaml"
    file.parent.mkdir()
    file.write_text("a", encoding="utf-8")
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    for content, count in (("a", 1), ("ab", 2), ("ab", 2)):
        file.write_text(content, encoding="utf-8")
        os.utime(file, (1, 1))
        composed(("model=cnn",))
        assert len(asked) == count
    os.utime(file, (1, 2))
    composed(("model=cnn",))
    assert len(asked) == 3
    monkeypatch.setitem(ConfigStore.instance().repo, "model", {})
    for _ in range(2):
        composed(("model=cnn",))
    assert len(asked) == 5
