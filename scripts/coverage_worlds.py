"""Made-up texts, models and explainers whose true values are known, for coverage.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.metrics.cell_data import Metric
from assay.metrics.confidence_indication import ConfidenceIndication
from assay.metrics.confidence_regression import FEATURES
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.long_table import pair_name
from assay.metrics.rationale_consistency import RationaleConsistency

Floats = NDArray[np.float64]
Parts = dict[str, Floats]
Rng = np.random.Generator
EXPLAINERS = 12
MEAN, AREA, RHO, PAIRED = HumanAgreement(), Faithfulness(), RationaleConsistency(), DatasetConsistency()
REGRESSION = ConfidenceIndication()
# Each text of a setting with pairs is in so many of them on average.
DEGREE = 16


class Covered(NamedTuple):
    """A setting: per model seed the parts that one simulation draws, and the true value. units: their names,
    numbers if there are none."""

    title: str
    metric: Metric
    n: int
    truth: float
    draw: Callable[[Rng], dict[str, Parts]]
    units: tuple[str, ...] = ()


class Family(NamedTuple):
    """A setting: per explainer and model seed the parts; the first `equal` explainers do not differ. units:
    as for `Covered`."""

    title: str
    metric: Metric
    equal: int
    draw: Callable[[Rng], list[dict[str, Parts]]]
    units: tuple[str, ...] = ()


def one_model(parts: Callable[[Rng], Parts], rng: Rng) -> dict[str, Parts]:
    """What one model's parts are among those of several."""
    return {"0": parts(rng)}


def mean_of(values: Floats) -> Parts:
    return {"ap": values[:, None]}


def decisions(gold: NDArray[np.integer], falls: Floats, guess: NDArray[np.integer]) -> Parts:
    """Right until so many percent of the tokens are gone, a guess from then on; three labels."""
    answers = {f"predicted@{t}": np.where(falls > t, gold, guess) for t in AREA.thresholds}
    return {name: np.eye(3)[labels] for name, labels in ({"gold": gold} | answers).items()}


def labels(rng: Rng, n: int) -> NDArray[np.integer]:
    return rng.choice(3, size=n, p=(0.5, 0.3, 0.2))


def one_area(rng: Rng, n: int) -> Parts:
    return decisions(labels(rng, n), rng.normal(40, 30, n), labels(rng, n))


def distances(x: Floats, y: Floats) -> Parts:
    return {"activation_distance": np.exp(x)[:, None], "explanation_distance": np.exp(y)[:, None]}


def one_rho(rng: Rng, n: int) -> Parts:
    x, noise = rng.normal(size=(2, n))
    return distances(x, 0.6 * x + 0.8 * noise)


def confidences(rng: Rng, n: int) -> Parts:
    """Confidences near 1, as of a trained model, and folds of the texts."""
    fold = rng.permutation(n) % REGRESSION.folds
    return {
        "confidence": (0.34 + 0.66 * rng.beta(5, 1, n))[:, None],
        "fold": fold[:, None].astype(np.float64),
    }


def with_features(texts: Parts, rng: Rng, signal: float) -> Parts:
    """The texts with features of an explanation, which tell the confidence up to noise of 0.1 / signal."""
    told = signal * (texts["confidence"] - 0.9) / 0.1
    return {**texts, **{name: told + rng.normal(size=told.shape) for name in FEATURES}}


def over_regressions(sizes: tuple[int, ...], draws: int) -> Iterator[Covered]:
    """One model and one explainer; the true value is the mean over `draws` other samples of that size."""

    def parts(rng: Rng, n: int, signal: float) -> Parts:
        return with_features(confidences(rng, n), rng, signal)

    for n, (title, signal) in product(sizes, (("nothing", 0.0), ("the confidence", 1.0))):
        everything, rng = np.arange(n, dtype=np.intp)[None], np.random.default_rng(n)
        known = [REGRESSION.summarise(parts(rng, n, signal), everything) for _ in range(draws)]
        draw = partial(one_model, partial(parts, n=n, signal=signal))
        yield Covered(f"confidence, explanations tell {title}", REGRESSION, n, float(np.mean(known)), draw)


