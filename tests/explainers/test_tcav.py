"""TCAV: scores against captum's, a test that holds under null concepts, probes and ConceptSHAP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay.explainers.concepts.completeness import EXACT, completeness, shapley_values
from assay.explainers.concepts.pools import Pool, concept_pools
from assay.explainers.concepts.probes import probe
from assay.explainers.concepts.tcav import chance, derivatives, draw_errors
from assay.explainers.concepts.text_vectors import layer_gradients, text_vectors
from assay.explainers.concepts.vectors import Method, directions
from assay.models.backward_rule import AUTOGRAD
from assay.models.engine import Engine
from assay.models.protocol import Batch
from assay.models.word_model import WordModel
from assay.tasks.concept_labels import label_concepts
from assay.tasks.concepts import Concept
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.grouping import text_key

METHODS: tuple[Method, ...] = ("difference", "classifier")


class _WithLayer(nn.Module):
    """A word model from its embeddings to its logits, with a module where a layer is."""

    def __init__(self, model: WordModel, name: str) -> None:
        super().__init__()
        self.model, self.name, self.layer = model, name, nn.Identity()

    def forward(self, entry: Tensor) -> Tensor:
        rows, width, _ = entry.shape
        ids = torch.zeros((rows, width), dtype=torch.int64)
        batch = Batch(ids, torch.ones((rows, width), dtype=torch.bool), ids)
        return self.model.open_logits(
            entry, batch, AUTOGRAD, lambda name, value: self.layer(value) if name == self.name else value
        )


@pytest.mark.parametrize(("name", "layer"), [("maxpool", "pooled"), ("cnn", "pooled"), ("lstm", "hidden")])
@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_captum(
    name: str,
    layer: str,
    method: Method,
    word_model: Callable[..., WordModel],
    toy_task: Task,
    tmp_path: Path,
) -> None:
    from captum.concept import TCAV, Classifier
    from captum.concept import Concept as CaptumConcept

    model = word_model(name, trained=True)
    texts = [text for text in (*toy_task.train, *toy_task.test) if len(text.texts[0].split()) == 6]
    inside = np.array(["film" in text.texts[0] or "plot" in text.texts[0] for text in texts])
    assert min(inside.sum(), (~inside).sum()) >= 3

    def entry(members: list[Example]) -> Tensor:
        ids = np.stack([encoding.ids for encoding in model.encode([text.texts for text in members])])
        return model.embed(torch.from_numpy(ids.astype(np.int64))).detach()

    class Same(Classifier):
        """The CAV of Assay, of the activations that captum found."""

        def __init__(self) -> None:
            self.unit = torch.zeros(0)

        def train_and_eval(self, dataloader: Any, **kwargs: Any) -> dict[str, float]:
            rows, labels = (torch.cat(part) for part in zip(*dataloader, strict=True))
            found = directions(rows.numpy(), (labels.numpy() == 0)[None], method)
            self.unit = torch.from_numpy(found.unit)
            return {"accs": 1.0}

        def weights(self) -> Tensor:
            return torch.cat([self.unit, -self.unit])

        def classes(self) -> list[int]:
            return [0, 1]

    sides = [
        [text for text, has in zip(texts, inside, strict=True) if has == wanted] for wanted in (True, False)
    ]
    data: list[Any] = [[entry(side)] for side in sides]
    concepts = [CaptumConcept(number, f"c{number}", one) for number, one in enumerate(data)]
    theirs = TCAV(
        _WithLayer(model, layer), ["layer"], classifier=Same(), save_path=str(tmp_path), model_id="m"
    )
    engine, target = Engine(model), 2
    asked = [text for text in texts if text.texts[0]]
    scores = theirs.interpret(entry(asked), [concepts], target=target)["0-1"]["layer"]

    own = directions(text_vectors(engine, texts, [layer])[layer], inside[None], method)
    counted = np.ones((len(asked), 1), dtype=bool)
    found = derivatives(engine, asked, layer, np.array([target]), counted, own.unit)
    assert found.sign_count[0, 0] == pytest.approx(float(scores["sign_count"][0]), abs=1e-6)
    assert found.magnitude[0, 0] == pytest.approx(float(scores["magnitude"][0]), rel=1e-4, abs=1e-6)
    assert float(scores["sign_count"][0]) + float(scores["sign_count"][1]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["maxpool", "lstm", "cnn"])
def test_derivatives_are_those_of_moving_the_whole_layer(
    name: str, word_model: Callable[..., WordModel], toy_task: Task
) -> None:
    model = word_model(name, trained=True)
    layer = "states" if name == "lstm" else "pooled"
    example, size = toy_task.test[3], 1e-3
    (found,) = layer_gradients(Engine(model), [example], layer, np.array([1]))
    (encoding,) = model.encode([example.texts])
    ids = torch.from_numpy(encoding.ids.astype(np.int64))[None]
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
    unit = torch.from_numpy(np.random.default_rng(0).standard_normal(found.vectors.shape[1])).float()

    def logit(step: float) -> float:
        def hook(name: str, value: Tensor) -> Tensor:
            return value + step * unit if name == layer else value

        with torch.inference_mode():
            return float(model.open_logits(model.embed(ids), batch, AUTOGRAD, hook)[0, 1])

    slope = (logit(size) - logit(-size)) / (2 * size)
    assert float(found.gradients[0, 0] @ unit.numpy()) == pytest.approx(slope, rel=2e-2, abs=2e-3)


def test_a_layer_is_the_mean_over_tokens_whatever_the_batch(
    word_model: Callable[..., WordModel], toy_task: Task
) -> None:
    model = word_model("lstm", trained=True)
    together = text_vectors(Engine(model), toy_task.test, ["states", "hidden"])
    assert together["states"].dtype == np.float32 and together["states"].shape == (24, 16)
    for number, example in enumerate(toy_task.test[:4]):
        alone = text_vectors(Engine(model), [example], ["states", "hidden"])
        for layer, rows in alone.items():
            np.testing.assert_allclose(together[layer][number], rows[0], atol=1e-5)
        (gradients,) = layer_gradients(Engine(model), [example], "states", np.array([0]))
        np.testing.assert_allclose(gradients.vectors[0], alone["states"][0], atol=1e-5)


def test_directions_are_the_difference_of_means_and_the_weights_of_a_classifier() -> None:
    rng = np.random.default_rng(1)
    vectors, has = rng.standard_normal((40, 5)), np.arange(40) % 3 == 0
    vectors[has, 2] += 4
    found = directions(vectors, np.stack([has, ~has]), "difference")
    difference = vectors[has].mean(axis=0) - vectors[~has].mean(axis=0)
    np.testing.assert_allclose(found.unit[0], difference / np.linalg.norm(difference))
    np.testing.assert_allclose(found.gaps, np.linalg.norm(difference))
    np.testing.assert_allclose(found.unit[1], -found.unit[0])
    assert found.absent[0] == pytest.approx(vectors[~has].mean(axis=0) @ found.unit[0])
    # Ridge regression in closed form; the scale of the layer changes nothing.
    centred = vectors - vectors.mean(axis=0)
    penalty = (centred**2).sum() / 5 * np.eye(5)
    weights = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (has - has.mean()))
    for scale in (1, 1e-3, 100):
        of_classifier = directions(scale * vectors, has[None], "classifier")
        np.testing.assert_allclose(of_classifier.unit[0], weights / np.linalg.norm(weights), rtol=1e-6)
    nothing = directions(np.ones((4, 2)), np.array([[True, True, False, False]]), "classifier")
    assert not nothing.unit.any() and not nothing.gaps.any()


def _null_rates(method: Method, concepts: int) -> tuple[float, float]:
    """How often null concepts are rejected at .05 and .01; vectors are correlated and far from normal."""
    rng = np.random.default_rng(7)
    vectors = (rng.standard_exponential((400, 12)) @ rng.standard_normal((12, 12))).astype(np.float32)
    gradient = rng.standard_normal((1, 12))
    has, p = np.arange(40) < 20, []
    for _ in range(concepts):
        drawn = vectors[rng.permutation(400)[:40]]
        found = directions(drawn, has[None], method)
        effect = (found.unit @ gradient.T)[0] * found.gaps
        p.append(chance(drawn, has, gradient, effect, method, 99, rng)[0])
    return float(np.mean(np.array(p) <= 0.05)), float(np.mean(np.array(p) <= 0.01))


@pytest.mark.parametrize("method", METHODS)
def test_null_concepts_are_rejected_as_often_as_said(method: Method) -> None:
    at_5, at_1 = _null_rates(method, 1000)
    assert 0.032 <= at_5 <= 0.070 and at_1 < 0.022


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_concept_is_told_and_equal_effects_are_not(method: Method) -> None:
    rng = np.random.default_rng(2)
    vectors, has = rng.standard_normal((60, 8)).astype(np.float32), np.arange(60) < 25
    vectors[has, 0] += 1.5
    gradients = np.eye(8)[:2]

    def p_of(values: np.ndarray) -> np.ndarray:
        found = directions(values, has[None], method)
        effects = (found.unit @ gradients.T)[0] * found.gaps
        return chance(values, has, gradients, effects, method, 199, rng)

    planted, other = p_of(vectors)
    assert planted == 1 / 200 and other > 0.05
    # Where all texts are alike every draw is as extreme as the concept.
    assert p_of(np.ones_like(vectors)).tolist() == [1, 1]


def test_pools_take_one_text_of_a_group_and_draw_both_sides() -> None:
    texts = [f"a ladder {n}" if n % 2 else f"a roof {n}" for n in range(100)]
    groups = [f"g{n // 4}" if n < 40 else None for n in range(100)]
    examples = [
        Example(f"e{n}", (text,), (0,), group=group)
        for n, (text, group) in enumerate(zip(texts, groups, strict=True))
    ]
    labelled = label_concepts([Concept("ladder", "me", words=("ladder",))], examples)
    (pool,) = concept_pools(labelled, examples, 25, 5, 0)
    taken = [examples[at] for at in pool.members.tolist()]
    # Of 70 groups and single texts some 35 have the concept. 25 of these are drawn, and all others taken.
    assert isinstance(pool, Pool) and pool.has.sum() == 25 and 30 <= (~pool.has).sum() <= 40
    assert pool.drawn.tolist() == pool.has.tolist()
    assert len({example.group or example.id for example in taken}) == len(taken)
    assert ["ladder" in example.texts[0] for example in taken] == pool.has.tolist()
    with pytest.raises(InputError, match="of 70 texts have it; expected at least 45"):
        concept_pools(labelled, examples, 60, 45, 0)


def test_pools_go_by_what_texts_say_and_not_by_names_or_order() -> None:
    examples = [Example(f"e{n}", (f"{('ladder', 'roof')[n % 2]} {n}",), (0,)) for n in range(900)]
    concepts = [Concept(name, "me", words=("ladder",)) for name in ("ladder", "a", "B")]

    def taken(texts: list[Example], seed: int) -> list[list[str]]:
        pools = concept_pools(label_concepts(concepts, texts), texts, 40, 5, seed)
        return [[texts[at].id for at in pool.members.tolist()] for pool in pools]

    first, *others = taken(examples, 0)
    assert len(first) == 40 + 200 and others == [first, first]
    assert taken(examples[::-1], 0) == [first] * 3
    (other, *_) = taken(examples, 1)
    assert 0 < len({*first} & {*other}) < 120  # 200 of 450, twice


@pytest.mark.parametrize("method", METHODS)
def test_the_error_of_an_effect_is_its_spread_over_draws_of_texts(method: Method) -> None:
    rng = np.random.default_rng(5)
    everything = rng.standard_normal((3000, 6)).astype(np.float32)
    everything[:1500, 0] += 1
    gradient, has = rng.standard_normal((2, 6)), np.arange(200) < 100
    effects, errors, members = [], [], np.arange(0)
    for _ in range(150):
        members = np.concatenate([rng.permutation(1500)[:100], 1500 + rng.permutation(1500)[:100]])
        one = directions(everything[members], has[None], method)
        effects.append((one.unit @ gradient.T)[0] * one.gaps)
        errors.append(draw_errors(everything[members], has, np.ones(200, dtype=bool), gradient, method))
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(effects, axis=0), rtol=0.2)
    # What was not drawn adds nothing: of texts that are all there, there is no other draw.
    half = draw_errors(everything[members], has, has, gradient, method)
    assert half.sum() < errors[-1].sum()
    assert not draw_errors(everything[members], has, np.zeros(200, dtype=bool), gradient, method).any()


def test_probes_tell_a_planted_concept_on_new_texts_and_no_other() -> None:
    rng = np.random.default_rng(3)
    vectors, has = rng.standard_normal((80, 200)), np.arange(80) < 20
    noise = probe(vectors, has, 99, rng)
    # 200 numbers separate 80 texts without error on what is fitted, so only new texts tell.
    assert abs(noise.accuracy - 0.5) < 0.15 and noise.p > 0.05
    vectors[has, :3] += 3
    known = probe(vectors, has, 99, rng)
    assert known.accuracy > 0.85 and known.p == 0.01 and abs(known.shuffled - 0.5) < 0.05


def test_shapley_values_are_those_of_all_orders() -> None:
    rng = np.random.default_rng(4)
    worth = {players: float(rng.standard_normal()) for players in _subsets(5)}
    values = np.zeros(5)
    orders = list(permutations(range(5)))
    for order in orders:
        for place, player in enumerate(order):
            before, after = tuple(sorted(order[:place])), tuple(sorted(order[: place + 1]))
            values[player] += (worth[after] - worth[before]) / len(orders)
    found = shapley_values(worth.__getitem__, 5, rng)
    np.testing.assert_allclose(found, values)
    assert found.sum() == pytest.approx(worth[0, 1, 2, 3, 4] - worth[()])
    # Beyond EXACT players orders are drawn: of an additive game without any error.
    weights = np.arange(EXACT + 2.0)
    drawn = shapley_values(lambda players: float(weights[list(players)].sum()), EXACT + 2, rng)
    np.testing.assert_allclose(drawn, weights)


def _subsets(players: int) -> Iterator[tuple[int, ...]]:
    for number in range(2**players):
        yield tuple(player for player in range(players) if number >> player & 1)


def test_completeness_is_shared_out_among_concepts_that_tell_the_decision() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.integers(2, size=(2, 300))
    classes = (first & second).astype(np.intp)
    scores = np.stack([first, second, rng.standard_normal(300)], axis=1) + 0.01 * rng.standard_normal(
        (300, 3)
    )
    apart = [text_key([f"text {at}"]) for at in range(300)]
    found = completeness(scores, classes, 1.0, apart, 0)
    assert found.total == pytest.approx(1, abs=0.02) and found.accuracy > 0.99
    assert found.random == pytest.approx(1 - classes.mean(), abs=0.01)
    assert found.shares.sum() == pytest.approx(found.total)
    assert abs(found.shares[2]) < 0.05 and abs(found.shares[0] - found.shares[1]) < 0.1
    # Of a model that is right less often, the same concepts explain more.
    half = completeness(scores, classes, 0.9, apart, 0)
    assert half.total > 1
    nothing = completeness(rng.standard_normal((300, 2)), classes, 1.0, apart, 0)
    assert abs(nothing.total) < 0.1
    several = completeness(scores, first + second, 1.0, apart, 0)
    assert several.total > 0.95
    # In another order of the texts it is the same.
    order = rng.permutation(300)
    moved = completeness(scores[order], classes[order], 1.0, [apart[at] for at in order], 0)
    assert moved.shares.tolist() == pytest.approx(found.shares.tolist())


@pytest.mark.slow
def test_copies_of_a_text_do_not_tell_its_decision() -> None:
    rng = np.random.default_rng(0)
    scores, classes = rng.standard_normal((30, 9)), rng.integers(2, size=30)
    apart = [text_key([f"text {at}"]) for at in range(150)]
    once = completeness(scores, classes, 1.0, apart[:30], 0)
    five, tiled = np.tile(scores, (5, 1)), np.tile(classes, 5)
    assert completeness(five, tiled, 1.0, apart[:30] * 5, 0).total == pytest.approx(once.total, abs=0.2)
    assert once.total < 0.1
    # As texts of their own they do: the test can fail.
    assert completeness(five, tiled, 1.0, apart, 0).total > once.total + 0.3


def test_completeness_of_nothing_is_refused() -> None:
    scores, apart = np.zeros((20, 1)), [text_key([f"text {at}"]) for at in range(20)]
    with pytest.raises(
        InputError, match="20 texts have 1 different classes; expected at least 8 texts and two"
    ):
        completeness(scores, np.zeros(20, dtype=np.intp), 1.0, apart, 0)
    with pytest.raises(InputError, match="expected a model that is better"):
        completeness(scores, np.arange(20) % 2, 0.2, apart, 0)
    with pytest.raises(InputError, match="20 texts that hang together in 7 groups have 2 different"):
        completeness(scores, np.arange(20) % 2, 1.0, [apart[at // 3] for at in range(20)], 0)
