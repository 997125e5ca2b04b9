"""What the metrics of each kind measure of made-up texts, as parts whose true value is known.

Each function draws, per explainer and model seed, the parts of one metric. better: (E, S) how good the
explainer is in this model, in standard deviations over texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from coverage_texts import SHAPES, SKEWED, Floats, Parts, Rng, Texts
from scipy.special import ndtr

from assay.metrics.as_coded.confidence_indication import SPLITS, ConfidenceIndicationAsCoded
from assay.metrics.cell_data import Metric
from assay.metrics.confidence_indication import ConfidenceIndication
from assay.metrics.confidence_regression import FEATURES
from assay.metrics.dataset_consistency import DatasetConsistency
from assay.metrics.faithfulness import Faithfulness
from assay.metrics.feature_dropping import FeatureAttributionDropping
from assay.metrics.human_agreement import HumanAgreement
from assay.metrics.numerical_quality import Completeness
from assay.metrics.rationale_consistency import RationaleConsistency, RationaleConsistencyPooled

MEAN, AREA, RATIO, FIXED = HumanAgreement(), Faithfulness(), Completeness(), ConfidenceIndicationAsCoded()
RHO, POOLED = RationaleConsistency(), RationaleConsistencyPooled()
PAIRED, REGRESSION = DatasetConsistency(), ConfidenceIndication()
DROPPING = FeatureAttributionDropping()


class Cell(NamedTuple):
    """One explainer's parts in one model, or pair of models, and the units they are over."""

    seed: str
    units: tuple[str, ...]
    parts: Parts


Draw = Callable[[Rng, Texts, Floats], list[list[Cell]]]


@dataclass(frozen=True, slots=True)
class World:
    """A metric and what it measures.

    draw: per explainer its cells; `better` is (E, models). shapes: of the texts that make a difference to it.
    of_model_pairs: it needs two models. finite: the expected value depends on the number of texts. pools: all
    models make one value, so that models are not drawn.
    """

    metric: Metric
    draw: Draw
    shapes: tuple[str, ...] = SHAPES
    of_model_pairs: bool = False
    finite: bool = False
    pools: bool = False


def _column(values: Floats) -> Floats:
    return np.asarray(values, dtype=np.float64)[:, None]


def _cells(
    texts: Texts, explainers: int, seeds: Sequence[str], parts: Callable[[int, int], Parts]
) -> list[list[Cell]]:
    return [[Cell(seed, texts.units, parts(e, s)) for s, seed in enumerate(seeds)] for e in range(explainers)]


def _numbered(models: int) -> list[str]:
    return [str(model) for model in range(models)]


