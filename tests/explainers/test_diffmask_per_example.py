"""DiffMask for each text: both ends of its gates, its constraint, and what it finds where it is known."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import HandModel, conjunction, encoding, explain, request, scores, smooth
from torch.distributions import Bernoulli, Categorical, kl_divergence

from assay.explainers.baselines import Delete, Mask, Zero
from assay.explainers.masks import diffmask_per_example, hard_concrete
from assay.explainers.masks.diffmask_per_example import DiffMaskPerExample, GatedText, raised
from assay.explainers.protocol import Request, incompatibility
from assay.models.engine import Engine
from assay.models.protocol import capabilities
from assay.tasks.errors import InputError
from assay.tasks.example import Task

FEW = DiffMaskPerExample(steps=12, samples=3)
MODELS = ("linear", "maxpool", "cnn", "lstm", "tiny_bert")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=True)


def _requests(model, task: Task) -> list[Request]:
    encodings = model.encode([example.texts for example in task.test[:3]])
    return [Request(e, code, np.arange(3)) for e, code in zip(task.test, encodings, strict=False)]


def _gates(text: GatedText, logit: float) -> torch.Tensor:
    """(5, n) draws of gates with this logit."""
    shape = (5, int(text.content.sum()))
    uniform = torch.from_numpy(np.random.default_rng(0).uniform(0.01, 0.99, shape)).to(text.entry)
    return hard_concrete.sample(torch.full(shape, logit).to(text.entry), uniform)


def test_open_gates_leave_the_text_as_it_is(model, toy_task: Task) -> None:
    for asked in _requests(model, toy_task):
        text = GatedText.of(Engine(model), asked, Mask())
        plain = Engine(model).logits(
            [Mask().rows(model, asked.encoding, np.ones((1, len(asked.encoding)), bool))]
        )
        gates = _gates(text, 15.0)
        np.testing.assert_allclose(text.logits(gates).numpy(), np.repeat(plain[0], 5, axis=0), atol=1e-4)
        assert text.divergence(gates).abs().max() < 1e-6


def test_closed_gates_give_the_baselines_text_whatever_the_text_is(model, toy_task: Task) -> None:
    first, second, _ = _requests(model, toy_task)
    ids, content = first.encoding.ids.copy(), first.encoding.content
    ids[content] = np.resize(second.encoding.ids[second.encoding.content], content.sum())
    other = replace(first, encoding=replace(first.encoding, ids=ids))
    texts = [GatedText.of(Engine(model), one, Mask()) for one in (first, other)]
    one, same = (text.logits(_gates(text, -15.0)) for text in texts)
    assert not torch.equal(texts[0].answer, texts[1].answer)
    torch.testing.assert_close(one, same, atol=1e-6, rtol=0)
    baseline = Engine(model).logits([Mask().rows(model, first.encoding, ~content[None])])[0]
    np.testing.assert_allclose(one.numpy(), np.repeat(baseline, 5, axis=0), atol=1e-5)


def test_the_models_weights_and_gradients_are_untouched(model, toy_task: Task) -> None:
    model.network.requires_grad_(True)
    model.network.zero_grad()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    found = explain(FEW, model, _requests(model, toy_task), Mask())
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())
    assert all(parameter.grad is None for parameter in model.network.parameters())
    model.network.requires_grad_(False)
    for asked, records in zip(_requests(model, toy_task), found, strict=True):
        assert scores(records).shape == (3, len(asked.encoding))
        assert (scores(records) == scores(records)[0]).all()
        assert not records[0].scores[~asked.encoding.content].any()
        assert (records[0].scores[asked.encoding.content] > 0).all()


def test_the_multiplier_stays_in_its_range_and_rises_while_the_divergence_is_above_the_bound() -> None:
    multiplier, path = 1.0, []
    for divergence in [1e4] * 3 + [0.0] * 10_000 + [0.5] * 10:
        path.append(multiplier := raised(multiplier, divergence, 0.1, 0.3))
    assert path[:3] == [200.0] * 3
    assert path[10_002] == 0.0
    np.testing.assert_allclose(np.diff(path[10_002:]), 0.3 * 0.4)


def test_the_divergence_is_torchs() -> None:
    answer, other = torch.randn(1, 4).double(), torch.randn(3, 4).double()
    expected = kl_divergence(Categorical(logits=answer), Categorical(logits=other))
    found = diffmask_per_example.kl_divergence(answer, other, multi_label=False)
    torch.testing.assert_close(found, expected)
    expected = kl_divergence(Bernoulli(logits=answer.expand(3, -1)), Bernoulli(logits=other)).sum(dim=1)
    found = diffmask_per_example.kl_divergence(answer, other, multi_label=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("multi_label", [False, True])
def test_it_keeps_the_words_that_the_answer_needs_and_no_other(multi_label: bool) -> None:
    model = conjunction(4, 9)
    model.multi_label = multi_label
    asked = request((4, 11, 12, 9, 13, 14), [0, 1])
    method = DiffMaskPerExample(epsilon=0.005, steps=300, multiplier_rate=30.0)
    (records,) = explain(method, model, [asked], Zero())
    needed = [0, 3]
    others = [1, 2, 4, 5]
    assert records[0].scores[needed].min() > 0.8
    assert records[0].scores[others].max() < 0.01


def test_one_of_two_copies_is_enough() -> None:
    def forward(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        found = 4 * (embeddings * attention)[..., 0].amax(dim=1)
        return torch.stack([torch.zeros_like(found), found], dim=1)

    model = HandModel(forward, 2)
    model.table = torch.zeros_like(model.table)
    model.table[4, 0] = 1
    asked = request((4, 11, 12, 4), [0, 1])
    method = DiffMaskPerExample(epsilon=0.01, steps=300, multiplier_rate=30.0)
    opened = explain(method, model, [asked], Zero())[0][0].scores
    assert opened[[1, 2]].max() < 0.01
    assert max(opened[[0, 3]]) > 0.9


def test_gates_that_cannot_meet_the_bound_are_told_with_the_divergence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    method = replace(FEW, epsilon=1e-9)
    with caplog.at_level(logging.WARNING):
        explain(method, smooth(), [request((4, 9, 5)), request((4, 11))], Mask())
    (message,) = caplog.messages
    assert "in 2 of 2 texts the gates did not come to a divergence of 1e-09 nats" in message
    (largest,) = re.findall(r"the largest is ([\d.e-]+);", message)
    reached = [method._explain_one(Engine(smooth()), request(ids), Mask())[1] for ids in ((4, 9, 5), (4, 11))]
    assert float(largest) == pytest.approx(max(reached), rel=1e-2)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        explain(replace(FEW, epsilon=1e3), smooth(), [request((4, 9, 5))], Mask())
    assert not caplog.messages


def test_a_text_of_special_tokens_alone_has_nothing_to_keep() -> None:
    asked = replace(request((4, 9)), encoding=encoding((2, 3), specials=(0, 1)))
    (records,) = explain(FEW, smooth(), [asked], Mask())
    assert not scores(records).any()
    assert records[0].cost.forward_rows == 1 and records[0].cost.backward_rows == 0


def test_it_is_refused_where_it_makes_no_sense() -> None:
    said = incompatibility(FEW, Mask(), capabilities=frozenset({"mask_token"}), rationales=False)
    assert said == "the model gives no gradients"
    said = incompatibility(FEW, Delete(), capabilities=capabilities(smooth()), rationales=False)
    assert said is not None and "no straight path" in said
    with pytest.raises(InputError, match="keeps every token's place"):
        explain(FEW, smooth(), [request((4, 9))], Delete())


@pytest.mark.parametrize(
    "options", [{"steps": 3}, {"samples": 0}, {"epsilon": 0.0}, {"rate": -1.0}, {"multiplier_rate": 0.0}]
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"diffmask_per_example\.{next(iter(options))} is .*; expected"):
        DiffMaskPerExample(**options)
