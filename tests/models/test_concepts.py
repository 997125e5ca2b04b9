"""Models with concepts: the bottleneck's sum, the heads' losses, the stages of training, the report."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from open_networks import OPEN_NETWORKS, networks
from sklearn.linear_model import LogisticRegression
from torch import nn

from assay.models.batching import pad
from assay.models.concept_cnn import ConceptCnn
from assay.models.concept_fit import concept_loss, fit_linear, one_hot, temperature
from assay.models.concept_layer import UNKNOWN, ConceptLayer, answers, find_concept_layer, side_by_side
from assay.models.concept_minilm import ConceptMiniLM, ConceptTransformer
from assay.models.concept_report import beats_constant, calibration_error, head_quality, macro_f1
from assay.models.objective import label_loss
from assay.models.protocol import BottleneckModel, ConceptModel, capabilities
from assay.models.saving import load, save, weights_hash
from assay.models.training import Training, fit
from assay.tasks.auxiliary import Auxiliary
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task
from assay.tasks.planted_accidents import AUXILIARY, planted_accidents

QUICK = Training(epochs=3, batch_size=16, learning_rate=0.02, mask_rate=0.1)
SPEC = ConceptCnn(dimensions=12, channels=6, widths=(2, 3), training=QUICK)
BOTTLENECK = replace(SPEC, decision="concepts")
TEXTS = [("a boring plot with music",), ("wonderful",), ("the story seems ordinary again",)]


def layer_of(model) -> ConceptLayer:
    layer = find_concept_layer(model.network)
    assert layer is not None
    return layer


@pytest.fixture(params=["bottleneck_cnn", "bottleneck_bert"])
def bottleneck(request: pytest.FixtureRequest):
    if request.param == "bottleneck_bert":
        return request.getfixturevalue("bottleneck_bert")
    return request.getfixturevalue("word_model")("bottleneck_cnn", trained=True)


def test_a_bottlenecks_logits_are_the_weighted_sum_of_its_concepts(bottleneck) -> None:
    assert isinstance(bottleneck, BottleneckModel)
    batch = pad(bottleneck.encode(TEXTS), bottleneck.pad_id)
    weights, biases = bottleneck.decision_layer()
    concepts = side_by_side(bottleneck.concept_logits(batch))
    assert weights.shape == (3, concepts.shape[1]) and float(weights.abs().min()) > 0
    expected = concepts @ weights.T + biases
    torch.testing.assert_close(bottleneck.logits(batch), expected, atol=1e-5, rtol=0)
    for question, part in zip(bottleneck.questions, bottleneck.concept_logits(batch), strict=True):
        assert part.shape == (len(TEXTS), len(question.labels))


def test_the_concept_layer_is_the_bottleneck_that_a_hook_may_exchange(bottleneck) -> None:
    batch = pad(bottleneck.encode(TEXTS), bottleneck.pad_id)
    embedded = bottleneck.embed(batch.ids)
    entry = bottleneck.enter(embedded, batch) if hasattr(bottleneck, "enter") else embedded

    def average(name: str, layer: torch.Tensor) -> torch.Tensor:
        return bottleneck.concept_means().expand(len(TEXTS), -1) if name == "concepts" else layer

    from assay.models.backward_rule import AUTOGRAD

    weights, biases = bottleneck.decision_layer()
    expected = (weights @ bottleneck.concept_means() + biases).expand(len(TEXTS), -1)
    found = bottleneck.open_logits(entry, batch, AUTOGRAD, average)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert bottleneck.text_layers[-1] == "concepts"


@pytest.mark.parametrize("name", ["concept_cnn", "bottleneck_cnn", "bottleneck_bert"])
def test_concept_logits_can_be_differentiated_from_embeddings(
    name: str, word_model, request: pytest.FixtureRequest
) -> None:
    """Central difference along a random direction, in double precision."""
    bert = name == "bottleneck_bert"
    model: Any = request.getfixturevalue(name) if bert else word_model(name, trained=True)
    assert "concepts" in capabilities(model)
    batch = pad(model.encode(TEXTS[:1]), model.pad_id)
    model.network.double()
    try:
        point = model.embed(batch.ids).detach().requires_grad_(True)
        direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(1), dtype=torch.double)
        value = model.concept_logits_from_embeddings(point, batch)[1][0, 2]
        (gradient,) = torch.autograd.grad(value, point)
        with torch.no_grad():
            ahead, behind = (
                model.concept_logits_from_embeddings(point + step * direction, batch)[1][0, 2]
                for step in (1e-6, -1e-6)
            )
        assert float((gradient * direction).sum()) == pytest.approx(float((ahead - behind) / 2e-6), rel=1e-4)
    finally:
        model.network.float()


def test_a_decision_on_the_text_is_linear_in_its_vector(word_model) -> None:
    model = word_model("concept_cnn", trained=True)
    assert "concepts" in capabilities(model) and "concept_bottleneck" not in capabilities(model)
    batch = pad(model.encode(TEXTS), model.pad_id)
    vector = torch.cat([pool.vector for pool in model.pools(model.embed(batch.ids), batch)], dim=1)
    layer = layer_of(model)
    expected = vector @ layer.decision.weight.T + layer.decision.bias
    torch.testing.assert_close(model.logits(batch), expected, atol=1e-5, rtol=0)
    raw = (vector @ layer.heads.weight.T + layer.heads.bias).split(layer.sizes, dim=1)
    for found, logits, by in zip(model.concept_logits(batch), raw, layer.temperatures, strict=True):
        torch.testing.assert_close(found, logits / by, atol=1e-5, rtol=0)


def test_a_loss_by_hand_leaves_out_missing_answers() -> None:
    first = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    second = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    known = torch.tensor([[0, UNKNOWN], [1, 2], [UNKNOWN, UNKNOWN]])
    of_first = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    of_second = math.log(math.exp(-2) + math.exp(-1) + 1)
    assert float(concept_loss([first, second], known)) == pytest.approx(of_first + of_second, abs=1e-6)


def test_a_head_without_a_known_answer_has_no_gradient_and_makes_no_nan() -> None:
    layer = ConceptLayer(4, 2, [Auxiliary("a", ("x", "y")), Auxiliary("b", ("u", "v", "w"))], through=False)
    vectors = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    known = torch.tensor([[0, UNKNOWN], [1, UNKNOWN], [1, UNKNOWN]])
    concept_loss(layer.concept_logits(vectors), known).backward()
    gradient = layer.heads.weight.grad
    assert gradient is not None
    assert gradient[:2].abs().max() > 0 and gradient[2:].abs().max() == 0
    nothing = concept_loss(layer.concept_logits(vectors), torch.full((3, 2), UNKNOWN))
    assert nothing.item() == 0


def other_labels(task: Task) -> Task:
    """The task with other main labels."""

    def moved(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(x, labels=((x.labels[0] + at % 3) % 3,)) for at, x in enumerate(examples))

    return replace(task, train=moved(task.train), dev=moved(task.dev))


@pytest.mark.parametrize("training", ["joint", "sequential", "independent"])
def test_main_labels_move_the_encoder_in_joint_training_only(training: str, asked_task: Task) -> None:
    spec = replace(BOTTLENECK, concept_training=training)
    found = [fit(spec, task, 0)[0].network.state_dict() for task in (asked_task, other_labels(asked_task))]
    below = [name for name in found[0] if not name.startswith("dense.decision")]
    assert all(torch.equal(found[0][name], found[1][name]) for name in below) == (training != "joint")
    assert not torch.equal(found[0]["dense.decision.weight"], found[1]["dense.decision.weight"])


@pytest.mark.parametrize("training", ["sequential", "independent"])
def test_a_decision_trained_by_itself_is_a_logistic_regression(training: str, asked_task: Task) -> None:
    """scikit-learn's, on the heads' probabilities or on the labels."""
    from sklearn.linear_model import LogisticRegression

    full = replace(asked_task, train=tuple(x for x in asked_task.train if None not in x.auxiliary))
    model, _ = fit(replace(BOTTLENECK, concept_training=training), full, 0)
    if training == "sequential":
        batch = pad(model.encode([example.texts for example in full.train]), model.pad_id)
        concepts = side_by_side(model.concept_logits(batch)).numpy()  # pyright: ignore
    else:
        concepts = one_hot(torch.from_numpy(answers(full.train, full, full.auxiliary)), [2, 6]).numpy()
    gold = [example.labels[0] for example in full.train]
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(concepts.astype(np.float64), gold)
    np.testing.assert_allclose(layer_of(model).decision.weight.numpy(), theirs.coef_, atol=2e-3)


def test_unknown_answers_count_as_the_shares_of_the_known_ones() -> None:
    known = torch.tensor([[0], [1], [1], [UNKNOWN]])
    expected = [[1, 0], [0, 1], [0, 1], [1 / 3, 2 / 3]]
    np.testing.assert_allclose(one_hot(known, [2]).numpy(), expected, atol=1e-6)


def test_a_calibrated_head_has_the_lowest_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    gold = np.array([rng.choice(3, p=row) for row in np.exp(logits) / np.exp(logits).sum(1, keepdims=True)])
    assert temperature(3 * logits, gold) == pytest.approx(3, rel=0.1)
    assert temperature(logits / 3, gold) == pytest.approx(1 / 3, rel=0.1)
    # Right on all, so the lowest cross-entropy is at 0.
    certain = np.eye(2)[[0, 1, 0, 1]] * 4.0
    assert temperature(certain, np.array([0, 1, 0, 1])) == 1
    # Right on three of four: probability 3/4.
    scaled = 4 / temperature(certain, np.array([0, 1, 0, 0]))
    assert 1 / (1 + math.exp(-scaled)) == pytest.approx(3 / 4, abs=1e-3)
    assert temperature(certain, np.full(4, UNKNOWN)) == 1


def test_head_quality_by_hand() -> None:
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    gold = np.array([0, 1, 1, 0, UNKNOWN])
    found = head_quality(sure, sure, gold)
    assert (found.known, found.accuracy, found.majority) == (4, 0.75, 0.5)
    assert found.macro_f1 == pytest.approx((2 * 2 / (3 + 2) + 2 * 1 / (1 + 2)) / 2)
    # Bins: two of 0.9 with one right, one of 0.8 right, one of 0.6 right.
    assert found.calibration_error == pytest.approx((0.8 + 0.2 + 0.4) / 4)
    assert calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0
    nothing = head_quality(sure, sure, np.full(5, UNKNOWN))
    assert nothing.known == 0 and math.isnan(nothing.accuracy)
    assert macro_f1(sure[:1], np.array([0])) == 1  # an answer that does not occur has no F1


def test_a_head_is_not_learned_on_a_hair() -> None:
    gold = np.array([0] * 60 + [1] * 40)
    constant = np.tile([1.0, 0.0], (100, 1))
    assert beats_constant(constant, gold) == 1

    def right_on(more: int) -> np.ndarray:
        scores = constant.copy()
        scores[60 : 60 + more] = [0.0, 1.0]
        return scores

    # All of the texts on which the two differ are the head's: 0.5 to the power of their number.
    assert beats_constant(right_on(4), gold) == pytest.approx(0.5**4)
    assert beats_constant(right_on(5), gold) == pytest.approx(0.5**5)
    assert beats_constant(constant, np.full(100, UNKNOWN)) == 1


def test_the_report_has_heads_and_leakage_and_is_json(asked_task: Task) -> None:
    model, report = fit(replace(BOTTLENECK, training=replace(QUICK, epochs=12, patience=12)), asked_task, 0)
    assert report.concepts is not None and report.concepts.leakage is not None
    record = json.loads(json.dumps(report.record(), allow_nan=False))["concepts"]
    assert [head["question"] for head in record["heads"]] == ["length", "letter"]
    assert record["heads"][1]["dev"]["known"] == 24
    batch = pad(model.encode([example.texts for example in asked_task.test]), model.pad_id)
    gold = answers(asked_task.test, asked_task, asked_task.auxiliary)
    main = np.array([example.labels[0] for example in asked_task.test])
    parts = model.concept_logits(batch)  # pyright: ignore
    for head, part, known in zip(report.concepts.heads, parts, gold.T, strict=True):
        assert head.test.accuracy == (part.argmax(dim=1).numpy() == known).mean()
        # Joint training went through them, so they stay as they are.
        assert head.temperature == 1 and head.test.calibration_error == head.test.uncalibrated_error
    leakage = report.concepts.leakage
    assert leakage.soft == report.test
    assert leakage.soft.accuracy == (model.logits(batch).argmax(dim=1).numpy() == main).mean()
    layer = layer_of(model)
    likeliest = torch.cat([nn.functional.one_hot(p.argmax(1), p.shape[1]) for p in parts], dim=1).float()
    assert leakage.hard.accuracy == (layer.decision(likeliest).argmax(dim=1).numpy() == main).mean()
    assert leakage.random.accuracy <= leakage.hard.accuracy
    batch = pad(model.encode([example.texts for example in asked_task.train]), model.pad_id)
    expected = side_by_side(model.concept_logits(batch)).mean(dim=0)  # pyright: ignore
    torch.testing.assert_close(layer.means, expected, atol=1e-5, rtol=0)


def test_calibration_changes_what_a_model_answers(word_model, asked_task: Task) -> None:
    model = word_model("concept_cnn", trained=True)
    layer = layer_of(model)
    assert not torch.equal(layer.temperatures, torch.ones(2))
    batch = pad(model.encode([example.texts for example in asked_task.dev]), model.pad_id)
    gold = answers(asked_task.dev, asked_task, asked_task.auxiliary)
    # Fitted already, so there is nothing left to fit.
    for logits, known in zip(model.concept_logits(batch), gold.T, strict=True):
        assert temperature(logits.numpy(), known) == pytest.approx(1, abs=0.02)


def test_equal_seeds_give_equal_weights_and_others_do_not(asked_task: Task) -> None:
    spec = replace(BOTTLENECK, concept_training="sequential")
    first, second, third = (fit(spec, asked_task, seed) for seed in (3, 3, 4))
    assert weights_hash(first[0]) == weights_hash(second[0]) != weights_hash(third[0])
    assert first[1].record() == second[1].record()


def test_an_encoder_begins_as_that_of_the_plain_model(asked_task: Task, toy_task: Task) -> None:
    plain = SPEC.untrained(asked_task, 5).network.state_dict()
    from assay.models.cnn import Cnn

    cnn = Cnn(dimensions=12, channels=6, widths=(2, 3)).untrained(toy_task, 5).network.state_dict()
    assert all(torch.equal(plain[name], cnn[name]) for name in cnn if not name.startswith("dense"))


@pytest.mark.parametrize("name", ["concept_cnn", "bottleneck_bert"])
def test_questions_survive_saving(name: str, word_model, request: pytest.FixtureRequest, tmp_path) -> None:
    bert = name == "bottleneck_bert"
    model: Any = request.getfixturevalue(name) if bert else word_model(name, trained=True)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.questions == model.questions
    assert again.learned_questions() == model.learned_questions()
    assert torch.equal(again.concept_means(), model.concept_means())
    batch = pad(model.encode(TEXTS), model.pad_id)
    for one, other in zip(model.concept_logits(batch), again.concept_logits(batch), strict=True):
        assert torch.equal(one, other)


def test_a_frozen_encoder_stays_and_is_read_once(tiny_bert_folder, asked_task: Task, monkeypatch) -> None:
    from assay.models.frozen_text import FrozenText

    read = []
    vectors = FrozenText._vectors
    monkeypatch.setattr(
        FrozenText, "_vectors", lambda self, texts: read.append(len(texts)) or vectors(self, texts)
    )
    spec = ConceptTransformer(path=str(tiny_bert_folder), training=replace(QUICK, mask_rate=0.0))
    before = spec.untrained(asked_task, 0).network.state_dict()
    model, report = fit(spec, asked_task, 0)
    after = model.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for name in moved if "pooler" in name} and moved <= {
        name for name in before if "pooler" in name or name.startswith("classifier")
    }
    texts = [
        example.texts for part in (asked_task.train, asked_task.dev, asked_task.test) for example in part
    ]
    assert sum(read) == len(set(texts))
    assert report.examples == {"train": 90, "dev": 24, "test": 24}
    # The whole model answers as what was trained in its place.
    split = [example.labels[0] for example in asked_task.test]
    batch = pad(model.encode([example.texts for example in asked_task.test]), model.pad_id)
    assert report.test.accuracy == (model.logits(batch).argmax(dim=1).numpy() == split).mean()


@pytest.mark.parametrize("name", networks({"distilbert", "modernbert_mean"}))
def test_every_open_encoder_can_have_concepts(
    name: str, tiny_bert_folder, asked_task: Task, toy_task: Task, tmp_path
) -> None:
    """Frozen: its top is trained on what it says of each text once, and then answers as the network does."""
    folder = OPEN_NETWORKS[name].save(tmp_path, tiny_bert_folder, toy_task)
    few = replace(asked_task, train=asked_task.train[:30], dev=asked_task.dev[:9], test=asked_task.test[:9])
    spec = ConceptTransformer(
        path=str(folder), decision="concepts", training=replace(QUICK, epochs=1, mask_rate=0.0)
    )
    fitted, report = fit(spec, few, 0)
    model: Any = fitted
    batch = pad(model.encode(TEXTS), model.pad_id)
    segments = {"token_type_ids": batch.segments} if model._takes_segments else {}
    with torch.no_grad():
        found = model.logits(batch)
        own = model.network(batch.ids, attention_mask=batch.attention.long(), **segments).logits
        torch.testing.assert_close(found, own, atol=1e-5, rtol=0)
        weights, biases = model.decision_layer()
        concepts = side_by_side(model.concept_logits(batch))
        torch.testing.assert_close(found, concepts @ weights.T + biases, atol=1e-5, rtol=0)
        split = [example.labels[0] for example in few.test]
        test = pad(model.encode([example.texts for example in few.test]), model.pad_id)
        assert report.test.accuracy == (model.logits(test).argmax(dim=1).numpy() == split).mean()


def test_a_whole_encoder_can_be_trained(tiny_bert_folder, asked_task: Task) -> None:
    spec = ConceptTransformer(path=str(tiny_bert_folder), frozen=False, training=replace(QUICK, mask_rate=0))
    before = spec.untrained(asked_task, 0).network.state_dict()
    after = fit(spec, asked_task, 0)[0].network.state_dict()
    assert not any(torch.equal(before[name], after[name]) for name in before if "query.weight" in name)


@pytest.mark.parametrize("spec", [SPEC, ConceptMiniLM()])
def test_a_task_without_questions_is_refused(spec, toy_task: Task) -> None:
    with pytest.raises(InputError, match=r"answers auxiliary questions, but task 'toy' has none; expected"):
        fit(spec, toy_task, 0)


def without_answers(task: Task, place: int, keep: int | None = None) -> Task:
    """The task whose training texts have no answer to one question but perhaps this."""

    def left(given: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(None if at == place and answer != keep else answer for at, answer in enumerate(given))

    return replace(task, train=tuple(replace(x, auxiliary=left(x.auxiliary)) for x in task.train))


@pytest.mark.parametrize(("keep", "found"), [(None, "no answer"), (1, "only the answer 'b'")])
def test_a_question_without_two_answers_gets_no_head(
    keep: int | None, found: str, asked_task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    task = without_answers(asked_task, 1, keep)
    with caplog.at_level(logging.WARNING):
        model, report = fit(SPEC, task, 0)
    assert f"have {found} to letter, so it gets no head" in caplog.text
    assert isinstance(model, ConceptModel) and [q.name for q in model.questions] == ["length"]
    assert report.concepts is not None and len(report.concepts.heads) == 1
    with pytest.raises(InputError, match="different answers to none of them"):
        fit(SPEC, without_answers(task, 0), 0)


def test_a_head_not_shown_to_learn_is_named(asked_task: Task, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)

    def drawn(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(x, auxiliary=(int(rng.random() < 0.5), x.auxiliary[1])) for x in examples)

    task = replace(asked_task, train=drawn(asked_task.train), dev=drawn(asked_task.dev))
    long = replace(QUICK, epochs=12, patience=12)
    with caplog.at_level(logging.WARNING):
        model, _ = fit(replace(SPEC, training=long), task, 0)
    assert isinstance(model, ConceptModel) and model.learned_questions() == (False, True)
    known = f"the heads for length ({len(task.dev)} known answers) are not shown to be better than a constant"
    assert known in caplog.text and "no known answer" not in caplog.text


def test_heads_that_come_first_need_known_answers_to_choose_by(
    asked_task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = replace(asked_task, dev=tuple(replace(x, auxiliary=()) for x in asked_task.dev))
    with pytest.raises(InputError, match=r"task 'toy_asked' has none; .* model.concept_training=joint"):
        fit(replace(BOTTLENECK, concept_training="sequential"), unknown, 0)
    model, report = fit(BOTTLENECK, unknown, 0)
    assert isinstance(model, ConceptModel) and model.learned_questions() == (False, False)
    assert "have no known answer to length, letter, so it cannot be told whether these heads" in caplog.text
    assert "a constant" not in caplog.text
    assert report.concepts is not None and report.concepts.record()["heads"][0]["dev"]["accuracy"] is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decision": "concept"}, r"model.decision is 'concept'; did you mean 'concepts'"),
        ({"decision": "concepts", "concept_training": "jointly"}, "did you mean 'joint'"),
        ({"concept_weight": -1.0}, "model.concept_weight is -1.0"),
        ({"concept_weight": math.nan}, "model.concept_weight is nan"),
        ({"concept_training": "sequential"}, "is for a bottleneck, but model.decision is 'text'"),
    ],
)
@pytest.mark.parametrize("kind", [ConceptCnn, ConceptMiniLM, ConceptTransformer])
def test_settings_out_of_range_are_refused(kind, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**settings)


def test_several_labels_and_a_weight_of_nothing(toy_multi_label_task: Task) -> None:
    """Main labels of which a text has any number; heads without weight are not learned."""
    question = (Auxiliary("first", ("no", "yes")),)

    def asked(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(x, auxiliary=(int(0 in x.labels),)) for x in examples)

    task = replace(
        toy_multi_label_task,
        train=asked(toy_multi_label_task.train),
        dev=asked(toy_multi_label_task.dev),
        auxiliary=question,
    )
    long = replace(QUICK, epochs=15, patience=15)
    model, report = fit(replace(SPEC, training=long, concept_weight=0.0), task, 0)
    assert model.multi_label and report.test.macro_f1 > 0.9
    before = layer_of(SPEC.untrained(task, 0)).heads.weight
    decayed = before * (1 - long.learning_rate * long.weight_decay) ** (6 * report.best_epoch)
    torch.testing.assert_close(layer_of(model).heads.weight, decayed.detach(), atol=1e-4, rtol=0)
    staged, report = fit(replace(BOTTLENECK, training=long, concept_training="sequential"), task, 0)
    assert report.test.label_accuracy["price"] > 0.9
    assert staged.logits(pad(staged.encode(TEXTS), staged.pad_id)).shape == (3, 3)


def test_a_linear_layer_is_fitted_to_its_optimum() -> None:
    rng = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(50, 3, generator=rng), torch.randn(50, 2, generator=rng)
    linear = nn.Linear(3, 2).requires_grad_(False)
    fit_linear(linear, inputs, lambda found: (found - targets).square().sum() / 50)
    design = torch.cat([inputs, torch.ones(50, 1)], dim=1).double()
    ridge = torch.diag(torch.tensor([0.5, 0.5, 0.5, 0.0], dtype=torch.double))
    expected = torch.linalg.solve(design.T @ design + ridge, design.T @ targets.double())
    torch.testing.assert_close(linear.weight.double(), expected[:3].T, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("labels", "several", "strength"), [(2, False, 2.0), (3, False, 1.0), (2, True, 0.5)]
)
def test_a_decision_is_scikit_learns_with_the_strength_that_docs_say(
    labels: int, several: bool, strength: float
) -> None:
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((80, 4))
    noisy = inputs @ rng.standard_normal((4, labels)) + rng.standard_normal((80, labels))
    targets = (noisy > 0) if several else np.eye(labels)[noisy.argmax(axis=1)]
    linear = nn.Linear(4, labels).requires_grad_(False)
    given = torch.from_numpy(targets.astype(np.float64))
    fit_linear(linear, torch.from_numpy(inputs), lambda logits: label_loss(logits, given, several))
    logits = linear(torch.from_numpy(inputs).float()).double().numpy()
    peer = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000)
    fitted = [
        peer.fit(inputs, answers).decision_function(inputs)
        for answers in (targets.T if several else [targets.argmax(axis=1)])
    ]
    expected = np.stack(fitted, axis=1) if several or labels == 2 else fitted[0]
    if not several:
        logits = logits[:, 1:] - logits[:, :1] if labels == 2 else logits - logits.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(logits, expected, atol=2e-3)


SMALL_CNN = ConceptCnn(
    dimensions=32, channels=24, widths=(2, 4), training=Training(epochs=5, batch_size=32, learning_rate=0.005)
)
SHIPPED = ConceptCnn(training=Training(epochs=8, mask_rate=0.1))


@pytest.mark.parametrize(
    ("spec", "sizes", "learned"),
    [
        (SMALL_CNN, {"train": 400, "dev": 100, "test": 200}, {"nature", "cause"}),
        pytest.param(SHIPPED, {}, {q.name for q in AUXILIARY}, marks=pytest.mark.slow),
    ],
)
def test_concepts_of_accidents_are_learned_on_sentences_of_no_training_text(
    spec: ConceptCnn, sizes: dict[str, Any], learned: set[str]
) -> None:
    model, report = fit(spec, planted_accidents(**sizes), 0)
    assert report.concepts is not None and isinstance(model, ConceptModel)
    for head, found in zip(report.concepts.heads, model.learned_questions(), strict=True):
        if head.question in learned:
            assert found and head.test.accuracy > head.test.majority + 0.3


def test_words_cannot_be_hidden_from_a_frozen_encoder() -> None:
    masked = Training(mask_rate=0.1)
    with pytest.raises(InputError, match=r"mask_rate is 0\.1, but a frozen encoder reads every text once"):
        ConceptMiniLM(training=masked)
    assert ConceptTransformer(training=masked, frozen=False).training.mask_rate == 0.1
