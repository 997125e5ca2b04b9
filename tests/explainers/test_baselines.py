from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from explainer_models import MASK, PAD, HandModel, encoding, explain, scores, smooth, values
from explainer_samples import UNK, reading, training_texts

from assay.explainers import averaging
from assay.explainers.baselines import Baseline, Delete, Mask, Pad, Unknown, Zero
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.perturbation.shapley_sampling import ShapleySampling
from assay.explainers.protocol import Request
from assay.explainers.sampled_baselines import (
    Draw,
    Draws,
    FixedEmbedding,
    Mean,
    Negatives,
    PerLabel,
    RandomTokens,
)
from assay.models.adapters import BlackBox
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs
from assay.models.protocol import Batch
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Task

TEXT = encoding((2, 4, 9, 5, 3), specials=(0, 4))
KEEP = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1]], dtype=bool)
ALL = [Pad(), Mask(), Unknown(), Zero(), Delete(), Mean(), Negatives(), RandomTokens()]


def _texts(rows: MaskedInputs) -> list[list[int]]:
    return [rows.ids[row, : rows.lengths[row]].tolist() for row in range(len(rows))]


def test_absent_tokens_become_the_padding_the_mask_or_the_unknown_token_in_their_place():
    for baseline, token in ((Pad(), PAD), (Mask(), MASK), (Unknown(), UNK)):
        rows = baseline.rows(reading(smooth()), TEXT, KEEP)
        assert _texts(rows) == [[2, 4, 9, 5, 3], [2, token, 9, token, 3], [2, token, token, token, 3]]
        assert rows.absent is None


def test_zeroed_tokens_keep_their_place_and_are_marked():
    rows = Zero().rows(smooth(), TEXT, KEEP)
    assert rows.absent is not None and rows.replacement is not None
    np.testing.assert_array_equal(rows.absent, ~KEEP)
    assert not rows.replacement.any()
    assert rows.lengths.tolist() == [5, 5, 5]


def test_deleted_tokens_are_gone_and_the_rest_closes_up_in_order():
    assert _texts(Delete().rows(smooth(), TEXT, KEEP)) == [[2, 4, 9, 5, 3], [2, 9, 3], [2, 3]]


def test_deleting_moves_segments_along():
    pair = encoding((4, 3, 9, 5), specials=(1,))
    pair.segments[2:] = 1
    rows = Delete().rows(smooth(), pair, np.array([[False, True, False, True]]))
    assert _texts(rows) == [[3, 5]]
    assert rows.segments[0, :2].tolist() == [0, 1]


def test_a_text_without_any_token_left_is_one_padding_token():
    text = encoding((4, 9))
    rows = Delete().rows(smooth(), text, np.array([[False, False], [False, True]]))
    assert _texts(rows) == [[PAD], [9]]


@pytest.mark.parametrize("baseline", [Pad(), Mask(), Zero(), Delete()], ids=lambda b: b.name)
def test_rows_say_to_the_model_what_putting_tokens_in_by_hand_says(baseline):
    (found,) = Engine(smooth(), budget=9).logits([baseline.rows(smooth(), TEXT, KEEP)])
    expected = [values(smooth(), baseline, TEXT, keep) for keep in KEEP]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_embedding_put_in_by_hand_says_the_same_and_special_tokens_stay():
    model, vector = smooth(), np.array([0.5, -1, 2, 0], dtype=np.float32)
    (found,) = Engine(model, budget=9).logits([FixedEmbedding(vector).rows(model, TEXT, KEEP)])
    ids = torch.from_numpy(TEXT.ids.astype(np.int64))[None]
    for keep, logits in zip(KEEP, found, strict=True):
        embeddings = model.embed(ids).clone()
        embeddings[0, torch.from_numpy(~keep)] = torch.from_numpy(vector).double()
        batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
        np.testing.assert_allclose(logits, model.logits_from_embeddings(embeddings, batch)[0], atol=1e-12)


