"""Decisions explained through a bottleneck and through side heads, against closed forms."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from presence_models import QUESTIONS, WORDS, presence_model, presence_task

from assay.explainers.baselines import Mask
from assay.explainers.concepts.bottleneck import BottleneckExplainer
from assay.explainers.concepts.explanation import ConceptExplanation
from assay.explainers.concepts.heads import HeadWords
from assay.explainers.concepts.side_heads import SideHeadsExplainer
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.linear import Linear
from assay.models.masked_inputs import full_rows
from assay.models.protocol import BottleneckModel
from assay.models.word_model import WordModel
from assay.tasks.errors import InputError

RNG = np.random.default_rng(1)
LABELS = np.arange(2)
#            he  fell slip roof floor back hand hurt night late
EVENT = np.array([[0, 3.0, 0, 2.0, 0, 0, 0, 0, 0.5, 0], [0, 0, 3.0, 0, 1.0, 0, 0, 0, 0, 0.4]])
PART = np.array([[0, 0, 0, 0, 0, 4.0, 0, 1.0, 0, 0], [0, 0, 0, 0, 0, 0, 4.0, 1.0, 0, 0], [0.5] + [0] * 9])
LONG = np.array([0.0, 2.0, -1.0, 1.0, 0.0, 3.5, -2.0, 0.5, 0.25, 0.0])
NAMES = [f"{question.name}: {answer}" for question in QUESTIONS for answer in question.labels]
FINE = HeadWords((IntegratedGradients(steps=8),), share=0.3)


def _requests(model: WordModel) -> list[Request]:
    examples = presence_task().test
    encodings = model.encode([example.texts for example in examples])
    return [Request(*pair, LABELS) for pair in zip(examples, encodings, strict=True)]


def _side_heads() -> WordModel:
    return presence_model(np.concatenate([EVENT, PART]), np.stack([-LONG, LONG]))


def _bottleneck() -> WordModel:
    model = presence_model(np.concatenate([EVENT, PART]), RNG.normal(size=(2, 5)), through=True)
    layer = model.network.get_submodule("dense")
    layer.get_buffer("means").copy_(torch.tensor([0.3, 0.7, 0.5, 0.2, 0.3]))
    layer.get_submodule("decision").get_parameter("bias").copy_(torch.tensor([0.25, -1.0]))
    return model


def _part(explanation: ConceptExplanation, name: str, text: str) -> tuple[float, list[str], list[float]]:
    (part,) = [part for part in explanation.parts if part.name == name]
    return part.score, [text[s.start : s.end] for s in part.spans], list(part.span_scores)


def test_side_heads_share_the_words_of_the_decision():
    model = _side_heads()
    engine = Engine(model)
    explainer = SideHeadsExplainer(FINE, IntegratedGradients(steps=8))
    found = list(explainer.explain(engine, _requests(model), Mask()))
    first, text = found[0][1], presence_task().test[0].texts[0]
    assert (first.method, first.target, first.additive) == ("side_heads", 1, True)
    assert [part.name for part in first.parts[:2]] == ["part: back", "event: fall"]
    # "night" is worth 0.5 of "fell", less than its price of 0.3 x 3; relative to the mean of both labels, of
    # opposite weights, a word adds its own weight.
    score, words, of_words = _part(first, "event: fall", text)
    assert score == pytest.approx(2 + 1) and words == ["fell roof"]
    assert of_words == pytest.approx([3.0 + 2.0], abs=1e-5)
    score, words, _ = _part(first, "part: back", text)
    assert score == pytest.approx(3.5) and words == ["back"]
    assert first.rest == pytest.approx(0.5 + 0.25, abs=1e-5)
    # Answers that the model does not give have nothing; punctuation carries none.
    assert _part(first, "event: slip", text) == (0.0, [], [])
    assert _part(found[2][0], "event: slip", presence_task().test[2].texts[0])[1] == ["slipped"]
    # The other label is the opposite.
    assert [part.score for part in found[0][0].parts] == pytest.approx([-part.score for part in first.parts])


@pytest.mark.parametrize("through", [False, True])
def test_what_is_said_sums_to_the_logit(through: bool):
    model = _bottleneck() if through else _side_heads()
    engine, requests = Engine(model), _requests(model)
    explainer = BottleneckExplainer(FINE) if through else SideHeadsExplainer(FINE)
    logits = engine.logits([full_rows(request.encoding) for request in requests])
    probabilities = engine.probabilities([request.encoding for request in requests])
    found = list(explainer.explain(engine, requests, Mask()))
    assert len(found) == 4
    for of_text, expected, given in zip(found, logits, probabilities, strict=True):
        for label, one in enumerate(of_text):
            assert sorted(part.name for part in one.parts) == sorted(NAMES)
            total = one.base + sum(part.score for part in one.parts) + one.rest
            # Of two labels of which one holds, as far as the logit lies from the mean of both.
            assert total == pytest.approx(expected[0, label] - expected[0].mean(), abs=1e-6)
            assert total == pytest.approx(np.log(given[label] / given[1 - label]) / 2, abs=1e-5)
            assert one.probability == pytest.approx(given[label], abs=1e-6)
            ranked = [(-abs(part.score), part.name) for part in one.parts]
            assert ranked == sorted(ranked) and one.target == label


def test_a_bottleneck_says_what_each_answer_adds():
    model = _bottleneck()
    engine, requests = Engine(model), _requests(model)
    (of_text,) = list(BottleneckExplainer(FINE).explain(engine, requests[:1], Mask()))
    weights, bias = (part.double().numpy() for part in cast(BottleneckModel, model).decision_layer())
    means = np.array([0.3, 0.7, 0.5, 0.2, 0.3])
    present = np.isin(WORDS, requests[0].example.texts[0].split())
    logits = [EVENT @ present, PART @ present]
    expected = np.concatenate([np.exp(part) / np.exp(part).sum() for part in logits])
    relative = weights - weights.mean(axis=0)
    centred = (
        relative - np.repeat([relative[:, :2] @ means[:2], relative[:, 2:] @ means[2:]], [2, 3], axis=0).T
    )
    for label, one in enumerate(of_text):
        base = weights @ means + bias
        assert one.base == pytest.approx(base[label] - base.mean(), abs=1e-6) and one.rest == 0
        for name, probability, mean, effect in zip(NAMES, expected, means, centred[label], strict=True):
            (part,) = [part for part in one.parts if part.name == name]
            assert part.probability == pytest.approx(probability, abs=1e-6)
            assert part.usual == pytest.approx(mean, abs=1e-6)
            assert part.score == pytest.approx(effect * (probability - mean), abs=1e-6)
    assert _part(of_text[1], "event: fall", requests[0].example.texts[0])[1] == ["fell roof"]


@pytest.mark.parametrize("through", [False, True])
def test_of_several_labels_the_sum_is_the_logit(through: bool):
    model = _bottleneck() if through else _side_heads()
    model.multi_label = True
    engine, requests = Engine(model), _requests(model)
    explainer = BottleneckExplainer(FINE) if through else SideHeadsExplainer(FINE)
    logits = engine.logits([full_rows(request.encoding) for request in requests])
    for of_text, expected in zip(explainer.explain(engine, requests, Mask()), logits, strict=True):
        for label, one in enumerate(of_text):
            total = one.base + sum(part.score for part in one.parts) + one.rest
            assert total == pytest.approx(expected[0, label], abs=1e-6)
            assert one.probability == pytest.approx(1 / (1 + np.exp(-total)), abs=1e-6)


@pytest.mark.parametrize("through", [False, True])
def test_a_number_added_to_the_bias_of_both_labels_changes_nothing(through: bool):
    model = _bottleneck() if through else _side_heads()
    explainer = BottleneckExplainer(FINE) if through else SideHeadsExplainer(FINE)
    before, after = [], []
    for found in (before, after):
        found += [
            one for of_text in explainer.explain(Engine(model), _requests(model), Mask()) for one in of_text
        ]
        with torch.no_grad():
            decision = model.network.get_submodule("dense").get_submodule("decision")
            decision.get_parameter("bias").add_(5.0)
    for one, other in zip(before, after, strict=True):
        assert (one.base, one.rest) == pytest.approx((other.base, other.rest), abs=1e-5)
        assert [part.score for part in one.parts] == pytest.approx(
            [part.score for part in other.parts], abs=1e-5
        )


def test_a_head_that_learned_nothing_claims_no_words():
    model = _side_heads()
    model.network.get_submodule("dense").get_buffer("learned")[0] = False
    engine = Engine(model)
    (of_text, *_) = SideHeadsExplainer(FINE).explain(engine, _requests(model), Mask())
    parts = {part.name: part for part in of_text[1].parts}
    assert not parts["event: fall"].learned and parts["part: back"].learned
    assert parts["event: fall"].score == 0 and parts["event: fall"].spans == ()
    assert of_text[1].rest == pytest.approx(2 + 1 + 0.5 + 0.25, abs=1e-5)
    # A bottleneck reads the head all the same.
    through = _bottleneck()
    through.network.get_submodule("dense").get_buffer("learned").fill_(False)
    (of_text, *_) = BottleneckExplainer(FINE).explain(Engine(through), _requests(through), Mask())
    assert all(not part.learned and not part.spans for part in of_text[1].parts)
    assert max(abs(part.score) for part in of_text[1].parts) > 0.1


def test_one_target_is_as_among_all():
    model = _side_heads()
    every = list(SideHeadsExplainer(FINE).explain(Engine(model), _requests(model), Mask()))
    alone = [Request(one.example, one.encoding, np.array([1])) for one in _requests(model)]
    found = list(SideHeadsExplainer(FINE).explain(Engine(model), alone, Mask()))
    assert [len(of_text) for of_text in found] == [1] * 4
    for of_text, both in zip(found, every, strict=True):
        assert of_text[0].parts == both[1].parts and of_text[0].rest == both[1].rest


def test_what_cannot_be_explained_is_refused():
    task, model = presence_task(), _side_heads()
    plain = Linear(min_count=1).untrained(task, 0)
    with pytest.raises(InputError, match="answers no questions about a text"):
        list(SideHeadsExplainer().explain(Engine(plain), _requests(plain), Mask()))
    with pytest.raises(InputError, match="does not go through concepts"):
        list(BottleneckExplainer().explain(Engine(model), _requests(model), Mask()))
    with pytest.raises(InputError, match="Occlusion, whose scores do not sum"):
        SideHeadsExplainer(explainer=Occlusion())
    with pytest.raises(InputError, match=r"share is 1\.0; expected"):
        HeadWords(share=1.0)


def test_words_that_speak_for_every_answer_carry_none():
    model = _side_heads()
    requests = _requests(model)
    first = next(iter(FINE.answers(Engine(model), requests, Mask())))
    words = requests[0].example.texts[0].split()
    event = dict(zip(words, first.scores[:, 0], strict=True))
    part = dict(zip(words, first.scores[:, 1], strict=True))
    assert event["fell"] == pytest.approx(3, abs=1e-5) and event["roof"] == pytest.approx(2, abs=1e-5)
    # "hurt" is worth 1 to "back" and to "hand"; "he" speaks for "none".
    assert part["hurt"] == pytest.approx(0, abs=1e-5) and part["he"] == pytest.approx(-0.5, abs=1e-5)
    assert part["back"] == pytest.approx(4, abs=1e-5)


def test_by_default_a_word_is_what_falls_without_it_alone_and_with_neighbours():
    model = _side_heads()
    requests = _requests(model)
    first = next(iter(HeadWords().answers(Engine(model), requests, Mask())))
    present = requests[0].example.texts[0].split()
    weights = np.array([EVENT[:, WORDS.index(word)] for word in present])
    # For every width the mean over the windows that hold the word, by answer.
    falls = np.zeros((6, 2))
    for width in (1, 2, 3):
        windows = np.array([weights[at : at + width].sum(axis=0) for at in range(7 - width)])
        for place in range(6):
            inside = [at for at in range(len(windows)) if at <= place < at + width]
            falls[place] += windows[inside].mean(axis=0) / 3
    np.testing.assert_allclose(first.scores[:, 0], falls[:, 0] - falls[:, 1], atol=1e-5)


def test_an_answer_that_the_model_hardly_gives_claims_no_words():
    heads = np.concatenate([0.05 * EVENT, 0.05 * PART])
    model = presence_model(heads, np.stack([-LONG, LONG]))
    first = next(iter(SideHeadsExplainer(FINE).explain(Engine(model), _requests(model), Mask())))[1]
    parts = {part.name: part for part in first.parts}
    # Of two answers one has at least one half, of three none here.
    assert parts["event: fall"].spans and parts["event: fall"].score > 0
    assert parts["part: back"].probability == pytest.approx(0.4, abs=0.05)
    assert not parts["part: back"].spans and parts["part: back"].score == 0
    assert first.rest == pytest.approx(3.5 + 0.5 + 0.25, abs=1e-5)
