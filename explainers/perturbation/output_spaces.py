"""The spaces in which a model's output is explained: logits, probabilities, log-odds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp, softmax

Output = Literal["logit", "probability", "log_odds"]


def output_space(logits: NDArray[np.floating], output: Output, *, multi_label: bool) -> NDArray[np.float64]:
    """(R, K) logits as logits, probabilities, or natural log-odds of each class against the rest."""
    exact = logits.astype(np.float64)
    if output == "logit" or (output == "log_odds" and multi_label):
        return exact
    if output == "probability":
        return expit(exact) if multi_label else softmax(exact, axis=1)
    return _log_odds(exact)


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    log_p = log_softmax(logits, axis=1)
    others = np.stack([logsumexp(np.delete(log_p, k, axis=1), axis=1) for k in range(log_p.shape[1])], axis=1)
    return log_p - others
