"""The spaces in which a model's output is explained: logits, probabilities, log-odds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax

# log2_odds: the weight of evidence, in bits.
Output = Literal["logit", "probability", "log_odds", "log2_odds"]
# What is computed but not explained is among them, too.
Space = Literal["logit", "probability", "log_odds", "log2_odds", "log_probability"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# Weights that lack less than this of 1 lack nothing.
ROUNDING = 1e-12


def output_space(logits: NDArray[np.floating], output: Space, *, multi_label: bool) -> Floats:
    """(R, K) logits as logits, (log-)probabilities, or log-odds of each class against the rest, natural ones
    or to base 2."""
    exact = logits.astype(np.float64)
    if output == "log2_odds":
        return output_space(exact, "log_odds", multi_label=multi_label) / np.log(2)
    if output == "logit" or (output == "log_odds" and multi_label):
        return exact
    if output == "probability":
        return expit(exact) if multi_label else softmax(exact, axis=1)
    log_p = log_expit(exact) if multi_label else log_softmax(exact, axis=1)
    return log_p if output == "log_probability" else log_p - _log_others(log_p)


def expected_outputs(
    logits: NDArray[np.floating], weights: Floats, starts: Ints, output: Space, *, multi_label: bool
) -> Floats:
    """(M, K) what M mixtures of inputs answer.

    The mean logit, or the mean probability p. The (log-)odds are those of the mean probability, not the mean
    log-odds (Kim et al., EMNLP 2020). Weights that sum to less than 1 leave the rest without any class.

    Args:
        logits: (n, K) of the inputs of all mixtures, one mixture after the other.
        weights: (n,) not all 0, of each input in its mixture.
        starts: (M,) the first input of each mixture, ascending.
        output: the space of the answers.
        multi_label: whether each class has a probability of its own.
    """
    if output in ("logit", "probability"):
        values = output_space(logits, output, multi_label=multi_label)
        return _sums(weights[:, None] * values, starts)
    log_p = output_space(logits, "log_probability", multi_label=multi_label)
    # In logarithms, so that a probability that rounds to 0 or 1 has finite odds.
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)[:, None]
    mean = _log_sums(log_p + log_weights, starts)
    if output == "log_probability":
        return mean
    log_others = log_expit(-logits.astype(np.float64)) if multi_label else _log_others(log_p)
    rest = 1 - _sums(weights[:, None], starts)
    with np.errstate(divide="ignore"):
        log_rest = np.log(np.where(rest > ROUNDING, rest, 0.0))
    odds = mean - np.logaddexp(_log_sums(log_others + log_weights, starts), log_rest)
    return odds / np.log(2) if output == "log2_odds" else odds


def _sums(values: Floats, starts: Ints) -> Floats:
    """(M, K) sums of consecutive rows of (n, K)."""
    return np.add.reduceat(np.ascontiguousarray(values.T), starts, axis=1).T


def _log_sums(values: Floats, starts: Ints) -> Floats:
    """(M, K) logarithms of sums of consecutive rows of (n, K), which are logarithms, too."""
    highest = np.maximum.reduceat(np.ascontiguousarray(values.T), starts, axis=1).T
    counts = np.diff(starts, append=len(values))
    return highest + np.log(_sums(np.exp(values - np.repeat(highest, counts, axis=0)), starts))


def _log_others(log_p: Floats) -> Floats:
    """(R, K) the log of the probability of all classes but one, from log-probabilities (R, K)."""
    return np.stack([logsumexp(np.delete(log_p, k, axis=1), axis=1) for k in range(log_p.shape[1])], axis=1)
