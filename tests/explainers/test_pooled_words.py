"""Attributions of pooled vectors, mapped back to words: which identities hold, and on which models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import factorial
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import WIDTH, HandModel, request, scores
from numpy.typing import NDArray
from open_models import one_batch, requests_for

from assay.explainers.baselines import Baseline, Delete, Mask, Pad, Unknown, Zero
from assay.explainers.gradient.saliency import InputXGradient
from assay.explainers.paths.integrated_gradients import IntegratedGradients, nodes
from assay.explainers.paths.path_gradients import straight_paths
from assay.explainers.pooled.contributions import contributions
from assay.explainers.pooled.pooled_words import PooledExplainer, PooledIG, PooledShapley
from assay.explainers.pooled.routing import moved, to_tokens
from assay.explainers.protocol import Request, incompatibility
from assay.explainers.sampled_baselines import Mean, RandomTokens
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.protocol import Batch, Pool, capabilities
from assay.tasks.example import Example, Task

METHODS = (PooledIG(steps=1), PooledShapley(steps=1))
POOLING = ("maxpool", "meanpool", "cnn", "vmask_cnn")
# The same vector in every place; and a token of its own for each.
UNIFORM = (Pad(), Mask(), Unknown(), Zero(), Mean())
BASELINES = (*UNIFORM, RandomTokens(draws=1))
TASKS = ("toy_task", "toy_multi_label_task", "toy_pair_task")

methods = pytest.mark.parametrize("explainer", METHODS, ids=["ig", "shapley"])
models = pytest.mark.parametrize("name", POOLING)
baselines = pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
tasks = pytest.mark.parametrize("task", TASKS, indirect=True)


@pytest.fixture
def task(request: pytest.FixtureRequest) -> Task:
    return request.getfixturevalue(request.param)


def part(baseline: Baseline, engine: Engine, task: Task) -> Baseline:
    """The baseline, fitted; the one draw of one that draws."""
    (plain,) = baseline.fitted(engine, task.train).parts(0)
    return plain


def explain(explainer: Any, engine: Engine, asked: Request, baseline: Baseline | None) -> NDArray[np.float32]:
    """(M, T)."""
    (found,) = explainer.explain(engine, [asked], baseline)
    return scores(found)


def shapley(engine: Engine, asked: Request, baseline: Baseline) -> NDArray[np.float64]:
    """(M, T) exact Shapley values of the model's logits, by asking it all coalitions of content tokens."""
    players = np.flatnonzero(asked.encoding.content)
    n = len(players)
    coalitions = np.array(list(product([False, True], repeat=n)))
    keep = np.broadcast_to(~asked.encoding.content, (len(coalitions), len(asked.encoding))).copy()
    keep[:, players] = coalitions
    (logits,) = engine.logits([baseline.rows(engine.model, asked.encoding, keep)])
    worth = dict(zip(map(tuple, coalitions.tolist()), logits[:, asked.targets], strict=True))
    exact = np.zeros((len(asked.targets), len(asked.encoding)))
    for coalition, value in worth.items():
        for at, player in enumerate(players):
            if not coalition[at]:
                size = sum(coalition)
                share = factorial(size) * factorial(n - size - 1) / factorial(n)
                exact[:, player] += share * (worth[(*coalition[:at], True, *coalition[at + 1 :])] - value)
    return exact


def of_words(model, texts: tuple[str, ...], targets: tuple[int, ...] = (1, 0)) -> Request:
    (encoding,) = model.encode([texts])
    return Request(Example("words", texts, ()), encoding, np.array(targets))


