"""Checking the metrics: each is given explanations of known quality, on worlds with exact answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from assay.explainers.baselines import Baseline, Delete, Mask, Pad
from assay.explainers.controls.known_quality import EXACT, INVERTED, NOISY, RANDOM, Quality
from assay.harness.config.build import build
from assay.harness.config.compose import configuration
from assay.harness.config.offered import offered
from assay.harness.reporting.score_files import cell_scores
from assay.harness.validation.exact_worlds import World, additive, interacting
from assay.harness.validation.known_cells import KnownCells, known_cells
from assay.metrics.cell_data import Metric
from assay.results.records import Group, Method
from assay.results.statistics.diagnosis import Cells, Diagnosis, Evidence, WorldCheck, diagnose
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.metric_checks import NOT_TRUTH, MetricCheck, unchecked, verdict

# `unk` is left out: the planted texts have no rare words to train it with.
REMOVALS: tuple[Baseline, ...] = (Mask(), Delete(), Pad())


@dataclass(frozen=True, slots=True)
class Effort:
    """texts: explained in each world. train: texts to train its models on. randoms: random explainers.
    compared: so many of them, and of the noisiest explanations, are compared with each removal operator."""

    texts: int = 120
    train: int = 2000
    randoms: int = 32
    compared: int = 4
    diagnosis: Diagnosis = field(default_factory=Diagnosis)

    @property
    def scorings(self) -> int:
        """How often a metric is scored in a world, at most."""
        once = 2 + len(NOISY) + self.randoms
        return once + 2 * len(REMOVALS) * self.compared - self.compared - 1


QUICK = Effort(75, randoms=12, compared=1, diagnosis=Diagnosis(20, Bootstrap(n=50, permutations=200)))


def chosen_metrics(names: Sequence[str], overrides: Sequence[str] = ()) -> list[Metric]:
    """The configured metrics of these names, all that are shipped if none is given.

    overrides: of their settings, or a search path to configuration of one's own. Raises InputError on what
    does not exist.
    """
    wanted = ",".join(names or offered("metric"))
    config = configuration([f"metric=[{wanted}]", *overrides])
    return [build(entry) for entry in config.metric.values()]


def worlds(effort: Effort) -> list[World]:
    """The worlds of the checks, their models trained."""
    return [make(texts=effort.texts, train=effort.train) for make in (additive, interacting)]


def check_metrics(metrics: Sequence[Metric], worlds: Sequence[World], effort: Effort) -> list[MetricCheck]:
    """A line per metric, in the order given."""
    places = {world.name: known_cells(world) for world in worlds}
    total = len(metrics) * len(worlds) * effort.scorings
    checks = []
    with tqdm(total=total, desc="checking metrics", unit="scoring", disable=None) as bar:
        for done, metric in enumerate(metrics, 1):
            bar.set_postfix_str(metric.name)
            checks.append(_check(metric, places, effort, bar.update))
            bar.update(done * len(worlds) * effort.scorings - bar.n)
    return checks


def _check(
    metric: Metric, places: Mapping[str, KnownCells], effort: Effort, tick: Callable[[int], object]
) -> MetricCheck:
    if metric.property in NOT_TRUTH:
        return unchecked(metric.name, f"no measure of truth ({metric.property})")
    try:
        checks: dict[str, WorldCheck] = {}
        for name, cells in places.items():
            checks[name] = diagnose(metric, _evidence(metric, cells, effort, tick), effort.diagnosis)
    except Exception as error:
        # One metric that cannot be scored must not cost the table of all the others.
        return unchecked(metric.name, f"{type(error).__name__}: {error}")
    return verdict(metric, checks)


def _evidence(metric: Metric, cells: KnownCells, effort: Effort, tick: Callable[[int], object]) -> Evidence:
    def scored(quality: Quality, draw: int = 0, removal: Baseline = REMOVALS[0]) -> Cells:
        tables = cells.score(metric, quality, draw, removal)
        tick(1)
        where, who = Group(cells.world.name, "exact"), Method(f"{quality.name} {draw}")
        return [cell_scores(table, where, who, metric.name, seed) for seed, table in tables.items()]

    random = [scored(RANDOM, draw) for draw in range(effort.randoms)]
    noisy = {quality.noise: scored(quality) for quality in NOISY}
    first, *others = REMOVALS if "removal" in metric.needs else REMOVALS[:1]
    draws, faintest = range(effort.compared), NOISY[-1]
    faint = {first.name: [noisy[faintest.noise], *(scored(faintest, draw) for draw in draws[1:])]}
    faint_random = {first.name: random[: effort.compared]}
    for removal in others:
        faint[removal.name] = [scored(faintest, draw, removal) for draw in draws]
        faint_random[removal.name] = [scored(RANDOM, draw, removal) for draw in draws]
    return Evidence(
        exact=scored(EXACT),
        noisy=noisy,
        inverted=scored(INVERTED),
        random=random,
        faint=faint,
        faint_random=faint_random,
        lengths=cells.lengths(),
    )
