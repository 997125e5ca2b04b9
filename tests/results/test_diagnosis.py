"""The numbers about metrics: against brute force, and on metrics whose faults are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import pair_name
from assay.metrics.resampling import resampled_mean
from assay.results.records import CellScores, Group, Method
from assay.results.statistics.diagnosis import (
    Diagnosis,
    Evidence,
    WorldCheck,
    circle_pairs,
    diagnose,
    monotonicity,
    share_of_wins,
    subsets,
)
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.metric_checks import (
    FAILS,
    TELLS,
    UNCHECKED,
    MetricCheck,
    metric_checks_csv,
    summary,
    to_markdown,
    verdict,
)

NAN = float("nan")
GOOD = WorldCheck(
    auc=1.0, monotonicity=0.95, false_alarms=0.05, removal_range=0.01, length_range=0.02, inverted=1.0
)


@dataclass(frozen=True)
class Mean:
    """The mean of the part `value`; its name, direction and extremeness as a test wants them."""

    name: str = "mean"
    direction: str = "higher"
    extreme: bool = False
    bounds: tuple[float, float] = (float("-inf"), float("inf"))

    def summarise(self, parts: Any, index: NDArray[np.intp]) -> NDArray[np.float64]:
        return resampled_mean(parts["value"][:, 0], index)


def metric(**options: Any) -> Metric:
    return cast(Metric, Mean(**options))


def cells(values: NDArray[np.float64], who: str, names: list[str] | None = None) -> list[CellScores]:
    units = names or [f"t{at:03d}" for at in range(len(values))]
    return [CellScores(Group("w", "m"), Method(who), "mean", "0", tuple(units), {"value": values[:, None]})]


def evidence(
    texts: int = 60,
    copies: int = 1,
    randoms: int = 16,
    gain: float = 2.0,
    seed: int = 0,
    only_long: bool = False,
) -> Evidence:
    """Texts' values from N(0, 1), higher by `gain` for exact explanations (or only for the longer half), by
    less the more noise there is, lower for inverted ones; each value stands for `copies` units."""
    rng = np.random.default_rng(seed)
    names = [f"t{at:03d}" for at in range(texts * copies)]
    lengths = {name: at for at, name in enumerate(names)}
    long = np.arange(texts * copies) >= texts * copies / 2

    def drawn(who: str, better: float) -> list[CellScores]:
        noise = np.tile(rng.normal(size=texts), copies)
        return cells(noise + better * (long if only_long else 1.0), who, names)

    random = [drawn(f"random {at}", 0.0) for at in range(randoms)]
    return Evidence(
        exact=drawn("exact", gain),
        noisy={level: drawn("noisy", gain / (1 + level)) for level in (1.0, 2.0, 4.0)},
        inverted=drawn("inverted", -gain),
        random=random,
        faint={"mask": [drawn("faint", gain)] * 2, "delete": [drawn("faint", -gain)]},
        faint_random={name: random for name in ("mask", "delete")},
        lengths=lengths,
    )


@pytest.mark.parametrize("seed", range(5))
def test_share_of_wins_counts_pairs(seed: int):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, size=(2, 6)).astype(float)
    rivals = rng.integers(0, 4, size=(3, 6)).astype(float)
    values[1, 0], rivals[1, 2] = NAN, NAN
    won = [
        1.0 if values[e, s] > rivals[r, s] else 0.5 if values[e, s] == rivals[r, s] else 0.0
        for e in range(2)
        for r in range(3)
        for s in range(6)
        if not np.isnan(values[e, s] - rivals[r, s])
    ]
    assert share_of_wins(values, rivals) == pytest.approx(np.mean(won))


def test_share_of_wins_of_rounding_and_of_nothing():
    assert share_of_wins(np.array([[1.0 + 1e-13]]), np.array([[1.0]])) == 0.5
    assert np.isnan(share_of_wins(np.array([[NAN]]), np.array([[1.0]])))


@pytest.mark.parametrize("seed", range(5))
def test_monotonicity_is_the_mean_rank_correlation(seed: int):
    rng = np.random.default_rng(seed)
    noise = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    goodness = rng.integers(0, 5, size=(5, 7)).astype(float)
    goodness[:, 2], goodness[1, 4] = 3.0, NAN
    each = [
        0.0 if at == 2 else float(cast(Any, spearmanr(-noise, goodness[:, at])).statistic)
        for at in range(7)
        if at != 4
    ]
    assert monotonicity(noise, goodness) == pytest.approx(np.mean(each))
    assert monotonicity(noise, np.tile(-noise[:, None], 3)) == pytest.approx(1.0)
    assert np.isnan(monotonicity(noise, np.full((5, 2), NAN)))


def test_subsets_are_thirds_without_repetition():
    rows = np.arange(10, 31)
    found = subsets(rows, 50, np.random.default_rng(0))
    assert found.shape == (50, 7)
    assert all(len(set(row)) == 7 and set(row) <= set(rows) for row in found)
    assert len({row.tobytes() for row in found}) > 40
    assert subsets(np.arange(11), 5, np.random.default_rng(0)).shape == (5, 0)


def test_a_metric_that_tells():
    found = diagnose(metric(), evidence(), Diagnosis())
    assert found.auc > 0.99 and found.inverted > 0.99 and found.monotonicity > 0.8
    assert found.false_alarms <= 0.1
    assert found.removal_range > 0.9  # the operator "delete" tells the contrary
    assert found.length_range < 0.05


def test_direction_matters():
    found = diagnose(metric(direction="lower"), evidence(), Diagnosis())
    assert found.auc < 0.01 and found.inverted < 0.01 and found.monotonicity < -0.8


def test_rivals_are_each_pair_once():
    assert circle_pairs(0) == circle_pairs(1) == []
    assert circle_pairs(2) == [(0, 1)]
    assert circle_pairs(5) == [(a, b) for a in range(5) for b in range(a + 1, 5)]
    many = circle_pairs(32)
    assert len(many) == len(set(many)) == 4 * 32
    assert all(sum(at in pair for pair in many) == 8 for at in range(32))


def test_a_metric_that_works_on_long_texts_alone():
    assert diagnose(metric(), evidence(only_long=True, gain=3.0), Diagnosis()).length_range > 0.3


def test_false_alarms_are_as_many_as_promised_and_more_where_units_hang_together():
    rates = [diagnose(metric(), evidence(seed=seed), Diagnosis(5)).false_alarms for seed in range(5)]
    assert 0.01 < np.mean(rates) < 0.1
    copied = [
        diagnose(metric(), evidence(copies=9, seed=seed), Diagnosis(5)).false_alarms for seed in range(3)
    ]
    assert np.mean(copied) > 0.15


def test_extremes_and_too_few_units_have_no_false_alarms():
    assert np.isnan(diagnose(metric(extreme=True), evidence(), Diagnosis(5)).false_alarms)
    few = diagnose(metric(), evidence(texts=9), Diagnosis(5))
    assert np.isnan(few.false_alarms) and np.isnan(few.auc)


def test_units_that_are_no_texts_have_no_length():
    known = evidence()
    found = diagnose(metric(), replace(known, lengths={"t000": 3}), Diagnosis(5))
    assert np.isnan(found.length_range) and found.auc > 0.9


def test_explanations_may_be_scored_on_different_units():
    known = evidence(texts=40)
    (cell,) = known.inverted
    parts = {"value": cell.parts["value"][10:]}
    fewer = [CellScores(cell.group, cell.method, cell.metric, cell.seed, cell.units[10:], parts)]
    found = diagnose(metric(), replace(known, inverted=fewer), Diagnosis(5))
    assert found.inverted > 0.9


def changed(**numbers: float) -> WorldCheck:
    values = {name: getattr(GOOD, name) for name in GOOD.__slots__}
    return WorldCheck(**{**values, **numbers})


def test_the_worst_world_decides():
    check = verdict(metric(), {"a": GOOD, "b": changed(auc=0.95, false_alarms=0.08, length_range=0.3)})
    assert (check.verdict, check.note) == (TELLS, "")
    assert (check.auc, check.false_alarms, check.length_range) == (0.95, 0.08, 0.3)


@pytest.mark.parametrize(
    ("numbers", "note"),
    [
        ({"auc": 0.89}, "b: AUC 0.89"),
        ({"monotonicity": 0.79}, "b: monotonicity 0.79"),
        ({"monotonicity": NAN}, "b: monotonicity nan"),
        ({"false_alarms": 0.11}, "b: false alarms 0.11"),
        ({"auc": 0.5, "false_alarms": 0.2}, "b: AUC 0.50, false alarms 0.20"),
    ],
)
def test_what_fails_in_one_world_fails(numbers: dict[str, float], note: str):
    check = verdict(metric(), {"a": GOOD, "b": changed(**numbers)})
    assert (check.verdict, check.note) == (FAILS, note)


def test_notes_that_are_no_failure():
    assert verdict(metric(), {"a": changed(inverted=0.05)}).note == "prefers inverted to random (a)"
    assert verdict(metric(), {"a": changed(inverted=0.5)}).note == "inverted not told from random (a)"
    undefined = verdict(metric(), {"a": GOOD, "b": changed(auc=NAN)})
    assert (undefined.verdict, undefined.note) == (TELLS, "undefined in b")
    assert verdict(metric(), {"a": changed(auc=NAN)}).verdict == UNCHECKED
    assert verdict(metric(), {"a": changed(false_alarms=NAN)}).verdict == TELLS


def test_tables():
    checks = [
        MetricCheck("one", 0.98765, 0.9, 0.05, NAN, 0.0, TELLS, ""),
        MetricCheck("two", 0.5, -0.1, 0.2, 0.1, 0.0, FAILS, "a: AUC 0.50 | so, so"),
    ]
    assert metric_checks_csv(checks).decode().splitlines() == [
        "metric,auc,monotonicity,false_alarms,removal_range,length_range,verdict,note",
        "one,0.988,0.900,0.050,,0.000,tells,",
        'two,0.500,-0.100,0.200,0.100,0.000,fails,"a: AUC 0.50 | so, so"',
    ]
    lines = to_markdown(checks).splitlines()
    assert lines[2] == "| `one` | 0.99 | 0.90 | 0.05 | – | 0.00 | tells |  |"
    assert lines[3].endswith(r"| fails | a: AUC 0.50 \| so, so |")
    assert summary(checks) == "fails: two"
    assert summary(checks[:1]) == "fails: none"


def test_the_bootstrap_is_the_one_asked_for():
    one = diagnose(metric(), evidence(), Diagnosis(5, Bootstrap(n=50, alpha=1.0)))
    assert one.false_alarms > 0.9


@dataclass(frozen=True)
class PairedMean(Mean):
    """The same of pairs of texts."""

    of_pairs: bool = True


@dataclass(frozen=True)
class PooledMean(Mean):
    """The same of texts in pairs of models."""

    pooled: str = "kind"


def of_half_the_texts(unit_of: Any, only_long: bool) -> Evidence:
    known = evidence(only_long=only_long, gain=3.0)
    lengths = {f"x|{name}": length for name, length in known.lengths.items()}

    def renamed(found: Any) -> Any:
        if isinstance(found, CellScores):
            return replace(found, units=tuple(unit_of(f"x|{unit}") for unit in found.units))
        return (
            {k: renamed(v) for k, v in found.items()} if isinstance(found, dict) else [*map(renamed, found)]
        )

    fields = ("exact", "noisy", "inverted", "random", "faint", "faint_random")
    return replace(known, lengths=lengths, **{name: renamed(getattr(known, name)) for name in fields})


@pytest.mark.parametrize(
    ("of", "unit_of"),
    [(PairedMean, lambda text: pair_name(text, text)), (PooledMean, lambda text: f"trained 0-1|{text}")],
)
def test_units_about_texts_have_their_length(of: Any, unit_of: Any):
    assert diagnose(cast(Metric, of()), of_half_the_texts(unit_of, True), Diagnosis(5)).length_range > 0.3
    assert diagnose(cast(Metric, of()), of_half_the_texts(unit_of, False), Diagnosis(5)).length_range < 0.1
