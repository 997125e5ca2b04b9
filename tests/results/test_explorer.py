"""The data of the text explorer: inert, whole, and disagreement as it is defined."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from results_synthetic import METHODS, experiment, shown

from assay.results.page.explorer import Explorer, explorer
from assay.results.shown import ShownScores, ShownText
from assay.results.statistics.disagreement import disagreement
from assay.results.statistics.rank_correlation import rank_correlation

EVIL = '<script>alert(1)</script> & "quotes" =1+1 </script><!-- \u202e\x1b[31m'


def of(*texts: ShownText) -> tuple[Explorer, dict[str, Any]]:
    found = explorer(replace(experiment(n=10), texts=texts))
    return found, json.loads(found.data)


def test_no_text_ends_the_script_that_it_stands_in():
    text = shown(EVIL)
    evil = replace(text, id=EVIL, gold=(EVIL,), predicted=(EVIL,), probabilities={EVIL: 0.5})
    found, data = of(replace(evil, explanations=[replace(text.explanations[0], target=EVIL)]))
    assert not set("<>&\x1b\u202e") & set(found.data)
    (one,) = data["texts"]
    written = EVIL.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    assert one["id"] == one["gold"][0] == one["said"][0]["target"] == one["probabilities"][0][0] == written
    assert "".join(characters for characters, _, _ in one["pieces"][0]) == written


def test_lines_are_of_words_in_the_order_of_the_tables():
    text = shown("a fine film")
    found, data = of(replace(text, explanations=text.explanations[::-1]))
    assert [method["title"] for method in data["methods"]] == ["occlusion (pad)", "lime (pad)", "random"]
    assert found.explainers == ("occlusion", "lime", "random")
    lines = data["texts"][0]["said"][0]["lines"]
    assert [place for place, _ in lines] == [0, 1, 2]
    for (_, values), one in zip(lines, text.explanations, strict=True):
        np.testing.assert_allclose(values, one.scores[1:-1], rtol=5e-3)


def test_it_says_how_many_of_how_many_and_what_there_is_to_explain_in_a_legend():
    found, data = of(shown("a fine film"))
    # 10 texts were explained of the group that the text is of.
    assert (found.shown, found.explained, found.marked, found.cut, found.unsigned) == (
        1,
        10,
        True,
        False,
        False,
    )
    assert data["texts"][0]["wrong"] and found.wrong
    unlabelled, data = of(replace(shown("a fine film"), gold=None, rationales=()))
    assert not data["texts"][0]["wrong"] and data["texts"][0]["gold"] is None
    assert not unlabelled.wrong and not unlabelled.marked


def test_labels_that_are_predicted_come_first_and_few_of_many_probabilities_are_told():
    text = shown("a b")
    both = [replace(each, target=target) for target in ("l3", "l7") for each in text.explanations]
    many = {f"l{n}": n / 10 for n in range(10)}
    _, data = of(replace(text, explanations=both, predicted=("l7",), gold=("l3",), probabilities=many))
    (one,) = data["texts"]
    assert [said["target"] for said in one["said"]] == ["l7", "l3"]
    assert [label for label, _ in one["probabilities"]] == ["l9", "l8", "l7", "l3"]


def test_controls_do_not_count_as_disagreeing():
    text = shown("a b c")
    scores = np.array([0, 1, 2, 3, 0], dtype=np.float32)
    lines = [ShownScores(method, "neg", scores) for method in METHODS[:2]]
    reverse = ShownScores(METHODS[5], "neg", -scores)
    _, data = of(replace(text, explanations=[*lines, reverse]))
    assert data["texts"][0]["said"][0]["disagreement"] == 0
    _, data = of(replace(text, explanations=[lines[0], replace(reverse, method=METHODS[1])]))
    assert data["texts"][0]["said"][0]["disagreement"] == 2
    _, data = of(replace(text, explanations=lines[:1]))
    assert data["texts"][0]["said"][0]["disagreement"] is None


@pytest.mark.parametrize("seed", range(5))
def test_disagreement_is_one_less_the_mean_rank_correlation_of_pairs(seed: int):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, size=(4, 6)).astype(float)
    scores[3] = 0.7 * (seed % 2)
    scores[2] = scores[3] if seed == 4 else scores[2]
    pairs = [rank_correlation(scores[a], scores[b]) for a in range(4) for b in range(a)]
    # Constant ones take part in no pair.
    assert np.isnan(pairs).sum() == (5 if seed == 4 else 3)
    assert disagreement(scores, [True] * 4) == pytest.approx(1 - np.nanmean(pairs))
    sizes = [rank_correlation(abs(scores[a]), abs(scores[b])) for a in range(4) for b in range(a)]
    assert disagreement(scores, [False] * 4) == pytest.approx(1 - np.nanmean(sizes))
    # Two with signs are compared by their scores, all other pairs by sizes.
    mixed = [
        rank_correlation(scores[a], scores[b])
        if {a, b} <= {0, 1}
        else rank_correlation(abs(scores[a]), abs(scores[b]))
        for a in range(4)
        for b in range(a)
    ]
    assert disagreement(scores, [True, True, False, False]) == pytest.approx(1 - np.nanmean(mixed))
    assert np.isnan(disagreement(scores[[0, 3]], [True] * 2))


def test_a_constant_explanation_is_told_by_its_tokens_and_disagrees_with_none():
    """Summed over sub-words, a constant explanation has words that stand out."""
    text = shown("a b c")
    text = replace(text, word_ids=np.array([-1, 0, 0, 1, -1], dtype=np.int32))
    rising, flat = np.array([9, 0, 1, 2, 9], dtype=np.float32), np.array([0, 1, 1, 1, 0], dtype=np.float32)
    lines = [
        ShownScores(method, "neg", scores)
        for method, scores in zip(METHODS, (rising, rising, flat), strict=False)
    ]
    _, data = of(replace(text, explanations=lines))
    (said,) = data["texts"][0]["said"]
    assert said["disagreement"] == 0 and said["constant"] == [2]
    assert said["lines"][2][1] == [2, 1]
    _, data = of(replace(text, explanations=[lines[0], replace(lines[2], method=METHODS[1])]))
    assert data["texts"][0]["said"][0]["disagreement"] is None


def test_disagreement_is_unknown_of_one_explanation_or_one_word():
    assert np.isnan(disagreement(np.ones((1, 5)), [True])) and np.isnan(
        disagreement(np.ones((3, 1)), [True] * 3)
    )
