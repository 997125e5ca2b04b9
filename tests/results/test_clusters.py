"""Texts that hang together: drawn, left out and swapped as one, against loops; and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from results_synthetic import AGREEMENT, CONTROLS, FAITHFULNESS, Group, Method, cell, decisions

from assay.metrics.cell_data import Metric
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.long_table import pair_name
from assay.metrics.rationale_consistency import RationaleConsistencyPooled
from assay.results.records import CellScores, LabelTexts, Results
from assay.results.statistics.best_group import why_none
from assay.results.statistics.by_group import by_group
from assay.results.statistics.clusters import as_index, padded, unit_clusters
from assay.results.statistics.comparison import compare, estimate
from assay.results.statistics.estimates import Bootstrap, Estimate, bootstrap_index
from assay.results.statistics.intervals import critical, jackknife_index
from assay.results.statistics.labels import by_label
from assay.results.statistics.rank_table import rank_table
from assay.results.statistics.stability import stability, subsamples
from assay.results.statistics.text_pairs import (
    DyadicTest,
    count_clusters,
    dyadic_variance,
    dyads,
    pair_counts,
    two_sided,
)
from assay.results.statistics.verdicts import paired_test
from assay.tasks.grouping import cluster_numbers
from assay.tasks.randomness import generator

MEAN, PAIRS = cast(Metric, AGREEMENT), DatasetConsistency()
ONE, OTHER = Method("lime"), Method("saliency")
FEW = Bootstrap(n=80, permutations=100)
Floats = NDArray[np.float64]

# Texts per cluster; some clusters are of one text.
SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=8)


def names(n: int) -> list[str]:
    return [f"text-{place:04d}" for place in range(n)]


def clustered(sizes: Sequence[int], seed: int = 0) -> dict[str, str]:
    """Clusters of these sizes, of texts in any order; those of one text are not told."""
    numbers = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    known = {text: f"doc {number}" for text, number in zip(names(len(numbers)), numbers, strict=True)}
    return {text: doc for text, doc in known.items() if sizes[int(doc.split()[1])] > 1}


def places(n: int, clusters: Mapping[str, str]) -> list[list[int]]:
    """The texts of each cluster, in order of the first."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(names(n)):
        found.setdefault(clusters.get(text, text), []).append(place)
    return list(found.values())


def scored(method: Method, values: Floats) -> CellScores:
    return cell(method, "agreement", values)


def of(metric: Metric, clusters: Mapping[str, str], *cells: CellScores) -> list[Estimate]:
    return [found for found, _ in estimate(cells, metric, FEW, clusters).values()]


def test_a_text_is_no_cluster_that_is_called_like_it() -> None:
    assert cluster_numbers(["x", "a", "b", "c"], {"a": "x", "c": "x"}).tolist() == [0, 1, 2, 1]


def test_the_points_of_a_pool_are_of_their_texts_clusters() -> None:
    units = [f"trained 0-{seed}|{text}" for seed in (1, 2) for text in ("a", "b|1", "c")]
    metric = RationaleConsistencyPooled()
    assert unit_clusters(units, metric, {"a": "x", "b|1": "x"}).tolist() == [0, 0, 1, 0, 0, 1]
    assert unit_clusters(units, metric, {}).tolist() == [0, 1, 2, 0, 1, 2]


@settings(deadline=None, max_examples=30)
@given(SIZES, st.integers(0, 1000))
def test_a_resample_draws_whole_clusters_and_the_jackknife_leaves_them_out(
    sizes: list[int], seed: int
) -> None:
    n, clusters = sum(sizes), clustered(sizes, seed)
    values = np.random.default_rng(seed).normal(size=n)
    (found,) = of(MEAN, clusters, scored(ONE, values))
    members = places(n, clusters)
    drawn = bootstrap_index(len(members), FEW.n, generator(FEW.seed, *names(n)))
    for index, left in ((drawn, found.replicates), (jackknife_index(len(members)), found.left_out)):
        by_hand = [np.mean([values[place] for which in row for place in members[which]]) for row in index]
        np.testing.assert_allclose(left["0"], by_hand, rtol=1e-12, atol=1e-15)
    assert found.n == len(sizes)


