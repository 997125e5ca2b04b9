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


def expected_output(
    logits: NDArray[np.floating], weights: Floats, output: Space, *, multi_label: bool
) -> Floats:
    """(K,) what a mixture of inputs answers, of logits (n, K) and weights (n,).

    The mean logit, or the mean probability p. The (log-)odds are those of the mean probability, not the mean
    log-odds (Kim et al., EMNLP 2020). Weights that sum to less than 1 leave the rest without any class.
    """
    if output in ("logit", "probability"):
        return weights @ output_space(logits, output, multi_label=multi_label)
    log_p = output_space(logits, "log_probability", multi_label=multi_label)
    # In logarithms, so that a probability that rounds to 0 or 1 has finite odds.
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)[:, None]
        rest = 1 - weights.sum()
        log_rest = np.log(rest if rest > ROUNDING else 0.0)
    mean = logsumexp(log_p + log_weights, axis=0)
    if output == "log_probability":
        return mean
    log_others = log_expit(-logits.astype(np.float64)) if multi_label else _log_others(log_p)
    odds = mean - np.logaddexp(logsumexp(log_others + log_weights, axis=0), log_rest)
    return odds / np.log(2) if output == "log2_odds" else odds


def _log_others(log_p: Floats) -> Floats:
    """(R, K) the log of the probability of all classes but one, from log-probabilities (R, K)."""
    return np.stack([logsumexp(np.delete(log_p, k, axis=1), axis=1) for k in range(log_p.shape[1])], axis=1)
