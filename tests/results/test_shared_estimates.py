"""What a report rests on is estimated and permuted once, however many of its tables need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from results_synthetic import AGREEMENT, METRICS, Group, MeanOf, Method, cell, experiment

from assay.metrics.faithfulness import Faithfulness
from assay.results.recommendation.recommend import recommend
from assay.results.records import CellScores, Results
from assay.results.statistics import permutation
from assay.results.statistics.baseline_sensitivity import pair_cell, recommended_baselines
from assay.results.statistics.by_group import by_group
from assay.results.statistics.comparison import compare, estimate
from assay.results.statistics.estimates import Bootstrap, Estimate
from assay.results.statistics.overall import RESAMPLES, overall
from assay.results.statistics.shared_estimates import SharedEstimates

GROUPS = Group("planted", "cnn"), Group("planted", "lstm")
# More resamples than overall scores take, so that theirs would be told from the others by their number.
MANY = Bootstrap(n=RESAMPLES + 100, permutations=50)

Parts = dict[str, NDArray[np.float64]]
Summarise = Callable[[Any, Parts, NDArray[np.intp]], NDArray[np.float64]]


def _results() -> Results:
    pairs = [
        pair_cell(group, name, "0", 0, {(f"t{place}", 0): 0.1 * place for place in range(12)})
        for group in GROUPS
        for name in ("occlusion", "lime")
    ]
    return replace(experiment(GROUPS, n=20), baseline_pairs={("pad", "mask"): pairs}, removal="mask")


def _counted(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, bytes, int]]:
    """How often each metric is summarised of each cell, by the number of resamples."""
    calls: Counter[tuple[str, bytes, int]] = Counter()

    def counting(summarise: Summarise) -> Summarise:
        def counted(self: Any, parts: Parts, index: NDArray[np.intp]) -> NDArray[np.float64]:
            made_from = b"".join(parts[name].tobytes() for name in sorted(parts))
            calls[self.name, made_from, len(index)] += 1
            return summarise(self, parts, index)

        return counted

    for of in (MeanOf, Faithfulness):
        monkeypatch.setattr(of, "summarise", counting(of.summarise))
    return calls


def test_a_report_resamples_every_cell_once(monkeypatch: pytest.MonkeyPatch) -> None:
    results, calls = _results(), _counted(monkeypatch)
    found = by_group(results, MANY, advise=True)
    assert len(found.advice) == len(GROUPS) and len(found.baselines) == 2 * len(GROUPS)
    assert len(found.overall) == len(GROUPS)
    resampled = {key: count for key, count in calls.items() if key[2] == MANY.n}
    # Cells of equal values would be counted as one.
    every = Counter(
        (one.metric, b"".join(one.parts[n].tobytes() for n in sorted(one.parts))) for one in results.cells
    )
    assert {key[:2]: count for key, count in resampled.items()} == every
    assert not [key for key in calls if key[2] == RESAMPLES]


def test_a_report_permutes_every_two_explainers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[tuple[Estimate, Estimate, bool]] = []
    usual = permutation.stacked

    def counted(one: Estimate, other: Estimate, *, ranks: bool = False):
        pairs.append((one, other, ranks))
        return usual(one, other, ranks=ranks)

    monkeypatch.setattr(permutation, "stacked", counted)
    by_group(_results(), MANY, advise=True)
    assert len(pairs) > 4 * len(GROUPS) and max(Counter(pairs).values()) == 1


def test_shared_estimates_are_those_of_each_table_alone() -> None:
    results = _results()
    found = by_group(results, MANY, advise=True)
    pd.testing.assert_frame_equal(found.comparison, compare(results, MANY))
    alone = [one.rows for one in overall(results, MANY)]
    assert repr([one.rows for one in found.overall]) == repr(alone)
    assert repr(found.advice) == repr(recommend(results, {}, bootstrap=MANY))
    baselines = recommended_baselines(results, MANY)
    assert {key: repr(one) for key, one in found.baselines.items()} == {
        key: repr(one) for key, one in baselines.items()
    }


def test_other_cells_units_clusters_or_resamples_are_estimated_anew() -> None:
    rng, few, shared = np.random.default_rng(1), Bootstrap(n=20), SharedEstimates()
    one, other = (cell(Method(name), AGREEMENT.name, rng.random(30)) for name in ("lime", "saliency"))
    short = cell(Method("lime"), AGREEMENT.name, rng.random(12))

    def of_lime(cells: list[CellScores], bootstrap: Bootstrap = few) -> Estimate:
        found = estimate(cells, METRICS[1], bootstrap, shared=shared)[Method("lime")][0]
        alone = estimate(cells, METRICS[1], bootstrap)[Method("lime")][0]
        assert found.values == alone.values
        np.testing.assert_array_equal(found.replicates["0"], alone.replicates["0"])
        return found

    first = of_lime([one, other])
    assert of_lime([one]) is first
    # Beside an explainer of more texts, other texts are drawn.
    of_few = of_lime([short])
    assert of_lime([short, other]) is not of_few
    assert of_lime([one, other], replace(few, n=21)) is not first
    assert of_lime([replace(one, parts={"value": 1 - one.parts["value"]})]) is not first
    # Texts that hang together are drawn together.
    documents = {unit: f"document {place // 2}" for place, unit in enumerate(one.units)}
    found, alone = (
        estimate([one, other], METRICS[1], few, documents, known)[Method("lime")][0]
        for known in (shared, SharedEstimates())
    )
    assert found is not first
    np.testing.assert_array_equal(found.replicates["0"], alone.replicates["0"])
    assert not np.array_equal(found.replicates["0"], first.replicates["0"])
