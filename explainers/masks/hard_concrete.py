"""The hard concrete distribution: gates between 0 and 1 that are exactly 0 with a probability of their own.

Source: Louizos, Welling and Kingma, ICLR 2018, with the temperature and the interval of DiffMask.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

TEMPERATURE = 0.2
# A binary concrete variable in (0, 1) is stretched to this interval and clamped to [0, 1], so that a part of
# it falls on 0. None falls on 1.
LOW, HIGH = -0.2, 1.0
# The logit of what is stretched to 0.
_AT_ZERO = math.log(-LOW / HIGH)


def sample(logits: Tensor, uniform: Tensor) -> Tensor:
    """Gates in [0, 1], differentiable by their logits; `uniform` has their shape and is drawn from (0, 1)."""
    concrete = torch.sigmoid((logits + torch.logit(uniform)) / TEMPERATURE)
    return (LOW + (HIGH - LOW) * concrete).clamp(0, 1)


def log_open(logits: Tensor) -> Tensor:
    """Logarithm of the probability that a gate is not 0."""
    return logsigmoid(logits - TEMPERATURE * _AT_ZERO)
