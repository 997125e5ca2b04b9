"""Sobol indices: the share of the output's variance in which a token has a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from assay.explainers.perturbation.ask_tell import Estimate, Output, Perturbation
from assay.explainers.perturbation.stopping_rule import PRECISION
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Traits
from assay.models.precision import UNMIXED, Kind
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Sobol(Perturbation):
    """Total-order Sobol index of whether unit t is present, when each is with probability 1/2 on its own.

    E[Var(f | all units but t)] / Var(f): the share of the variance that t causes, alone or together with
    others. 0 for a unit that never matters; the sum is 1 for an additive f, more where units interact. It has
    no sign. Where f is constant all indices are 0.

    The paper's masks are numbers in [0, 1], the points of a Sobol sequence. Tokens are present or absent, and
    cut at 1/2 these points are a linear code: of more tokens than log2(points), some are always present or
    absent together, and the index of what interacts goes wrong. So the points are a Latin hypercube cut at
    1/2: each token is present at exactly half of them, on its own. Jansen's estimator compares f at a point
    with f where mask t is drawn anew, which turns the token round half of the time and else changes nothing;
    here it is always turned round and the squares are halved, the mean over that draw. The variance is that
    of all rows. With 2^n <= points (n + 1) every coalition is asked once and the index is exact. Standard
    error: as of independent points. Source: Fel et al., NeurIPS 2021; Jansen 1999.

    Attributes:
        points: an even number; each costs n + 1 rows.
        output: whose variance is divided.
        unit: what is present or absent.

    Raises:
        InputError: on a value out of range.
    """

    points: int = 32
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 1
    precisions: ClassVar[tuple[Kind, ...]] = UNMIXED
    name: ClassVar[str] = "sobol"
    asks_empty: ClassVar[bool] = False
    traits = Traits(signed=False, additive=False, stochastic=True, baseline="removal")

    def check(self) -> None:
        if self.points < 2 or self.points % 2:
            raise InputError(
                f"explainer.sobol.points is {self.points}; expected an even number from 2 on, because each "
                "unit is present at half of the points"
            )

    def exact(self, players: int) -> bool:
        """Whether the budget covers every coalition."""
        return 2 ** min(players, 60) <= self.points * (players + 1)

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(P (n + 1), n) each point, and it with one unit after the other turned round; or all (2^n, n)."""
        if self.exact(players):
            return (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
        half = np.arange(self.points) % 2 == 0
        points = rng.permuted(np.repeat(half[:, None], players, axis=1), axis=0)
        other = np.concatenate([np.zeros((1, players), dtype=bool), np.eye(players, dtype=bool)])
        return (points[:, None] ^ other).reshape(-1, players)

    def design_rows(self, players: int) -> int:
        """How many rows the design has beyond the whole text."""
        return 2**players - 1 if self.exact(players) else self.points * (players + 1)

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) indices, and their errors over the points."""
        players, classes = design.shape[1], values.shape[1]
        exact = self.exact(players)
        if exact:
            # The row of a coalition is its number, in which unit t is bit t.
            neighbours = np.arange(len(values))[:, None] ^ (1 << np.arange(players))
            blocks = np.concatenate([values[:, None], values[neighbours]], axis=1)
        else:
            blocks = values.reshape(-1, players + 1, classes)
        # (P, n, K) the variance that a unit causes at each point, and (P, 1, K) all of it.
        caused = (blocks[:, 1:] - blocks[:, :1]) ** 2 / 4
        spread = ((blocks - values.mean(axis=0)) ** 2).mean(axis=1, keepdims=True)
        variance = spread.mean(axis=(0, 1))
        # Outputs that differ in their last digits alone are constant.
        varies = variance > (PRECISION * np.maximum(1.0, np.abs(values).max(axis=0))) ** 2
        indices = np.where(varies, caused.mean(axis=0) / np.where(varies, variance, 1.0), 0.0)
        if exact:
            return Estimate(indices, np.zeros_like(indices))
        # Of a ratio of two means, by the first derivatives.
        away = (caused - indices * spread) / np.where(varies, variance, np.inf)
        return Estimate(indices, away.std(axis=0, ddof=1) / np.sqrt(len(blocks)))
