"""`assay.explain_by_concepts`: tables, judges against what is known of a model, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from presence_models import QUESTIONS, WORDS, presence_model, presence_task

import assay
from assay.explainers.concepts.heads import Heads
from assay.harness.interface.classifiers import Classifier
from assay.harness.validation.concept_judging import Explained, complete, known
from assay.metrics.concept_scores import stability
from assay.models.engine import Engine
from assay.models.linear import Linear
from assay.results.concepts.cases import Case, Portfolio
from assay.results.concepts.sentence import sentence
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


def test_words_of_other_texts_labels_and_models_are_not_judged(classifier: Classifier):
    texts = _texts()[:8]
    found = assay.explain_by_concepts(classifier, texts)

    def words(of: Classifier, explained: object, **options: Any) -> Any:
        return assay.explain(of, explained, ["occlusion"], baseline="mask", **options)

    for other in (texts[::-1], texts[:5], [*texts[:7], _texts()[9]]):
        with pytest.raises(assay.InputError, match="same texts in the same order"):
            found.judge(words(classifier, other))
    # Texts without ids of their own are called alike in any order.
    plain = [example.texts[0] for example in texts]
    with pytest.raises(assay.InputError, match="8 texts and words 8, which differ from number 1 on"):
        assay.explain_by_concepts(classifier, plain).judge(words(classifier, plain[::-1]))
    for targets in ("predicted", "gold"):
        with pytest.raises(assay.InputError, match=r"words by occlusion are not of .* targets='all'"):
            found.judge(words(classifier, texts, targets=targets))
    engine = Engine(presence_model(HEADS, -DECISION))
    other = Classifier("presence", engine, {}, 0, "another", presence_task(), (), False)
    with pytest.raises(assay.InputError, match="the words are those of another"):
        found.judge(words(other, texts))


def test_the_order_of_the_texts_moves_no_judge(classifier: Classifier):
    texts = _texts()[:30]
    copies = [replace(text, id=f"{text.id} again", group=text.id) for text in texts[:10]]
    texts = (*(replace(text, group=text.id) for text in texts), *copies)
    found, back = (assay.explain_by_concepts(classifier, each).judged() for each in (texts, texts[::-1]))
    for judge in ("reader of scores", "reader of names"):
        for what, values in found[judge].items():
            assert back[judge][what][::-1].tolist() == values.tolist(), what
            assert values[30:].tolist() == values[:10].tolist()


def test_of_several_labels_only_those_that_the_model_gives_are_judged(classifier: Classifier):
    texts = _texts()[:6]
    found = assay.explain_by_concepts(classifier, texts)
    encodings = classifier.model.encode([text.texts for text in texts])
    probabilities = found.probabilities.copy()
    probabilities[1] = [0.3, 0.4]
    explained = Explained(texts, encodings, probabilities, True, found.records, {})
    causes = known(explained)["true cause first"]["top concept"]
    assert np.flatnonzero(np.isnan(causes)).tolist() == [1]
    assert np.isfinite(known(replace(explained, multi_label=False))["true cause first"]["top concept"]).all()
    with pytest.raises(assay.InputError, match="may have several labels"):
        complete(explained, Heads.of(classifier.model))


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


def test_pages_by_month_are_written_from_dates_by_id(classifier: Classifier, tmp_path: Path):
    texts = _texts()[:12]
    found = assay.explain_by_concepts(classifier, texts)
    dates = {text.id: date(2020, 1 + at % 2, 3) for at, text in enumerate(texts)}
    index = found.write_pages(tmp_path, "short", dates=dates)
    page = index.read_text(encoding="utf-8")
    assert "2020-01</th>" in page and "2020-02</th>" in page and "What drives “short”" in page
    assert len(list((tmp_path / "cases").glob("*.html"))) == 12
    with pytest.raises(
        assay.InputError, match="none of the 1 dates is that of an explained text, such as '0'"
    ):
        found.write_pages(tmp_path, dates={"another": date(2020, 1, 3)})
    with pytest.raises(assay.InputError, match="no label 'lon'"):
        found.write_pages(tmp_path, "lon")


def test_pages_set_coded_fields_beside_the_narrative(classifier: Classifier, tmp_path: Path):
    texts = _texts()[:12]
    page = assay.explain_by_concepts(classifier, texts).write_pages(tmp_path / "a").read_text("utf-8")
    for name in ("coded fields", "narrative and coded fields"):
        assert f'<th scope="col" class="number">{name}</th>' in page
        assert f"“{name}” " in page
    # Without a coded answer there is nothing to set beside it.
    bare = [replace(text, auxiliary=()) for text in texts]
    page = assay.explain_by_concepts(classifier, bare).write_pages(tmp_path / "b").read_text("utf-8")
    assert "coded fields" not in page


def test_of_several_labels_a_text_without_any_is_known_to_have_none(tmp_path: Path):
    """So that whoever decides for a label there is wrong; texts that nobody labelled are not known."""
    model, base = presence_model(HEADS, DECISION), presence_task()
    model.multi_label = True
    texts = [replace(text, labels=(1,) if text.labels == (1,) else (), rationales=()) for text in _texts()]
    splits = [tuple(replace(text, id=f"{split}{text.id}") for text in texts) for split in "abc"]
    task = Task("several", base.labels, *splits, multi_label=True, auxiliary=base.auxiliary)
    classifier = Classifier("presence", Engine(model), {}, 0, "", task, (), False)
    found = assay.explain_by_concepts(classifier, task.test)
    page = found.write_pages(tmp_path / "a", "long").read_text("utf-8")
    assert "The outcome of 30 of 60 cases" not in page and "narrative and coded fields</th>" in page
    decided = found.probabilities[:, 1] >= 0.5
    wrong = sum(told != bool(text.labels) for told, text in zip(decided, task.test, strict=True))
    assert wrong > 0 and f"{wrong} of these decisions" in page
    plain = [text.texts[0] for text in task.test[:6]]
    page = assay.explain_by_concepts(classifier, plain).write_pages(tmp_path / "b", "long").read_text("utf-8")
    assert "not known" in page and "of these decisions" not in page


@pytest.mark.parametrize("through", [False, True])
def test_sentences_and_sums_are_those_of_the_probabilities(through: bool):
    """Whatever is added to both labels alike, sentences are the same, and the sum gives the probability."""
    weights = np.array([[0.0, 3, 0, 1, 0], [3, 0, 0, -1, 0]]) if through else DECISION
    said = list[list[str]]()
    for bias in (0.0, 5.0, -5.0):
        model = presence_model(HEADS, weights, through=through)
        layer = model.network.get_submodule("dense")
        layer.get_buffer("means").copy_(torch.tensor([0.3, 0.7, 0.5, 0.2, 0.3]))
        with torch.no_grad():
            layer.get_submodule("decision").get_parameter("bias").fill_(bias)
        mine = Classifier("presence", Engine(model), {}, 0, "", presence_task(), (), False)
        found, portfolio = assay.explain_by_concepts(mine, _texts()), Portfolio("p", mine.labels, 1)
        said.append([])
        for of_text, text, given in zip(found.records, found.examples, found.probabilities, strict=True):
            one = of_text[1]
            total = one.base + sum(part.score for part in one.parts) + one.rest
            assert 1 / (1 + np.exp(-2 * total)) == pytest.approx(given[1], abs=1e-5)
            said[-1].append(sentence(Case(one, text.texts, tuple(given.tolist())), portfolio))
    assert said[0] == said[1] == said[2] and sum(", because " in one for one in said[0]) > 30


def test_what_lengthens_is_never_missing_as_a_reason():
    """Half an affirmed concept that speaks for a label is no reason by its absence."""
    # "fall" speaks for the second label; heads that waver give it a third.
    heads = HEADS * 0.0
    heads[1, WORDS.index("slipped")] = np.log(2)
    model = presence_model(heads, np.array([[0.0, 0, 0, 0, 0], [4.0, 0, 0, 0, 0]]), through=True)
    layer = model.network.get_submodule("dense")
    layer.get_buffer("means").copy_(torch.tensor([0.1, 0.9, 0.4, 0.3, 0.3]))
    mine = Classifier("presence", Engine(model), {}, 0, "", presence_task(), (), False)
    found = assay.explain_by_concepts(mine, "he slipped late")
    case = Case(found.records[0][1], ("he slipped late",), tuple(found.probabilities[0].tolist()))
    said = sentence(case, Portfolio("p", mine.labels, 1))
    (fall,) = [part for part in found.records[0][1].parts if part.name == "event: fall"]
    assert fall.probability == pytest.approx(1 / 3) and fall.score == pytest.approx((1 / 3 - 0.1) * 1.8)
    assert "the model gives more than usual to the event fall (33 %, usually 10 %)" in said
    assert "not speak" not in said and "not to speak of the event fall" not in said


def test_a_text_has_its_sentence_and_prints_readably(classifier: Classifier):
    found = assay.explain_by_concepts(classifier, "he slipped late")
    (said,) = found.sentences(noun="claim")
    assert said.startswith("The model says “short”") and "the claim" in said and "slipped" in said
    assert repr(found) == found.sentences()[0] != said
    assert found[0] == next(iter(found))
    printed = repr(found[0])
    assert printed.splitlines()[0].startswith("Text 'text-0', label number 0 (")
    assert f"{found[0].parts[0].score:+.2f}  event: slip (" in printed and "Part(" not in printed
    about_long = found.sentences("long")
    assert about_long[0].startswith("The model says “short”")
    with pytest.raises(assay.InputError, match="there is no label 'lnog'; did you mean 'long'"):
        found.sentences("lnog")


def test_pages_are_about_the_label_with_the_months_of_the_texts(classifier: Classifier, tmp_path: Path):
    texts = [replace(text, date=date(2025, 1 + at % 2, 7)) for at, text in enumerate(_texts()[:12])]
    found = assay.explain_by_concepts(classifier, texts)
    page = found.write_pages(tmp_path / "a", "short", title="My claims", noun="claim").read_text("utf-8")
    assert "<h1>My claims" in page and "What speaks for “short”" in page and "2025-02" in page
    assert "the last label of the task" not in page
    page = found.write_pages(tmp_path / "b").read_text("utf-8")
    assert "These pages are about “long”, the last label of the task; label= chooses another." in page
    assert len(list((tmp_path / "b" / "cases").glob("*.html"))) == 12
