from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from metrics_world import example, keyword_examples, same_table, scored
from reexplained_world import DRAWS, small_model, subject_of

from assay.explainers.controls.controls import Gold, Random
from assay.explainers.gradient.saliency import InputXGradient, Saliency
from assay.explainers.protocol import Request
from assay.metrics.long_table import wide
from assay.metrics.sensitivity import MaxSensitivity, nearest, relative_change
from assay.models.engine import Engine
from assay.models.masked_inputs import full_rows
from assay.tasks.errors import InputError

EXAMPLES = keyword_examples(24)


def test_it_equals_a_loop_over_places_and_words() -> None:
    """With more neighbours than there are, every x' is tried, so nothing depends on the draws."""
    model: Any = small_model(EXAMPLES)
    subject = subject_of(model, EXAMPLES, InputXGradient())
    units, labels, parts = wide(MaxSensitivity(neighbours=10_000, words=2, texts=6).score(subject))
    vocabulary = sorted({word for item in EXAMPLES for word in item.texts[0].split()})
    ids = {word: model.vocabulary.id(word) for word in vocabulary}
    table = {word: subject.engine.embed(np.array([ids[word]]))[0].astype(np.float64) for word in vocabulary}
    explain: Any = subject.explain

    def cosine(a: str, b: str) -> float:
        u, v = table[a], table[b]
        return float(u @ v / np.sqrt((u @ u) * (v @ v)))

    def read(words: list[str]) -> tuple[int, Any]:
        (encoding,) = model.encode([(" ".join(words),)])
        (logits,) = subject.engine.logits([full_rows(encoding)])
        return int(logits[0].argmax()), encoding

    for unit in units:
        item = next(item for item in EXAMPLES if item.id == unit)
        words = item.texts[0].split()
        target, encoding = read(words)

        def phi(encoding: Any, item: Any = item, target: int = target) -> np.ndarray:
            ((record,),) = explain(subject.engine, [Request(item, encoding, np.array([target]), DRAWS)])
            return record.scores.astype(np.float64)

        largest, kept = -1.0, 0
        for place, word in enumerate(words):
            near = sorted((w for w in vocabulary if w != word), key=lambda w, word=word: -cosine(w, word))
            for other in near[:2]:
                decision, changed = read([*words[:place], other, *words[place + 1 :]])
                if decision == target:
                    kept += 1
                    moved = np.sqrt(((phi(changed) - phi(encoding)) ** 2).sum())
                    largest = max(largest, moved / np.sqrt((phi(encoding) ** 2).sum()))
        row, column = units.index(unit), labels.index(target)
        assert parts["kept"][row, column] == kept > 0
        assert parts["sensitivity"][row, column] == pytest.approx(largest, rel=1e-4)


def test_nearest_is_by_cosine_and_never_the_word_itself() -> None:
    vectors = np.array([[1, 0], [100, 1], [0, 1], [0, 0], [1, 1]], dtype=np.float32)
    known = np.array([2, 3, 5, 7, 11], dtype=np.int32)
    found = nearest(vectors, known, np.array([2, 5], dtype=np.int32), 3)
    assert found.tolist() == [[3, 11, 5], [11, 3, 2]]


def test_relative_change_is_over_content_tokens_only() -> None:
    scores, others = (
        np.array([[3.0, 4.0, 9.0], [0.0, 0.0, 1.0]]),
        np.array([[3.0, 7.0, 0.0], [1.0, 0.0, 1.0]]),
    )
    found = relative_change(scores, others, np.array([True, True, False]))
    np.testing.assert_allclose(found, [3 / 5, np.nan])


class Constant:
    def explain(self, engine: Any, requests: Any, baseline: Any) -> Any:
        return [
            [replace(record, scores=np.ones_like(record.scores)) for record in records]
            for records in Random().explain(engine, requests, baseline)
        ]


def test_an_explainer_that_says_the_same_of_every_text_is_not_sensitive_and_noise_is() -> None:
    model: Any = small_model(EXAMPLES)
    constant: Any = Constant()
    assert scored(MaxSensitivity(), subject_of(model, EXAMPLES, constant)) == 0.0
    assert scored(MaxSensitivity(), subject_of(model, EXAMPLES, Random())) > 0.7
    assert scored(MaxSensitivity(target="gold"), subject_of(model, EXAMPLES, Gold())) == 0.0


