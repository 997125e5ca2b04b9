"""The figure of layers by tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from results_synthetic import pair, shown

from assay.results.figures.layers import TOKENS, layers_figure
from assay.results.records import Method
from assay.results.shown import ShownScores, ShownText

LAYERS = ("embedding", "layer_1", "layer_2")


def by_layers(text: ShownText, seed: int = 0) -> ShownText:
    opened = np.random.default_rng(seed).uniform(size=(len(LAYERS), len(text.offsets))).astype(np.float32)
    opened = np.cumprod(opened, axis=0) * text.content
    scores = opened[-1]
    explained = ShownScores(Method("diffmask", ""), "neg", scores, by_layer=opened, layers=LAYERS)
    return replace(text, explanations=[*text.explanations, explained])


def test_it_names_layers_and_tokens_and_of_long_texts_the_first() -> None:
    long = " ".join(f"word{n}" for n in range(TOKENS + 8))
    drawn = layers_figure([by_layers(shown("one fine $day$ of \x1b[31m rain")), by_layers(shown(long))])
    assert drawn is not None and drawn.name == "layers" and drawn.png.startswith(b"\x89PNG")
    svg = drawn.svg.decode()
    for written in (*LAYERS, "fine", "$day$", "needed", "diffmask"):
        assert f">{written}" in svg or written in svg
    # One text for each task, model and method.
    assert "word0" not in svg and "\x1b" not in svg
    svg = layers_figure([by_layers(shown(long))]).svg.decode()  # type: ignore[union-attr]
    assert f"the first {TOKENS} of {TOKENS + 8} tokens" in svg
    assert f"word{TOKENS - 1}" in svg and f"word{TOKENS}<" not in svg


def test_pairs_are_drawn_as_they_are_written_and_without_layers_there_is_no_figure() -> None:
    drawn = layers_figure([by_layers(pair())])
    assert drawn is not None and all(f">{word}<" in drawn.svg.decode() for word in ("a", "dog", "no", "cat"))
    assert layers_figure([pair()]) is None and layers_figure([]) is None


def test_a_text_without_tokens_or_scores_is_passed_over() -> None:
    words = shown("no token here")
    empty = by_layers(replace(words, word_ids=np.full_like(words.word_ids, -1)))
    unscored = by_layers(shown("a text unscored"))
    *others, last = unscored.explanations
    assert last.by_layer is not None
    unscored = replace(unscored, explanations=[*others, replace(last, by_layer=0 * last.by_layer)])
    drawn = layers_figure([empty, unscored, by_layers(shown("something needed"))])
    assert drawn is not None
    svg = drawn.svg.decode()
    assert ">needed<" in svg and "unscored" not in svg and ">here<" not in svg
    assert layers_figure([empty, unscored]) is None


def test_the_same_scores_give_the_same_bytes() -> None:
    first, again = (layers_figure([by_layers(shown("a fine day"))]) for _ in range(2))
    other = layers_figure([by_layers(shown("a fine day"), seed=1)])
    assert first is not None and again is not None and other is not None
    assert first.svg == again.svg and first.svg != other.svg and first.text == again.text
