"""Entropy of perturbation: how much noise each token bears before the model's output changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from assay.explainers.masks.learned_noise import LearnedNoise, NoisyText, Scores, Spread
from assay.explainers.protocol import Traits
from assay.tasks.errors import check_positive

# Noise begins small: 0.007 of the most.
FIRST_LOGIT = -5.0


@dataclass(frozen=True, slots=True)
class EntropyPerturbation(LearnedNoise):
    """How far a token's noise stays below the most, in bits per dimension, when all bear what they can.

    Where the model's first layer reads, each content token gets Gaussian noise of its own deviation, from 0
    to `most` times the typical deviation of these values over the content tokens of training texts. The
    deviations minimise the mean squared change of the logits, summed over classes, minus `weight` times the
    mean over tokens of the logarithm of the deviation, which is the entropy of noise. The score is
    log2(most / deviation), the mean over the last quarter of the steps, and the same for every target. Of
    classes of which one is right only differences count, so their mean change is subtracted. Special tokens
    get no noise.

    Inner layers are not explained. Source: Guan, Wang, Zhang, Chen, He and Xie, ICML 2019, with the bound of
    their code; changes are of logits and not divided by how much these vary, as in the comparison of De Cao
    et al., EMNLP 2020, who score 1 / deviation.

    Attributes:
        weight: of the entropy, in squared logits; the squared change of the output comes to about half of it.
        most: the largest deviation, in deviations of the input.
        steps: of gradient descent.
        samples: noisy texts in each step.
        rate: Adam's learning rate for the logits of the deviations as shares of the most.
        texts: at most so many training texts give the deviation.

    Raises:
        InputError: on a value out of range.
    """

    weight: float = 10.0
    most: float = 10.0
    steps: int = 100
    samples: int = 8
    rate: float = 0.2
    texts: int = 200
    version: ClassVar[int] = 1
    name: ClassVar[str] = "entropy_perturbation"
    per_target: ClassVar[bool] = False
    traits = Traits(
        signed=False, additive=False, stochastic=True, needs=frozenset({"gradients"}), from_texts=True
    )

    def __post_init__(self) -> None:
        self.check_noise()
        for option in ("weight", "most"):
            check_positive(f"explainer.{self.name}.{option}", getattr(self, option))

    def scores(self, text: NoisyText, spread: Spread, target: int, rng: np.random.Generator) -> Scores:
        """(n,) bits per dimension of the content tokens."""
        values, most = text.values, self.most * spread.typical
        centred = not text.engine.model.multi_label

        def loss(logits: Tensor, noise: Tensor) -> Tensor:
            change = text.logits(values + most * logits.sigmoid() * noise) - text.answer
            if centred:
                change = change - change.mean(dim=1, keepdim=True)
            return (change**2).sum(dim=1).mean() - self.weight * logsigmoid(logits).mean()

        start = torch.full((len(values), 1), FIRST_LOGIT).to(values)
        return self.descend(
            text, start, loss, lambda logits: -logsigmoid(logits[:, 0]) / math.log(2), values.shape[1], rng
        )
