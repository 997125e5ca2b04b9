"""Do intervals cover what they say, and do groups err as seldom as they say? Simulated, with known truths.

    python scripts/coverage.py [--quick] [--sims N] [--seed S] [--only WORDS]

First the coverage of nominal 95 % intervals of the real metrics on made-up texts whose true value is known:
means of three shapes, the area under macro-F1, a rank correlation, one over pairs of texts that share texts;
then of three and five models that have effects of their own, and of all pairs of models. Beside it, for
comparison and outside the bar, the plain percentile interval over texts, and the one that resamples models,
then texts. Then the family-wise error: how often any of twelve explainers that do not differ is told apart
from the best of them, and how often it would be if Holm counted only the eleven tests made. The bar: every
coverage from 90 to 98 %, every family-wise error at most 6 %. --quick: fewer simulations and settings; the
bar then allows three standard errors. --only: settings whose title has these words.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from bar import Table, finish, options
from coverage_worlds import (
    EXPLAINERS,
    Covered,
    Family,
    Parts,
    Rng,
    families,
    over_models,
    over_pairs,
    over_regressions,
    over_texts,
)

from assay.metrics.cell_data import Metric
from assay.results.records import CellScores, Group, Method
from assay.results.statistics.comparison import estimate, paired_test
from assay.results.statistics.estimates import Bootstrap, Estimate, holm, p_from_best

LEVEL = 0.95
COVERAGE = (0.90, 0.98)
FAMILY = 0.06
SIZES = (50, 100, 200, 500)


def outside(shares: Sequence[float], low: float, high: float, slack_of: int | None) -> int:
    """How many shares miss the bounds, or miss them by three standard errors of so many simulations."""

    def slack(bound: float) -> float:
        return 0.0 if slack_of is None else 3 * float(np.sqrt(bound * (1 - bound) / slack_of))

    return sum(not low - slack(low) <= share <= high + slack(high) for share in shares)


def estimated(
    metric: Metric, parts: dict[str, Parts], bootstrap: Bootstrap, named: tuple[str, ...] = ()
) -> Estimate:
    """What the comparison makes of these parts; named: their units, numbers if there are none."""
    cells = []
    for seed, of_seed in parts.items():
        n = len(next(iter(of_seed.values())))
        units = named or tuple(f"{unit:04d}" for unit in range(n))
        cells.append(CellScores(Group("made up", "known"), Method("one"), metric.name, seed, units, of_seed))
    return estimate(cells, metric, bootstrap)[Method("one")][0]


def plain(of: Estimate, rng: Rng) -> list[tuple[float, float]]:
    """Percentile intervals for comparison: over texts, and with three models or more over both."""
    replicates = np.stack(list(of.replicates.values()))
    models, resamples = replicates.shape
    found = [replicates.mean(axis=0)]
    if models > 2:
        drawn = rng.integers(0, models, size=(models, resamples))
        found.append(replicates[drawn, np.arange(resamples)].mean(axis=0))
    tail = (1 - LEVEL) / 2
    return [tuple(np.quantile(each, [tail, 1 - tail]).tolist()) for each in found]


def coverage(setting: Covered, sims: int, resamples: int, seed: int) -> list[float]:
    """Shares of intervals that hold the truth: as shipped, plain over texts, plain over models and texts."""
    held: list[list[bool]] = []
    for sim in range(sims):
        rng = np.random.default_rng((seed, sim))
        bootstrap = Bootstrap(n=resamples, seed=sim)
        of = estimated(setting.metric, setting.draw(rng), bootstrap, setting.units)
        intervals = [of.interval(LEVEL)[:2], *plain(of, rng)]
        held.append([low <= setting.truth <= high for low, high in intervals])
    return np.mean(held, axis=0).tolist()


def family_errors(setting: Family, sims: int, seed: int) -> list[float]:
    """Shares of simulations that tell apart explainers that do not differ: as shipped, and with Holm over the
    tests made alone."""
    errors: list[list[bool]] = []
    for sim in range(sims):
        bootstrap = Bootstrap(n=1, seed=sim)
        drawn = setting.draw(np.random.default_rng((seed, sim)))
        estimates = [estimated(setting.metric, parts, bootstrap, setting.units) for parts in drawn]
        best = int(np.argmax([of.value for of in estimates]))
        test = paired_test(estimates, setting.metric, bootstrap)
        made: dict[int, float] = {}

        def recorded(one: Estimate, other: Estimate, made=made, test=test, estimates=estimates) -> float:
            made[estimates.index(one)] = p = test(one, other)
            return p

        shipped = np.array(p_from_best(estimates, higher=True, test=recorded))
        tests_made = np.ones(len(estimates))
        tests_made[list(made)] = holm(list(made.values()))
        told_apart = [bool((p[: setting.equal] <= 0.05).any()) for p in (shipped, tests_made)]
        errors.append([best < setting.equal and wrong for wrong in told_apart])
    return np.mean(errors, axis=0).tolist()


def main() -> None:
    chosen = options(
        __doc__,
        "fewer simulations and settings; under a minute",
        sims=(int, "simulations of a setting (default: 1000, quick: 100)"),
        seed=(0, "of all draws"),
        only=("", "settings whose title has these words"),
    )
    sims = chosen.sims or (100 if chosen.quick else 1000)
    sizes, models, resamples = ((50, 200), (3,), 400) if chosen.quick else (SIZES, (3, 5), 1000)
    coverages, errors = [], []
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / sims)
    print(f"Coverage of nominal 95 % intervals in {sims} simulations each, {resamples} resamples; standard")
    print(f"error {error:.1f} %. Plain: percentile intervals, for comparison.\n")
    plain_columns = {"plain,_texts_alone": ".1%", "plain,_models_and_texts": ".1%"}
    table = Table("what", texts="", coverage=".1%", **plain_columns)
    for setting in (
        *over_texts(sizes, 200_000),
        *over_pairs((50,) if chosen.quick else (50, 100), 200_000),
        *over_models(sizes if not chosen.quick else (100,), models),
        *over_regressions((200,) if chosen.quick else sizes, 300 if chosen.quick else 4000),
    ):
        if chosen.only not in setting.title:
            continue
        shares = coverage(setting, sims, resamples, chosen.seed)
        coverages.append(shares[0])
        table.row(setting.title, setting.n, *shares, *[None] * (3 - len(shares)))
    print(f"\nFamily-wise error at 5 % of the group of the best among {EXPLAINERS}.\n")
    table = Table("what", error=".1%", Holm_over_the_tests_made_alone=".1%")
    for family in families(chosen.quick):
        if chosen.only not in family.title:
            continue
        shares = family_errors(family, sims, chosen.seed)
        errors.append(shares[0])
        table.row(family.title, *shares)
    if not (coverages and errors):
        sys.exit(f"--only {chosen.only}: both tables need a setting whose title has these words")
    slack_of = sims if chosen.quick else None
    missed = outside(coverages, *COVERAGE, slack_of) + outside(errors, 0.0, FAMILY, slack_of)
    slack = "; give or take three standard errors" if chosen.quick else ""
    finish(
        not missed,
        f"coverage {100 * min(coverages):.1f} to {100 * max(coverages):.1f} % in {len(coverages)} settings "
        f"(bar: 90 to 98), family-wise error at most {100 * max(errors):.1f} % in {len(errors)} settings "
        f"(bar: 6); {missed} outside{slack}",
    )