def test_tokens_the_model_lacks_are_refused():
    model = HandModel(lambda e, a: (e * a).sum(dim=1), 4, mask=False)
    with pytest.raises(InputError, match="the model has no mask token; choose pad, zero or delete"):
        Mask().rows(model, TEXT, KEEP)
    with pytest.raises(InputError, match="the model has no unknown token; choose pad, zero or delete"):
        Unknown().rows(model, TEXT, KEEP)


def test_baselines_leave_the_encoding_as_it_was():
    before = TEXT.ids.copy(), TEXT.segments.copy()
    model = reading(smooth())
    for baseline in ALL:
        for part in baseline.fitted(Engine(model), training_texts()).parts(0):
            part.rows(model, TEXT, KEEP)
    np.testing.assert_array_equal(before, (TEXT.ids, TEXT.segments))


# Baselines fitted to training texts


def _brute_force_mean(model, texts: list[Example]) -> np.ndarray:
    """(D,) one embedding per word of the texts, averaged; special tokens do not count."""
    found = []
    for read in model.encode([example.texts for example in texts]):
        for token, content in zip(read.ids.tolist(), read.content, strict=True):
            if content:
                found.append(model.embed(torch.tensor([[token]]))[0, 0].detach().double().numpy())
    return np.mean(found, axis=0)


def _vector(baseline: Baseline, target: int = 0) -> np.ndarray:
    (part,) = baseline.parts(target)
    assert isinstance(part, FixedEmbedding)
    return part.vector


def test_the_mean_is_the_average_over_every_word_of_the_texts(word_model, toy_pair_task: Task):
    model = word_model("cnn", task=toy_pair_task)
    texts = list(toy_pair_task.train)
    found = Mean().fitted(Engine(model), texts)
    assert Mean().from_texts and not found.from_texts
    np.testing.assert_allclose(_vector(found), _brute_force_mean(model, texts), atol=1e-6)
    rows = found.rows(model, TEXT, KEEP)
    assert rows.absent is not None and rows.replacement is not None
    np.testing.assert_array_equal(rows.absent, ~KEEP)
    np.testing.assert_array_equal(rows.replacement, _vector(found))


@pytest.mark.parametrize("task_name", ["toy_task", "toy_multi_label_task"])
def test_negatives_average_the_texts_without_the_label(word_model, task_name: str, request):
    task: Task = request.getfixturevalue(task_name)
    model = word_model("cnn", task=task)
    found = Negatives().fitted(Engine(model), task.train)
    assert not found.from_texts
    for label in range(3):
        texts = [example for example in task.train if label not in example.labels]
        assert 0 < len(texts) < len(task.train)
        np.testing.assert_allclose(_vector(found, label), _brute_force_mean(model, texts), atol=1e-6)
    assert len({_vector(found, label).tobytes() for label in range(3)}) == 3


@pytest.mark.parametrize("baseline", [Mean(sample=20), Negatives(sample=20), RandomTokens(sample=20)])
def test_a_sample_depends_on_its_seed_and_not_on_the_order_of_the_texts(baseline, word_model, toy_task: Task):
    engine = Engine(word_model("cnn"))

    def seen(baseline: Baseline, texts) -> list[bytes]:
        parts = [part for target in range(3) for part in baseline.fitted(engine, texts).parts(target)]
        rows = [part.rows(engine.model, TEXT, ~TEXT.content[None]) for part in parts]
        return [(row.ids if row.replacement is None else row.replacement).tobytes() for row in rows]

    plain = seen(baseline, toy_task.train)
    assert seen(baseline, toy_task.train[::-1]) == plain
    assert seen(replace(baseline, seed=1), toy_task.train) != plain
    assert seen(replace(baseline, sample=30), toy_task.train) != plain


def test_the_sample_is_as_large_as_it_says():
    texts = [Example(str(n), (str(n),), ()) for n in range(10)]
    found = RandomTokens(sample=4, draws=1).fitted(Engine(reading(smooth())), texts)
    assert isinstance(found, Draws)
    assert len(found.of[0].tokens) == 4


