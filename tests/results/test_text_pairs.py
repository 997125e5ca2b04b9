"""Metrics of pairs of texts: resamples and the test against loops, and how often they are right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import prod
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from results_synthetic import cell

from assay.metrics.cell_data import Metric
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.long_table import pair_name
from assay.metrics.resampling import resampled_mean
from assay.results.records import CellScores, Method
from assay.results.statistics.clusters import as_index, padded
from assay.results.statistics.comparison import estimate
from assay.results.statistics.estimates import Bootstrap, Estimate, bootstrap_index, p_of_difference
from assay.results.statistics.permutation import PairedPermutationTest, paired_permutation_test
from assay.results.statistics.text_pairs import (
    DyadicTest,
    dyadic_variance,
    dyads,
    is_pairwise,
    pair_counts,
    pair_draws,
)
from assay.results.statistics.verdicts import paired_test
from assay.tasks.errors import InputError
from assay.tasks.randomness import generator

ONE, OTHER = Method("lime"), Method("saliency")
FEW = Bootstrap(n=60)
SPEARMAN = DatasetConsistency()
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairMean:
    """The mean of one value per pair."""

    name: str = "pair_mean"
    direction: str = "higher"
    bounds: tuple[float, float] = (-10.0, 10.0)
    of_pairs: ClassVar[bool] = True

    def summarise(self, parts: Any, index: NDArray[np.intp]) -> Floats:
        return resampled_mean(parts["value"][:, 0], index)


@dataclass(frozen=True)
class TextMean(PairMean):
    """The same, of units that are taken for independent."""

    of_pairs: ClassVar[bool] = False


MEAN, NAIVE = cast(Metric, PairMean()), cast(Metric, TextMean())


def some_pairs(texts: int, pairs: int, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str]]:
    first, second = np.triu_indices(texts, 1)
    chosen = np.random.default_rng(seed).choice(len(first), pairs, replace=False)
    places = np.sort(chosen)
    first, second = first[places], second[places]
    names = [pair_name(f"t{a:03d}", f"t{b:03d}") for a, b in zip(first, second, strict=True)]
    return first, second, names


def members(names: list[str]) -> list[set[str]]:
    return [set(name.split("|")) for name in names]


def measured(method: Method, names: list[str], values: Floats, seed: str = "0") -> CellScores:
    return replace(cell(method, "pair_mean", values, seed=seed), units=tuple(names))


def of(metric: Metric, *cells: CellScores) -> Estimate:
    ((found, _),) = estimate(cells, metric, FEW).values()
    return found


def test_the_metric_says_what_its_units_are() -> None:
    assert is_pairwise(SPEARMAN) and is_pairwise(MEAN) and not is_pairwise(NAIVE)
    assert paired_test([], MEAN, FEW) == DyadicTest(MEAN, FEW.seed)
    assert isinstance(paired_test([], NAIVE, FEW), PairedPermutationTest)


def test_texts_are_known_by_their_ids_whatever_is_in_them() -> None:
    ids = ["a|b", "c", "b", "a", "\\", "x\n|"]
    units = [pair_name(one, other) for one, other in pairwise(ids)]
    found = dyads(units)
    assert found.texts == 6
    assert [(found.first[at + 1] == found.second[at]) for at in range(4)] == [True] * 4
    with pytest.raises(InputError, match=r"'a\|b\|c' names no pair of texts"):
        dyads(["a|b", "a|b|c"])


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_a_pair_is_there_as_often_as_the_product_of_its_texts(texts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, _, names = some_pairs(texts, int(rng.integers(1, texts * (texts - 1) // 2 + 1)), seed)
    known = dyads(names)
    drawn = rng.integers(0, 4, size=(5, known.texts))
    labels = sorted(set.union(*members(names)))
    for counts, row in zip(drawn, as_index(known.counts(drawn)), strict=True):
        times = dict(zip(labels, counts.tolist(), strict=True))
        expected = {at: prod(times[text] for text in pair) for at, pair in enumerate(members(names))}
        found = Counter(row[row < len(names)].tolist())
        assert found == {at: count for at, count in expected.items() if count}


def test_the_unit_that_fills_up_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40, 1))
    parts = {"activation_distance": x, "explanation_distance": y}
    counts = rng.integers(0, 3, size=(6, 40))
    found = SPEARMAN.summarise(padded(parts), as_index(counts))
    alone = [SPEARMAN.summarise(parts, np.repeat(np.arange(40), row)[None])[0] for row in counts]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


@pytest.mark.parametrize("texts", [6, 100, 250])
def test_every_text_and_every_pair_is_left_out_once(texts: int) -> None:
    _, _, names = some_pairs(texts, min(3 * texts, texts * (texts - 1) // 2))
    known = dyads(names)
    without = known.without_texts()
    assert len(without) == min(known.texts, 100)
    # A pair goes with either of its texts, once if both are in one group.
    assert set((without == 0).sum(axis=0).tolist()) <= {1, 2}
    if texts <= 100:
        for text, kept in zip(sorted(set.union(*members(names))), without, strict=True):
            assert kept.tolist() == [int(text not in pair) for pair in members(names)]
    pairs = known.without_pairs(np.random.default_rng(0))
    assert len(pairs) == min(len(names), 100) and ((pairs == 0).sum(axis=0) == 1).all()


def test_the_variance_is_the_sum_over_pairs_that_share_a_text() -> None:
    """Of a mean, where every text is in as many pairs, against the double sum over pairs."""
    texts = 96
    units = [(a, (a + step) % texts) for a in range(texts) for step in (1, 2)]
    names = [pair_name(f"{a:02d}", f"{b:02d}") for a, b in units]
    rng = np.random.default_rng(1)
    effect = rng.normal(size=texts)
    values = np.array([effect[a] + effect[b] for a, b in units]) + rng.normal(size=len(units))
    gap = (values - values.mean()) / len(units)
    expected = sum(
        gap[p] * gap[q] for p, one in enumerate(units) for q, two in enumerate(units) if {*one} & {*two}
    )
    known, parts = dyads(names), padded({"value": values[:, None]})
    groups = known.without_texts(), known.without_pairs(np.random.default_rng(0))
    found = dyadic_variance(*(MEAN.summarise(parts, as_index(counts)) for counts in groups))
    assert found == pytest.approx(expected, rel=0.1)
    assert found > 2 * values.var() / len(values)


def test_the_variance_is_never_less_than_that_of_independent_pairs() -> None:
    assert dyadic_variance(np.zeros(10), np.arange(10.0)) == pytest.approx(0.9 * np.arange(10.0).var() * 10)
    assert np.isnan(dyadic_variance(np.array([np.nan, 1.0, 2.0]), np.arange(3.0)))


def test_replicates_spread_as_much_as_that_variance() -> None:
    _, _, names = some_pairs(30, 200)
    parts = {"value": np.random.default_rng(2).normal(size=(200, 1))}
    draws = pair_draws(names, Bootstrap(n=400))
    (value,) = MEAN.summarise(parts, np.arange(200)[None])
    replicates, left_out = draws(MEAN, [parts], value)
    resamples, _, without_pairs = map(as_index, pair_counts(names, Bootstrap(n=400)))
    apart = MEAN.summarise(padded(parts), without_pairs)
    assert replicates.var() == pytest.approx(dyadic_variance(left_out, apart))
    raw = MEAN.summarise(padded(parts), resamples)
    np.testing.assert_allclose(np.corrcoef(replicates, raw)[0, 1], 1.0)
    assert raw.var() > replicates.var()
    again, _ = pair_draws(names, Bootstrap(n=400))(MEAN, [parts], value)
    np.testing.assert_array_equal(again, replicates)


def texts_apart(
    rng: np.random.Generator, first: NDArray[np.intp], second: NDArray[np.intp], texts: int
) -> Floats:
    """A value per pair that is the sum of its texts', and a little of its own."""
    effect = rng.normal(size=texts)
    return effect[first] + effect[second] + 0.3 * rng.normal(size=len(first))