def test_a_larger_neighbourhood_is_never_less() -> None:
    """One of all possible x', then all of them."""
    model = small_model(EXAMPLES)
    values = [
        scored(MaxSensitivity(neighbours=count, words=1), subject_of(model, EXAMPLES, Saliency()))
        for count in (1, 1000)
    ]
    assert values[0] < values[1]


def test_neighbours_replace_one_word_by_a_known_one_and_keep_the_decision() -> None:
    examples = [*EXAMPLES, example("rare", "the film is unheard", [0])]
    model: Any = small_model(EXAMPLES)
    subject = subject_of(model, examples, Saliency())
    asked: list[Request] = []
    explain: Any = subject.explain

    def spy(engine: Any, requests: Any) -> Any:
        asked.extend(requests)
        return explain(engine, requests)

    MaxSensitivity().score(replace(subject, explain=spy))
    originals = {item.id: item for item in examples}
    assert len({request.example.id for request in asked}) == len(asked) > len(examples)
    for request in asked:
        item = originals[request.example.id.split(" beside ")[0]]
        (encoding,) = model.encode([item.texts])
        (place,) = np.flatnonzero(request.encoding.ids != encoding.ids)
        word = model.vocabulary.words[request.encoding.ids[place]]
        assert word == request.encoding.tokens[place] and not word.startswith("[")
        assert encoding.ids[place] != model.unk_id
        before, after = (
            subject.engine.logits([full_rows(e)])[0].argmax() for e in (encoding, request.encoding)
        )
        assert before == after == request.targets[0]


def test_a_vocabulary_of_one_word_has_no_neighbours() -> None:
    examples = [example("a", "great great", [2]), example("b", "great", [2])]
    subject = subject_of(small_model(examples), examples, Saliency())
    table = MaxSensitivity().score(subject)
    assert np.isnan(table[table["part"] == "sensitivity"]["value"]).all()
    assert set(table[table["part"] == "kept"]["value"]) == {0.0}
    assert np.isnan(scored(MaxSensitivity(), subject))


def test_labels_of_a_multi_label_text_are_decided_and_judged_alone() -> None:
    model: Any = small_model(EXAMPLES, multi_label=True)
    rows = [full_rows(encoding) for encoding in model.encode([item.texts for item in EXAMPLES])]
    # Every label is decided on the edge.
    middle = np.median(np.concatenate(Engine(model).logits(rows)), axis=0)
    model.network.dense.bias -= torch.from_numpy(middle).float()
    subject = subject_of(model, EXAMPLES, Saliency())
    _, labels, parts = wide(MaxSensitivity(target="all").score(subject))
    assert labels == [0, 1, 2]
    # The labels flip at different neighbours.
    assert not np.array_equal(parts["kept"][:, 0], parts["kept"][:, 1])
    assert (np.isnan(parts["sensitivity"]) == (parts["kept"] == 0)).all()


def test_shards_and_order_do_not_matter() -> None:
    model = small_model(EXAMPLES)
    whole = MaxSensitivity().score(subject_of(model, EXAMPLES, Random(), size=24))
    same_table(whole, MaxSensitivity().score(subject_of(model, EXAMPLES[::-1], Random(), size=5)))


def test_one_explanation_of_all_texts_and_one_question_of_decisions() -> None:
    subject = subject_of(small_model(EXAMPLES), EXAMPLES, Random())
    calls: list[int] = []
    explain: Any = subject.explain

    def spy(engine: Any, requests: Any) -> Any:
        calls.append(len(requests))
        return explain(engine, requests)

    MaxSensitivity().score(replace(subject, explain=spy))
    assert len(calls) == 1 and calls[0] > 24


@pytest.mark.parametrize("options", [{"neighbours": 0}, {"words": 0}, {"texts": 0}, {"target": "any"}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="max_sensitivity"):
        MaxSensitivity(**options)