@methods
@models
@pytest.mark.parametrize(
    ("task", "baseline"),
    [
        *(pytest.param("toy_task", baseline, id=baseline.name) for baseline in BASELINES),
        *(pytest.param(name, BASELINES[-1], id=f"{name}-random") for name in TASKS[1:]),
    ],
    indirect=["task"],
)
def test_nothing_is_lost_on_the_way_to_the_words(
    word_model: Callable, task: Task, name: str, baseline: Baseline, explainer: PooledExplainer
):
    """The tokens' parts of every number sum to its change, and the scores to the change of the logit; tokens
    that are never absent get nothing."""
    model = word_model(name, trained=task.name == "toy", task=task)
    engine = Engine(model)
    plain = part(baseline, engine, task)
    requests = [replace(one, targets=np.arange(2)) for one in requests_for(model, task)]
    paths = straight_paths(engine, requests, plain, np.ones(1))
    for batch in engine.pooled(paths, nodes(1, "gauss_legendre")):
        changes = torch.cat([pool.vectors[0] - pool.vectors[1] for pool in batch.pools], dim=1)
        for row in range(len(batch.path)):
            parts = moved(batch, row, type(explainer).amounts)
            np.testing.assert_allclose(parts.sum(axis=0), changes[row].numpy(), rtol=0, atol=1e-6)
    for asked, found in zip(requests, explainer.explain(engine, requests, plain), strict=True):
        for record in found:
            size = max(1.0, float(np.abs(record.scores).sum()))
            assert abs(record.completeness_gap) < 1e-6 * size
            assert not record.scores[~asked.encoding.content].any()


@pytest.mark.parametrize("name", ["maxpool", "meanpool"])
@baselines
@tasks
def test_shapley_values_are_the_models(word_model: Callable, task: Task, name: str, baseline: Baseline):
    """On 8 words, two of them repeated; [SEP] of a pair is always there."""
    model = word_model(name, trained=True, task=task)
    engine, plain = Engine(model), part(baseline, Engine(model), task)
    words = "the wonderful film the awful plot again film"
    pair = ("the wonderful film the", "awful plot again film")
    asked = of_words(model, pair if task.pairs else (words,))
    assert asked.encoding.content.sum() == 8
    found = explain(PooledShapley(), engine, asked, plain)
    np.testing.assert_allclose(found, shapley(engine, asked, plain), rtol=0, atol=2e-6)


@pytest.mark.parametrize("baseline", UNIFORM, ids=lambda baseline: baseline.name)
def test_shapley_values_are_the_models_where_filters_read_one_word(toy_task: Task, baseline: Baseline):
    model = Cnn(dimensions=8, channels=12, widths=(1,)).untrained(toy_task, 0)
    model.network.requires_grad_(False)
    engine, plain = Engine(model), part(baseline, Engine(model), toy_task)
    asked = of_words(model, ("the wonderful film the awful plot again film",))
    found = explain(PooledShapley(), engine, asked, plain)
    np.testing.assert_allclose(found, shapley(engine, asked, plain), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["maxpool", "meanpool"])
@pytest.mark.parametrize("baseline", UNIFORM, ids=lambda baseline: baseline.name)
@pytest.mark.parametrize("task", TASKS[:2], indirect=True)
def test_they_are_integrated_gradients_of_the_words(
    word_model: Callable, task: Task, name: str, baseline: Baseline
):
    """The winner of a maximum wins on the whole path where every absent word has the same vector."""
    model = word_model(name, trained=True, task=task)
    engine, plain = Engine(model), part(baseline, Engine(model), task)
    for asked in requests_for(model, task):
        found = explain(PooledIG(), engine, asked, plain)
        expected = explain(IntegratedGradients(), engine, asked, plain)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_they_are_integrated_gradients_beside_a_special_token(word_model: Callable, toy_pair_task: Task):
    """[SEP] may hold a maximum on a part of the path, but the words have all of the change between them."""
    model = word_model("maxpool", trained=True, task=toy_pair_task)
    engine = Engine(model)
    # A path with kinks.
    middle = IntegratedGradients(steps=4000, rule="riemann_middle")
    for asked in requests_for(model, toy_pair_task, count=3):
        asked = replace(asked, targets=np.array([1, 0]))
        found = explain(PooledIG(), engine, asked, Mask())
        np.testing.assert_allclose(found, explain(middle, engine, asked, Mask()), rtol=0, atol=2e-3)