def test_student_s_t_counts_clusters() -> None:
    values = np.random.default_rng(0).normal(size=40)
    (apart,), (together,) = (of(MEAN, known, scored(ONE, values)) for known in ({}, clustered([4] * 10)))
    assert (apart.n, together.n) == (40, 10)
    assert critical(0.95, together.n) > critical(0.95, apart.n)


def test_one_cluster_has_no_interval() -> None:
    one, other = of(
        MEAN, clustered([30]), *(scored(m, np.arange(30.0) + k) for k, m in enumerate((ONE, OTHER)))
    )
    assert np.isnan([*one.interval(0.95)[:2]]).all()
    assert paired_test((one, other), MEAN, FEW)(one, other) == 1.0
    table = compare(made(clustered([30]), np.arange(30.0), np.arange(30.0) + 1), FEW)
    assert table["no_best"].tolist() == ["1 group of texts with a value, fewer than 10"] * 2


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=4, max_size=7), st.integers(0, 1000))
def test_the_test_swaps_whole_clusters(sizes: list[int], seed: int) -> None:
    """Its p against that of all ways to swap clusters."""
    n, clusters = sum(sizes), clustered(sizes, seed)
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(0.5, 1, size=n)
    estimates = of(MEAN, clusters, scored(ONE, x), scored(OTHER, y))
    members = places(n, clusters)
    sums = np.array([(x - y)[texts].sum() for texts in members])
    every = np.abs(np.array(list(product([-1, 1], repeat=len(sums)))) @ sums)
    exact = (every >= abs(sums.sum()) - 1e-9).mean()
    found = paired_test(estimates, MEAN, replace(FEW, permutations=2000, alpha=0.001))(*estimates)
    # Drawing ends once ten are as extreme, so its p is known to about a third.
    assert exact / 3 < found < 3 * exact + 0.01
    assert found >= 0.4 * 2.0 ** (1 - len(sizes)), "no fewer than all clusters can be swapped"


@pytest.mark.parametrize("kind", ["mean", "area", "pairs"])
def test_texts_alone_are_what_they_were(kind: str) -> None:
    """To the last bit: without clusters, and with clusters of one text each."""
    rng = np.random.default_rng(3)
    if kind == "pairs":
        metric, cells, texts = PAIRS, pair_cells(rng, 20, 60), names(20)
    elif kind == "area":
        metric, texts = FAITHFULNESS, names(50)
        parts = [decisions(quality, rng.normal(size=50)) for quality in (0.4, 0.8)]
        cells = [
            replace(scored(m, np.zeros(50)), metric="faithfulness", parts=of_method, targets=(0, 1))
            for m, of_method in zip((ONE, OTHER), parts, strict=True)
        ]
    else:
        metric, texts = MEAN, names(50)
        cells = [scored(ONE, rng.normal(size=50)), scored(OTHER, rng.normal(0.3, 1, size=50))]
    without, alone = (
        of(metric, clusters, *cells) for clusters in ({}, {text: f"doc of {text}" for text in texts})
    )
    for one, other in zip(without, alone, strict=True):
        assert one.replicates["0"].tobytes() == other.replicates["0"].tobytes()
        assert one.left_out["0"].tobytes() == other.left_out["0"].tobytes()
        assert one.n == other.n and one.interval(0.95) == other.interval(0.95)
    p = [paired_test(known, metric, FEW)(*known) for known in (without, alone)]
    assert p[0] == p[1]
    if kind == "mean":
        values = cells[0].parts["value"][:, 0]
        index = bootstrap_index(50, FEW.n, generator(FEW.seed, *names(50)))
        np.testing.assert_array_equal(without[0].replicates["0"], values[index].mean(axis=1))


def pair_cells(rng: np.random.Generator, texts: int, pairs: int) -> list[CellScores]:
    every = [pair_name(a, b) for a, b in combinations(names(texts), 2)]
    units = tuple(sorted(every[place] for place in rng.choice(len(every), pairs, replace=False)))
    activation = rng.normal(size=pairs)
    made = []
    for method in (ONE, OTHER):
        parts = {
            "activation_distance": activation,
            "explanation_distance": activation + rng.normal(size=pairs),
        }
        columns = {name: values[:, None] for name, values in parts.items()}
        made.append(CellScores(Group("planted", "cnn"), method, PAIRS.name, "0", units, columns, 0, (-1,)))
    return made


