"""Does a recommendation name the best explainer, and none where there is none? Simulated, with known truths.

    python scripts/recommend_simulation.py [--quick] [--draws N] [--only WORDS] [--file FILE]

Each draw makes up the scores of some explainers, of random scores and of gold on a few texts, and asks
`assay.results.recommendation.recommend` who is recommended, as the command does. One explainer is so many
standard errors of the paired difference better than the others, which are all equal: the hardest case. Scores
are even or skewed (lognormal), by one property, by two with equal weights, or by one with two removal
operators. An explainer that is better than all others, but draws at random, is always there and forbidden.

The bar, of every setting: the best is in the recommended group in at least 95 %, named alone in at least 90 %
at five standard errors, one named alone in at most 6 % where all are equal; refused in at least 95 % where
none is better than random; never a control, never the forbidden one. --quick: fewer draws, the bar with the
binomial bound (99.9 %) of so few. --file: finished settings are kept there, and not run again by the same
code with as many draws and the same seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from bar import Table, finish, options
from coverage_file import code
from scipy.stats import binom

from assay.metrics.cell_data import Metric
from assay.metrics.erasure import Comprehensiveness
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.with_removal import WithRemoval
from assay.results.recommendation.constraints import Constraints, MethodFacts
from assay.results.recommendation.recommend import decide_groups
from assay.results.records import CellScores, Group, Method, Results
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.arrays import Floats

GROUP = Group("made up", "model")
TEXTS = 60
FULL, QUICK = 2000, 20
CONFIDENCE = 0.999
ONE, WEIGHTED, OPERATORS = "one property", "two properties", "two operators"
AGREEMENT, BY_MASK = HumanAgreement(), Comprehensiveness()
BY_DELETE = cast(Metric, WithRemoval(BY_MASK, "delete"))
METRICS = {
    ONE: (AGREEMENT,),
    WEIGHTED: (AGREEMENT, BY_MASK),
    OPERATORS: (BY_MASK, BY_DELETE),
}
CONTROLS, FORBIDDEN = ("random", "gold"), Method("forbidden")
EVEN, SKEWED = "even", "skewed"
LEVEL, SPREAD = 0.4, 0.08
# Above the level: random scores, gold marks, the forbidden explainer.
APART = {"random": -0.3, "gold": 0.0, FORBIDDEN.explainer: 0.05}
GAPS = (0.0, 1.0, 2.0, 3.0, 5.0)
# What a result depends on, of what this script imports.
DECIDING = ("metrics", "results/property_metrics", "results/recommendation", "results/statistics", "scripts")


class Setting(NamedTuple):
    """What is simulated. gap: of the best one, in standard errors of the paired difference; None where no
    explainer is better than random."""

    kind: str
    shape: str
    explainers: int
    gap: float | None


class Outcome(NamedTuple):
    """Of one draw: whether the best is recommended, whether any is named alone and whether it is the best,
    whether nothing is recommended, and whether what must never be is."""

    has_best: bool
    alone: bool
    best_alone: bool
    refused: bool
    forbidden: bool


def settings() -> Iterator[Setting]:
    """All of them: two explainers at every gap, more of them where all are equal and at the largest."""
    ends = GAPS[0], GAPS[-1]
    for gap, kind in product(ends, METRICS):
        yield Setting(kind, EVEN, 2, gap)
        yield Setting(kind, SKEWED, 4, gap)
    for gap, kind in product(GAPS[1:-1], METRICS):
        yield Setting(kind, EVEN, 2, gap)
    for kind in METRICS:
        yield Setting(kind, EVEN, 4, None)
    for kind, gap in product((ONE, WEIGHTED), ends):
        yield Setting(kind, EVEN, 12, gap)


def drawn(setting: Setting, rng: np.random.Generator) -> Results:
    """The scores of one draw: a text's difficulty, which all explainers share, and noise of each one."""
    metrics = METRICS[setting.kind]
    names = [f"explainer{place}" for place in range(setting.explainers)]
    levels = np.full(len(names), APART["random"] if setting.gap is None else 0.0)
    # Of two properties, or operators, each has such a share of the gap as their mean has more of precision.
    shares = np.sqrt(len(metrics)) if setting.kind == WEIGHTED else 1.0
    levels[0] += (setting.gap or 0.0) * SPREAD * np.sqrt(2 / TEXTS) / shares
    # Where none is better than random, none is better that is forbidden.
    apart = {name: 0.0 if setting.gap is None and name == "forbidden" else by for name, by in APART.items()}
    every = dict(zip(names, levels.tolist(), strict=True)) | apart
    if setting.gap is None:
        every[FORBIDDEN.explainer] = APART["random"]
    cells = []
    for metric in metrics:
        difficulty = SPREAD * rng.normal(size=TEXTS)
        noise = rng.normal(size=(len(every), TEXTS))
        if setting.shape == SKEWED:
            noise = (np.exp(noise) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
        for (name, level), of_explainer in zip(every.items(), noise, strict=True):
            values = LEVEL + level + difficulty + SPREAD * of_explainer
            cells.append(_cell(Method(name), metric.name, values))
    return Results(
        "made up",
        metrics,
        cells,
        explainers=list(every),
        controls=frozenset(CONTROLS),
        removal="mask",
    )


def _cell(method: Method, metric: str, values: Floats) -> CellScores:
    units = tuple(f"text{place:03d}" for place in range(TEXTS))
    parts = (
        {"ap": values} if metric == AGREEMENT.name else {"full": np.ones(TEXTS), "removed@50": 1.0 - values}
    )
    return CellScores(GROUP, method, metric, "0", units, {name: one[:, None] for name, one in parts.items()})


def simulate(setting: Setting, draw: int, seed: int) -> Outcome:
    """One draw of a setting, and who is recommended; the best is the first explainer."""
    rng = np.random.default_rng((seed, draw, *map(ord, repr(setting))))
    facts = {(GROUP, FORBIDDEN): MethodFacts(stochastic=True)}
    results, only = drawn(setting, rng), Constraints(deterministic=True)
    ((found, _),) = decide_groups(results, facts, only, bootstrap=Bootstrap(seed=draw)).values()
    methods, best = found.recommended, Method("explainer0")
    return Outcome(
        best in methods,
        len(methods) == 1,
        methods == (best,),
        not methods,
        bool({FORBIDDEN, *map(Method, CONTROLS)} & {*found.decision.group, *found.beats}),
    )


def misses(setting: Setting, shares: Sequence[float], n: int, *, sure: bool) -> list[str]:
    """Which bars are missed, by the shares of n draws; sure: only beyond what chance would do at the bar."""
    count = {name: round(n * share) for name, share in zip(Outcome._fields, shares, strict=True)}
    bars: list[tuple[str, int, float]] = []
    if setting.gap is None:
        bars.append(("refused", count["refused"], 0.95))
    else:
        bars.append(("best in group", count["has_best"], 0.95))
    if setting.gap == 5.0:
        bars.append(("named alone", count["best_alone"], 0.90))
    if setting.gap == 0.0:
        bars.append(("not named alone", n - count["alone"], 0.94))
    missed = [name for name, hits, least in bars if hits < (_fewest(n, least) if sure else least * n)]
    return missed + (["forbidden"] if count["forbidden"] else [])


def _fewest(n: int, share: float) -> int:
    """The fewest hits of n that chance gives in all but 0.1 % of cases, if they are such a share."""
    return int(binom.ppf(1 - CONFIDENCE, n, share))


class Finished:
    """The settings that a file has of the same code, draws and seed; a line of JSON each."""

    def __init__(self, path: Path | None, draws: int, seed: int) -> None:
        """path: None keeps nothing."""
        self._path = path
        self._by = {"draws": draws, "seed": seed, "code": code(Path(__file__), DECIDING)}
        self._known: dict[Setting, list[float]] = {}
        # Behind the last line break stands nothing, or half a line of a run that was killed.
        text = path.read_text(encoding="utf-8") if path and path.exists() else ""
        for line in map(json.loads, text.split("\n")[:-1]):
            if {name: line[name] for name in self._by} == self._by:
                self._known[Setting(*line["setting"])] = line["shares"]
        if path and not text.endswith("\n"):
            path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")

    def shares(self, setting: Setting) -> list[float]:
        """In which share of draws each of `Outcome` holds: as it is known, or simulated and kept."""
        if setting not in self._known:
            found = [simulate(setting, draw, self._by["seed"]) for draw in range(self._by["draws"])]
            self._known[setting] = np.mean(np.array(found, dtype=float), axis=0).tolist()
            if self._path:
                line = json.dumps({"setting": setting, "shares": self._known[setting], **self._by})
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")
        return self._known[setting]


def main() -> None:
    chosen = options(
        __doc__,
        f"{QUICK} draws of each setting; under a minute",
        draws=(int, f"draws of a setting ({FULL})"),
        seed=(0, "of all draws"),
        only=("", "settings whose line has these words"),
        file=(Path, "that keeps finished settings, and that a later run goes on with"),
    )
    draws = chosen.draws or (QUICK if chosen.quick else FULL)
    shown = dict.fromkeys(("best_in_group", "best_alone", "any_alone", "refused"), ".1%")
    table = Table("by", "scores", "explainers", gap="", **shown)
    missed, began, run = [], time.monotonic(), 0
    finished = Finished(chosen.file, draws, chosen.seed)
    for setting in settings():
        if chosen.only not in " ".join(map(str, setting)):
            continue
        found = finished.shares(setting)
        gap = "no better than random" if setting.gap is None else f"{setting.gap:g}"
        has_best, alone, best_alone, refused, _ = found
        table.row(
            setting.kind, setting.shape, str(setting.explainers), gap, has_best, best_alone, alone, refused
        )
        missed += [f"{name} of {setting}" for name in misses(setting, found, draws, sure=draws < FULL)]
        run += 1
    seconds = time.monotonic() - began
    bars = "95 % in group, 90 % alone at 5, at most 6 % alone at 0, 95 % refused where none is better"
    said = f"{run} settings of {draws} draws, {seconds:.0f} s; bars: {bars}"
    finish(not missed and run > 0, "; ".join([said, *missed]))


if __name__ == "__main__":
    main()