def test_false_alarms_are_as_many_as_promised_and_too_many_if_pairs_count_as_independent() -> None:
    first, second, names = some_pairs(40, 300)
    alarms, naive = 0, 0
    for trial in range(150):
        rng = np.random.default_rng(trial)
        cells = [measured(method, names, texts_apart(rng, first, second, 40)) for method in (ONE, OTHER)]
        pair = [of(MEAN, one) for one in cells]
        alarms += paired_test(pair, MEAN, FEW)(*pair) < 0.05
        apart = [of(NAIVE, one) for one in cells]
        naive += paired_permutation_test(apart, NAIVE, Bootstrap(n=2, permutations=200))(*apart) < 0.05
    assert 0.005 * 150 <= alarms <= 0.1 * 150
    assert naive > 0.3 * 150


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    first, second, names = some_pairs(40, 300)
    held, naive = 0, 0
    for trial in range(150):
        values = texts_apart(np.random.default_rng(trial), first, second, 40)
        for metric in (MEAN, NAIVE):
            found = estimate([measured(ONE, names, values)], metric, Bootstrap(n=200))[ONE][0].interval(0.95)
            inside = found.low <= 0.0 <= found.high
            held, naive = (held + inside, naive) if metric is MEAN else (held, naive + inside)
    assert 0.88 * 150 <= held <= 0.995 * 150
    assert naive < 0.75 * 150


