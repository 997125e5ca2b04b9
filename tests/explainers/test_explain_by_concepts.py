"""`assay.explain_by_concepts`: tables, judges against what is known of a model, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from presence_models import QUESTIONS, WORDS, presence_model, presence_task

import assay
from assay.harness.interface.classifiers import Classifier
from assay.metrics.concept_scores import stability
from assay.models.engine import Engine
from assay.models.linear import Linear
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.example import Example, Mention, Rationale, Span, Task
from assay.tasks.planted_accidents import causes, planted_accidents

# As in tests/explainers/test_concept_explainers.py: of each answer one word, and of the decision.
HEADS = np.zeros((5, len(WORDS)))
for _answer, _word in enumerate(("fell", "slipped", "back", "hand", "he")):
    HEADS[_answer, WORDS.index(_word)] = 1.0 if _word == "he" else 6.0
DECISION = np.zeros((2, len(WORDS)))
DECISION[1, WORDS.index("fell")], DECISION[1, WORDS.index("back")] = 5.0, 0.5
DECISION[0, WORDS.index("slipped")] = 5.0


def _texts() -> tuple[Example, ...]:
    """Sixty texts whose label follows from the event, with its mention and rationale."""
    rng = np.random.default_rng(2)
    texts = []
    for at in range(60):
        label, part = at % 2, int(rng.integers(2))
        event = "fell" if label else "slipped"
        around = rng.choice(["he", "floor", "roof", "night", "late"], 3).tolist()
        # Away from the ends, where a neighbour shares all its windows.
        words = [
            "roof",
            *around[:2],
            event,
            around[2],
            "hurt",
            ("back", "hand")[part],
            "floor",
            "roof",
            "late",
        ]
        start = len(" ".join(words[:3])) + 1
        span = Span(start, start + len(event))
        name = f"event: {QUESTIONS[0].labels[1 - label]}"
        texts.append(
            Example(
                str(at),
                (" ".join(words),),
                (label,),
                (Rationale((span,), label=label),),
                auxiliary=(1 - label, part),
                mentions=(Mention(name, (span,)),),
            )
        )
    return tuple(texts)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    engine = Engine(presence_model(HEADS, DECISION))
    return Classifier("presence", engine, {}, 0, "", presence_task(), (), False)


def test_decisions_are_a_table(classifier: Classifier):
    found = assay.explain_by_concepts(classifier, _texts()[:4])
    assert repr(found) == "Decisions on 4 texts explained by concepts (side heads)" and len(found) == 4
    rows: list[dict[str, Any]] = found.to_frame().to_dict("records")
    assert len(rows) == 4 * 5 and {row["label"] for row in rows} == {"short", "long"}
    first = [rows[at] for at in range(0, 20, 5)]
    assert [row["concept"] for row in first] == ["event: slip", "event: fall"] * 2
    assert [row["words"] for row in first] == ["slipped", "fell"] * 2
    assert [one.target for one in found] == [0, 1, 0, 1]
    assert {one.target for one in found.of("long")} == {1}
    with pytest.raises(assay.InputError, match="no label 'lon'; did you mean 'long'"):
        found.of("lon")


def test_judges_find_what_is_known_of_the_model(classifier: Classifier):
    texts = _texts()
    found = assay.explain_by_concepts(classifier, texts)
    words = assay.explain(classifier, texts, ["occlusion", "random"], baseline="mask")
    table = found.judge(words, bootstrap=Bootstrap(n=100, permutations=200))
    rows: list[dict[str, Any]] = table.to_dict("records")
    value = {(row["judge"], row["what"]): row["value"] for row in rows}
    assert value["true cause first", "top concept"] == 1
    assert value["true cause first", "random concept"] == pytest.approx(1 / 5)
    assert value["words of concepts, F1", "chosen words"] == 1
    fall = {what: of for (judge, what), of in value.items() if judge == "fall without words"}
    # One word decides, so without it the model is back at what the other words say.
    assert fall["top concept"] == pytest.approx(fall["as many words by occlusion"])
    assert fall["top concept"] > 0.4 > fall["as many random words"] > 0
    assert fall["as many words by random"] < 0.3
    for judge in ("reader of scores", "reader of names"):
        assert value[judge, "concepts"] == 1 and value[judge, "words by occlusion"] == 1
        assert value[judge, "concepts of another text"] < 0.8 and value[judge, "nothing"] <= 0.55
        assert value[judge, "all words of the text, no explanation"] == 1
    p = {(row["judge"], row["what"]): row["p"] for row in rows}
    # As fine as the correction for six controls asks for.
    assert p["fall without words", "as many random words"] < 0.02
    assert p["reader of names", "random concepts"] < 0.02


def test_questions_are_told_with_their_quality(classifier: Classifier):
    table = assay.explain_by_concepts(classifier, _texts()).questions()
    found: dict[str, list[Any]] = table.to_dict("list")
    assert found["question"] == ["event", "part"] and found["accuracy"] == [1.0, 1.0]
    assert found["texts"] == [60, 60] and all(found["learned"])
    # The training texts have two of each event: the first is taken.
    assert found["majority"][0] == 0.5 and found["brier"][0] < found["brier_constant"][0]


def test_a_model_without_concepts_and_wrong_options_are_refused(classifier: Classifier):
    plain = Classifier("linear", Engine(Linear(min_count=1).untrained(presence_task(), 0)), {}, 0, "")
    with pytest.raises(assay.InputError, match="answers no questions about a text"):
        assay.explain_by_concepts(plain, "he fell")
    with pytest.raises(assay.InputError, match="share is 2; expected"):
        assay.explain_by_concepts(classifier, "he fell", share=2)
    with pytest.raises(assay.InputError, match="2 baselines are given"):
        assay.explain_by_concepts(classifier, "he fell", baseline=["mask", "pad"])


def test_one_text_of_three_words_is_explained(classifier: Classifier):
    (one,) = assay.explain_by_concepts(classifier, "he slipped late")
    assert one.parts[0].name == "event: slip" and one.additive


def test_causes_of_planted_texts_are_those_that_the_rationale_marks():
    from assay.metrics.known_concepts import true_causes

    task: Task = planted_accidents(train=5, dev=5, test=60)
    for example in task.test:
        assert true_causes(example, example.labels[0]) == frozenset(causes(example))
        assert true_causes(example, 1 - example.labels[0]) == frozenset()


def test_two_equal_models_are_stable(classifier: Classifier):
    records = assay.explain_by_concepts(classifier, _texts()[:6]).records
    scores = np.array([[part.score for part in sorted(of[0].parts, key=lambda p: p.name)] for of in records])
    alike = stability(scores, scores)
    np.testing.assert_allclose(alike.correlation, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("decision", "least"), [("text", 0.8), ("concepts", 0.75)])
def test_true_causes_come_first_and_concepts_have_their_words(decision: str, least: float):
    task = planted_accidents()
    model = assay.fit("concept_cnn", task, decision=decision)
    table = assay.explain_by_concepts(model, task.test[:150]).judge(bootstrap=Bootstrap(n=100))
    rows: list[dict[str, Any]] = table.to_dict("records")
    value = {row["what"]: row["value"] for row in rows}
    assert value["top concept"] >= 0.95 and value["random concept"] < 0.2
    assert value["chosen words"] >= least and value["as many random words"] < 0.1
