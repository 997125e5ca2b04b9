from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from metrics_world import keyword_examples, same_table, scored, spearman
from reexplained_world import DRAWS, small_model, subject_of

from assay.explainers.baselines import Mask
from assay.explainers.controls.controls import Inverted, Random
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.metrics.long_table import wide
from assay.metrics.randomisation import Randomisation
from assay.models.engine import Engine
from assay.models.randomisation import layers, randomised
from assay.tasks.errors import InputError
from assay.tasks.example import Task

EXAMPLES = keyword_examples(24)


class Position:
    """Earlier tokens score higher, whatever the model."""

    def explain(self, engine: Any, requests: Any, baseline: Any) -> Any:
        return [
            [replace(r, scores=np.arange(len(r.scores), 0, -1, dtype=np.float32)) for r in records]
            for records in Random().explain(engine, requests, baseline)
        ]


@pytest.mark.parametrize("explainer", [Random(), Position()], ids=["random", "position"])
def test_an_explainer_that_ignores_the_model_fails(explainer: Any) -> None:
    assert scored(Randomisation(), subject_of(small_model(EXAMPLES), EXAMPLES, explainer)) == 1.0


@pytest.mark.parametrize("explainer", [Saliency(), Occlusion()], ids=["saliency", "occlusion"])
def test_explanations_of_a_trained_model_are_others_once_its_layers_are_random(
    explainer: Any, toy_task: Task, word_model: Callable[..., Any]
) -> None:
    subject = subject_of(word_model("cnn", trained=True), toy_task.test, explainer, baseline=Mask())
    units, _, parts = wide(Randomisation().score(subject))
    assert sorted(parts) == ["similarity@1", "similarity@2", "similarity@3"]
    last = float(np.nanmean(parts["similarity@3"]))
    assert last < 0.6
    assert scored(Randomisation(), subject) < 0.9
    assert len(units) == len(toy_task.test)


def test_it_equals_a_loop_over_stages_and_texts() -> None:
    model: Any = small_model(EXAMPLES)
    subject = subject_of(model, EXAMPLES, InputXGradient("mean"))
    for absolute in (True, False):
        units, labels, parts = wide(Randomisation(texts=8, absolute=absolute).score(subject))
        assert len(units) == 8
        for stage in (1, 2):
            # By hand: the weights of the copy's upper layers written into another copy.
            other = deepcopy(model)
            drawn = dict(randomised(model, stage, 0).network.named_parameters())
            for name in [name for layer in layers(model.network)[2 - stage :] for name in layer]:
                dict(other.network.named_parameters())[name].data = drawn[name].data
            for unit in units:
                item = next(item for item in EXAMPLES if item.id == unit)
                (encoding,) = model.encode([item.texts])
                target = int(Engine(model).probabilities([encoding])[0].argmax())
                request = Request(item, encoding, np.array([target]), DRAWS)
                one, two = (
                    InputXGradient("mean").explain(Engine(m), [request], None)[0][0].scores.astype(np.float64)
                    for m in (model, other)
                )
                if absolute:
                    one, two = np.abs(one), np.abs(two)
                value = parts[f"similarity@{stage}"][units.index(unit), labels.index(target)]
                assert value == pytest.approx(spearman(one, two), abs=1e-6)


def test_signs_are_compared_only_when_asked() -> None:
    """Turning the sign of everything is nothing new for sizes."""
    model = small_model(EXAMPLES)
    subject = subject_of(model, EXAMPLES, Random())
    turned = Inverted(Random())
    again = replace(subject, explain=lambda engine, requests: turned.explain(engine, requests, None))
    assert scored(Randomisation(), again) == 1.0
    assert scored(Randomisation(absolute=False), again) == -1.0


def test_the_model_and_its_explanations_are_left_alone() -> None:
    model: Any = small_model(EXAMPLES)
    before = {name: weights.clone() for name, weights in model.network.state_dict().items()}
    subject = subject_of(model, EXAMPLES, Saliency())
    engines: list[Any] = []
    explain: Any = subject.explain

    def spy(engine: Any, requests: Any) -> Any:
        engines.append(engine)
        return explain(engine, requests)

    first = Randomisation().score(replace(subject, explain=spy))
    assert all((weights == before[name]).all() for name, weights in model.network.state_dict().items())
    assert len(engines) == 2 and all(engine.model is not model for engine in engines)
    same_table(first, Randomisation().score(subject))


def test_shards_and_order_do_not_matter() -> None:
    model = small_model(EXAMPLES)
    whole = Randomisation().score(subject_of(model, EXAMPLES, Random(), size=24))
    same_table(whole, Randomisation().score(subject_of(model, EXAMPLES[::-1], Random(), size=5)))


def test_a_model_of_one_layer_has_one_stage(toy_task: Task, word_model: Callable[..., Any]) -> None:
    subject = subject_of(word_model("linear", trained=True), toy_task.test, Saliency())
    _, _, parts = wide(Randomisation().score(subject))
    assert list(parts) == ["similarity@1"]


@pytest.mark.parametrize(
    "options", [{"shares": ()}, {"shares": (0.5, 0.2)}, {"shares": (-0.1,)}, {"shares": (1.5,)}, {"texts": 0}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="randomisation"):
        Randomisation(**options)
