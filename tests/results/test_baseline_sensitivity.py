"""How much explanations hang on the baseline: numbers by brute force, and what is said of them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from results_synthetic import experiment
from scipy.stats import spearmanr

from assay.results.columns import ComparisonRow, from_table
from assay.results.negatives import NegativeTexts, effective_number
from assay.results.recommendation.recommendation import Recommendation
from assay.results.recommendation.templates import REFUSALS
from assay.results.records import CellScores, Group, LabelTexts, Method, Results
from assay.results.statistics.baseline_sensitivity import (
    _Agreement,  # pyright: ignore[reportPrivateUsage]
    pair_agreement,
    pair_cell,
    recommended_baselines,
    sensitivity,
    sensitivity_table,
)
from assay.results.statistics.comparison import compare, estimate
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import by_label
from assay.results.statistics.rank_correlation import rank_correlation, rank_correlations
from assay.results.tables.baseline_sensitivity_layout import baseline_advice
from assay.results.versions.drift import Explained, Scores
from assay.results.write import write_results

GROUP = Group("planted", "cnn")
BOOTSTRAP = Bootstrap(n=200)
BASELINES = ("pad", "mean", "negatives")


def explained(rng: np.random.Generator, texts: int = 14, labels: int = 2) -> dict[str, Explained]:
    """By baseline the explanations of texts of 2 to 8 tokens; `mean` is near `pad`, `negatives` is not."""
    found: dict[str, dict[tuple[str, int], Scores]] = {name: {} for name in BASELINES}
    for text in range(texts):
        for label in range(labels):
            tokens = 2 + text % 7
            scores = rng.normal(size=tokens)
            for name, noise in zip(BASELINES, (0.0, 0.1, 2.0), strict=True):
                values = scores + noise * rng.normal(size=tokens)
                found[name][f"t{text:02d}", label] = Scores(bytes(tokens), values)
    return {name: dict(one) for name, one in found.items()}


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's, by scipy."""
    return float(cast(Any, spearmanr(one, other))[0])


def pairs(worlds: list[dict[str, Explained]]) -> dict[tuple[str, str], list[CellScores]]:
    return {
        (one, other): [
            pair_cell(GROUP, "lime", str(seed), 0, pair_agreement(world[one], world[other]))
            for seed, world in enumerate(worlds)
        ]
        for one, other in combinations(BASELINES, 2)
    }


def results(worlds: list[dict[str, Explained]]) -> Results:
    methods = [Method("lime", name) for name in BASELINES] + [Method("random"), Method("gold")]
    made = experiment([GROUP], methods)
    labels = [LabelTexts(GROUP, ("fee", "ban"), (14, 14), 14)]
    return replace(made, baseline_pairs=pairs(worlds), labels=labels, removal="mask")


def test_the_matrix_is_the_mean_of_spearmans_correlation_text_by_text() -> None:
    worlds = [explained(np.random.default_rng(seed)) for seed in (1, 2)]
    made = results(worlds)
    found = sensitivity(made, compare(made, BOOTSTRAP), by_label(made, BOOTSTRAP), BOOTSTRAP)
    assert [(one.explainer, one.label) for one in found] == [("lime", ""), ("lime", "fee"), ("lime", "ban")]
    for one, labels in zip(found, ([0, 1], [0], [1]), strict=True):
        assert one.baselines == BASELINES and (np.diag(one.agreement) == 1).all()
        for i, j in combinations(range(3), 2):
            of_texts = [
                correlation(world[BASELINES[i]][place].scores, world[BASELINES[j]][place].scores)
                for world in worlds
                for place in world["pad"]
                if place[1] in labels
            ]
            assert one.agreement[i, j] == one.agreement[j, i] == pytest.approx(np.mean(of_texts))
            assert one.low[i, j] < one.agreement[i, j] < one.high[i, j] and one.texts[i, j] == 14
        assert one.lowest[:2] in {("pad", "negatives"), ("mean", "negatives")}
    table = sensitivity_table(found)
    assert table["n_texts"].tolist() == [14] * 9 and table["note"].tolist() == [""] * 9


def test_levels_are_those_of_the_comparison() -> None:
    made = results([explained(np.random.default_rng(1))])
    comparison = compare(made, BOOTSTRAP)
    (whole, *_) = sensitivity(made, comparison, by_label(made, BOOTSTRAP), BOOTSTRAP)
    rows = [
        row
        for row in from_table(ComparisonRow, comparison)
        if (row.explainer, row.metric) == ("lime", "faithfulness") and row.value == row.value
    ]
    shown = {name: tuple(level) for name, level in whole.levels["faithfulness"].items()}
    assert shown == {row.baseline: (row.value, row.low, row.high) for row in rows} and len(rows) == 3


