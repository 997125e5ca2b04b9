"""How often `assay compare` finds a difference: where there is none, and of a model with worse labels.

Simulated tables: two training seeds of one configuration, or several of each version, whose models differ as
much as the noise of the texts, less, or more; and explainers drawn anew on the same models. A table errs if
any of its differences is beyond noise. No part of the bar are the lines of --these-models, what a test over
texts alone says of one seed per version, and those where B is ahead. Real tables: small models trained on
planted texts, with clean labels and with 10 or 30 % flipped.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import cast

import numpy as np
from bar import Table, finish, options
from numpy.typing import NDArray

from assay.harness.cli import main as assay
from assay.harness.reporting.versions import open_side
from assay.metrics.cell_data import Metric
from assay.metrics.info import MetricBase, MetricInfo
from assay.results.records import CellScores, Group, Method
from assay.results.statistics.estimates import Bootstrap
from assay.results.versions.changes import changes
from assay.results.versions.records import BETTER, UNTOLD, WORSE, Version

MOST = 0.06
GROUP = Group("simulated", "model")
EXPLAINERS, METRICS, TEXTS = 6, 4, 60
RESAMPLES = 200
REAL = [
    *("run", "task=planted_counting", "task.train=300", "task.dev=60", "task.test=60", "model=linear"),
    *("model.training.epochs=6", "explainer=[occlusion,saliency_l2]", "baseline=[mask]"),
    *("metric=[faithfulness,human_agreement]", "report.bootstrap=20"),
]


@dataclass(frozen=True, slots=True)
class Setting:
    """models: seeds of A and of B. spread: of the models, in standard errors of one model's mean over texts.

    skewed: whether models and texts are lognormal. same: whether both versions have the same models, and only
    explainers are drawn anew. these: as --these-models. shift: by which B is ahead on every metric, in the
    same unit as the spread.
    """

    models: tuple[int, int]
    spread: float
    skewed: bool = False
    same: bool = False
    these: bool = False
    shift: float = 0.0

    @property
    def name(self) -> str:
        what = "drawn anew" if self.same else "trained anew"
        return (
            f"{what}{', skewed' if self.skewed else ''}{', --these-models' if self.these else ''}"
            f"{f', B ahead by {self.shift:g}' if self.shift else ''}"
        )


NULL = [
    *(Setting((1, 1), spread) for spread in (1.0,)),
    *(Setting(models, spread) for models in ((2, 2), (3, 3), (5, 5), (5, 1)) for spread in (0.3, 1.0, 3.0)),
    *(Setting((3, 3), spread, skewed=True) for spread in (1.0, 3.0)),
    *(
        Setting((models, models), 1.0, same=True, skewed=skewed)
        for models in (1, 3)
        for skewed in (False, True)
    ),
]
TRAP = [Setting((1, 1), spread, these=True) for spread in (1.0, 3.0)]
POWER = [Setting((n, n), 1.0, shift=shift) for n in (3, 5, 10) for shift in (3.0, 6.0, 12.0)]


def drawn(rng: np.random.Generator, size: tuple[int, ...], skewed: bool) -> NDArray[np.float64]:
    """Numbers with mean 0 and standard deviation 1."""
    if not skewed:
        return rng.normal(size=size)
    return (rng.lognormal(sigma=1.0, size=size) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)


def table(setting: Setting, rng: np.random.Generator) -> tuple[Version, Version]:
    """Two versions that do not differ; explainers share half of what a model, or a text, does to a metric."""
    shape, scale = (EXPLAINERS, METRICS), np.sqrt(0.5)
    texts = scale * (
        drawn(rng, (1, METRICS, TEXTS), setting.skewed) + drawn(rng, (*shape, TEXTS), setting.skewed)
    )
    names = [f"{place:03d}" for place in range(TEXTS)]
    metrics = {f"m{m}": mean_metric(f"m{m}") for m in range(METRICS)}
    # One list for both versions where they have the same models.
    count = max(setting.models) if setting.same else sum(setting.models)
    models = scale * (
        drawn(rng, (count, 1, METRICS), setting.skewed) + drawn(rng, (count, *shape), setting.skewed)
    )
    of_model = models * setting.spread / np.sqrt(TEXTS)
    own = 0.7 * drawn(rng, (count, *shape, TEXTS), setting.skewed)
    versions = []
    for side, seeds in enumerate(setting.models):
        first = 0 if setting.same or side == 0 else setting.models[0]
        ahead = setting.shift / np.sqrt(TEXTS) if side else 0.0
        noise = ahead + 0.7 * drawn(rng, (seeds, *shape, TEXTS), setting.skewed)
        cells = [
            CellScores(
                GROUP,
                Method(f"e{e}"),
                f"m{m}",
                str(seed),
                tuple(names),
                {
                    "value": (
                        texts[e, m]
                        + of_model[first + seed, e, m]
                        + own[first + seed, e, m]
                        + noise[seed, e, m]
                    )[:, None]
                },
            )
            for seed in range(seeds)
            for e in range(EXPLAINERS)
            for m in range(METRICS)
        ]
        weights = {(GROUP, str(seed)): f"w{first + seed}" for seed in range(seeds)}
        known = {GROUP.task: {name: name for name in names}}
        versions.append(Version("AB"[side], cells, metrics, texts=known, weights=weights))
    return versions[0], versions[1]


def mean_metric(name: str) -> Metric:
    """A mean over texts without bounds."""
    info = MetricInfo(name, name, "higher", (-np.inf, np.inf), "0", "human agreement", part="value")
    return cast(Metric, type(name, (MetricBase,), {"info": info})())


def share_moved(setting: Setting, tables: int, seed: int) -> tuple[float, float]:
    """The share of tables with any difference beyond noise, and the share of rows that cannot be told."""
    rng = np.random.default_rng([seed, *setting.models, int(10 * setting.spread)])
    moved, untold = 0, []
    for place in range(tables):
        a, b = table(setting, rng)
        rows = changes(a, b, Bootstrap(n=RESAMPLES, seed=place), these_models=setting.these).rows
        moved += any(row.verdict in (BETTER, WORSE) for row in rows)
        untold.append(np.mean([row.verdict == UNTOLD for row in rows]))
    return moved / tables, float(np.mean(untold))


def real_tables(folder: Path, pairs: int, models: int) -> list[tuple[str, Counter[str], int]]:
    """Of small models with clean labels against others, and against models that learned from flipped ones: by
    metric in how many tables any explainer moved, and the number of tables."""
    seeds = [str(seed) for seed in range(2 * pairs * models)]
    half = len(seeds) // 2
    shares = {"clean": 0.0, "10 % flipped": 0.1, "30 % flipped": 0.3}
    versions = {}
    for title, noise in shares.items():
        name = title.replace(" % ", "_")
        chosen = ",".join(seeds if noise == 0 else seeds[:half])
        command = [*REAL, f"name={name}", f"seed={chosen}", f"task.noise={noise}", f"store={folder}"]
        with redirect_stdout(StringIO()):
            assay(command)
        versions[title] = open_side(name, folder).version
    found = []
    for title, other in versions.items():
        moved: Counter[str] = Counter()
        ahead = half if title == "clean" else 0
        for start in range(0, half, models):
            a = of_seeds(versions["clean"], seeds[start : start + models])
            b = of_seeds(other, seeds[start + ahead : start + ahead + models])
            rows = changes(a, b, Bootstrap()).rows
            beyond = {row.metric for row in rows if row.verdict in (BETTER, WORSE)}
            moved.update([*beyond, *(["any"] if beyond else [])])
        found.append((title, moved, pairs))
    return found


def of_seeds(version: Version, seeds: Sequence[str]) -> Version:
    """The models of some seeds."""
    chosen = set(seeds)
    return replace(version, cells=[cell for cell in version.cells if chosen.issuperset(cell.seed.split("-"))])


def main() -> None:
    """Print the tables and the bar."""
    chosen = options(
        __doc__,
        "10 tables of each setting, one table of real models",
        tables=(300, "tables per setting"),
        seed=(0, ""),
    )
    tables = 10 if chosen.quick else chosen.tables
    shown = Table("versions", seeds="", spread=".1f", found=".1%", cannot_be_told=".0%")
    errors = []
    for setting in [*NULL, *TRAP, *(POWER[:3] if chosen.quick else POWER)]:
        found, untold = share_moved(setting, tables, chosen.seed)
        shown.row(setting.name, f"{setting.models[0]}, {setting.models[1]}", setting.spread, found, untold)
        if setting in NULL:
            errors.append(found)
    real = Table("real models", "metric", models="d", moved=".0%", tables="d")
    for models, pairs in ((3, 1),) if chosen.quick else ((3, 4), (6, 2)):
        with tempfile.TemporaryDirectory() as folder:
            for title, moved, count in real_tables(Path(folder) / "store", pairs, models):
                for metric in ("any", *sorted(set(moved) - {"any"})):
                    real.row(title, metric, models, moved[metric] / count, count)
    total = float(np.mean(errors))
    worst = max(errors)
    # So few tables show gross failures only: a share of 6 % may be 6 % and two standard errors by chance.
    most = MOST + 2 * np.sqrt(MOST * (1 - MOST) / tables)
    finish(
        worst <= most,
        f"a difference in {total:.1%} of {tables * len(errors)} tables without one, at most {worst:.1%} of "
        f"{tables} in a setting (at most {MOST:.0%}, two standard errors beside: {most:.1%})",
    )


if __name__ == "__main__":
    main()
