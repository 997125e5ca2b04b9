"""Made-up texts for coverage.py, even, skewed or in groups, and what explainers and models make of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from assay.metrics.long_table import pair_name

Floats = NDArray[np.float64]
Parts = dict[str, Floats]
Rng = np.random.Generator

EVEN, SKEWED, CLUSTERED = SHAPES = ("even", "skewed", "clustered")
# Clustered texts: so many in a group, which share half of their variance.
TOGETHER = 4
# Each text of a setting with pairs of texts is in so many of them on average.
DEGREE = 16
# From so many texts on, which only true values are computed from, no two pairs share a text.
APART = 1000


@dataclass(frozen=True, slots=True)
class Texts:
    """n texts of one shape: EVEN, SKEWED or CLUSTERED."""

    shape: str
    n: int

    @property
    def units(self) -> tuple[str, ...]:
        """Their ids, sorted."""
        return _units(self.n)

    @property
    def clusters(self) -> dict[str, str]:
        """From id to group; empty for texts that do not hang together."""
        if self.shape != CLUSTERED:
            return {}
        return {unit: f"group {group}" for unit, group in zip(self.units, self.groups, strict=True)}

    @property
    def groups(self) -> NDArray[np.intp]:
        """(n,) the number of each text's group, from 0; a text that hangs together with no other is one."""
        return np.arange(self.n, dtype=np.intp) // (TOGETHER if self.shape == CLUSTERED else 1)

    def latent(self, rng: Rng, explainers: int, models: int) -> Floats:
        """(E, S, n) standard normal. Half of the variance is a text's own, a quarter an explainer's on a text
        in all models, a quarter is new each time."""
        common, of_explainer, rest = (
            self._normal(rng, *size) for size in ((1, 1), (explainers, 1), (explainers, models))
        )
        return np.sqrt(0.5) * common + 0.5 * of_explainer + 0.5 * rest

    def _normal(self, rng: Rng, *size: int) -> Floats:
        own = rng.normal(size=(*size, self.n))
        if self.shape != CLUSTERED:
            return own
        of_groups = rng.normal(size=(*size, self.groups[-1] + 1))
        return np.sqrt(0.5) * (of_groups[..., self.groups] + own)

    def values(self, normal: Floats) -> Floats:
        """The values that texts of this shape have in place of standard normal ones: lognormal if skewed."""
        return np.exp(normal) if self.shape == SKEWED else normal

    def levels(self, normal: Floats) -> Floats:
        """As `values`, but positive with mean about 1, and little variance unless skewed."""
        return np.exp(normal) if self.shape == SKEWED else np.abs(1 + 0.3 * normal)

    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
        """Distinct pairs of texts, always the same, none within a group: both texts, and the names."""
        return _pairs(self)


@cache
def _units(n: int) -> tuple[str, ...]:
    return tuple(f"{text:06d}" for text in range(n))


@cache
def _pairs(texts: Texts) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
    n, groups, units = texts.n, texts.groups, texts.units
    if n >= APART:
        first = np.arange(n // 2, dtype=np.intp)
        return first, first + n // 2, ()
    first, second = np.triu_indices(n, 1)
    between = groups[first] != groups[second]
    first, second = first[between], second[between]
    size = min(len(first), n * DEGREE // 2)
    chosen = np.sort(np.random.default_rng(n).choice(len(first), size, replace=False))
    first, second = first[chosen], second[chosen]
    names = zip(first.tolist(), second.tolist(), strict=True)
    # Ids of one length, so the names are sorted as `wide` sorts units.
    return first, second, tuple(pair_name(units[a], units[b]) for a, b in names)