def test_a_place_has_the_same_random_token_in_all_rows_of_a_text_and_another_in_each_draw():
    model = reading(smooth())
    long = encoding((2, *range(3, 22), 3), specials=(0, 20))
    keep = np.stack([~long.content, long.content, np.arange(21) % 2 == 0])
    keep[:, [0, 20]] = True
    found = RandomTokens(draws=3).fitted(Engine(model), training_texts())
    assert not found.from_texts
    # Asked one by one, as in the rounds of a conversation.
    drawn = [[part.rows(model, long, row[None]).ids[0] for row in keep] for part in found.parts(0)]
    for replaced, kept, half in drawn:
        np.testing.assert_array_equal(kept, long.ids)
        assert set(replaced[1:20].tolist()) <= set(range(22, 29))
        assert replaced[[0, 20]].tolist() == [2, 3]
        np.testing.assert_array_equal(half, np.where(keep[2], long.ids, replaced))
    assert len({rows[0].tobytes() for rows in drawn}) == 3
    np.testing.assert_array_equal(found.rows(model, long, keep).ids, drawn[0])


def test_random_tokens_come_as_often_as_in_the_corpus_or_equally_often():
    model = reading(smooth())
    texts = [Example("a", ("22 22 22 23",), ())]
    many = encoding(tuple([5] * 4000))
    for baseline, share in ((RandomTokens(), 0.75), (RandomTokens(source="vocabulary"), 0.5)):
        found = baseline.fitted(Engine(model), texts)
        (row,) = found.rows(model, many, np.zeros((1, 4000), dtype=bool)).ids
        assert np.mean(row == 22) == pytest.approx(share, abs=0.04)


def test_random_words_do_not_depend_on_how_a_black_box_has_numbered_them():
    def words(first: str) -> list[str]:
        model = BlackBox(lambda texts: np.full((len(texts), 2), 0.5), labels=("no", "yes"))
        model.encode([(first,)])
        texts = [Example("a", ("red green blue yellow",), (0,)), Example("b", ("grey green",), (1,))]
        found = RandomTokens().fitted(Engine(model), texts)
        (text,) = model.encode([("one two three four five six",)])
        (row,) = found.rows(model, text, np.zeros((1, 6), dtype=bool)).ids
        return [model._words[number] for number in row]

    assert words("nothing") == words("yellow six blue")


# A linear model: a score is what the token adds beyond what its replacement adds on average


@pytest.fixture
def linear(word_model):
    return word_model("linear", trained=True)


@pytest.fixture
def requests(linear, toy_task: Task) -> list[Request]:
    encodings = linear.encode([example.texts for example in toy_task.test[:4]])
    return [Request(e, encoding, np.arange(3)) for e, encoding in zip(toy_task.test, encodings, strict=False)]


def _weights(linear, ids: np.ndarray) -> np.ndarray:
    """(K, n) what each token adds to each logit."""
    return linear.embed(torch.from_numpy(ids.astype(np.int64))).detach().double().numpy().T


ADDITIVE = [IntegratedGradients(steps=3), Occlusion(), KernelShap(rows=60), ShapleySampling(permutations=2)]


@pytest.mark.parametrize("explainer", ADDITIVE, ids=lambda e: type(e).__name__)
def test_against_the_mean_a_token_scores_its_weight_beyond_the_average(
    explainer, linear, requests, toy_task: Task
):
    texts = list(toy_task.train)
    baseline = Mean().fitted(Engine(linear), texts)
    average = _brute_force_mean(linear, texts)[:, None]
    for request, found in zip(requests, explain(explainer, linear, requests, baseline), strict=True):
        expected = _weights(linear, request.encoding.ids) - average
        np.testing.assert_allclose(scores(found), expected, atol=5e-5)