def over_texts(sizes: tuple[int, ...], huge: int) -> Iterator[Covered]:
    """One model; the true area is that of `huge` texts, five times."""
    shapes: dict[str, tuple[float, Callable[[Rng, int], Floats]]] = {
        "mean, normal": (0.0, lambda rng, n: rng.normal(size=n)),
        "mean, lognormal (σ = 1)": (float(np.exp(0.5)), lambda rng, n: rng.lognormal(size=n)),
        "mean, 0 or 1 (p = 0.2)": (0.2, lambda rng, n: (rng.random(n) < 0.2).astype(np.float64)),
    }
    everything = np.arange(huge, dtype=np.intp)[None]
    areas = [AREA.summarise(one_area(np.random.default_rng(seed), huge), everything) for seed in range(5)]
    area = float(np.mean(areas))
    rho = float(6 / np.pi * np.arcsin(0.6 / 2))
    for n in sizes:
        for title, (truth, draw) in shapes.items():
            yield Covered(title, MEAN, n, truth, lambda rng, n=n, draw=draw: {"0": mean_of(draw(rng, n))})
        yield Covered("macro-F1 area", AREA, n, area, partial(one_model, partial(one_area, n=n)))
        yield Covered("Spearman (ρ = 0.58)", RHO, n, rho, partial(one_model, partial(one_rho, n=n)))


def models_and_texts(rng: Rng, n: int, models: int, effect: float, shared: float) -> dict[str, Parts]:
    """Values of n texts in each model: what texts share in all models, what is each model's, and the rest.

    effect: standard deviation of a model's effect, in standard errors of one model's mean.
    """
    texts = np.sqrt(shared) * rng.normal(size=n)
    of_models = effect / np.sqrt(n) * rng.normal(size=models)
    values = (texts + own + np.sqrt(1 - shared) * rng.normal(size=n) for own in of_models)
    return {str(seed): mean_of(of_model) for seed, of_model in enumerate(values)}


def pairs_of_models(rng: Rng, models: int) -> dict[str, Parts]:
    """Values of 100 texts in every pair of models, to which texts, both models and the rest contribute."""
    of_models = rng.normal(size=models) / np.sqrt(100)
    texts = np.sqrt(0.5) * rng.normal(size=100)
    return {
        f"{a}-{b}": mean_of(texts + of_models[a] + of_models[b] + np.sqrt(0.5) * rng.normal(size=100))
        for a, b in combinations(range(models), 2)
    }


def over_models(sizes: tuple[int, ...], models: tuple[int, ...]) -> Iterator[Covered]:
    """Several models of the same texts; the true value is the mean over all that could be trained."""
    for n, count, effect in product(sizes, models, (0, 1, 3)):
        for shared in (0.5, 0.0) if n == 100 else (0.5,):
            draw = partial(models_and_texts, n=n, models=count, effect=effect, shared=shared)
            common = "half" if shared else "nothing"
            title = f"{count} models, effect {effect} × error, texts share {common}"
            yield Covered(title, MEAN, n, 0.0, draw)
    for count in models:
        draw = partial(pairs_of_models, models=count)
        yield Covered(f"all pairs of {count} models", MEAN, 100, 0.0, draw)