def test_the_section_says_what_agrees_least_and_what_is_recommended(tmp_path: Path) -> None:
    odd = "<script>alert(1)</script> & =1+1"
    made = results([explained(np.random.default_rng(1))])
    made = replace(
        made,
        labels=[LabelTexts(GROUP, (odd, "ban"), (14, 14), 14)],
        negatives=[NegativeTexts("planted", odd, 7, 7.0), NegativeTexts("planted", "ban", 99, 99.0)],
    )
    written = write_results(made, tmp_path, Bootstrap(n=40))
    text = (tmp_path / "baseline_sensitivity.md").read_text()
    assert "## Negatives: warnings" in text and "is drawn from 7 texts, fewer than 50" in text
    assert "- Least alike: " in text and "## planted / cnn: lime" in text
    assert "- Which baseline to use with lime, by faithfulness: Cannot be told: " in text
    assert "| label | texts | pad / mean | pad / negatives | mean / negatives |" in text
    assert "**Faithfulness (AUC-TP) ↓**" in text and "\\<script\\>" in text
    table = (tmp_path / "baseline_sensitivity.csv").read_text()
    assert len(table.splitlines()) == 10
    page = written.page.read_text()
    assert 'id="baselines"' in page and odd not in page and "&lt;script&gt;" in page


def test_nothing_is_said_of_one_baseline(tmp_path: Path) -> None:
    made = replace(results([explained(np.random.default_rng(1))]), baseline_pairs={})
    page = write_results(made, tmp_path, Bootstrap(n=20)).page.read_text()
    assert not (tmp_path / "baseline_sensitivity.md").exists() and 'id="baselines"' not in page


def test_few_texts_have_no_interval_and_say_so() -> None:
    made = results([explained(np.random.default_rng(1), texts=9)])
    (whole, *_) = sensitivity(made, compare(made, BOOTSTRAP), by_label(made, BOOTSTRAP), BOOTSTRAP)
    assert np.isnan(whole.low[0, 1]) and not np.isnan(whole.agreement[0, 1])
    assert whole.note == "9 texts with a value, fewer than 10"


def test_many_rank_correlations_are_each_alone() -> None:
    rng = np.random.default_rng(3)
    ones, others = ([rng.integers(-2, 3, n) / 2 for n in rng.integers(2, 9, 300)] for _ in range(2))
    others = [np.resize(other, len(one)) for one, other in zip(ones, others, strict=True)]
    alone = [rank_correlation(one, other) for one, other in zip(ones, others, strict=True)]
    np.testing.assert_array_equal(rank_correlations(ones, others), alone)
    assert np.isnan(alone).any() and rank_correlations([], []).shape == (0,)


def test_a_text_of_other_tokens_is_no_pair_and_one_token_has_no_order() -> None:
    one: Explained = {("t", 0): Scores(b"ab", np.array([1.0, 2.0])), ("u", 0): Scores(b"c", np.ones(1))}
    other: Explained = {("t", 0): Scores(b"ac", np.array([1.0, 2.0]))}
    assert pair_agreement(one, one) == {("t", 0): 1.0}
    # One score for all tokens is no order: neither 0 nor 1.
    flat: Explained = {("t", 0): Scores(b"ab", np.zeros(2))}
    assert np.isnan([pair_agreement(*pair)["t", 0] for pair in ((one, flat), (flat, flat))]).all()
    scored = pair_cell(GROUP, "lime", "0", 0, {("t", 0): 0.5, ("u", 0): math.nan})
    found = estimate([scored], _Agreement(), BOOTSTRAP)[Method("lime")][0]
    assert (found.value, found.texts) == (0.5, 1)
    with pytest.raises(ValueError, match="'t' has other tokens"):
        pair_agreement(one, other)


def test_a_baseline_is_recommended_by_the_rules_of_recommend() -> None:
    made = results([explained(np.random.default_rng(1))])
    (found,) = recommended_baselines(made, BOOTSTRAP).values()
    assert {one.method.explainer for one in found.ranking} == {"lime"}
    # One operator judges: a baseline cannot be told by it.
    assert found.refused == "one operator" and set(found.unjudged) <= {Method("lime", n) for n in BASELINES}


@pytest.mark.parametrize("reason", REFUSALS)
def test_why_no_baseline_is_recommended_is_said(reason: str) -> None:
    (said,) = baseline_advice("lime", Recommendation(GROUP, reason, ()))
    assert said.startswith("Which baseline to use with lime, by faithfulness: ")
    assert "Cannot be told" in said or "Nothing can be recommended" in said


def test_the_effective_number_is_that_of_the_similarity_matrix() -> None:
    rng = np.random.default_rng(0)
    texts = [[f"w{word}" for word in rng.integers(0, 40, 12)] for _ in range(30)]
    total = 0.0
    for one in map(set, texts):
        for other in map(set, texts):
            total += (len(one & other) / len(one | other)) ** 2
    assert effective_number(texts) == pytest.approx(30**2 / total)
    assert effective_number([["a"]] * 60) == pytest.approx(1)
    assert effective_number([[f"{place}"] for place in range(60)]) == pytest.approx(60)
    assert effective_number([]) == 0.0 and effective_number([[], []]) == 1.0


@pytest.mark.parametrize(
    ("texts", "effective", "said"),
    [
        (49, 49.0, "drawn from 49 texts, fewer than 50"),
        (1000, 9.94, "the 1,000 negatives of 'fee' are alike, like 9.9 different texts"),
        (50, 10.0, ""),
    ],
)
def test_few_or_alike_negatives_are_warned_of(texts: int, effective: float, said: str) -> None:
    warning = NegativeTexts("tos", "fee", texts, effective).warning
    assert said in warning and bool(warning) == bool(said)