def test_texts_of_a_cluster_are_one_node_of_the_pairs() -> None:
    units = [pair_name(*pair) for pair in ("ac", "bc", "ab", "cd", "bd", "ca")]
    known = dyads(units, {"a": "x", "b": "x"})
    # "x", c and d.
    assert known.texts == 3 == count_clusters(units, PAIRS, {"a": "x", "b": "x"})
    assert (known.first.tolist(), known.second.tolist()) == ([0, 0, 0, 1, 0, 1], [1, 1, 0, 2, 2, 0])
    # Of the pairs of nodes, x and c have three; the pair within x is none.
    assert known.between.tolist() == [0, 0, -1, 2, 1, 0]
    assert known.counts(np.array([[2, 3, 1]])).tolist() == [[6, 6, 4, 3, 2, 6]]
    without = known.without_texts()
    assert without.tolist() == [[0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 1]]
    left_out = known.without_pairs(np.random.default_rng(0))
    assert sorted(left_out.tolist()) == sorted([[0, 0, 1, 1, 1, 0], [1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1]])


def test_pairs_within_clusters_alone_have_a_variance() -> None:
    units = [pair_name(f"a{n}", f"b{n}") for n in range(12)]
    known = dyads(units, {f"{side}{n}": f"doc {n}" for n in range(12) for side in "ab"})
    values = np.random.default_rng(0).normal(size=12)
    parts = padded({"value": values[:, None]})
    groups = known.without_texts(), known.without_pairs(np.random.default_rng(0))
    found = dyadic_variance(*(MEAN.summarise(parts, as_index(counts)) for counts in groups))
    assert found == pytest.approx(values.var(ddof=1) / 12)


