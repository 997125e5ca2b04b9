"""Shapley values of the Gaussian process that agrees with what the model said."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from assay.explainers.perturbation.ask_tell import Estimate, Output
from assay.explainers.perturbation.coalitions import (
    distinct,
    drawn_pairs,
    every_pair,
    pair_count,
    with_complements,
)
from assay.explainers.perturbation.gp_posterior import Prepared, posterior, prepare
from assay.explainers.perturbation.gp_prior import GPPrior, select_coalitions
from assay.explainers.perturbation.kernel_shap import (
    PairedCoalitions,
    constrained_least_squares,
    shapley_kernel,
)
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.perturbation.units import Coalitions, Floats, Unit
from assay.explainers.protocol import Request, Traits
from assay.tasks.randomness import generator

# With more players rho falls, else interactions of very many would be all there is to learn.
DESIGN_RHO, DESIGN_PLAYERS, DESIGN_LINEAR = 0.5, 12, 10.0
POOL = 2048
# So many designs are kept: those of as many lengths of texts.
DESIGNS = 256
# What texts of one length share is kept for so many lengths, of so many answers at most: 4 MB each, or 6.
PREPARED, MOST_PREPARED = 48, 128


@dataclass(frozen=True, slots=True)
class ShapleyGP(PairedCoalitions):
    """Shapley values by Gaussian process regression of the odd part of the model's answers.

    Coalitions are asked in complementary pairs, chosen to leave the Shapley values the least posterior
    variance under `GPPrior`; no answer is needed to choose them, and texts of equal length share them. The
    scores are the posterior mean, averaged over priors by the marginal
    likelihood of each class (`gp_posterior.priors`): so the answers choose the order of interaction. With
    2^n - 2 <= rows every coalition is asked and the result is exact; additive games are exact from 2 n rows
    on. Standard error: the posterior's, larger where halves of the answers do not foresee one another; NaN
    with fewer answers than units, which do not determine single units; too small where most coalitions are
    asked. It counts what the rows leave open, not how seeds differ, which agree in much of their error.
    Source: own derivation; the idea of asking the Shapley value of a Gaussian process is Bayesian quadrature
    (O'Hagan 1991), pairing that of Covert & Lee, AISTATS 2021.
    """

    rows: int = 200
    until: StoppingRule | None = None
    output: Output = "logit"
    unit: Unit = "token"
    version: ClassVar[int] = 3
    name: ClassVar[str] = "shapley_gp"
    traits = Traits(signed=True, additive=True, stochastic=True, baseline="removal")

    def draws(self, request: Request, units: int) -> np.random.Generator:
        """The same for all texts of a length, which so have one design: choosing it takes longer than most
        models do to answer it."""
        return generator(request.seed, self.name, units)

    def design(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) coalitions, each followed by its complement, without the empty and the full one."""
        if self.exact(players):
            return with_complements(every_pair(players))
        design, rng.bit_generator.state = _most_telling(
            players, self.rows // 2, repr(rng.bit_generator.state)
        )
        return design

    def design_rows(self, players: int) -> int:
        """How many rows the design has, without choosing them, which takes a while for long texts."""
        return 2 * min(self.rows // 2, pair_count(players))

    def more(self, players: int, rng: np.random.Generator) -> Coalitions:
        """(R, n) coalitions of a further round, drawn, for the most telling ones are known."""
        pairs = self.rows // 2
        if pair_count(players) > 2 * pairs:
            return with_complements(drawn_pairs(players, pairs, rng))
        return with_complements(rng.permutation(every_pair(players))[:pairs])

    def solve(self, design: Coalitions, values: Floats, full: Floats, empty: Floats) -> Estimate:
        """(n, K) posterior means and standard deviations."""
        players, total = design.shape[1], full - empty
        # Rounds may repeat a pair, either way round.
        first = distinct(design)
        pairs, odd = design[::2][first], (values[::2] - values[1::2])[first] / 2
        if len(pairs) == pair_count(players):
            coalitions = np.concatenate([pairs, ~pairs])
            # Half the total is the even part that pairs cancel; any would do.
            answers = np.concatenate([odd, -odd]) + total / 2
            exact = constrained_least_squares(
                coalitions.astype(np.float64), answers, shapley_kernel(coalitions), total
            )
            return Estimate(exact, np.zeros_like(exact))
        asked = np.concatenate([np.ones((1, players), dtype=bool), pairs])
        scores, variance = posterior(_prepared(asked), np.concatenate([total[None] / 2, odd]))
        # What the jitter leaves of the total.
        scores += (total - scores.sum(axis=0)) / players
        determined = len(asked) >= players
        return Estimate(scores, np.sqrt(variance) if determined else np.full_like(scores, np.nan))


def _prepared(asked: Coalitions) -> Prepared:
    """(P, n) coalitions as `prepare` takes them."""
    of_bytes = _prepared_once if len(asked) <= MOST_PREPARED else _prepared_once.__wrapped__
    return of_bytes(asked.shape[1], asked.tobytes())


@lru_cache(maxsize=PREPARED)
def _prepared_once(players: int, asked: bytes) -> Prepared:
    return prepare(np.where(np.frombuffer(asked, dtype=bool).reshape(-1, players), 1.0, -1.0))


@lru_cache(maxsize=DESIGNS)
def _most_telling(players: int, pairs: int, state: str) -> tuple[Coalitions, Mapping[str, Any]]:
    """The design of a budget that does not cover every coalition, drawn by a generator in a state, and the
    state behind it: (2 pairs, n), not to be written to."""
    rng = np.random.default_rng()
    rng.bit_generator.state = literal_eval(state)
    pool = max(POOL, 2 * pairs)
    every = pair_count(players) <= 2 * pool
    candidates = every_pair(players) if every else drawn_pairs(players, pool, rng)
    rho = DESIGN_RHO * min(1.0, DESIGN_PLAYERS / players)
    prior = GPPrior(players, rho, DESIGN_LINEAR)
    design = with_complements(select_coalitions(prior, candidates, pairs, rng))
    design.flags.writeable = False
    return design, rng.bit_generator.state