def some_pairs(texts: int) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
    """Distinct random pairs of so many texts, always the same: both texts of each, and their names."""
    first, second = np.triu_indices(texts, 1)
    chosen = np.random.default_rng(texts).choice(len(first), texts * DEGREE // 2, replace=False)
    # Units are sorted, as `wide` has them.
    first, second = first[np.sort(chosen)], second[np.sort(chosen)]
    return first, second, tuple(pair_name(f"{a:04d}", f"{b:04d}") for a, b in zip(first, second, strict=True))


def apart(of_texts: Floats, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
    """Mean absolute difference of the units (T, D) of two texts."""
    return np.abs(of_texts[first] - of_texts[second]).mean(axis=1)


def read_and_explained(rng: Rng, texts: int) -> tuple[Floats, Floats]:
    """Five units (T, 5) of each text's activations, and an explanation that has to do with them."""
    read, noise = rng.normal(size=(2, texts, 5))
    return read, 0.6 * read + 0.8 * noise


def over_pairs(sizes: tuple[int, ...], huge: int) -> Iterator[Covered]:
    """One model and pairs of its texts. own: how much each pair's distance has of its own. The true value is
    that of `huge` texts in pairs that share none, five times."""

    def parts(rng: Rng, texts: int, first: NDArray[np.intp], second: NDArray[np.intp], own: float) -> Parts:
        read, explained = read_and_explained(rng, texts)
        noise = own * rng.normal(size=len(first))
        return distances(apart(read, first, second), apart(explained, first, second) + noise)

    alone = np.arange(huge, dtype=np.intp)
    everything = np.arange(huge // 2, dtype=np.intp)[None]
    for title, own in (("distances of texts", 0.0), ("distances of their own", 0.5)):
        known = [parts(np.random.default_rng(seed), huge, alone[::2], alone[1::2], own) for seed in range(5)]
        truth = float(np.mean([PAIRED.summarise(of, everything) for of in known]))
        for n in sizes:
            first, second, units = some_pairs(n)

            draw = partial(one_model, partial(parts, texts=n, first=first, second=second, own=own))
            yield Covered(f"Spearman over {len(units)} pairs, {title}", PAIRED, n, truth, draw, units)


def families(quick: bool) -> list[Family]:
    """Twelve explainers of the same texts; with --quick the first family alone."""

    def means(rng: Rng, n: int, models: int = 1, worse: int = 0) -> list[dict[str, Parts]]:
        texts = rng.lognormal(size=n)
        return [
            {
                str(s): mean_of(texts * rng.lognormal(size=n) - 3 * (k >= EXPLAINERS - worse))
                for s in range(models)
            }
            for k in range(EXPLAINERS)
        ]

    def areas(rng: Rng) -> list[dict[str, Parts]]:
        gold, guess, text = labels(rng, 100), labels(rng, 100), rng.normal(40, 20, 100)
        return [{"0": decisions(gold, text + rng.normal(0, 20, 100), guess)} for _ in range(EXPLAINERS)]

    def rhos(rng: Rng) -> list[dict[str, Parts]]:
        x, texts = rng.normal(size=(2, 100))
        noise = [0.6 * texts + 0.8 * rng.normal(size=100) for _ in range(EXPLAINERS)]
        # On scales of their own, which a rank correlation does not see.
        return [{"0": distances(x, 0.6 * x + 0.8 * own + k)} for k, own in enumerate(noise)]

    def regressions(rng: Rng, n: int) -> list[dict[str, Parts]]:
        texts = confidences(rng, n)
        return [{"0": with_features(texts, rng, 0.0)} for _ in range(EXPLAINERS)]

    first, second, units = some_pairs(50)

    def over_pairs(rng: Rng) -> list[dict[str, Parts]]:
        # What is noise in an explanation, in part all explainers have it.
        read, shared = rng.normal(size=(2, 50, 5))
        noise = [0.8 * shared + 0.6 * rng.normal(size=(50, 5)) for _ in range(EXPLAINERS)]
        of_texts = apart(read, first, second)
        return [{"0": distances(of_texts, apart(0.6 * read + 0.8 * own, first, second))} for own in noise]

    found = [
        Family("mean, skewed, 100 texts", MEAN, 12, partial(means, n=100)),
        Family("mean, skewed, 50 texts", MEAN, 12, partial(means, n=50)),
        Family("mean, skewed, 100 texts, 3 models", MEAN, 12, partial(means, n=100, models=3)),
        Family("mean, skewed, 200 texts, 6 worse", MEAN, 6, partial(means, n=200, worse=6)),
        Family("macro-F1 area, 100 texts", AREA, 12, areas),
        Family("Spearman, 100 texts", RHO, 12, rhos),
        Family(f"Spearman over {len(units)} pairs of 50 texts", PAIRED, 12, over_pairs, units),
        Family("confidence, 50 texts", REGRESSION, 12, partial(regressions, n=50)),
        Family("confidence, 200 texts", REGRESSION, 12, partial(regressions, n=200)),
    ]
    return found[:1] if quick else found
