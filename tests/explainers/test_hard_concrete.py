"""Hard concrete gates against their closed form and against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from assay.explainers.masks.hard_concrete import log_open, sample

DRAWS = 200_000


def _uniform(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(1e-9, 1 - 1e-9, shape))


@pytest.mark.parametrize("logit", [-3.0, -1.0, -0.322, 0.0, 0.7, 2.0])
def test_the_share_of_closed_gates_is_the_closed_form(logit: float) -> None:
    drawn = sample(torch.full((DRAWS,), logit, dtype=torch.float64), _uniform(DRAWS))
    # stretched from (0, 1) to (-0.2, 1.0), 1/6 becomes 0, whose logit is -ln 5
    closed = 1 / (1 + math.exp(0.2 * math.log(5) + logit))
    error = math.sqrt(closed * (1 - closed) / DRAWS)
    assert abs(float((drawn == 0).double().mean()) - closed) < 4 * error
    assert float(log_open(torch.tensor(logit, dtype=torch.float64)).exp()) == pytest.approx(
        1 - closed, rel=1e-12
    )
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    # no share of its own falls on 1: what is there was rounded
    assert float(((drawn > 0) & (drawn < 1 - 1e-9)).double().mean()) > 0.1 * (1 - closed)


def test_gates_are_all_the_way_open_and_closed_at_great_logits() -> None:
    uniform = _uniform(1000)
    assert torch.allclose(
        sample(torch.full((1000,), 30.0, dtype=torch.float64), uniform), torch.ones(1).double()
    )
    assert not sample(torch.full((1000,), -30.0, dtype=torch.float64), uniform).any()


def test_the_logarithm_holds_where_the_probability_is_0_in_floating_point() -> None:
    logits = torch.tensor([-2000.0, 2000.0], requires_grad=True)
    values = log_open(logits)
    assert values.tolist() == pytest.approx([-2000 + 0.2 * math.log(5), 0])
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.tolist() == [1, 0]


def test_draws_are_differentiable_by_their_logits() -> None:
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    uniform = torch.tensor([0.4, 0.5, 0.6, 0.45], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda one: sample(one, uniform), (logits,))
