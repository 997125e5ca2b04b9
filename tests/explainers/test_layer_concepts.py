"""Concepts of a layer: planted factors, effects in closed form, and the layer given back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.explainers.concepts.concept_importance import ConceptEffects, concept_effects
from assay.explainers.concepts.concept_words import concept_use
from assay.explainers.concepts.dictionary import ConceptDictionary, error, learn, matched
from assay.explainers.concepts.layer_concepts import LearnedConcepts, layer_concepts_for, learned_concepts
from assay.explainers.concepts.layer_vectors import layer_vectors, sampled_vectors
from assay.explainers.written_words import written_words
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

LAYERS = [
    *(("maxpool", "pooled"), ("meanpool", "pooled"), ("cnn", "pooled"), ("vmask_cnn", "pooled")),
    *(("lstm", "states"), ("lstm", "state"), ("lstm", "hidden")),
    *(("tiny_bert", "layer_1"), ("tiny_bert", "layer_2"), ("tiny_bert", "head")),
]


@pytest.fixture
def model(request: pytest.FixtureRequest):
    if request.param == "tiny_bert":
        return request.getfixturevalue("tiny_bert")
    return request.getfixturevalue("word_model")(request.param, trained=request.param == "maxpool")


def _planted(*, signed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """300 vectors mixed of 4 directions, each of numbers of its own, half of them absent at a time."""
    rng = np.random.default_rng(0)
    directions = np.zeros((4, 20))
    for at in range(4):
        directions[at, 5 * at : 5 * at + 5] = rng.random(5) + 0.2
        if signed:
            directions[at, 5 * at : 5 * at + 2] *= -1
    mixed = rng.random((300, 4)) * (rng.random((300, 4)) < 0.5)
    return mixed @ directions, directions


@pytest.mark.parametrize("signed", [False, True])
def test_nmf_recovers_planted_factors_up_to_order_and_scale(signed: bool):
    vectors, directions = _planted(signed=signed)
    found = learned_concepts(vectors, 4, "nmf", seed=3)
    np.testing.assert_allclose(matched(found.dictionary.directions, directions), 1, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.dictionary.directions, axis=1), 1)
    assert found.error < 0.01 and found.stability.min() > 0.999
    assert found.by_chance < 0.9 and found.vectors == 300
    # The one that makes up most of the vectors is the first.
    used = found.dictionary.encode(vectors).sum(axis=0)
    assert (np.diff(used) <= 0).all() and used[3] > 0
    assert learned_concepts(vectors, 2, "nmf", seed=3).error > 0.3
    noise = learned_concepts(np.random.default_rng(8).random((300, 20)) - 0.5 * signed, 4, "nmf", seed=3)
    assert noise.error > 0.5 and noise.stability.mean() < 0.98


def test_kmeans_recovers_planted_centres():
    rng = np.random.default_rng(1)
    centres = 5 * rng.standard_normal((3, 8))
    which = np.repeat([0, 1, 2], [50, 30, 20])
    vectors = centres[which] + 0.1 * rng.standard_normal((100, 8))
    found = learned_concepts(vectors, 3, "kmeans")
    codes = found.dictionary.encode(vectors)
    np.testing.assert_array_equal(codes.sum(axis=1), 1)
    assert len({(one, int(two)) for one, two in zip(which, codes.argmax(axis=1), strict=True)}) == 3
    assert found.error < 0.05 and found.stability.min() > 0.999
    built = found.dictionary.rebuild(codes)
    np.testing.assert_allclose(built[0], vectors[:50].mean(axis=0))
    own = found.dictionary.degrees(vectors)[codes == 1]
    assert own.mean() == pytest.approx(1) and own.min() > 0.9
    # As many centres as vectors lose nothing.
    full = learn(vectors[:30], 30, "kmeans", 0)
    np.testing.assert_allclose(full.rebuild(full.encode(vectors[:30])), vectors[:30], atol=1e-12)


def test_coefficients_are_the_closest_that_are_not_negative():
    rng = np.random.default_rng(2)
    directions, vectors = rng.standard_normal((3, 5)), rng.standard_normal((20, 5))
    dictionary = ConceptDictionary("nmf", directions, np.zeros(5))
    codes = dictionary.encode(vectors)
    assert (codes >= 0).all()
    # What is left over pulls at no coefficient that could still move that way.
    pull = (vectors - dictionary.rebuild(codes)) @ directions.T
    assert np.abs(pull[codes > 0]).max() < 1e-9 and pull.max() < 1e-9
    # The same in any batch.
    np.testing.assert_allclose(codes[7:8], dictionary.encode(vectors[7:8]), rtol=1e-9)


def test_the_error_is_that_of_the_mean_or_none():
    vectors, _ = _planted()
    assert error(vectors, vectors) == 0
    assert error(vectors, np.broadcast_to(vectors.mean(axis=0), vectors.shape)) == pytest.approx(1)


def test_partners_are_found_whatever_their_order():
    rng = np.random.default_rng(4)
    directions = rng.random((4, 6))
    np.testing.assert_allclose(matched(directions, 3 * directions[[2, 0, 3, 1]]), 1)
    np.testing.assert_allclose(matched(np.eye(3), np.eye(3)[[0, 1, 1]]), [1, 1, 0])


def test_more_concepts_than_there_are_is_refused():
    vectors, _ = _planted()
    with pytest.raises(InputError, match=r"21 concepts are asked for; the layer has .* 20 non-negative"):
        learn(vectors, 21, "nmf", 0)
    with pytest.raises(InputError, match="0 concepts are asked for"):
        learn(vectors, 0, "kmeans", 0)
    with pytest.raises(InputError, match="4 concepts are asked for; the layer has 3 distinct vectors"):
        learn(vectors[[0, 1, 2, 0, 1]], 4, "kmeans", 0)
    with pytest.raises(InputError, match="the same in all texts"):
        learn(np.ones((5, 3)), 1, "nmf", 0)


def _effects(model, task: Task, layer: str, dictionary: ConceptDictionary, **more) -> list[ConceptEffects]:
    found = dict(concept_effects(Engine(model, budget=64), task.test, layer, dictionary, **more))
    return [found[at] for at in range(len(task.test))]


def _logits(model, task: Task) -> np.ndarray:
    from assay.models.masked_inputs import full_rows

    encodings = model.encode([example.texts for example in task.test])
    return np.concatenate(Engine(model).logits([full_rows(encoding) for encoding in encodings]))


def _width(model, task: Task, layer: str) -> int:
    return sampled_vectors(Engine(model), task.test[:1], layer, 10, 0).shape[1]


@pytest.mark.parametrize(("model", "layer"), LAYERS, indirect=["model"])
def test_concepts_that_span_the_layer_give_the_decision_back(model, layer: str, toy_task: Task):
    width = _width(model, toy_task, layer)
    whole = ConceptDictionary("nmf", np.vstack([np.eye(width), -np.eye(width)]), np.zeros(width))
    task = replace(toy_task, test=toy_task.test[:5])
    effects = _effects(model, task, layer, whole, points=2)
    expected = _logits(model, task)
    np.testing.assert_allclose([one.logits for one in effects], expected, atol=1e-4)
    assert expected.std(axis=0).max() > 1e-2
    # Without any concept, texts are all the same, whatever their length.
    empty = np.array([one.empty for one in effects])
    np.testing.assert_allclose(empty, np.broadcast_to(empty[0], empty.shape), atol=1e-5)


@pytest.mark.parametrize(("model", "layer"), [("maxpool", "pooled"), ("cnn", "pooled")], indirect=["model"])
def test_nmf_of_full_rank_keeps_the_decisions(model, layer: str, toy_task: Task):
    vectors = sampled_vectors(Engine(model), toy_task.test, layer, 1000, 0)
    found = learn(vectors, min(len(vectors), 2 * vectors.shape[1]) if (vectors < 0).any() else 12, "nmf", 0)
    kept = np.array([one.logits for one in _effects(model, toy_task, layer, found, points=2)])
    np.testing.assert_array_equal(kept.argmax(axis=1), _logits(model, toy_task).argmax(axis=1))


@pytest.mark.parametrize("number", [3, 9])
def test_below_a_linear_head_the_effects_are_those_of_closed_form(number: int, word_model, toy_task: Task):
    """A part g of a sum has g^2 / sum of all g^2 of the variance; 9 concepts are drawn, 3 are all asked."""
    model, rng = word_model("maxpool", trained=True), np.random.default_rng(5)
    head = model.network.dense.weight.detach().double().numpy()
    directions = rng.random((number, 12))
    # The head does not read the first one, in any class.
    basis, _ = np.linalg.qr(head.T)
    directions[0] -= basis @ (basis.T @ directions[0])
    origin = -2 * rng.random(12)
    dictionary = ConceptDictionary("nmf", directions, origin)
    encodings = model.encode([example.texts for example in toy_task.test])
    pooled = dict(layer_vectors(Engine(model), encodings, "pooled"))
    bias, present = model.network.dense.bias.detach().numpy(), []
    for at, one in enumerate(
        _effects(model, toy_task, "pooled", dictionary, points=256 if number > 3 else 2)
    ):
        codes = dictionary.encode(pooled[at].astype(np.float64))[0]
        parts = codes[:, None] * (directions @ head.T)
        np.testing.assert_allclose(one.deletion, parts, atol=1e-5)
        np.testing.assert_allclose(one.empty, head @ origin + bias, atol=1e-5)
        np.testing.assert_allclose(one.logits, one.empty + parts.sum(axis=0), atol=1e-5)
        shares = parts**2 / np.maximum((parts**2).sum(axis=0), 1e-9)
        np.testing.assert_allclose(one.sobol, shares, atol=1e-5 if number == 3 else 0.1)
        assert np.abs(one.sobol[0]).max() < 1e-9 and np.abs(one.deletion[0]).max() < 1e-5
        present.append(codes)
    # Several are in a text at once, and the one that is not read is in some.
    assert max(one[0] for one in present) > 0 and np.count_nonzero(present, axis=1).max() >= min(number, 4)


def test_above_a_curved_layer_the_index_is_that_of_all_coalitions(word_model, toy_task: Task):
    model = word_model("lstm")
    encodings = model.encode([example.texts for example in toy_task.test])
    state = dict(layer_vectors(Engine(model), encodings, "state"))[0][0].astype(np.float64)
    # The state of the first text in two parts, each there once.
    directions = state * np.array([np.arange(16) % 2, np.arange(16) % 2 == 0])
    dictionary = ConceptDictionary("nmf", directions, np.zeros(16))
    codes = dictionary.encode(state[None])[0]
    np.testing.assert_allclose(codes, 1)
    (first, *_) = _effects(model, toy_task, "state", dictionary, points=2)
    network = model.network
    with torch.no_grad():
        kept = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        states = torch.from_numpy(kept * codes @ directions).float()
        values = network.dense(torch.relu(network.hidden(states))).double().numpy()
    variance = values.var(axis=0)
    by_first = ((values[2:] - values[:2]) ** 2).mean(axis=0) / 4 / variance
    by_second = ((values[1::2] - values[::2]) ** 2).mean(axis=0) / 4 / variance
    np.testing.assert_allclose(first.sobol, [by_first, by_second], atol=1e-4)


@pytest.mark.parametrize(("model", "layer"), [("lstm", "states"), ("tiny_bert", "head")], indirect=["model"])
def test_a_sample_depends_on_its_seed_alone(model, layer: str, toy_task: Task):
    every = sampled_vectors(Engine(model), toy_task.test, layer, 10_000, 0)
    few = [sampled_vectors(Engine(model, budget=b), toy_task.test, layer, 7, 0) for b in (16, 100_000)]
    assert few[0].shape == (7, every.shape[1])
    np.testing.assert_allclose(few[0], few[1], atol=1e-5)
    # They are vectors of the layer.
    distances = np.abs(few[0][:, None] - every[None]).max(axis=2).min(axis=1)
    assert distances.max() < 1e-5
    other = sampled_vectors(Engine(model), toy_task.test, layer, 7, 1)
    assert np.abs(np.sort(other, axis=0) - np.sort(few[0], axis=0)).max() > 1e-3
    tokens = [len(encoding) for encoding in model.encode([e.texts for e in toy_task.test])]
    assert len(every) == (sum(tokens) if layer == "states" else len(toy_task.test))


def test_words_of_a_layer_of_tokens_have_the_mean_of_their_pieces(tiny_bert, toy_task: Task):
    dictionary = ConceptDictionary("nmf", np.random.default_rng(7).standard_normal((2, 32)), np.zeros(32))
    engine, examples = Engine(tiny_bert), toy_task.test
    found = concept_use(engine, examples, "layer_1", dictionary, of_tokens=True, count=1000)
    encodings = tiny_bert.encode([example.texts for example in examples])
    vectors = dict(layer_vectors(engine, encodings, "layer_1"))
    parts: dict[str, list[np.ndarray]] = {}
    for at, (example, encoding) in enumerate(zip(examples, encodings, strict=True)):
        codes = dictionary.encode(vectors[at].astype(np.float64))
        np.testing.assert_allclose(found.of_texts[at], codes[1:-1].mean(axis=0), atol=1e-6)
        for word, places in written_words(example.texts, encoding):
            parts.setdefault(word, []).append(codes[places].mean(axis=0))
    assert any(len(word) >= 8 for word in parts)
    mean = np.concatenate([*parts.values()]).mean(axis=0)
    for concept in range(2):
        expected = {word: float(np.mean(of_word, axis=0)[concept]) for word, of_word in parts.items()}
        above = {word: part for word, part in expected.items() if part > mean[concept]}
        assert dict(found.words[concept]) == pytest.approx(above, abs=1e-5)
        telling = [(part - mean[concept]) * len(parts[word]) ** 0.5 for word, part in found.words[concept]]
        assert (np.diff(telling) < 1e-6).all() and len(telling) > 3


def test_words_of_a_layer_of_texts_are_those_it_cannot_do_without(word_model, toy_task: Task):
    model = word_model("maxpool", trained=True)
    head = model.network.dense.weight.detach().double().numpy()
    keywords = (0, {"awful", "boring", "dreadful"}), (2, {"wonderful", "brilliant", "delightful"})
    for label, known in keywords:
        dictionary = ConceptDictionary("nmf", head[label : label + 1] - head.mean(axis=0), np.zeros(12))
        found = concept_use(Engine(model), toy_task.test, "pooled", dictionary, of_tokens=False, count=3)
        ((first, part), *others) = found.words[0]
        assert first in known and part > 0
        assert all(other > 0 for _, other in others)


def test_a_text_of_one_word_can_do_without_it(word_model):
    model = word_model("maxpool", trained=True)
    dictionary = ConceptDictionary("nmf", np.eye(12), np.zeros(12))
    example = Example("one", ("wonderful",), (0,))
    found = concept_use(Engine(model), [example], "pooled", dictionary, of_tokens=False)
    encodings = model.encode([example.texts])
    ((_, vectors),) = layer_vectors(Engine(model), encodings, "pooled")
    for number, value in enumerate(vectors[0]):
        np.testing.assert_allclose(found.of_texts[0, number], max(0, value), atol=1e-6)


def test_a_class_has_the_mean_effects_of_its_texts():
    dictionary = ConceptDictionary("nmf", np.eye(2), np.zeros(2))
    learned = LearnedConcepts(dictionary, 3, 0.1, np.array([0.8, 0.9]), 0.3)
    from assay.explainers.concepts.concept_words import ConceptUse

    use = ConceptUse(np.array([[0, 2.0], [1, 3], [0, 1]]), ((("a", 1.0),), ()))
    zeros = np.zeros(1)
    effects = [
        ConceptEffects(np.array([[0.2], [0.8]]), np.array([[1.0], [-2]]), zeros, zeros),
        ConceptEffects(np.array([[0.4], [0.4]]), np.array([[2.0], [-4]]), zeros, zeros),
    ]
    first, second = layer_concepts_for(learned, use, effects, 0, texts=2)
    assert (first.number, first.sobol, first.deletion, first.texts) == (1, pytest.approx(0.6), -3, (1, 0))
    assert (second.number, second.words, second.texts, second.stability) == (0, (("a", 1.0),), (1,), 0.8)