@pytest.mark.parametrize("within", [False, True])
def test_the_variance_of_pairs_is_the_sum_over_those_that_share_a_cluster(within: bool) -> None:
    """Of a mean, where every cluster is in as many pairs, against the double sum over pairs."""
    docs, rng = 90, np.random.default_rng(1)
    units = [
        (2 * a + side, 2 * ((a + step) % docs)) for a in range(docs) for step in (1, 2) for side in (0, 1)
    ]
    units += [(2 * a, 2 * a + 1) for a in range(docs)] if within else []
    effect = rng.normal(size=docs)
    values = np.array([effect[a // 2] + effect[b // 2] for a, b in units]) + rng.normal(size=len(units))
    gap = (values - values.mean()) / len(units)
    expected = sum(
        gap[p] * gap[q]
        for p, one in enumerate(units)
        for q, two in enumerate(units)
        if {one[0] // 2, one[1] // 2} & {two[0] // 2, two[1] // 2}
    )
    texts = [f"{text:03d}" for text in range(2 * docs)]
    clusters = {text: f"doc {number // 2}" for number, text in enumerate(texts)}
    known = dyads([pair_name(texts[a], texts[b]) for a, b in units], clusters)
    parts = padded({"value": values[:, None]})
    groups = known.without_texts(), known.without_pairs(np.random.default_rng(0))
    found = dyadic_variance(*(MEAN.summarise(parts, as_index(counts)) for counts in groups))
    assert found == pytest.approx(expected, rel=0.1)


def test_the_test_of_pairs_leaves_out_clusters() -> None:
    cells = pair_cells(np.random.default_rng(5), 20, 60)
    clusters = clustered([4] * 5)
    one, other = of(PAIRS, clusters, *cells)
    units = list(cells[0].units)
    # The same groups of pairs as the test draws.
    known = dyads(units, clusters)
    everything = np.ones((1, len(units)), dtype=np.intp)
    counts = everything, known.without_texts(), known.without_pairs(generator(FEW.seed, "pairs", *units))
    (observed,), texts, apart = (
        np.subtract(*(PAIRS.summarise(padded(each.parts), as_index(rows)) for each in cells))
        for rows in counts
    )
    expected = two_sided(float(observed), dyadic_variance(texts, apart), 4)
    assert DyadicTest(PAIRS, FEW.seed)(one, other) == pytest.approx(expected)
    assert expected != pytest.approx(DyadicTest(PAIRS, FEW.seed)(*of(PAIRS, {}, *cells)))
    drawn, _, _ = map(as_index, pair_counts(units, FEW, clusters))
    of_text = {place: cluster for cluster, texts in enumerate(places(20, clusters)) for place in texts}
    order = [int(name.split("-")[1]) for name in sorted({part for unit in units for part in unit.split("|")})]
    assert {of_text[place] for place in order} == set(range(5)) and drawn.shape[0] == FEW.n


def made(clusters: Mapping[str, str], *values: Floats, **about: object) -> Results:
    methods = [Method(name) for name in ("lime", "saliency", "occlusion", "random")]
    cells = [scored(method, each) for method, each in zip(methods, values, strict=False)]
    known = Results(
        "made", (MEAN,), cells, [m.explainer for m in methods], CONTROLS, clusters={"planted": clusters}
    )
    return replace(known, **about) if about else known


def copied(times: int, *values: Floats) -> tuple[dict[str, str], list[Floats]]:
    """Every text so many times, with its copies as a cluster."""
    n = len(values[0])
    clusters = {text: f"doc {place // times}" for place, text in enumerate(names(n * times))}
    return clusters, [np.repeat(each, times) for each in values]


def test_copies_of_texts_add_nothing_to_the_comparison() -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(mean, 0.1, size=60) for mean in (0.4, 0.43, 0.44)]
    clusters, repeated = copied(9, *values)
    once, many, as_if_alone = (
        compare(known, Bootstrap(n=600))
        for known in (made({}, *values), made(clusters, *repeated), made({}, *repeated))
    )
    widths = [np.array(table["high"] - table["low"]) for table in (once, many, as_if_alone)]
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.12)
    np.testing.assert_allclose(widths[2], widths[0] / 3, rtol=0.12)
    np.testing.assert_allclose(many["value"], once["value"])
    np.testing.assert_allclose(many["p"], once["p"], rtol=0.4)
    assert set(many["n_groups"]) == {60} and set(many["n_units"]) == {540}
    assert set(as_if_alone["n_groups"]) == {540}


def test_copies_of_pairs_of_models_add_nothing_to_a_pool() -> None:
    rng, metric = np.random.default_rng(0), RationaleConsistencyPooled()
    read = rng.normal(size=60)
    explained = {name: read + noise * rng.normal(size=60) for name, noise in (("one", 0.5), ("other", 0.8))}

    def pooled(pairs: int) -> pd.DataFrame:
        units = tuple(f"trained 0-{pair}|{text:02d}" for pair in range(pairs) for text in range(60))
        cells = [
            CellScores(Group("made", "cnn"), Method(name), metric.name, "pooled", units, parts)
            for name, values in explained.items()
            for parts in [distances(np.tile(read, pairs), np.tile(values, pairs))]
        ]
        return compare(Results("made", [metric], cells), Bootstrap(n=600))

    once, many = pooled(1), pooled(9)
    np.testing.assert_allclose(many["high"] - many["low"], once["high"] - once["low"], rtol=0.12)
    np.testing.assert_allclose(many["value"], once["value"])
    np.testing.assert_allclose(many["p"], once["p"], rtol=0.4)
    assert set(many["n_groups"]) == {60} and set(many["n_units"]) == {540}


def distances(read: Floats, explained: Floats) -> dict[str, Floats]:
    return {"activation_distance": read[:, None], "explanation_distance": explained[:, None]}


def test_groups_and_not_texts_are_too_few() -> None:
    worse = np.random.default_rng(0).uniform(size=60)
    methods = [Method(f"explainer {k}") for k in range(9)]
    few, enough = (
        why_none(
            of(
                MEAN, clustered([60 // k] * k), *(scored(m, worse + place) for place, m in enumerate(methods))
            ),
            None,
            MEAN,
            FEW,
        )
        for k in (10, 12)
    )
    assert few == "too few texts to tell explainers apart (10 groups of texts, 36 pairs of explainers)"
    assert enough == ""


def test_copies_of_texts_add_nothing_to_overall_scores() -> None:
    rng = np.random.default_rng(2)
    second = cast(Metric, replace(AGREEMENT, name="second", property="dataset consistency"))
    widths = []
    values = [rng.normal(mean, 1, size=50) for mean in (0.0, 0.5, 1.0, -0.5)]
    clusters, repeated = copied(9, *values)
    for known, each in (({}, values), (clusters, repeated), ({}, repeated)):
        results = made(known, *each)
        more = [replace(one, metric="second") for one in results.cells]
        results = replace(results, cells=[*results.cells, *more], metrics=(MEAN, second))
        (scores,) = by_group(results, Bootstrap(n=300)).overall
        widths.append(np.mean([row.high - row.low for row in scores.rows if row.form == "min_max"]))
    assert widths[1] == pytest.approx(widths[0], rel=0.25)
    assert widths[2] < 0.6 * widths[0]


def test_copies_of_texts_add_nothing_to_the_table_of_labels() -> None:
    rng = np.random.default_rng(2)
    group, tables = Group("planted", "cnn"), []
    values = [rng.normal(mean, 0.1, size=60) for mean in (0.4, 0.45)]
    clusters, repeated = copied(4, *values)
    for known, each in (({}, values), (clusters, repeated)):
        results = made(known, *each)
        cells = [
            replace(one, parts={"value": np.repeat(one.parts["value"], 2, axis=1)}, targets=(0, 1))
            for one in results.cells
        ]
        labels = LabelTexts(group, ("a", "b"), (60, 60), 60)
        tables.append(by_label(replace(results, cells=cells, labels=[labels]), Bootstrap(n=600)))
    once, many = (np.array(table["high"] - table["low"]) for table in tables)
    assert len(once) == 6
    np.testing.assert_allclose(many, once, rtol=0.15)


def test_subsamples_take_whole_clusters_but_the_last() -> None:
    n, clusters = 60, clustered([5] * 12)
    cluster = cluster_numbers(names(n), clusters)
    drawn = subsamples(names(n), 22, 0, cluster)
    assert drawn.shape == (200, 22) and all(len(set(row)) == 22 for row in drawn.tolist())
    for row in drawn:
        assert sorted(np.unique(cluster[row], return_counts=True)[1].tolist()) == [2, 5, 5, 5, 5]
    values = [np.random.default_rng(seed).uniform(size=n) for seed in (3, 4)]
    results = made(clusters, *values)
    (found,) = stability(results, compare(results, FEW), FEW)
    wins = values[0].mean() > values[1].mean()
    for step in found.subsamples:
        rows = subsamples(names(n), step.texts, FEW.seed, cluster)
        same = (values[0][rows].mean(axis=1) > values[1][rows].mean(axis=1)) == wins
        assert step.same == pytest.approx(same.mean())


def test_clusters_are_the_blocks_of_ranks() -> None:
    rng = np.random.default_rng(0)
    values = [rng.uniform(size=30) for _ in range(3)]
    clusters, repeated = copied(4, *values)
    once, many = (rank_table(known, by="unit") for known in (made({}, *values), made(clusters, *repeated)))
    assert set(once["n_texts"]) == {30} and set(many["n_texts"]) == {120}
    pd.testing.assert_frame_equal(once.drop(columns="n_texts"), many.drop(columns="n_texts"))
    assert set(many["n_blocks"]) == set(many["n_groups"]) == {30}


def test_intervals_and_tests_are_right_with_clusters_and_wrong_without() -> None:
    """Half of the variance is the documents'; 400 explainers that do not differ, 40 documents of 5 texts."""
    rng, docs, size, explainers = np.random.default_rng(20261130), 40, 5, 400
    clusters = {text: f"doc {place // size}" for place, text in enumerate(names(docs * size))}
    shared = np.repeat(rng.normal(size=(explainers, docs)), size, axis=1)
    values = np.sqrt(0.5) * (shared + rng.normal(size=(explainers, docs * size)))
    cells = [scored(Method(f"explainer {number}"), row) for number, row in enumerate(values)]
    for known, coverage, error in ((clusters, (0.92, 0.98), (0.02, 0.08)), ({}, (0.5, 0.82), (0.15, 0.5))):
        found = of(MEAN, known, *cells)
        intervals = [one.interval(0.95) for one in found]
        covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
        assert coverage[0] <= covered <= coverage[1]
        test = paired_test(found[:2], MEAN, replace(FEW, permutations=200))
        rejected = np.mean([test(*pair) < 0.05 for pair in zip(found[::2], found[1::2], strict=True)])
        assert error[0] <= rejected <= error[1]
