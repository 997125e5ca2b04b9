"""First words, rare words and lexicons as controls, against their definitions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explainer_models import explain, scores, smooth

from assay.explainers.controls.as_coded import WithDropout
from assay.explainers.controls.controls import Inverted
from assay.explainers.controls.heuristics import FirstWords, RareWords, words_of
from assay.explainers.controls.lexicon import Lexicon
from assay.explainers.protocol import Explainer, Request, fitted, incompatibility
from assay.models.encoding import Encoding
from assay.models.engine import Engine
from assay.tasks.errors import InputError
from assay.tasks.example import Example

TRAINING = [
    Example("a", ("the film is good", "The plot"), (0,)),
    Example("b", ("the plot, the film!",), (1,)),
]
# What counts words asks no model.
ENGINE = Engine(smooth())
COUNTS = {"the": 4, "film": 2, "is": 1, "good": 1, "plot": 2, ",": 1, "!": 1}


def encoded(*texts: str, size: int = 100) -> Encoding:
    """Texts cut at spaces and then into pieces of `size` letters, each text between special tokens."""
    tokens, segments, offsets, words, word = ["[CLS]"], [0], [(0, 0)], [-1], -1
    for segment, text in enumerate(texts):
        start = 0
        for part in text.split():
            start, word = text.index(part, start), word + 1
            for at in range(0, len(part), size):
                piece = part[at : at + size]
                tokens.append(piece)
                offsets.append((start + at, start + at + len(piece)))
                segments.append(segment)
                words.append(word)
            start += len(part)
        tokens, segments, offsets, words = (
            [*tokens, "[SEP]"],
            [*segments, segment],
            [*offsets, (0, 0)],
            [*words, -1],
        )
    ids = np.arange(len(tokens), dtype=np.int32)
    in_text = np.array(segments, dtype=np.int32)
    places, of_word = np.array(offsets, dtype=np.int32), np.array(words, dtype=np.int32)
    return Encoding(tuple(tokens), ids, in_text, places, of_word)


def asked(*texts: str, size: int = 100) -> Request:
    return Request(Example("x", texts, (0,)), encoded(*texts, size=size), np.arange(3), 5)


def found(explainer: Explainer, *texts: str, size: int = 100, **model: Any) -> np.ndarray:
    """(3, T) scores of the three classes."""
    return scores(explain(explainer, smooth(**model), [asked(*texts, size=size)], None)[0])


def rarity(word: str) -> float:
    return log((12 + 1) / (COUNTS.get(word, 0) + 1))


def csv(folder: Path, *lines: str) -> str:
    path = folder / "lexicon.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_earlier_words_score_higher_evenly_and_their_pieces_tie() -> None:
    np.testing.assert_allclose(found(FirstWords(), "one two six ten")[0], [0, 1, 0.75, 0.5, 0.25, 0])
    pieces = found(FirstWords(), "one twotwo", size=3)
    np.testing.assert_allclose(pieces, np.tile([0, 1, 0.5, 0.5, 0], (3, 1)))


def test_the_words_of_a_pair_count_each_in_their_own_text() -> None:
    pair = found(FirstWords(), "one two six", "ten two")[0]
    np.testing.assert_allclose(pair, [0, 1, 2 / 3, 1 / 3, 0, 1, 2 / 3, 0], rtol=1e-6)


def test_a_text_of_special_tokens_only_has_no_first_word() -> None:
    nothing = asked("cut off")
    nothing = replace(nothing, encoding=nothing.encoding.cut(~nothing.encoding.content))
    for explainer in (FirstWords(), fitted(RareWords(), ENGINE, TRAINING)):
        assert not scores(explain(explainer, smooth(), [nothing], None)[0]).any()


def test_words_far_into_a_long_text_do_not_tie() -> None:
    scored = found(FirstWords(), " ".join(["word"] * 5000))[0][1:-1]
    assert (np.diff(scored) < -1e-5 * scored.max()).all()


def test_rare_words_score_by_their_count_in_all_training_texts() -> None:
    control = fitted(RareWords(), ENGINE, TRAINING)
    expected = [0, rarity("the"), rarity("good"), rarity("film"), rarity("unseen"), 0]
    found_here = found(control, "THE good film unseen")
    np.testing.assert_allclose(found_here, np.tile(expected, (3, 1)), rtol=1e-6)
    # Never seen is rarest; frequencies order the rest.
    assert expected[4] == max(expected) and rarity("the") < rarity("film") < rarity("good")


def test_counts_are_those_of_counting_by_hand() -> None:
    every = [word for example in TRAINING for text in example.texts for word in words_of(text)]
    assert Counter(every) == COUNTS and len(every) == 12


def test_pieces_have_the_rarity_of_their_word_and_a_token_that_of_its_rarest() -> None:
    control = fitted(RareWords(), ENGINE, TRAINING)
    cut = found(control, "good film", size=2)[0]
    np.testing.assert_allclose(cut, [0, *[rarity("good")] * 2, *[rarity("film")] * 2, 0], rtol=1e-6)
    # Cut at spaces alone, a token holds a word and a comma.
    np.testing.assert_allclose(found(control, "plot, the")[0][1:3], [rarity(","), rarity("the")], rtol=1e-6)


def test_both_texts_of_a_pair_are_scored_by_the_same_counts() -> None:
    control = fitted(RareWords(), ENGINE, TRAINING)
    np.testing.assert_allclose(
        found(control, "the", "good new")[0],
        [0, rarity("the"), 0, rarity("good"), rarity("new"), 0],
        rtol=1e-6,
    )


def test_the_order_of_the_training_texts_does_not_matter() -> None:
    one, two = (fitted(RareWords(), ENGINE, texts) for texts in (TRAINING, TRAINING[::-1]))
    np.testing.assert_array_equal(found(one, "the plot is new"), found(two, "the plot is new"))


def test_rare_words_need_training_texts_and_say_so() -> None:
    with pytest.raises(InputError, match="rare_words counts the words of training texts, but there are none"):
        fitted(RareWords(), ENGINE, [])
    with pytest.raises(InputError, match="has not seen training texts yet"):
        found(RareWords(), "the film")
    reason = "it is made from training texts, and the task has none"
    has = {"capabilities": frozenset[str](), "rationales": True}
    for explainer in (RareWords(), Inverted(of=RareWords())):
        assert incompatibility(explainer, None, **has, training_texts=False) == reason
        assert incompatibility(explainer, None, **has, training_texts=True) is None


def test_an_explainer_that_passes_rare_words_on_is_fitted_inside() -> None:
    turned = fitted(Inverted(of=RareWords()), ENGINE, TRAINING)
    plain = fitted(RareWords(), ENGINE, TRAINING)
    np.testing.assert_array_equal(found(turned, "the film"), -found(plain, "the film"))
    assert isinstance(fitted(WithDropout(of=RareWords()), ENGINE, TRAINING), WithDropout)
    assert fitted(FirstWords(), ENGINE, TRAINING) == FirstWords()


@pytest.mark.parametrize("explainer", [RareWords(), Inverted(of=RareWords()), WithDropout(of=RareWords())])
def test_a_fitted_control_needs_no_training_texts_any_more(explainer: Explainer) -> None:
    made = fitted(explainer, ENGINE, TRAINING)
    assert explainer.traits.from_texts and not made.traits.from_texts
    assert replace(made.traits, from_texts=True) == explainer.traits
    assert fitted(made, ENGINE, []) is made
    has = {"capabilities": frozenset[str](), "rationales": True}
    assert incompatibility(made, None, **has, training_texts=False) is None


def test_no_control_asks_the_model(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight", "film,1")
    for explainer in (FirstWords(), fitted(RareWords(), ENGINE, TRAINING), Lexicon(path)):
        (records,) = explain(explainer, smooth(), [asked("the film")], None)
        assert [record.cost.forward_rows for record in records] == [0, 0, 0]
        assert explainer.model_rows(5, 3) == (0, 0)
        lowest = min(float(record.scores.min()) for record in records)
        assert lowest >= 0 and not explainer.traits.stochastic


def test_weights_without_a_label_count_for_every_class(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight", "Good,1.5", "bad,2")
    np.testing.assert_allclose(
        found(Lexicon(path), "a GOOD film goods"), np.tile([0, 0, 1.5, 0, 0, 0], (3, 1))
    )


def test_what_speaks_for_another_label_is_negative_where_one_label_is_right(tmp_path: Path) -> None:
    lines = "word,weight,label", "good,2,class 0", "bad,1,class 1", "bad,3,class 2", "film,1,"
    path = csv(tmp_path, *lines)
    expected = [[2, -3, 1], [-2, 1 - 3, 1], [-2, 3 - 1, 1]]
    np.testing.assert_allclose(found(Lexicon(path), "good bad film")[:, 1:-1], expected)
    several = [[2, 0, 1], [0, 1, 1], [0, 3, 1]]
    np.testing.assert_allclose(found(Lexicon(path), "good bad film", multi_label=True)[:, 1:-1], several)


def test_a_sentiment_lexicon_of_one_label_is_turned_for_the_other(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight,label", "good,2,class 1", "bad,-2.5,class 1")
    (records,) = explain(Lexicon(path), smooth(2), [replace(asked("good bad"), targets=np.arange(2))], None)
    np.testing.assert_allclose(scores(records)[:, 1:3], [[-2, 2.5], [2, -2.5]])


def test_phrases_match_word_by_word_and_the_longest_counts(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight", "good,1", "not good,3", ":),2", "don't,4")
    np.testing.assert_allclose(
        found(Lexicon(path), "not good good :) don't not")[0], [0, 3, 3, 1, 2, 4, 0, 0]
    )


REFUSED = {
    "no column": (("word,score", "a,1"), "has no column 'weight'"),
    "another column": (("word,weight,Label", "a,1,b"), "has a column 'Label'.* did you mean 'label'"),
    "no number": (("word,weight", "a,high"), "line 2: column 'weight' holds 'high'; expected a number"),
    "no finite number": (("word,weight", "a,inf"), "line 2: column 'weight' holds 'inf'"),
    "no number in single precision": (("word,weight", "a,1e308"), "line 2: column 'weight' holds '1e308'"),
    "no usual number": (("word,weight", "a,1_0"), "line 2: column 'weight' holds '1_0'"),
    "no word": (("word,weight", "a,1", " ,2"), "line 3: column 'word' is empty"),
    "two weights": (("word,weight", "a,1", "A,2"), "line 3: 'A' has two weights, 1 and 2"),
    "whose weight": (("word,weight", "bad,-2"), "line 2: 'bad' has the weight -2 for every label"),
    "no entries": (("word,weight",), "has no rows"),
}


@pytest.mark.parametrize("lines, reason", REFUSED.values(), ids=REFUSED)
def test_a_bad_lexicon_is_refused_before_anything_runs(
    tmp_path: Path, lines: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        _ = Lexicon(csv(tmp_path, *lines)).fingerprint


def test_without_a_lexicon_one_sentence_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set explainer\.lexicon\.path=<path>"):
        _ = Lexicon().fingerprint
    with pytest.raises(InputError, match=r"does not exist; set explainer\.lexicon\.path"):
        _ = Lexicon(str(tmp_path / "none.csv")).fingerprint
    with pytest.raises(InputError, match="is a folder"):
        _ = Lexicon(str(tmp_path)).fingerprint


def test_a_label_that_the_task_lacks_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight,label", "good,2,klass 0")
    with pytest.raises(InputError, match=r"has the label 'klass 0', which the task lacks; .*'class 0'"):
        found(Lexicon(path), "a film")


def test_another_file_is_another_result(tmp_path: Path) -> None:
    path = csv(tmp_path, "word,weight", "good,1")
    first = Lexicon(path).fingerprint
    assert Lexicon(path).fingerprint == first
    csv(tmp_path, "word,weight", "good,1.25")
    assert Lexicon(path).fingerprint != first
