"""The settings of coverage.py, and one simulation of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple
from zlib import crc32

import numpy as np
from coverage_kinds import WORLDS
from coverage_texts import SHAPES, Floats, Texts
from coverage_truths import GROUP, cells, effects, methods, true_values

from assay.metrics.cell_data import Metric
from assay.results.columns import ComparisonRow
from assay.results.records import CellScores, Method, Results
from assay.results.statistics.comparison import estimate, method_rows
from assay.results.statistics.estimates import Bootstrap, Estimate
from assay.results.statistics.overall import ANCHORED, FORMS, MEAN_RANK, MIN_MAX, anchored, min_max, overall
from assay.results.statistics.ranking import ranks, sign
from assay.results.statistics.verdicts import Verdicts, conclude

SIZES, MODELS = (20, 50, 200), (1, 2, 5)
COVERAGE, FAMILY = "coverage", "family"
EXPLAINERS, WORSE = 12, 6
# How much worse some explainers of a family are, in standard deviations over texts: clearly.
MUCH = 1.5
OVERALL = "overall"
# Overall scores are made of these metrics of four explainers, each two standard errors behind another, and of
# random scores.
OVERALL_WORLDS = ("mean", "F1 area", "Spearman")
CANDIDATES, BEHIND, RANDOM = 4, 2.0, -1.5


class Setting(NamedTuple):
    """A share of a table. table: COVERAGE or FAMILY. world: of coverage_kinds.py, or OVERALL. worse: how many
    explainers of a family are worse than the others, which do not differ."""

    table: str
    world: str
    shape: str
    n: int
    models: int
    worse: int = 0

    @property
    def title(self) -> str:
        """In words, without the number of texts."""
        models = "1 model" if self.models == 1 else f"{self.models} models"
        worse = f", {self.worse} worse" if self.worse else ""
        return f"{self.world}, {self.shape}, {models}{worse}"


def fewest_models(name: str) -> int:
    """How many models a world needs."""
    return 2 if name != OVERALL and WORLDS[name].of_model_pairs else 1


def settings() -> Iterator[Setting]:
    """All of them."""
    for name, world in WORLDS.items():
        fewest = fewest_models(name)
        for shape, n, models in product(world.shapes, SIZES, MODELS):
            if models >= fewest:
                yield Setting(COVERAGE, name, shape, n, models)
        for shape, n, worse in product(world.shapes, SIZES, (0, WORSE)):
            # Where explanations tell nothing, none can be worse.
            if not (worse and name == "regression that tells nothing"):
                yield Setting(FAMILY, name, shape, n, fewest, worse)
    for shape, n, models in product(SHAPES, SIZES, MODELS):
        yield Setting(COVERAGE, OVERALL, shape, n, models)


def names(setting: Setting) -> list[str]:
    """Of the intervals, or the family, of one simulation."""
    return [f"{OVERALL}: {form}" for form in FORMS] if setting.world == OVERALL else [setting.world]


def simulate(setting: Setting, seed: int, sim: int, resamples: int) -> Mapping[str, bool | None]:
    """By name of an interval, whether it covers the truth; of a family, whether explainers that do not differ
    are told apart. None where the comparison gives no interval, or calls nobody best."""
    rng = np.random.default_rng((seed, crc32(repr(setting).encode()), sim))
    if setting.world == OVERALL:
        return _overall(setting, rng, Bootstrap(n=resamples, seed=sim))
    if setting.table == FAMILY:
        return {setting.world: _errs(setting, rng, Bootstrap(n=1, seed=sim))}
    return {setting.world: _covers(setting, rng, Bootstrap(n=resamples, seed=sim))}


def _covers(setting: Setting, rng: np.random.Generator, bootstrap: Bootstrap) -> bool | None:
    world, texts = WORLDS[setting.world], Texts(setting.shape, setting.n)
    better = effects(world, rng, setting.n, setting.models)[None]
    (row,) = compared(setting, cells(world, rng, texts, better), bootstrap)
    if not np.isfinite(row.low):
        return None
    (truth,) = true_values(setting.world, texts, setting.models, (0.0,))
    return bool(row.low <= truth <= row.high)


def _errs(setting: Setting, rng: np.random.Generator, bootstrap: Bootstrap) -> bool | None:
    world, texts = WORLDS[setting.world], Texts(setting.shape, setting.n)
    shifts = -MUCH * (np.arange(EXPLAINERS) >= EXPLAINERS - setting.worse)
    better = shifts[:, None] + effects(world, rng, setting.n, setting.models)
    verdicts = concluded(setting, cells(world, rng, texts, better), bootstrap)
    if verdicts.no_best:
        return None
    return any(p <= bootstrap.alpha for p in list(verdicts.p.values())[: EXPLAINERS - setting.worse])


def compared(setting: Setting, of: list[CellScores], bootstrap: Bootstrap) -> list[ComparisonRow]:
    """The rows of the comparison, one per explainer."""
    metric, found, results = _estimated(setting, of, bootstrap)
    return method_rows(GROUP, sorted(found), metric, found, results, bootstrap)


def concluded(setting: Setting, of: list[CellScores], bootstrap: Bootstrap) -> Verdicts:
    """What the comparison concludes of the explainers, in their order; it needs no intervals."""
    metric, found, results = _estimated(setting, of, bootstrap)
    return conclude(sorted(found), metric, found, results, bootstrap)


def _estimated(
    setting: Setting, of: list[CellScores], bootstrap: Bootstrap
) -> tuple[Metric, dict[Method, tuple[Estimate, int]], Results]:
    metric = WORLDS[setting.world].metric
    clusters = Texts(setting.shape, setting.n).clusters
    found = estimate(of, metric, bootstrap, clusters)
    return metric, found, Results("made up", [metric], of, clusters={GROUP.task: clusters})


def _overall(setting: Setting, rng: np.random.Generator, bootstrap: Bootstrap) -> dict[str, bool | None]:
    """The interval of one of the candidates, in turn, in each form."""
    texts, shifts = Texts(setting.shape, setting.n), np.array(_shifts(setting))
    names = [method.explainer for method in methods(len(shifts))]
    drawn: list[CellScores] = []
    for name in OVERALL_WORLDS:
        world, models = WORLDS[name], _models(setting, name)
        better = shifts[:, None] + effects(world, rng, setting.n, models)
        drawn += cells(world, rng, texts, better)
    metrics = [WORLDS[name].metric for name in OVERALL_WORLDS]
    results = Results(
        *("made up", metrics, drawn, names, frozenset(names[-1:])),
        random=names[-1],
        clusters={GROUP.task: texts.clusters},
    )
    (scored,) = overall(results, bootstrap)
    candidate = bootstrap.seed % CANDIDATES
    rows = {row.form: row for row in scored.rows if row.explainer == names[candidate]}
    truths = _overall_truths(setting, texts)
    return {
        f"{OVERALL}: {form}": bool(row.low <= truths[form][candidate] <= row.high)
        if np.isfinite(row.low)
        else None
        for form, row in rows.items()
    }


def _shifts(setting: Setting) -> tuple[float, ...]:
    """How much better the candidates and random scores are, in standard deviations over texts."""
    behind = BEHIND / np.sqrt(setting.n) * np.arange(CANDIDATES)
    return (*(-behind).tolist(), RANDOM)


def _models(setting: Setting, name: str) -> int:
    return max(setting.models, fewest_models(name))


def _overall_truths(setting: Setting, texts: Texts) -> dict[str, Floats]:
    """By form (candidates,): what the true values of all metrics make."""
    every = []
    for name in OVERALL_WORLDS:
        of_metric = true_values(name, texts, _models(setting, name), _shifts(setting))
        every.append(sign(WORLDS[name].metric) * of_metric)
    values = np.stack(every, axis=1)
    signed, random = values[:-1], values[-1]
    forms = {
        MIN_MAX: min_max(signed),
        MEAN_RANK: ranks(signed),
        ANCHORED: anchored(signed, random, signed.max(axis=0)),
    }
    return {form: of_form.mean(axis=1) for form, of_form in forms.items()}
