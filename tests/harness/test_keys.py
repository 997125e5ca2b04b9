"""Equal content, equal name; anything that can change a number changes the name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from omegaconf import OmegaConf

from assay.explainers.controls.controls import Inverted
from assay.explainers.perturbation.occlusion import Occlusion
from assay.harness.config.keys import key, model_key, model_settings, versions
from assay.harness.config.schema import Targets


def test_names_depend_on_content_not_on_order_or_type() -> None:
    plain = {"a": 1, "b": [1.5, None, True], "c": {"x": "y"}}
    shuffled = {"c": {"x": "y"}, "b": (1.5, None, True), "a": 1}
    assert key(plain) == key(shuffled) == key(OmegaConf.create(plain))
    assert len(key(plain)) == 20


def test_names_tell_apart() -> None:
    names = [key("1"), key(1), key([1]), key(True), key(None), key("a", "b"), key("ab"), key(Targets.all)]
    assert len(set(names)) == len(names)


def test_versions_reach_into_nested_objects() -> None:
    @dataclass(frozen=True)
    class Changed(Occlusion):
        version: ClassVar[int] = 2

    assert versions(Inverted(Occlusion())) == [("Inverted", 1), ("Occlusion", 1)]
    assert key(versions(Inverted(Changed()))) != key(versions(Inverted(Occlusion())))


def test_how_texts_are_cut_names_a_model_only_where_it_matters() -> None:
    before = {"name": "cnn", "max_tokens": 9, "over_limit": "error"}
    usual = {**before, "truncate": "longest_first", "truncate_side": "right"}
    assert model_settings(usual) == model_settings({**usual, "truncate_side": "left"}) == before
    for pairs in (False, True):
        assert model_key(usual, 0, ["data"], pairs=pairs) == key("model", before, 0, ["data"])
    # Single texts are cut as they were, pairs are not.
    cut = {**usual, "over_limit": "truncate"}
    as_it_was = key("model", {**before, "over_limit": "truncate"}, 0, ["data"])
    assert model_key(cut, 0, ["data"], pairs=False) == as_it_was
    named = {
        model_key(cut, 0, ["data"], pairs=True),
        model_key({**cut, "truncate_side": "left"}, 0, ["data"], pairs=False),
    }
    named |= {model_key({**cut, "truncate": "only_first"}, 0, ["data"], pairs=True), as_it_was}
    assert len(named) == 4
