"""`assay.neurons`: which neurons carry a class, which words drive them, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.harness.interface.classifiers import Classifier
from assay.models.engine import Engine
from assay.models.word_model import WordModel
from assay.tasks.example import Task

KEYWORDS = {
    "negative": {"awful", "boring", "dreadful"},
    "neutral": {"ordinary", "plain", "average"},
    "positive": {"wonderful", "brilliant", "delightful"},
}


@pytest.fixture
def classifier(word_model: Callable[..., WordModel], toy_task: Task) -> Classifier:
    model = word_model("maxpool", trained=True)
    return Classifier("maxpool", Engine(model), {}, 0, "", toy_task, (), False)


def test_a_class_has_its_neurons_and_they_its_words(classifier: Classifier, toy_task: Task):
    found = assay.neurons(classifier, toy_task.test, k=5)
    assert repr(found) == "Conductance of 12 neurons of layer 'pooled' on 24 texts"
    assert found.conductance.shape == (24, 3, 12) and np.abs(found.gaps).max() < 1e-4
    given = found.probabilities.argmax(axis=1)
    for at, label in enumerate(classifier.labels):
        top = found.of(label)
        mean = found.conductance[given == at, at].mean(axis=0)
        assert [neuron.number for neuron in top] == np.argsort(-mean, kind="stable")[:5].tolist()
        np.testing.assert_allclose([neuron.conductance for neuron in top], np.sort(mean)[::-1][:5])
        assert top[0].words[0][0] in KEYWORDS[label]
        # All words of a small vocabulary are kept, and sum to the neuron.
        sums = [sum(part for _, part in neuron.words) for neuron in found.of(label)]
        assert sums[0] == pytest.approx(top[0].conductance, rel=0.2)
    table = found.top("positive")
    assert list(table.columns) == ["neuron", "conductance", "words"] and len(table) == 5
    assert any(word in table["words"][0] for word in KEYWORDS["positive"])


def test_a_single_text_has_neurons_of_its_own(classifier: Classifier, toy_task: Task):
    example = next(example for example in toy_task.test if example.labels == (2,))
    found = assay.neurons(classifier, example, k=2)
    (top, second), other = found.of("positive", 0), found.of("negative", 0)
    assert top.conductance == pytest.approx(found.conductance[0, 2].max())
    assert top.conductance >= second.conductance
    assert sum(part for _, part in top.words) == pytest.approx(top.conductance, rel=0.05)
    written = {word.lower() for word in example.texts[0].split()}
    assert {word for word, _ in top.words} <= written
    assert other[0].conductance < top.conductance


def test_top_neurons_fall_further_than_random_ones(classifier: Classifier, toy_task: Task):
    found = assay.neurons(classifier, toy_task.test, k=3)
    table = found.ablation(counts=[1, 3, 12], draws=5).to_dict("list")
    assert table["ablated"] == [1, 3, 12] and table["texts"] == [24] * 3
    assert min(table["difference_low"][:2]) > 0
    assert table["top"][2] == pytest.approx(table["random"][2], abs=1e-6)
    # Of the class that the model gives, all of them together are f(text) - f(baseline).
    given = found.probabilities.argmax(axis=1)
    changes = [one.change[label] for one, label in zip(found.scores, given, strict=True)]
    assert table["top"][2] == pytest.approx(np.mean(changes), abs=1e-4)
    few = assay.neurons(classifier, toy_task.test[:6], k=3).ablation(counts=[1], draws=2)
    assert np.isnan(few["top_low"].tolist()).all()
    of_label = found.ablation("positive", counts=[3], draws=2)
    assert of_label["texts"].tolist() == [(given == 2).sum()]


def test_figures_are_written_and_texts_in_them_are_inert(
    word_model: Callable[..., WordModel], toy_task: Task, tmp_path: Path
):
    named = replace(toy_task, labels=("a$b$", "<i>\x1b[31m", "positive"))
    model = word_model("maxpool", trained=True)
    model = WordModel(model.spec, model.vocabulary, model.network, named.labels, multi_label=False)
    found = assay.neurons(Classifier("<cnn>", Engine(model), {}, 0, "", named, (), False), named.test, k=3)
    written = found.save(tmp_path / "neurons", draws=2)
    assert [path.name for path in written] == [
        *("ablation.csv", "neurons.svg", "neurons.png", "ablation.svg", "ablation.png")
    ]
    svg = (tmp_path / "neurons" / "neurons.svg").read_text(encoding="utf-8")
    assert "\\x1b[31m" in svg and "\x1b" not in svg
    ElementTree.fromstring(svg)
    assert "wonderful" in svg


def test_every_label_of_a_multi_label_model_is_explained(
    word_model: Callable[..., WordModel], toy_multi_label_task: Task
):
    task = toy_multi_label_task
    model = word_model("maxpool", trained=True, task=task)
    classifier = Classifier("maxpool", Engine(model), {}, 0, "", task, (), False)
    found = assay.neurons(classifier, task.test, k=2)
    given = found.probabilities >= 0.5
    words = {"price": {"cheap", "costly"}, "food": {"soup", "bread"}, "staff": {"waiter", "chef"}}
    for at, label in enumerate(task.labels):
        assert found.of(label)[0].words[0][0] in words[label]
        assert found.ablation(label, counts=[2], draws=2)["texts"][0] == given[:, at].sum()
    assert found.ablation(counts=[2], draws=2)["texts"][0] == given.any(axis=1).sum()


def test_what_makes_no_sense_is_refused(
    classifier: Classifier, word_model: Callable[..., WordModel], toy_task: Task
):
    linear = Classifier("linear", Engine(word_model("linear")), {}, 0, "", toy_task, (), False)
    with pytest.raises(assay.InputError, match="shows no hidden layer"):
        assay.neurons(linear, "a film")
    with pytest.raises(assay.InputError, match="no hidden layer 'pool'; did you mean 'pooled'"):
        assay.neurons(classifier, "a film", "pool")
    with pytest.raises(
        assay.InputError, match="the top 13 are asked for; the layer has 12, expected 1 to 12"
    ):
        assay.neurons(classifier, "a film", k=13)
    with pytest.raises(assay.InputError, match="the top 0 are asked for"):
        assay.neurons(classifier, "a film", k=0)
    with pytest.raises(assay.InputError, match="baseline 'delete' is not one text of equal length"):
        assay.neurons(classifier, "a film", baseline="delete")
    with pytest.raises(assay.InputError, match="baseline 'random' is not one text"):
        assay.neurons(classifier, "a film", baseline="random")
    with pytest.raises(assay.InputError, match="2 baselines are given; expected one"):
        assay.neurons(classifier, "a film", baseline=["mask", "pad"])
    with pytest.raises(assay.InputError, match="made from training texts"):
        assay.neurons(replace(classifier, task=None), "a film", baseline="mean")
    found = assay.neurons(classifier, "a wonderful film")
    with pytest.raises(assay.InputError, match=r"no label 'positiv'; did you mean 'positive'"):
        found.of("positiv")
    with pytest.raises(assay.InputError, match=r"gives 'negative' to none of the texts"):
        found.of("negative")
    with pytest.raises(assay.InputError, match=r"gives 'negative' to none of the texts"):
        found.ablation("negative")
    with pytest.raises(assay.InputError, match=r"there is no text 1; 1 were explained"):
        found.of("positive", 1)
    function = assay.wrap(lambda texts: np.full((len(texts), 2), 0.5), labels=["a", "b"])
    with pytest.raises(assay.InputError, match="shows no hidden layer"):
        assay.neurons(function, "a film")


def test_the_mean_of_the_training_texts_is_a_baseline(classifier: Classifier, toy_task: Task):
    found = assay.neurons(classifier, toy_task.test[:2], k=2, baseline="mean")
    assert np.abs(found.gaps).max() < 1e-4
