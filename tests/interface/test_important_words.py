"""assay.important_words: the line, the table and the figure for one text and for a class."""

from __future__ import annotations

import numpy as np
import pytest

import assay
from assay.harness.interface.classifiers import Classifier
from assay.models.masked_inputs import full_rows
from assay.results.figures.pooled_words import AGAINST, FOR, Dimension, NamingWord, Panel, pooled_words
from assay.tasks.example import Task

TRAINING = {"learning_rate": 0.02, "epochs": 15, "batch_size": 16, "patience": 15}
TEXT = "the wonderful film with an awful plot"


@pytest.fixture(scope="module")
def model(toy_task: Task) -> Classifier:
    return assay.fit("maxpool", toy_task, dimensions=12, training=TRAINING)


def test_a_text_is_told_by_its_words(model: Classifier) -> None:
    found = assay.important_words(model, TEXT, "positive")
    assert repr(found).startswith("Important words: ")
    (record,) = [
        of for of in assay.explain(model, [TEXT], ["pooled_ig"])["pooled_ig"].records[0] if of.target == 2
    ]
    everything = assay.important_words(model, TEXT, "positive", dimensions=100)
    assert len(everything.dimensions) == 12 and len(found.dimensions) == 10
    sums = dict(zip(record.tokens, record.scores.tolist(), strict=True))
    for word in everything.words:
        assert word.part == pytest.approx(sums[word.word], abs=1e-6) and not word.fewer
    values = [abs(one.value) for one in everything.dimensions]
    assert values == sorted(values, reverse=True)
    assert sum(one.value for one in everything.dimensions) == pytest.approx(
        record.value_input - record.value_baseline, abs=1e-6
    )
    for one in everything.dimensions:
        assert all(word.part * one.value > 0 for word in one.words)


def test_the_most_probable_class_is_explained_unless_another_is_named(model: Classifier) -> None:
    text = "a wonderful story"
    assert assay.important_words(model, text).label == "positive"
    assert assay.important_words(model, text, "negative").label == "negative"


def test_a_class_is_told_by_the_words_that_its_texts_have(model: Classifier, toy_task: Task) -> None:
    predicted = model.predict_proba(toy_task.test).argmax(axis=1)
    found = assay.important_words(model, toy_task.test, "negative", dimensions=12)
    assert (found.texts, found.others) == (int((predicted == 0).sum()), int((predicted != 0).sum()))
    ours = {word.word for word in found.words if word.part > 0 and not word.fewer}
    assert ours & {"awful", "boring", "dreadful"}
    keywords = {"wonderful", "brilliant", "delightful", "ordinary", "plain", "average"}
    assert all(word.fewer for word in found.words if word.word in keywords and word.part > 0)
    # What all texts share cancels out: the bars sum to the difference of the mean logits.
    encodings = model.model.encode([example.texts for example in toy_task.test])
    logits = np.concatenate(model.engine.logits([full_rows(encoding) for encoding in encodings]))[:, 0]
    difference = logits[predicted == 0].mean() - logits[predicted != 0].mean()
    assert sum(one.value for one in found.dimensions) == pytest.approx(difference, abs=1e-5)
    plain = assay.important_words(model, toy_task.test, "negative", contrast=False)
    assert plain.others == 0 and not any(word.fewer for word in plain.words)


def test_texts_that_are_all_of_the_class_are_their_plain_mean(model: Classifier, toy_task: Task) -> None:
    predicted = model.predict_proba(toy_task.test).argmax(axis=1)
    own = [example for example, label in zip(toy_task.test, predicted, strict=True) if label == 0]
    assert assay.important_words(model, own, "negative").others == 0


@pytest.mark.parametrize("name", ["meanpool", "cnn"])
@pytest.mark.parametrize("explainer", ["pooled_ig", "pooled_shapley"])
def test_other_models_with_several_labels(name: str, explainer: str, toy_multi_label_task: Task) -> None:
    model = assay.fit(name, toy_multi_label_task, dimensions=8, training={"epochs": 1})
    for baseline in ("mask", "random", "negatives"):
        found = assay.important_words(
            model, "the soup and a waiter", "food", explainer=explainer, baseline=baseline
        )
        assert len(found.words) == 5 and found.method == f"{explainer} ({baseline})"


def test_the_table_has_a_row_for_each_word_of_a_dimension(model: Classifier, toy_task: Task) -> None:
    found = assay.important_words(model, toy_task.test, "positive")
    frame = found.to_frame()
    assert list(frame.columns) == ["dimension", "value", "word", "part", "fewer"]
    assert len(frame) == sum(len(one.words) for one in found.dimensions)


def test_the_figure_names_its_bars_and_holds_no_markup_of_the_text(model: Classifier) -> None:
    svg = assay.important_words(model, "wonderful <script> $x$ film", "positive")._repr_svg_()
    assert svg.lstrip().startswith("<?xml") and "<script" not in svg
    assert ">added to the logit of positive<" in svg and "wonderful" in svg


def test_colours_say_what_the_words_speak_for() -> None:
    word, rare = NamingWord("good", 1.0, fewer=False), NamingWord("bad", 1.0, fewer=True)
    one, other, against = Dimension(0, 1.0, (word,)), Dimension(1, 1.0, (rare,)), Dimension(2, -1.0, (word,))

    def colours(*bars: Dimension) -> str:
        return pooled_words([Panel("title", "axis", bars)]).svg.decode().lower()

    legend = 2  # the face and the edge of the legend's patch
    assert colours(one).count(FOR.lower()) > legend == colours(one).count(AGAINST.lower())
    for bar in (other, against):
        assert colours(bar).count(AGAINST.lower()) > legend == colours(bar).count(FOR.lower())
    assert "bad ↓" in colours(other) and "reaches it less" in colours(other)
    assert "reaches it less" not in colours(one)


def test_what_cannot_be_told_is_said_in_a_sentence(model: Classifier, toy_task: Task) -> None:
    lstm = assay.fit("lstm", toy_task, training={"epochs": 1})
    for arguments, options, said in [
        ((lstm, TEXT), {}, "explainer 'pooled_ig': the model gives no pooled vector"),
        ((model, TEXT), {"explainer": "occlusion"}, "does not explain pooled vectors; choose pooled_ig"),
        ((model, TEXT), {"baseline": "delete"}, "baseline 'delete' changes the text's length"),
        ((model, TEXT), {"baseline": "mlm"}, "baseline 'mlm' stands for many texts"),
        ((model, TEXT, "positiv"), {}, "there is no label 'positiv'; did you mean"),
        ((model, [TEXT]), {}, "which class of the texts is meant"),
        ((model, ["awful"], "positive"), {}, "assigns none of the 1 texts to 'positive'"),
        ((model, TEXT), {"dimensions": 0}, "dimensions is 0"),
        ((model, []), {}, "an empty list cannot be explained"),
        (("maxpool", TEXT), {}, "no classifier"),
    ]:
        with pytest.raises(assay.InputError, match=said):
            assay.important_words(*arguments, **options)