def means(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """Average precisions with mean about 0.2."""
    values = 0.2 * texts.levels(texts.latent(rng, *better.shape) + better[:, :, None])
    return _cells(texts, len(better), _numbered(better.shape[1]), lambda e, s: {"ap": _column(values[e, s])})


def shares_right(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """Values 0 or 1, a fifth of them 1."""
    values = texts.latent(rng, *better.shape) + better[:, :, None] > 0.84
    return _cells(texts, len(better), _numbered(better.shape[1]), lambda e, s: {"ap": _column(values[e, s])})


def ratios(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """A gap that is about a fifth of the effect; both vary, so that together they vary as other values do."""
    effect = texts.levels(np.sqrt(0.5) * texts.latent(rng, 1, better.shape[1]))[0]
    shares = 0.2 * texts.levels(np.sqrt(0.5) * texts.latent(rng, *better.shape) - better[:, :, None])

    def parts(e: int, s: int) -> Parts:
        return {"gap": _column(effect[s] * shares[e, s]), "effect": _column(effect[s])}

    return _cells(texts, len(better), _numbered(better.shape[1]), parts)


def fixed_errors(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """Errors of regressions that stay as they are, on the tenths of the texts that test them."""
    errors = 0.05 * texts.levels(texts.latent(rng, *better.shape) - better[:, :, None])
    tests = [np.random.default_rng((texts.n, s)).permutation(texts.n) for s in range(SPLITS)]
    tested = np.zeros((SPLITS, texts.n), dtype=np.bool_)
    for split, order in enumerate(tests):
        tested[split, order[: -(-texts.n // 10)]] = True

    def parts(e: int, s: int) -> Parts:
        each = {f"error@{k}": _column(np.where(tested[k], errors[e, s], np.nan)) for k in range(SPLITS)}
        return {"confidence": np.full((texts.n, 1), 0.9), **each}

    return _cells(texts, len(better), _numbered(better.shape[1]), parts)


def areas(rng: Rng, texts: Texts, better: Floats, thresholds: tuple[int, ...]) -> list[list[Cell]]:
    """Decisions right until so many percent of the tokens are gone, a guess from then on; three labels."""

    def labels(normal: Floats) -> Floats:
        return np.eye(3)[np.searchsorted((0.5, 0.8), ndtr(normal))]

    gold = labels(texts.latent(rng, 1, 1)[0, 0])
    guess = labels(texts.latent(rng, *better.shape))
    falls = 0.4 * thresholds[-1] * texts.levels(texts.latent(rng, *better.shape) - better[:, :, None])

    def parts(e: int, s: int) -> Parts:
        return {"gold": gold} | {
            f"predicted@{t}": np.where((falls[e, s] > t)[:, None], gold, guess[e, s]) for t in thresholds
        }

    return _cells(texts, len(better), _numbered(better.shape[1]), parts)


def _correlated(rng: Rng, texts: Texts, better: Floats, start: Floats | float = 0.0) -> tuple[Floats, Floats]:
    """Distances (S, n) of activations, at least `start` (S, 1), and (E, S, n) of explanations that follow."""
    read = texts.values(texts.latent(rng, 1, better.shape[1])[0]) + start
    noise = texts.values(texts.latent(rng, *better.shape)) * np.exp(-better)[:, :, None]
    return read, 0.6 * read + 0.8 * noise


def _of_pairs_of_models(better: Floats) -> tuple[list[str], Floats]:
    """The names of all pairs of models, and the mean of both models' `better` (E, pairs)."""
    pairs = list(combinations(range(better.shape[1]), 2))
    first, second = np.transpose(pairs)
    return [f"{a}-{b}" for a, b in pairs], (better[:, first] + better[:, second]) / 2


def correlations(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """Of all pairs of models, both distances of every text."""
    seeds, better = _of_pairs_of_models(better)
    read, explained = _correlated(rng, texts, better)
    return _cells(texts, len(better), seeds, lambda e, s: distances(read[s], explained[e, s]))


def pooled_correlations(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """The same in one table. How far a pair of models is apart as a whole is given: models are not drawn."""
    seeds, better = _of_pairs_of_models(better)
    read, explained = _correlated(rng, texts, better, np.linspace(0, 1, len(seeds))[:, None])
    units = tuple(f"trained {seed}|{unit}" for seed in seeds for unit in texts.units)
    return [[Cell("pooled", units, distances(read.ravel(), of.ravel()))] for of in explained]


def distances(read: Floats, explained: Floats) -> Parts:
    """Of activations and of explanations, (n,)."""
    return {"activation_distance": _column(read), "explanation_distance": _column(explained)}


def pairs_of_texts(rng: Rng, texts: Texts, better: Floats) -> list[list[Cell]]:
    """Distances of two texts' activations, of five units, and of their explanations."""
    drawn = [_correlated(rng, texts, better) for _ in range(5)]
    first, second, units = texts.pairs()

    def parts(e: int, s: int) -> Parts:
        read = np.mean([np.abs(r[s, first] - r[s, second]) for r, _ in drawn], axis=0)
        explained = np.mean([np.abs(of[e, s, first] - of[e, s, second]) for _, of in drawn], axis=0)
        return distances(read, explained)

    seeds = _numbered(better.shape[1])
    return [[Cell(seed, units, parts(e, s)) for s, seed in enumerate(seeds)] for e in range(len(better))]


def regressions(rng: Rng, texts: Texts, better: Floats, signal: float) -> list[list[Cell]]:
    """Confidences, near 1 for skewed texts (0.34 + 0.66 Beta(5, 1), as of a trained model), and features of
    an explanation that tell them up to noise of 0.2 / signal."""
    power = 0.2 if texts.shape == SKEWED else 1.0
    confidence = 0.34 + 0.66 * ndtr(texts.latent(rng, 1, better.shape[1])[0]) ** power
    group = texts.groups
    fold = (rng.permutation(group[-1] + 1) % REGRESSION.folds)[group].astype(np.float64)
    noise = np.stack([texts.latent(rng, *better.shape) for _ in FEATURES])

    def parts(e: int, s: int) -> Parts:
        told = max(0.0, signal + better[e, s]) * (confidence[s] - 0.8) / 0.2 if signal else 0.0
        features = {name: _column(told + noise[k, e, s]) for k, name in enumerate(FEATURES)}
        return {"confidence": _column(confidence[s]), "fold": _column(fold), **features}

    return _cells(texts, len(better), _numbered(better.shape[1]), parts)


f1_areas = partial(areas, thresholds=AREA.thresholds)
normalised_areas = partial(areas, thresholds=DROPPING.thresholds)
tells_nothing, tells = partial(regressions, signal=0.0), partial(regressions, signal=1.0)
