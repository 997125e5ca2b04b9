"""`assay.layer_concepts`: the concepts of a layer with their words and importance, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.harness.interface.classifiers import Classifier
from assay.harness.interface.layer_concepts import LayerConcepts
from assay.models.engine import Engine
from assay.models.transformer_model import TransformerModel
from assay.models.word_model import WordModel
from assay.tasks.example import Task

KEYWORDS = {
    "negative": {"awful", "boring", "dreadful"},
    "neutral": {"ordinary", "plain", "average"},
    "positive": {"wonderful", "brilliant", "delightful"},
}


@pytest.fixture(scope="module")
def classifier(word_model: Callable[..., WordModel], toy_task: Task) -> Classifier:
    model = word_model("maxpool", trained=True)
    return Classifier("maxpool", Engine(model), {}, 0, "", toy_task, (), False)


@pytest.fixture(scope="module")
def found(classifier: Classifier, toy_task: Task) -> LayerConcepts:
    return assay.layer_concepts(classifier, toy_task.train, number=6, points=8)


def test_the_concepts_of_a_class_have_its_words(found: LayerConcepts):
    assert found.layer == "pooled" and len(found) == 6 and len(found.effects) == 90
    for label, known in KEYWORDS.items():
        top = max(found.of(label), key=lambda one: one.deletion)
        assert {word for word, _ in top.words[:4]} & known
        assert found.of(label)[0].sobol == max(one.sobol for one in found.of(label))
        table = found.table(label)
        assert list(table.columns) == [
            *("label", "concept", "sobol", "deletion", "stability", "words", "text")
        ]
        assert table["concept"].tolist() == [one.number for one in found.of(label)]
        assert table["text"].tolist()[0] == found.examples[found.of(label)[0].texts[0]].texts[0]
    # Together they make a difference, and each class is a mean over the texts that have it.
    having = [one for one, row in zip(found.effects, found.given, strict=True) if row[2]]
    mean = np.mean([one.sobol[:, 2] for one in having], axis=0)
    np.testing.assert_allclose(sorted(mean)[::-1], [one.sobol for one in found.of("positive")])


def test_what_the_concepts_keep_is_told_beside_what_needs_none(found: LayerConcepts):
    table = found.quality().set_index("measure")
    assert table["value"].tolist() == [found.error, found.unchanged, found.stability]
    assert 0 < found.error < 1 and found.unchanged > 0.9 and 0.5 < found.stability <= 1
    most = found.given.mean(axis=0).max()
    assert table["without concepts"].tolist() == [1, most, found.learned.by_chance]
    assert most < found.unchanged
    logits = np.stack([one.logits for one in found.effects])
    same = logits.argmax(axis=1) == found.given.argmax(axis=1)
    assert found.unchanged == same.mean()
    first, *lines = repr(found).splitlines()
    assert first.startswith("6 concepts (nmf) of layer 'pooled' in 90 texts: relative error 0.")
    assert len(lines) == 6 and lines[0].startswith("  0: ")


def test_few_texts_are_explained_and_others_by_another_seed(classifier: Classifier, toy_task: Task):
    drawn = [
        assay.layer_concepts(
            classifier, toy_task.train, number=3, method="kmeans", explained=7, points=2, seed=seed
        )
        for seed in (0, 0, 1)
    ]
    assert len(drawn[0].effects) == len(drawn[0].explained) == 7
    assert repr(drawn[0]) == repr(drawn[1]) and drawn[0].explained == drawn[1].explained
    assert drawn[0].explained != drawn[2].explained
    assert drawn[0].use.of_texts.shape == (90, 3)


def test_figures_are_written_and_texts_in_them_are_inert(
    word_model: Callable[..., WordModel], toy_task: Task, tmp_path: Path
):
    named = replace(toy_task, labels=("a$b$", "<i>\x1b[31m", "positive"))
    model = word_model("maxpool", trained=True)
    model = WordModel(model.spec, model.vocabulary, model.network, named.labels, multi_label=False)
    classifier = Classifier("<cnn>", Engine(model), {}, 0, "", named, (), False)
    found = assay.layer_concepts(classifier, named.test, number=3, points=2)
    written = found.save(tmp_path / "concepts")
    assert [path.name for path in written] == [
        *("concepts.csv", "quality.csv", "layer-concepts.svg", "layer-concepts.png")
    ]
    svg = (tmp_path / "concepts" / "layer-concepts.svg").read_text(encoding="utf-8")
    assert "\\x1b[31m" in svg and "\x1b" not in svg
    ElementTree.fromstring(svg)


def test_layers_of_tokens_multi_label_models_and_pairs_have_concepts(
    tiny_bert: TransformerModel,
    word_model: Callable[..., WordModel],
    toy_task: Task,
    toy_multi_label_task: Task,
    toy_pair_task: Task,
):
    bert = Classifier("bert", Engine(tiny_bert), {}, 0, "", toy_task, (), False)
    of_tokens = assay.layer_concepts(bert, toy_task.test[:6], "layer_1", number=3, points=2)
    assert of_tokens.learned.vectors == sum(map(len, tiny_bert.encode([e.texts for e in toy_task.test[:6]])))
    assert of_tokens.use.of_texts.shape == (6, 3)
    several = word_model("maxpool", trained=True, task=toy_multi_label_task)
    labels = Classifier("maxpool", Engine(several), {}, 0, "", toy_multi_label_task, (), False)
    found = assay.layer_concepts(labels, toy_multi_label_task.train, number=6, points=2)
    assert found.given.sum(axis=1).max() > 1 and found.unchanged > 0.8
    top = max(found.of("food"), key=lambda one: one.deletion)
    assert {word for word, _ in top.words[:4]} & {"soup", "bread"}
    pairs = word_model("cnn", task=toy_pair_task)
    of_pairs = Classifier("cnn", Engine(pairs), {}, 0, "", toy_pair_task, (), True)
    first = assay.layer_concepts(of_pairs, toy_pair_task.test, number=2, points=2)
    assert " / " in first.table(first.given_labels()[0])["text"][0]


def test_what_makes_no_sense_is_refused(
    classifier: Classifier, word_model: Callable[..., WordModel], toy_task: Task, found: LayerConcepts
):
    linear = Classifier("linear", Engine(word_model("linear")), {}, 0, "", toy_task, (), False)
    texts = toy_task.test
    with pytest.raises(assay.InputError, match="shows no hidden layer"):
        assay.layer_concepts(linear, texts)
    function = assay.wrap(lambda texts: np.full((len(texts), 2), 0.5), labels=["a", "b"])
    with pytest.raises(assay.InputError, match="shows no hidden layer"):
        assay.layer_concepts(function, ["a film"])
    with pytest.raises(assay.InputError, match="no hidden layer 'pool'; did you mean 'pooled'"):
        assay.layer_concepts(classifier, texts, "pool")
    with pytest.raises(assay.InputError, match="25 concepts are asked for; the layer has 24 distinct"):
        assay.layer_concepts(classifier, texts, number=25)
    with pytest.raises(assay.InputError, match="the same in all texts"):
        assay.layer_concepts(classifier, "a film", number=1)
    with pytest.raises(assay.InputError, match="method is 'nmff'; did you mean 'nmf'"):
        assay.layer_concepts(classifier, texts, method="nmff")  # pyright: ignore[reportArgumentType]
    with pytest.raises(assay.InputError, match="points is 3; expected an even number from 2 on"):
        assay.layer_concepts(classifier, texts, points=3)
    for option in ("vectors", "explained"):
        with pytest.raises(assay.InputError, match=f"{option} is 0"):
            assay.layer_concepts(classifier, texts, **{option: 0})  # pyright: ignore[reportArgumentType]
    with pytest.raises(assay.InputError, match=r"no label 'positiv'; did you mean 'positive'"):
        found.of("positiv")
    one = assay.layer_concepts(classifier, toy_task.test, number=2, explained=1, points=2)
    (other, *_) = [label for label in classifier.labels if label not in one.given_labels()]
    with pytest.raises(assay.InputError, match=f"gives '{other}' to none of the 1 explained texts"):
        one.of(other)
