"""`assay.tcav`: a reader's concepts on a classifier, decisions explained by them, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.harness.interface.classifiers import Classifier
from assay.models.engine import Engine
from assay.models.word_model import WordModel
from assay.results.concepts.cases import Case, Portfolio
from assay.results.concepts.sentence import sentence
from assay.tasks.example import Task

PRAISE: dict[str, Any] = {"words": ["wonderful", "brilliant", "delightful"], "added_by": "A. Miller"}
PLOT: dict[str, Any] = {"words": ["plot", "story"], "added_by": "B"}
CONCEPTS = {"praise": PRAISE, "plot": PLOT}


@pytest.fixture
def classifier(word_model: Callable[..., WordModel], toy_task: Task) -> Classifier:
    return _classifier(word_model("maxpool", trained=True), toy_task)


def _classifier(model: Any, task: Task) -> Classifier:
    return Classifier("m", Engine(model), {}, 0, "", task, (), False)


@pytest.mark.parametrize("method", ["difference", "classifier"])
def test_a_concept_that_the_class_depends_on_is_told_from_one_that_it_does_not(
    method: Any, classifier: Classifier, toy_task: Task
) -> None:
    found = assay.tcav(classifier, toy_task.test, CONCEPTS, method=method, draws=199)
    assert repr(found) == "TCAV of 2 concepts at pooled on 24 texts"
    table = found.table().set_index(["concept", "label"])
    given = (classifier.predict_proba(toy_task.test).argmax(axis=1) == 2).sum()
    praise, plot = table.loc[("praise", "positive")], table.loc[("plot", "positive")]
    assert praise["sign_count"] == 1 and praise["effect"] > 0 and praise["p"] == 1 / 200
    assert praise["p_holm"] <= 0.05 < plot["p_holm"] and plot["p"] > 0.05
    assert praise["probe"] > 0.9 and praise["probe_p"] <= 0.05 and abs(praise["probe_shuffled"] - 0.5) < 0.1
    assert (praise["added_by"], praise["layer"], praise["texts"]) == ("A. Miller", "pooled", given)
    assert (praise["with_concept"], praise["without_concept"]) == (30, 60)
    assert table.loc[("praise", "negative")]["effect"] < 0
    again = assay.tcav(classifier, toy_task.test, CONCEPTS, method=method, draws=199)
    assert again.table().equals(found.table())


def test_a_p_does_not_depend_on_the_name_of_a_concept(classifier: Classifier, toy_task: Task) -> None:
    names = ("plot", "Plot", "a", "b", "c")
    found = assay.tcav(
        classifier, toy_task.test, dict.fromkeys(names, PLOT), labels=["positive"], examples=10, draws=199
    ).table()
    for column in ("p", "probe", "probe_p"):
        assert len({*found[column].tolist()}) == 1
    for column in ("effect", "effect_error", "magnitude"):
        np.testing.assert_allclose(found[column], found[column][0], rtol=1e-5)
    # Ten of those with the concept, and all 49 others, which are fewer than fifty.
    assert found["with_concept"].tolist() == [10] * 5 and set(found["without_concept"]) == {49}
    assert min(found["effect_error"].tolist()) > 0
    every = assay.tcav(classifier, toy_task.test, {"plot": PLOT}, labels=["positive"], draws=199).table()
    assert every["effect_error"].tolist() == [0]


def test_a_label_of_few_texts_is_told(
    classifier: Classifier, toy_task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [text for text in toy_task.test if classifier.predict_proba(text)[0].argmax() == 2]
    for count, said in ((1, "only 1 text gets label 'positive'"), (5, "")):
        caplog.clear()
        assay.tcav(classifier, texts[:count], {"praise": PRAISE}, draws=19)
        assert said in caplog.text and bool(said) == ("tcav: only" in caplog.text)


def test_concepts_of_a_reader_have_sentences_and_pages(
    classifier: Classifier, toy_task: Task, tmp_path: Path
) -> None:
    found = assay.tcav(classifier, toy_task.test, {"praise": PRAISE}, draws=199)
    positive = (text for text in toy_task.test if classifier.predict_proba(text)[0].argmax() == 2)
    praised = next(text for text in positive if "wonderful" in text.texts[0])
    (said,) = found.sentences(praised, "positive", noun="review")
    assert "says “positive”" in said and "praise (“wonderful”)" in said
    page = found.write_pages(tmp_path, toy_task.test[:6], title="My reviews").read_text("utf-8")
    assert "<h1>My reviews" in page and "What speaks for “positive”" in page and "A. Miller" in page
    cases = sorted((tmp_path / "cases").glob("*.html"))
    assert len(cases) == 6
    line = f"<li><code>{toy_task.test[0].id},praise,"
    assert line in cases[0].read_text("utf-8") and "assay.tcav(" in cases[0].read_text("utf-8")
    with pytest.raises(assay.InputError, match="label"):
        found.write_pages(tmp_path, toy_task.test[:6], "superb")


def test_the_score_of_a_text_is_what_the_logit_loses_without_the_concept(
    classifier: Classifier, toy_task: Task
) -> None:
    found = assay.tcav(classifier, toy_task.test, CONCEPTS, draws=199)
    example = next(example for example in toy_task.test if example.labels == (2,))
    (explained,) = found.explain(example, "positive")
    first, text = explained.parts[0], example.texts[0]
    assert (explained.method, explained.target, explained.example_id) == ("tcav", 2, example.id)
    assert explained.probability == pytest.approx(classifier.predict_proba(example)[0, 2], abs=1e-6)
    assert (first.name, first.added_by, first.learned) == ("praise", "A. Miller", True)
    assert first.p is not None and first.p <= 0.05
    assert [text[span.start : span.end] for span in first.spans] == [
        word for word in text.split() if word in PRAISE["words"]
    ]
    assert first.span_scores[0] > 0
    # maxpool's logits are linear in the layer, so the score is the exact change.
    (vector, _) = found.vectors["pooled"]
    network = classifier.model.network  # pyright: ignore
    weights = next(p for p in network.parameters() if p.shape == (3, 12)).detach().double().numpy()
    from assay.explainers.concepts.text_vectors import text_vectors

    along = text_vectors(classifier.engine, [example], ["pooled"])["pooled"][0] @ vector.unit
    assert first.score == pytest.approx(weights[2] @ vector.unit * (along - vector.absent), rel=1e-4)
    # By default the most probable label is explained.
    assert found.explain([example])[0].target == classifier.predict_proba(example)[0].argmax()


def test_words_that_no_list_has_are_found_by_the_layer(classifier: Classifier, toy_task: Task) -> None:
    few = {"praise": {**PRAISE, "words": ["wonderful", "brilliant"]}}
    found = assay.tcav(classifier, toy_task.test, few, draws=99)
    (explained,) = found.explain("the film was delightful about a plot", "positive")
    (part,) = explained.parts
    assert ["the film was delightful about a plot"[s.start : s.end] for s in part.spans][:1] == ["delightful"]
    (denied,) = found.explain("a wonderful film, not a brilliant scene", "positive")
    assert len(denied.parts[0].spans) == 1
    text = "the film about a plot"
    (other,) = found.explain(text, "positive")
    assert other.parts[0].score < part.score
    # The layer sees praise in these texts, which mention none: a sentence that named it would say of them
    # what they do not have.
    (mentioned,) = found.explain("a wonderful film", "positive")
    assert mentioned.parts[0].seen and not part.seen and not other.parts[0].seen
    given = tuple(classifier.predict_proba(text)[0].tolist())
    strong = replace(other, parts=(replace(other.parts[0], p=0.001),))
    said = sentence(Case(strong, (text,), given), Portfolio("p", classifier.labels, 2))
    assert "praise" not in said and "No concept that can be named" in said


def test_a_concept_that_the_layer_does_not_know_is_not_learned(
    classifier: Classifier, toy_task: Task
) -> None:
    # A random half of the ids, which no text tells.
    words = {"odd": {"coded": ["half: yes"], "added_by": "me"}}
    from assay.tasks.auxiliary import Auxiliary

    rng = np.random.default_rng(0)
    train = tuple(replace(example, auxiliary=(int(rng.integers(2)),)) for example in toy_task.train)
    task = replace(toy_task, train=train, auxiliary=(Auxiliary("half", ("no", "yes")),))
    found = assay.tcav(classifier, toy_task.test, words, task=task, draws=199)
    assert min(found.table()["probe_p"].tolist()) > 0.05
    assert not found.explain(toy_task.test[0])[0].parts[0].learned


def test_several_layers_of_an_encoder_and_pairs_of_labels(
    vmask_bert: Any, word_model: Callable[..., WordModel], toy_task: Task, toy_multi_label_task: Task
) -> None:
    found = assay.tcav(
        _classifier(vmask_bert, toy_task), toy_task.test, CONCEPTS, ["layer_1", "layer_2", "head"], draws=499
    )
    table = found.table()
    assert list(dict.fromkeys(table["layer"])) == ["layer_1", "layer_2", "head"]
    assert len(table) == 6 * table["label"].nunique()
    assert max(table[table["concept"] == "praise"]["probe"].tolist()) > 0.8
    assert len(found.explain(toy_task.test[:3], layer="layer_1")) == 3
    lstm = _classifier(word_model("lstm", trained=True), toy_task)
    assert set(assay.tcav(lstm, toy_task.test, CONCEPTS, "states", draws=199).table()["layer"]) == {"states"}
    task = toy_multi_label_task
    several = _classifier(word_model("maxpool", trained=True, task=task), task)
    food = {"food": {"words": ["soup", "bread"], "added_by": "me"}}
    told = assay.tcav(several, task.test, food, draws=199).table().set_index("label")
    assert told.loc["food"]["p"] == 1 / 200 and told.loc["food"]["effect"] > 0
    with pytest.raises(assay.InputError, match="give completeness the label="):
        assay.tcav(several, task.test, food, draws=199).completeness()
    assert assay.tcav(several, task.test, food, draws=199).completeness(label="food").total > 0.7


def test_concepts_that_tell_the_labels_are_complete(classifier: Classifier, toy_task: Task) -> None:
    concepts = {
        **CONCEPTS,
        "blame": {"words": ["awful", "boring", "dreadful"], "added_by": "me"},
        "plain": {"words": ["ordinary", "plain", "average"], "added_by": "me"},
    }
    texts = (*toy_task.train, *toy_task.test)
    found = assay.tcav(classifier, texts, concepts, draws=499)
    shares = found.completeness()
    assert shares.total > 0.8 and shares.full == 1 and shares.shares.sum() == pytest.approx(shares.total)
    assert shares.shares[1] == shares.shares.min()  # the plot
    right = np.mean(classifier.predict_proba(texts).argmax(axis=1) == [text.labels[0] for text in texts])
    assert found.completeness(of_gold=True).full == pytest.approx(right)


def test_adding_a_concept_takes_an_entry_and_no_training(tmp_path: Path) -> None:
    task = assay.task("planted_accidents", train=600, dev=50, test=60)
    model = assay.fit("cnn", task, training={"epochs": 2})
    weights, path = model.weights, tmp_path / "concepts.yaml"
    path.write_text("night:\n  words: [night]\n  added_by: A. Miller\n", encoding="utf-8")
    assay.tcav(model, task.test, path)
    with path.open("a", encoding="utf-8") as file:
        file.write("ladder:\n  words: [ladder, scaffold]\n  added_by: B. Smith\n")
    began = time.process_time()
    table = assay.tcav(model, task.test, path).table()
    assert time.process_time() - began < 60 and model.weights == weights
    assert set(table["concept"]) == {"night", "ladder"}
    assert set(table[table["concept"] == "ladder"]["added_by"]) == {"B. Smith"}


def test_corrections_change_the_labels_of_texts(
    classifier: Classifier, toy_task: Task, tmp_path: Path
) -> None:
    has = [text.id for text in toy_task.train if any(word in text.texts[0] for word in PRAISE["words"])]
    path = tmp_path / "corrections.csv"
    path.write_text(
        "id,concept,holds,who\n" + "".join(f"{name},praise,no,A\n" for name in has[:5]), encoding="utf-8"
    )
    found = assay.tcav(classifier, toy_task.test, CONCEPTS, corrections=path, draws=199)
    counts = found.table().set_index("concept").loc["praise"]["with_concept"]
    assert set(counts) == {len(has) - 5}


def test_what_makes_no_sense_is_refused(
    classifier: Classifier, word_model: Callable[..., WordModel], toy_task: Task, tmp_path: Path
) -> None:
    def refused(match: str, *arguments: Any, of: Any = classifier, **options: Any) -> None:
        with pytest.raises(assay.InputError, match=match) as error:
            given: Any = arguments or (toy_task.test, CONCEPTS)
            assay.tcav(of, *given, **options)
        assert "\n" not in str(error.value)

    refused("shows no hidden layer", of=_classifier(word_model("linear"), toy_task))
    refused("no hidden layer 'pool'; did you mean 'pooled'", layers=["pool"])
    refused("this model has none; call tcav with task=", of=replace(classifier, task=None))
    refused("there is no label 'positiv'; did you mean", labels=["positiv"])
    refused("gives 'negative' to none of the texts", "a wonderful film", CONCEPTS, labels=["negative"])
    refused(
        "with 19 draws no p can be below 0.05 once corrected for 6 tests; expected at least 119", draws=19
    )
    refused("draws is 5; expected at least 19", draws=5)
    refused("fewest is 1; expected at least 5", fewest=1)
    refused("method is 'svm'", method="svm")
    refused("labels is empty", labels=[])
    refused("there is no file", toy_task.test, str(tmp_path / "none.yaml"))
    ghost = {"ghost": {"words": ["ghost"], "added_by": "me"}}
    refused("'ghost' has no positive example: none of 90 texts has it", toy_task.test, ghost)
    rare = {"rare": {"words": ["brilliant"], "added_by": "me"}}
    refused(
        "concept 'rare': [0-9]+ of [0-9]+ texts have it; expected at least 20", toy_task.test, rare, fewest=20
    )
    function = assay.wrap(lambda texts: np.full((len(texts), 2), 0.5), labels=["a", "b"])
    refused("shows no hidden layer", of=function, task=toy_task)
    # a narrative of three words is a text as any other
    found = assay.tcav(classifier, "a wonderful film", CONCEPTS, draws=199)
    assert len(found.explain("a wonderful film")) == 1
    with pytest.raises(assay.InputError, match="label is 'negative'; available: positive"):
        found.explain("a film", "negative")
    with pytest.raises(assay.InputError, match="layer is 'head'; available: pooled"):
        found.explain("a film", layer="head")
    with pytest.raises(assay.InputError, match="1 texts have 1 different classes"):
        found.completeness()
    with pytest.raises(assay.InputError, match="no gold label"):
        found.completeness(of_gold=True)
