"""The information bottleneck and the entropy of perturbation: optima written out, and what both share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from explainer_models import HandModel, conjunction, encoding, request, scores, smooth
from explainer_samples import reading, training_texts
from scipy.optimize import minimize_scalar
from scipy.special import expit
from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence

from assay.explainers.explanation import Explanation
from assay.explainers.masks.entropy_perturbation import EntropyPerturbation
from assay.explainers.masks.information_bottleneck import (
    InformationBottleneck,
    information,
    log_probability,
)
from assay.explainers.masks.learned_noise import LearnedNoise, NoisyText, Spread
from assay.explainers.protocol import Request, fitted, incompatibility
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

BOTH = (InformationBottleneck(steps=4, samples=2), EntropyPerturbation(steps=4, samples=2))
both = pytest.mark.parametrize("method", BOTH, ids=lambda method: method.name)


def explain(method: LearnedNoise, model: HandModel, requests: Sequence[Request]) -> list[list[Explanation]]:
    engine = Engine(reading(model))
    return fitted(method, engine, training_texts(len(model.labels))).explain(engine, requests, None)


def spread_by_hand(model: HandModel) -> tuple[np.ndarray, np.ndarray]:
    ids = [int(word) for example in training_texts(3) for word in example.texts[0].split()]
    values = model.table[ids].numpy()
    return values.mean(axis=0), values.std(axis=0)


@both
def test_the_spread_is_that_of_all_tokens_of_the_training_texts_but_the_special_ones(method) -> None:
    model = reading(smooth())
    found = Spread.of(method.name, Engine(model), training_texts(3))
    mean, deviation = spread_by_hand(model)
    np.testing.assert_allclose(found.mean.numpy(), mean, atol=1e-12)
    np.testing.assert_allclose(found.deviation.numpy(), deviation, atol=1e-12)
    assert found.typical == pytest.approx(np.sqrt((deviation**2).mean()))


def test_training_texts_are_chosen_by_their_names_whatever_their_order() -> None:
    method, examples = InformationBottleneck(texts=3), training_texts(3)
    engine = Engine(reading(smooth()))
    one, other = fitted(method, engine, examples), fitted(method, engine, examples[::-1])
    assert cast(Any, one).texts == cast(Any, other).texts and len(cast(Any, one).texts) == 3


@both
def test_the_training_texts_are_read_once_for_a_model(method, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    of = Spread.of
    monkeypatch.setattr(Spread, "of", lambda *given: asked.append(len(given[2])) or of(*given))
    engine, texts = Engine(reading(smooth())), training_texts(3)
    made = fitted(method, engine, texts)
    first, again = (made.explain(engine, [request((4, 9))], None)[0][0].scores for _ in range(2))
    assert asked == [len(texts)] and cast(Any, made).spread.texts == len(texts)
    # A changed model has values of its own.
    changed = made.explain(Engine(reading(smooth())), [request((4, 9))], None)[0][0].scores
    assert asked == [len(texts)] * 2
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, changed)


# The information bottleneck


@pytest.mark.parametrize("logit", [-12.0, -1.0, 0.0, 3.0])
def test_information_is_the_divergence_of_what_passes_from_noise(logit: float) -> None:
    standard = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    gate = torch.tensor(logit).double().sigmoid()
    expected = kl_divergence(
        Normal(gate * standard, (1 - gate).expand(5, 4)), Normal(torch.zeros(5, 4).double(), 1.0)
    )
    torch.testing.assert_close(information(torch.full((5, 1), logit).double(), standard), expected)


def test_open_gates_have_finite_information_in_single_precision() -> None:
    found = information(torch.full((1, 1), 60.0), torch.ones(1, 4))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, torch.full((1, 4), 60.0), rtol=1e-3, atol=0.1)


def test_the_log_probability_is_torchs() -> None:
    logits = torch.randn(6, 4).double()
    expected = Categorical(logits=logits).log_prob(torch.full((6,), 2))
    torch.testing.assert_close(log_probability(logits, 2, multi_label=False), expected)
    expected = Bernoulli(logits=logits[:, 2]).log_prob(torch.ones(6).double())
    torch.testing.assert_close(log_probability(logits, 2, multi_label=True), expected)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize(("beta", "slope"), [(0.3, -2.0), (0.1, -4.0), (0.03, -2.0), (0.1, 4.0)])
def test_one_token_has_the_bits_of_the_best_gate(multi_label: bool, beta: float, slope: float) -> None:
    """The loss of one gate is an integral over one normal variable; its least value is searched for."""

    def forward(embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        score = slope * embeddings[:, 0, 0]
        return torch.stack([torch.zeros_like(score), score], dim=1)

    model = HandModel(forward, 2, multi_label=multi_label)
    mean, deviation = spread_by_hand(model)
    standard = (model.table[9].numpy() - mean) / deviation
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def nats(logit: float) -> np.ndarray:
        gate = expit(logit)
        return ((1 - gate) ** 2 + (gate * standard) ** 2 - 1) / 2 - np.log(expit(-logit))

    def loss(logit: float) -> float:
        mixed = mean[0] + deviation[0] * (expit(logit) * standard[0] + expit(-logit) * nodes)
        return weights @ np.logaddexp(0, -slope * mixed) + beta * nats(logit).mean()

    grid = np.linspace(-8, 8, 400)
    near = grid[np.argmin([loss(logit) for logit in grid])]
    best = cast(Any, minimize_scalar(loss, bounds=(near - 0.1, near + 0.1), method="bounded")).x
    method = InformationBottleneck(beta=beta, steps=200, samples=100, rate=0.1)
    (records,) = explain(method, model, [request((9,), [1])])
    assert records[0].scores[0] == pytest.approx(nats(best).sum() / np.log(2), rel=0.05, abs=0.02)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("dimensions", [False, True])
def test_words_that_the_answer_needs_keep_their_bits_and_others_lose_them(
    multi_label: bool, dimensions: bool
) -> None:
    model = conjunction(4, 9)
    plain = model.forward
    model.forward = lambda e, a: 8 * plain(e, a) - torch.tensor([0, 4])
    model.table[20:] = torch.randn(10, 4, generator=torch.Generator().manual_seed(1)).double() / 4
    model.multi_label = multi_label
    method = InformationBottleneck(beta=0.05, dimensions=dimensions, steps=150)
    (records,) = explain(method, model, [request((4, 11, 12, 9, 13, 14), [1, 0])])
    found = records[0].scores
    assert found[[0, 3]].min() > 5 * found[[1, 2, 4, 5]].max()
    # For the other class nothing of them need pass.
    assert records[1].scores[[0, 3]].max() < found[[0, 3]].min() / 5


def test_the_weight_of_information_closes_gates() -> None:
    asked = request((4, 9, 5))
    closed, half, open_ = (
        scores(explain(InformationBottleneck(beta=beta, steps=40, rate=0.4), smooth(), [asked])[0])
        for beta in (1e6, 0.1, 1e-4)
    )
    assert closed.max() < 0.02
    assert 10 * closed.sum() < half.sum() < open_.sum() / 2


# The entropy of perturbation


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("weight", [0.5, 4.0])
def test_a_linear_model_bears_noise_in_inverse_proportion_to_its_weights(
    multi_label: bool, weight: float
) -> None:
    """E|change|^2 = sum of s_t^2 |W_t|^2, so that s_t^2 = weight / (2 n |W_t|^2) at the optimum."""
    out = torch.randn(4, 3, generator=torch.Generator().manual_seed(3)).double()
    factors = torch.tensor([1.0, 0.5, 2.0, 0.25]).double()[:, None]
    model = HandModel(lambda e, a: (e * factors).sum(dim=1) @ out + 0.5, 3, multi_label=multi_label)
    method = EntropyPerturbation(weight=weight, steps=250, samples=60, rate=0.1)
    (records,) = explain(method, model, [request((4, 9, 5, 12))])
    counted = out if multi_label else out - out.mean(dim=1, keepdim=True)
    norms = (factors[:, 0] * counted.norm()).numpy()
    most = method.most * np.sqrt((spread_by_hand(model)[1] ** 2).mean())
    share = np.sqrt(weight / (2 * 4)) / norms / most
    assert share.max() < 0.5
    for record in records:
        np.testing.assert_allclose(record.scores, -np.log2(share), atol=0.06)


def test_what_the_model_does_not_read_bears_all_noise() -> None:
    model = HandModel(lambda e, a: (e[:, [0, 2]].sum(dim=1) * 3)[:, :2], 2)
    method = EntropyPerturbation(weight=1.0, steps=200)
    found = explain(method, model, [request((4, 9, 5, 12), [0])])[0][0].scores
    assert found[[1, 3]].max() < 0.05 and found[[0, 2]].min() > 2


def test_what_is_added_to_all_classes_is_no_change_unless_these_are_labels() -> None:
    def model(*, multi_label: bool) -> HandModel:
        plain = smooth(multi_label=multi_label)
        forward = plain.forward
        plain.forward = lambda e, a: forward(e, a) + 9 * e[:, :1, 0]
        return plain

    asked = request((4, 9, 5, 12), [1])
    one, other = (
        explain(EntropyPerturbation(weight=1.0, steps=40), of, [asked])[0][0].scores
        for of in (smooth(), model(multi_label=False))
    )
    np.testing.assert_allclose(one, other, atol=1e-5)
    labels = explain(EntropyPerturbation(weight=1.0, steps=40), model(multi_label=True), [asked])[0][0].scores
    assert labels[0] > one[0] + 0.5


# What both share


@both
def test_special_tokens_get_nothing_and_stay(method) -> None:
    (records,) = explain(method, smooth(), [request((2, 4, 9, 3), specials=(0, 3))])
    assert not scores(records)[:, [0, 3]].any() and (scores(records)[:, 1:3] > 0).all()
    text = NoisyText.of(Engine(smooth()), request((2, 4, 9, 3), specials=(0, 3)))
    changed = text.logits(torch.zeros(2, 2, 4).double())
    expected = smooth().forward(
        torch.stack([smooth().table[2], *torch.zeros(2, 4).double(), smooth().table[3]])[None],
        torch.ones(1, 4, 1).double(),
    )
    torch.testing.assert_close(changed, expected.expand(2, -1))


@both
def test_a_text_of_special_tokens_alone_has_nothing_to_change(method) -> None:
    asked = replace(request((4, 9)), encoding=encoding((2, 3), specials=(0, 1)))
    (records,) = explain(method, smooth(), [asked])
    assert not scores(records).any()
    assert (records[0].cost.forward_rows, records[0].cost.backward_rows) == (1, 0) == method.model_rows(0, 3)


@both
@pytest.mark.parametrize("kind", ["linear", "cnn", "lstm", "tiny_bert"])
def test_models_are_untouched_and_counted(
    method, kind: str, request: pytest.FixtureRequest, toy_task: Task
) -> None:
    model = (
        request.getfixturevalue("tiny_bert")
        if kind == "tiny_bert"
        else request.getfixturevalue("word_model")(kind, trained=True)
    )
    model.network.requires_grad_(True)
    model.network.zero_grad()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    encodings = model.encode([example.texts for example in toy_task.test[:2]])
    requests = [Request(e, code, np.array([2, 0])) for e, code in zip(toy_task.test, encodings, strict=False)]
    engine = Engine(model)
    found = fitted(method, engine, toy_task.train[:20]).explain(engine, requests, None)
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())
    assert all(parameter.grad is None for parameter in model.network.parameters())
    model.network.requires_grad_(False)
    costs = [records[0].cost for records in found]
    assert sum(cost.forward_rows for cost in costs) == engine.counters.forward_rows
    assert sum(cost.backward_rows for cost in costs) == engine.counters.backward_rows
    for asked, records, cost in zip(requests, found, costs, strict=True):
        assert (cost.forward_rows, cost.backward_rows) == method.model_rows(asked.encoding.content.sum(), 2)
        same = (scores(records)[0] == scores(records)[1]).all()
        assert same == (not method.per_target)


@both
def test_it_is_refused_where_it_makes_no_sense(method) -> None:
    said = incompatibility(method, None, capabilities=frozenset(), rationales=False)
    assert said == "the model gives no gradients"
    has = frozenset({"gradients"})
    said = incompatibility(method, None, capabilities=has, rationales=False, training_texts=False)
    assert said == "it is made from training texts, and the task has none"
    assert incompatibility(method, None, capabilities=has, rationales=False) is None
    with pytest.raises(InputError, match=f"explainer '{method.name}' is made from training texts, but there"):
        fitted(method, Engine(smooth()), [])
    with pytest.raises(InputError, match=f"explainer '{method.name}' has not seen training texts yet"):
        method.explain(Engine(smooth()), [request((4, 9))], None)
    same = [Example(f"same {n}", ("22 22",), ()) for n in range(3)]
    with pytest.raises(InputError, match="that of 3 texts with 6 tokens does not vary; raise explainer"):
        engine = Engine(reading(smooth()))
        fitted(method, engine, same).explain(engine, [request((4, 9))], None)


@pytest.mark.parametrize("kind", [InformationBottleneck, EntropyPerturbation])
@pytest.mark.parametrize("options", [{"steps": 3}, {"samples": 0}, {"rate": 0.0}, {"texts": 0}])
def test_impossible_options_are_refused(kind, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"{kind.name}\.{next(iter(options))} is .*; expected"):
        kind(**options)


def test_impossible_weights_are_refused() -> None:
    with pytest.raises(InputError, match=r"information_bottleneck\.beta is 0.0; expected above 0"):
        InformationBottleneck(beta=0.0)
    for option in ("weight", "most"):
        with pytest.raises(InputError, match=rf"entropy_perturbation\.{option} is -1.0; expected above 0"):
            EntropyPerturbation(**cast(Any, {option: -1.0}))