def test_they_are_not_integrated_gradients_where_winners_change(word_model: Callable, toy_task: Task):
    """As the pages of both methods say: absent words that differ, and n-grams."""
    for name, baseline in (("maxpool", RandomTokens(draws=1)), ("cnn", Mask())):
        model = word_model(name, trained=True)
        engine = Engine(model)
        plain = part(baseline, engine, toy_task)
        found = [
            explain(PooledIG(), engine, asked, plain) - explain(IntegratedGradients(), engine, asked, plain)
            for asked in requests_for(model, toy_task)
        ]
        assert max(np.abs(difference).max() for difference in found) > 1e-2


def test_against_zero_they_are_the_gradient_x_the_word(word_model: Callable, toy_task: Task):
    """The head is linear, so its gradient is everywhere that at the text."""
    model = word_model("maxpool", trained=True)
    engine = Engine(model)
    for asked in requests_for(model, toy_task):
        found = explain(PooledIG(), engine, asked, Zero())
        mean = explain(InputXGradient("mean"), engine, asked, None)
        np.testing.assert_allclose(found, 12 * mean, rtol=0, atol=1e-5)


@methods
def test_equal_words_share_alike(word_model: Callable, explainer: PooledExplainer):
    for name in ("maxpool", "meanpool"):
        model = word_model(name, trained=True)
        engine = Engine(model)
        twice = explain(explainer, engine, of_words(model, ("awful film awful",)), Mask())
        np.testing.assert_allclose(twice[:, 0], twice[:, 2], rtol=0, atol=1e-7)
        assert np.abs(twice[:, 0]).min() > 1e-2


def test_only_words_of_a_filters_best_window_get_its_part(word_model: Callable, toy_task: Task):
    """By hand: each filter's windows, the best of them, and its words."""
    model = word_model("cnn", trained=True)
    engine = Engine(model)
    for asked in requests_for(model, toy_task):
        batch, length = one_batch(asked), len(asked.encoding)
        words = model.embed(batch.ids)[0]
        winning = np.zeros(length, dtype=bool)
        for width in (2, 3):
            convolution = model.network.convolutions[str(width)]
            text = torch.nn.functional.pad(words, (0, 0, width - 1, width - 1))
            windows = torch.stack([text[at : at + width] for at in range(length + width - 1)])
            answers = torch.relu(torch.einsum("nwe,cew->nc", windows, convolution.weight) + convolution.bias)
            for window in set(answers.argmax(dim=0)[answers.amax(dim=0) > 1e-3].tolist()):
                winning[max(0, window - width + 1) : window + 1] = True
            # Where no window answers, all lost alike.
            winning |= bool((answers.amax(dim=0) <= 1e-3).any())
        found = explain(PooledIG(), engine, asked, Mask())
        assert not found[:, ~winning].any()
        assert found.any()


def test_a_windows_part_goes_to_the_words_that_push_it_that_way():
    # Three tokens, windows of two: (-, a), (a, b), (b, c), (c, -), of which the second and third have a part.
    amounts = np.array([[0.0], [6.0], [-4.0], [0.0]])
    first, last = np.array([1.0, -2.0, 5.0]), np.array([0.0, 2.0, 3.0])
    parts = np.stack([first, last])[..., None]
    shared = to_tokens(amounts, parts, np.array([True, True, True]))
    # a and b push the second up by 1 and 2; of the third b pushes down by 2 and c does not.
    np.testing.assert_allclose(shared[:, 0], [2, 4 - 4, 0])
    # A token that is never absent has no part, whatever its push.
    shared = to_tokens(amounts, parts, np.array([True, False, True]))
    np.testing.assert_allclose(shared[:, 0], [6, 0, -4])
    np.testing.assert_allclose(to_tokens(amounts, 0 * parts, np.ones(3, bool))[:, 0], [3, 3 - 2, -2])


