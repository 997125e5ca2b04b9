"""`assay.attention`: the attention of one text, its figures, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.harness.interface.attention import TextAttention
from assay.harness.interface.classifiers import Classifier
from assay.models.engine import Engine
from assay.models.transformer_model import TransformerModel
from assay.models.word_model import WordModel
from assay.results.figures.attention import WORDS, heads_figure
from assay.tasks.example import Task


@pytest.fixture(scope="module")
def classifier(tiny_bert: TransformerModel, toy_task: Task) -> Classifier:
    return Classifier("bert", Engine(tiny_bert), {}, 0, "", toy_task, (), False)


@pytest.fixture(scope="module")
def found(classifier: Classifier) -> TextAttention:
    return assay.attention(classifier, "a wonderful <film> plot")


def test_a_text_has_its_words_layers_and_heads(found: TextAttention):
    words = ["[CLS]", "a", "wonderful", "<", "film", ">", "plot", "[SEP]"]
    assert repr(found) == "Attention of 2 layers with 2 heads each among 8 words"
    assert list(found.words) == words
    assert found.weights.shape == (2, 2, 8, 8) and found.rollout.shape == (2, 8)
    table = found.head(2, 1)
    assert list(table.index) == list(table.columns) == words
    np.testing.assert_array_equal(table.to_numpy(), found.weights[1, 0])


def test_figures_are_written_and_name_every_word(found: TextAttention, tmp_path: Path):
    written = found.save(tmp_path / "attention")
    names = {path.name for path in written}
    away = np.abs(found.weights[-1, :, 0] - 1 / 8).sum(axis=1).argmax() + 1
    assert names == {
        f"attention-{name}.{kind}"
        for name in ("heads", "rollout", f"layer-2-head-{away}")
        for kind in ("svg", "png")
    }
    for path in written:
        if path.suffix == ".svg":
            svg = path.read_text(encoding="utf-8")
            ElementTree.fromstring(svg)
            assert "words)" not in svg
            if "heads" not in path.name:
                assert all(word in svg for word in ("[CLS]", "wonderful", "film", "plot"))


def test_a_long_text_is_cut_in_figures_and_they_say_so(classifier: Classifier):
    long = assay.attention(classifier, " ".join(["a wonderful film"] * 12))
    assert len(long.words) == 38 > WORDS and long.weights.shape[2:] == (38, 38)
    for drawing in (long.heads_figure(), long.rollout_figure(), long.head_figure(1, 2)):
        assert "the first 30 of 38 words" in drawing.text
        # In the figure the sentence may take two lines.
        assert all(part in drawing.svg.decode() for part in ("the first 30", "words)"))


def test_many_layers_and_heads_are_cut_and_it_is_said():
    weights = np.full((14, 16, 2, 2), 0.5)
    drawing = heads_figure(["a", "b"], weights)
    assert "heads 1 to 12 of 16; layers 3 to 14 of 14" in drawing.text
    assert "heads" not in heads_figure(["a", "b"], weights[:12, :12]).text.split(";")[-1]


def test_what_makes_no_sense_is_refused(
    classifier: Classifier, found: TextAttention, word_model: Callable[..., WordModel], toy_task: Task
):
    with pytest.raises(assay.InputError, match="attention is shown of one text at a time"):
        assay.attention(classifier, ["a film", "a plot"])
    for layer, head in ((0, 1), (3, 1), (1, 0), (1, 3)):
        with pytest.raises(
            assay.InputError, match=f"no head {head} of layer {layer}; the model has layers 1"
        ):
            found.head(layer, head)
        with pytest.raises(assay.InputError, match="the model has layers 1 to 2, each with heads 1 to 2"):
            found.head_figure(layer, head)
    maxpool = Classifier("maxpool", Engine(word_model("maxpool")), {}, 0, "", toy_task, (), False)
    with pytest.raises(assay.InputError, match="shows no attention"):
        assay.attention(maxpool, "a film")
    function = assay.wrap(lambda texts: np.full((len(texts), 2), 0.5), labels=["a", "b"])
    with pytest.raises(assay.InputError, match="shows no attention"):
        assay.attention(function, "a film")
    with pytest.raises(assay.InputError, match="expected what fit or wrap returns"):
        assay.attention("bert", "a film")  # pyright: ignore[reportArgumentType]
