"""Occlusion: how much the output falls when one token, or a window of tokens, is absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.models.precision import ANY, Kind
from assay.tasks.errors import InputError, check_at_least


@dataclass(frozen=True, slots=True)
class Occlusion(Perturbation):
    """f(x) - f(x without unit t), or the mean over the windows that cover t.

    window, stride: how many units are absent together, and how far apart windows begin; the last one ends
    with the text. Source: Zeiler & Fergus, ECCV 2014; on text, Li et al. 2016 (erasure). Windows as in
    captum.attr.Occlusion.
    """

    window: int = 1
    stride: int = 1
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    precisions: ClassVar[tuple[Kind, ...]] = ANY
    ranked: ClassVar[bool] = True
    name: ClassVar[str] = "occlusion"
    traits = Traits(signed=True, additive=False, stochastic=False, baseline="removal")

    def check(self) -> None:
        check_at_least("explainer.occlusion.window", self.window, 1)
        if not 1 <= self.stride <= self.window:
            raise InputError(
                f"explainer.occlusion.stride is {self.stride}; expected 1 to the window ({self.window}), or "
                "some tokens are never absent"
            )

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n): row r keeps all but the window that begins at r * stride."""
        starts = np.arange(0, max(players - self.window, 0) + self.stride, self.stride)[:, None]
        at = np.arange(players)
        return (at < starts) | (at >= starts + self.window)

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) mean drops of the output."""
        absent = (~design).astype(np.float64)
        return Estimate((absent.T @ (full - values)) / absent.sum(axis=0)[:, None])