def tanh_head(averaged: bool) -> HandModel:
    """Pooled words under a head that is not linear, in double precision."""
    hidden = torch.randn(WIDTH, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    out = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def head(vector: torch.Tensor) -> torch.Tensor:
        return torch.tanh(vector @ hidden / 2) @ out

    def pools(entry: torch.Tensor, batch: Batch) -> list[Pool]:
        real = batch.attention[..., None]
        if averaged:
            values = entry * real / real.sum(dim=1, keepdim=True)
            return [Pool(True, values.sum(dim=1), values)]
        return [Pool(False, entry.masked_fill(~real, -torch.inf).amax(dim=1), entry)]

    def forward(entry: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        batch = Batch(entry[..., 0].long(), attention[..., 0] > 0, entry[..., 0].long())
        return head(pools(entry, batch)[0].vector)

    model = HandModel(forward, 3)
    model.__dict__.update(pools=pools, logits_from_pooled=head)
    return model


@pytest.mark.parametrize("averaged", [True, False])
def test_under_a_head_that_is_not_linear(averaged: bool):
    """Sums hold, PooledIG is integrated gradients of the words; Shapley values are no more the model's."""
    model = tanh_head(averaged)
    engine = Engine(model)
    asked = request((4, 9, 5, 12, 7, 20, 9, 11))
    for explainer in (PooledIG(), PooledShapley()):
        for record in explainer.explain(engine, [asked], Mask())[0]:
            assert abs(record.completeness_gap) < 1e-6
    words = explain(IntegratedGradients(steps=200), engine, asked, Mask())
    np.testing.assert_allclose(explain(PooledIG(), engine, asked, Mask()), words, rtol=0, atol=1e-6)
    found = explain(PooledShapley(), engine, asked, Mask())
    assert np.abs(found - shapley(engine, asked, Mask())).max() > 1e-3
    # Too few points on the line miss the sum, and the record says so.
    (coarse, *_) = PooledIG(steps=1).explain(engine, [asked], Mask())[0]
    assert abs(coarse.completeness_gap) > 1e-3


@methods
def test_padding_never_wins(word_model: Callable, explainer: PooledExplainer):
    """Words below the padding's zero keep their own maximum in a batch with a longer text."""
    model = word_model("maxpool")
    engine = Engine(model)
    texts = ("awful", "the film with a plot about the music of the story again")
    asked = [of_words(model, (text,)) for text in texts]
    assert (model.embed(torch.from_numpy(asked[0].encoding.ids.astype(np.int64))) < 0).any()
    together = explainer.explain(engine, asked, Mask())
    np.testing.assert_allclose(
        scores(together[0]), explain(explainer, engine, asked[0], Mask()), rtol=0, atol=1e-6
    )


@methods
def test_other_models_and_baselines_are_refused_with_a_reason(
    word_model: Callable, tiny_bert: Any, explainer: PooledExplainer
):
    for model in (word_model("lstm"), word_model("linear"), tiny_bert):
        has = capabilities(model)
        found = incompatibility(explainer, Mask(), capabilities=has, rationales=True)
        assert found == "the model gives no pooled vector"
    has = capabilities(word_model("maxpool"))
    assert incompatibility(explainer, Mask(), capabilities=has, rationales=True) is None
    found = incompatibility(explainer, Delete(), capabilities=has, rationales=True)
    assert found is not None and found.startswith("baseline 'delete' changes the text's length")


@methods
@models
def test_contributions_are_means_of_what_explains_the_texts(
    word_model: Callable, toy_task: Task, name: str, explainer: PooledExplainer
):
    model = word_model(name, trained=True)
    engine = Engine(model)
    plain = RandomTokens(draws=2).fitted(engine, toy_task.train)
    requests = [replace(one, targets=np.array([2])) for one in requests_for(model, toy_task)]
    found = contributions(explainer, engine, requests, plain)
    records = [record for of in plain.parts(2) for (record,) in explainer.explain(engine, requests, of)]
    changes = [record.value_input - record.value_baseline for record in records]
    np.testing.assert_allclose(found.numbers.sum(), np.mean(changes), rtol=0, atol=1e-6)
    np.testing.assert_allclose(sum(found.words.values()), found.numbers, rtol=0, atol=1e-9)
    word = requests[0].encoding.tokens[0].lower()
    expected = [
        record.scores[at]
        for record in records
        for at, token in enumerate(record.tokens)
        if token.lower() == word
    ]
    np.testing.assert_allclose(found.words[word].sum(), sum(expected) / len(records), rtol=0, atol=1e-6)
    less = found.minus(contributions(explainer, engine, requests[:2], plain))
    np.testing.assert_allclose(sum(less.words.values()), less.numbers, rtol=0, atol=1e-9)