@pytest.mark.parametrize("explainer", ADDITIVE[:3], ids=lambda e: type(e).__name__)
def test_against_negatives_every_label_has_an_average_of_its_own(explainer, linear, requests, toy_task: Task):
    baseline = Negatives().fitted(Engine(linear), toy_task.train)
    for request, found in zip(
        requests, averaging.explain(explainer, Engine(linear), requests, baseline), strict=True
    ):
        weights = _weights(linear, request.encoding.ids)
        for label, record in enumerate(found):
            texts = [example for example in toy_task.train if label not in example.labels]
            expected = weights[label] - _brute_force_mean(linear, texts)[label]
            np.testing.assert_allclose(record.scores, expected, atol=5e-5)
            assert abs(record.completeness_gap) < 1e-4


@pytest.mark.parametrize("explainer", ADDITIVE[:3], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("source", ["corpus", "vocabulary"])
def test_many_random_draws_come_to_the_average_within_their_standard_error(
    explainer, source, linear, requests, toy_task: Task
):
    engine = Engine(linear)
    baseline = RandomTokens(draws=60, source=source).fitted(engine, toy_task.train)
    (draw, *_) = baseline.parts(0)
    assert isinstance(draw, Draw)
    average = _weights(linear, draw.tokens) @ draw.shares
    if source == "corpus":
        np.testing.assert_allclose(average, _brute_force_mean(linear, list(toy_task.train)), atol=1e-6)
    far = []
    for request, found in zip(
        requests, averaging.explain(explainer, engine, requests, baseline), strict=True
    ):
        expected = _weights(linear, request.encoding.ids) - average[:, None]
        errors = [record.standard_error for record in found if record.standard_error is not None]
        far.append((scores(found) - expected) / np.stack(errors))
    distance = np.concatenate([one.ravel() for one in far])
    assert np.abs(distance).max() < 4
    assert 0.75 < np.sqrt((distance**2).mean()) < 1.3


# What is refused, and what is said


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Mean(sample=0), "baseline.mean.sample is 0; expected at least 1"),
        (lambda: Negatives(sample=0), "baseline.negatives.sample is 0; expected at least 1"),
        (lambda: RandomTokens(sample=0), "baseline.random.sample is 0; expected at least 1"),
        (lambda: RandomTokens(draws=0), "baseline.random.draws is 0; expected at least 1"),
        (
            lambda: RandomTokens(source=cast(Any, "corpse")),
            "baseline.random.source is 'corpse'; did you mean 'corpus'?",
        ),
    ],
)
def test_settings_that_make_no_sense(make, sentence: str):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("baseline", [Mean(), Negatives(), RandomTokens()], ids=lambda b: b.name)
def test_without_training_texts_or_before_it_has_seen_any_a_baseline_says_so(baseline):
    with pytest.raises(InputError, match="is made from training texts, but there are none"):
        baseline.fitted(Engine(reading(smooth())), [])
    with pytest.raises(InputError, match="has not seen training texts yet"):
        baseline.rows(smooth(), TEXT, KEEP)
    with pytest.raises(InputError, match="has not seen training texts yet"):
        explain(Occlusion(), smooth(), [Request(training_texts()[0], TEXT, np.array([0]))], baseline)


def test_a_label_that_every_text_has_leaves_no_negatives():
    texts = [Example("a", ("22 23",), (0, 1)), Example("b", ("24",), (1,))]
    with pytest.raises(InputError, match="every training text has the label 'class 1'"):
        Negatives().fitted(Engine(reading(smooth())), texts)


def test_negatives_without_a_label_have_no_rows():
    with pytest.raises(InputError, match="means something else for every label and was asked without one"):
        PerLabel(()).rows(smooth(), TEXT, KEEP)


def test_plain_baselines_are_themselves():
    for baseline in (Pad(), Mask(), Unknown(), Zero(), Delete()):
        assert baseline.fitted(Engine(smooth()), []) is baseline
        assert baseline.parts(1) == (baseline,)


def test_what_a_baseline_does_is_in_its_documentation():
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for baseline in [*ALL, MaskedLanguageModel()]:
        assert f"| `{baseline.name}` | {baseline.policy} |" in page