def test_a_difference_is_found() -> None:
    first, second, names = some_pairs(40, 300)
    rng = np.random.default_rng(3)
    shared = texts_apart(rng, first, second, 40)
    one, other = (
        measured(m, names, shared + 0.3 * texts_apart(rng, first, second, 40)) for m in (ONE, OTHER)
    )
    better = measured(OTHER, names, other.parts["value"][:, 0] + 1.0)
    test = DyadicTest(MEAN)
    assert test(of(MEAN, one), of(MEAN, better)) < 0.001
    assert test(of(MEAN, one), of(MEAN, better)) == test(of(MEAN, better), of(MEAN, one))
    assert test(of(MEAN, one), of(MEAN, one)) == 1.0
    rounded = measured(OTHER, names, one.parts["value"][:, 0] * (1 + 1e-13))
    assert test(of(MEAN, one), of(MEAN, rounded)) == 1.0


def test_a_family_of_tests_gives_what_each_test_gives_alone() -> None:
    """What one test leaves for the next is of the same pairs, clusters and values, and of no others."""
    _, _, names = some_pairs(40, 300)
    rng = np.random.default_rng(9)
    clusters = {f"t{text:03d}": f"doc {text // 2}" for text in range(20)}
    everywhere = [measured(ONE, names, rng.normal(at / 9, 1, 300)) for at in range(3)]
    cells = [*everywhere, measured(ONE, names[:200], rng.normal(size=200))]
    estimates = [
        found
        for of_cells in cells
        for known in ({}, clusters)
        for found, _ in estimate([of_cells], MEAN, FEW, known).values()
    ]
    family = DyadicTest(MEAN)
    pairs = list(product(estimates, estimates))
    assert [family(*pair) for pair in pairs] == [DyadicTest(MEAN)(*pair) for pair in pairs]
    assert len({family(*pair) for pair in pairs}) > 10


def test_model_seeds_with_the_same_numbers_say_no_more_than_one() -> None:
    first, second, names = some_pairs(30, 150)
    rng = np.random.default_rng(4)
    values = [texts_apart(rng, first, second, 30) for _ in range(2)]
    once, twice = (
        [
            of(MEAN, *(measured(m, names, v, seed=s) for s in seeds))
            for m, v in zip((ONE, OTHER), values, strict=True)
        ]
        for seeds in ("0", "01")
    )
    assert DyadicTest(MEAN)(*twice) == pytest.approx(DyadicTest(MEAN)(*once))
    low, high = (each.interval(0.95)[:2] for each in (once[0], twice[0]))
    assert low == pytest.approx(high)


def test_pairs_that_share_one_text_say_nothing() -> None:
    names = [pair_name("a", f"b{at}") for at in range(9)]
    rng = np.random.default_rng(5)
    one, other = (of(MEAN, measured(m, names, rng.normal(at, 1, 9))) for at, m in enumerate((ONE, OTHER)))
    assert DyadicTest(MEAN)(one, other) == 1.0
    assert one.interval(0.95).method == "" and np.isfinite(one.value)


def test_few_pairs_are_no_crash() -> None:
    for names in ([pair_name("a", "b")], [pair_name("a", "b"), pair_name("c", "d")]):
        rng = np.random.default_rng(6)
        pair = [of(MEAN, measured(m, names, rng.normal(size=len(names)))) for m in (ONE, OTHER)]
        assert 0 < DyadicTest(MEAN)(*pair) <= 1
        assert np.isfinite(pair[0].value)
    assert np.isnan(of(MEAN, measured(ONE, [], np.empty(0))).value)


def test_the_number_of_texts_decides_how_far_an_interval_reaches() -> None:
    _, _, names = some_pairs(12, 60)
    values = np.random.default_rng(7).normal(size=60)
    values[-1] = np.nan
    assert of(MEAN, measured(ONE, names, values)).n == 12
    assert of(NAIVE, measured(ONE, names, values)).n == 59


def test_without_a_shared_pair_the_bootstrap_decides() -> None:
    _, _, names = some_pairs(20, 80)
    rng = np.random.default_rng(8)
    one = of(MEAN, measured(ONE, names[:40], rng.normal(size=40)))
    other = of(MEAN, measured(OTHER, names[40:], rng.normal(3, 1, size=40)))
    assert DyadicTest(MEAN)(one, other) == p_of_difference(one, other) < 0.05


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_metrics_of_texts_draw_as_they_always_did(seed: int) -> None:
    """A resample is of units, and so is the jackknife, drawn by the names of the units."""
    values = np.random.default_rng(seed).normal(size=25)
    names = [f"t{at:02d}" for at in range(25)]
    found = of(NAIVE, measured(ONE, names, values))
    index = bootstrap_index(25, FEW.n, generator(FEW.seed, *names))
    np.testing.assert_array_equal(found.replicates["0"], values[index].mean(axis=1))
    assert len(found.left_out["0"]) == 25
