"""What of a model with concepts is fitted on fixed text vectors: temperatures, and linear layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.concept_layer import UNKNOWN, ConceptLayer, side_by_side
from assay.models.objective import label_loss

# The temperatures that are considered.
COLDEST, HOTTEST = 0.05, 20.0


def concept_loss(logits: Sequence[Tensor], answers: Tensor) -> Tensor:
    """The sum over questions of the mean cross-entropy over the texts whose answer is known.

    Args:
        logits: for each of Q questions (N, answers).
        answers: (N, Q) int64, UNKNOWN where one is not known; a question without any known one adds 0.
    """
    losses = []
    for part, given in zip(logits, answers.unbind(dim=1), strict=True):
        total = nn.functional.cross_entropy(part, given, ignore_index=UNKNOWN, reduction="sum")
        losses.append(total / (given != UNKNOWN).sum().clamp(min=1))
    return torch.stack(losses).sum()


def temperature(logits: NDArray[np.floating], gold: NDArray[np.int64]) -> float:
    """The number by which logits (N, A) are divided so that the cross-entropy of their softmax for the
    answers (N,) is lowest (Guo et al., ICML 2017).

    1 where no answer is known, or where the largest logits are right on all: there it would be lowest at 0,
    which makes every probability 1.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    known = gold != UNKNOWN
    logits, gold = logits[known].astype(np.float64), gold[known]
    if (logits.argmax(axis=1) == gold).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / math.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(gold)), gold].mean())

    found = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded")
    return math.exp(float(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def fit_linear(linear: nn.Linear, inputs: Tensor, loss: Callable[[Tensor], Tensor]) -> None:
    """Set a layer's weights to those of the lowest loss(outputs) + |weights|^2 / (2 N), found by L-BFGS.

    The weights of every output count. So under a softmax over K outputs this is scikit-learn's multinomial
    LogisticRegression with C = 1; of two outputs, of which scikit-learn fits the difference alone, it is that
    with C = 2; and of K outputs with a sigmoid each, whose loss is a mean over the K, C = 1 / K.

    Args:
        linear: changed in place.
        inputs: (N, D).
        loss: a mean over the N texts, convex in their outputs.
    """
    work = deepcopy(linear).double().requires_grad_(True)
    with torch.no_grad():
        for parameter in work.parameters():
            parameter.zero_()
    optimizer = torch.optim.LBFGS(work.parameters(), max_iter=300, line_search_fn="strong_wolfe")
    inputs = inputs.detach().double()

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(work(inputs)) + work.weight.square().sum() / (2 * len(inputs))
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
    with torch.no_grad():
        linear.weight.copy_(work.weight)
        linear.bias.copy_(work.bias)


def fit_decision(layer: ConceptLayer, concepts: Tensor, targets: Tensor, *, multi_label: bool) -> None:
    """Fit the decision of a bottleneck on concepts (N, C) and main targets (N, K)."""
    fit_linear(layer.decision, concepts, lambda logits: label_loss(logits, targets.to(logits), multi_label))


def fit_random_heads(
    layer: ConceptLayer, vectors: Tensor, answers: NDArray[np.int64], seed: int
) -> ConceptLayer:
    """A copy of the layer whose heads are fitted on vectors (N, D) and answers (N, Q), each question's
    shuffled over the texts."""
    random, rng = deepcopy(layer), np.random.default_rng(seed)
    shuffled = torch.from_numpy(np.stack([rng.permutation(column) for column in answers.T], axis=1))
    random.temperatures.fill_(1.0)
    fit_linear(
        random.heads,
        vectors,
        lambda logits: concept_loss(logits.split(random.sizes, dim=1), shuffled.to(logits.device)),
    )
    return random


def one_hot(answers: Tensor, sizes: Sequence[int]) -> Tensor:
    """(N, C) 1 for the answers (N, Q) and 0 for the others; unknown ones have the shares of the known."""
    parts = []
    for given, size in zip(answers.unbind(dim=1), sizes, strict=True):
        known = given != UNKNOWN
        hot = nn.functional.one_hot(given.clamp(min=0), size).float()
        shares = hot[known].mean(dim=0) if known.any() else torch.full((size,), 1 / size).to(hot)
        parts.append(torch.where(known[:, None], hot, shares))
    return torch.cat(parts, dim=1)


def hard(logits: Sequence[Tensor]) -> Tensor:
    """(N, C) 1 for the likeliest answer of each question and 0 for the others."""
    likeliest = torch.stack([part.argmax(dim=1) for part in logits], dim=1)
    return one_hot(likeliest, [part.shape[1] for part in logits])


def soft(layer: ConceptLayer, vectors: Tensor) -> Tensor:
    """(N, C) probabilities of all answers for vectors (N, D)."""
    return side_by_side(layer.concept_logits(vectors))
