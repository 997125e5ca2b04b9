"""The information bottleneck for attribution: how many bits of each token a prediction needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from assay.explainers.masks.learned_noise import LearnedNoise, NoisyText, Scores, Spread
from assay.explainers.protocol import Traits
from assay.tasks.errors import check_positive

# Gates begin open, as in the paper's code: 0.993 of a value passes.
FIRST_LOGIT = 5.0


@dataclass(frozen=True, slots=True)
class InformationBottleneck(LearnedNoise):
    """The information, in bits, that must pass from a token where noise takes the place of all that need not.

    Where the model's first layer reads, a content token's values h become l h + (1 - l) e, with a gate l
    between 0 and 1 and Gaussian noise e of the mean and deviation that each dimension has over the content
    tokens of training texts. What passes is at most KL(l h + (1 - l) e || e), in each dimension
    (v^2 + l^2 s^2 - 1) / 2 - log v with v = 1 - l and s the standardised h. The gates minimise
    -log p(target) plus `beta` times the mean of that over tokens and dimensions, in nats. The score is its
    sum over a token's dimensions, the mean over the last quarter of the steps; every target has its own.
    Special tokens pass.

    Inner layers have no bottleneck. Source: Schulz, Sixt, Tombari and Landgraf, ICLR 2020 (per-sample
    bottleneck); one gate for each token as in the comparison of De Cao et al., EMNLP 2020.

    Attributes:
        beta: the weight of information; 10 in the code of both papers, for images and for hidden states.
        dimensions: whether each dimension of a token has a gate of its own, as in Schulz et al.
        steps: of gradient descent.
        samples: noisy texts in each step.
        rate: Adam's learning rate for the logits of the gates.
        texts: at most so many training texts give mean and deviation.

    Raises:
        InputError: on a value out of range.
    """

    beta: float = 1.0
    dimensions: bool = False
    steps: int = 100
    samples: int = 8
    rate: float = 0.2
    texts: int = 200
    version: ClassVar[int] = 1
    name: ClassVar[str] = "information_bottleneck"
    per_target: ClassVar[bool] = True
    traits = Traits(
        signed=False, additive=False, stochastic=True, needs=frozenset({"gradients"}), from_texts=True
    )

    def __post_init__(self) -> None:
        self.check_noise()
        check_positive(f"explainer.{self.name}.beta", self.beta)

    def scores(self, text: NoisyText, spread: Spread, target: int, rng: np.random.Generator) -> Scores:
        """(n,) bits of the content tokens that are left for a target."""
        mean, deviation = spread.mean.to(text.entry), spread.deviation.to(text.entry)
        standard = (text.values - mean) / deviation
        tokens, width = standard.shape

        def loss(logits: Tensor, noise: Tensor) -> Tensor:
            mixed = logits.sigmoid() * standard + (-logits).sigmoid() * noise
            answers = text.logits(mean + deviation * mixed)
            surprise = -log_probability(answers, target, multi_label=text.engine.model.multi_label)
            return surprise.mean() + self.beta * information(logits, standard).mean()

        def bits(logits: Tensor) -> Tensor:
            return information(logits, standard).sum(dim=1) / math.log(2)

        start = torch.full((tokens, width if self.dimensions else 1), FIRST_LOGIT).to(text.entry)
        return self.descend(text, start, loss, bits, width, rng)


def information(logits: Tensor, standard: Tensor) -> Tensor:
    """(n, D) nats that pass gates with logits (n, 1) or (n, D), of standardised values (n, D)."""
    log_noise = logsigmoid(-logits)
    return ((2 * log_noise).exp() + (logits.sigmoid() * standard) ** 2 - 1) / 2 - log_noise


def log_probability(logits: Tensor, target: int, *, multi_label: bool) -> Tensor:
    """(R,) of the target, of logits (R, K)."""
    if multi_label:
        return logsigmoid(logits[:, target])
    return -cross_entropy(logits, torch.full((len(logits),), target).to(logits.device), reduction="none")
