"""Centred RMSprop whose steps are bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch

# A step is at most 1 / LEAST times the rate.
LEAST = 0.01


class CentredRMSprop(torch.optim.RMSprop):
    """RMSprop by the standard deviation of the gradient, but by no less than a share of the gradient itself.

    torch's own takes the square root of mean(g^2) - mean(g)^2 as it is rounded. Where a gradient stays the
    same for a thousand steps, that is about 0, or below: steps become huge, or NaN.

    Source: Graves, arXiv 1308.0850, equations 38 to 45, without momentum.
    """

    def __init__(self, groups: list[dict[str, object]]) -> None:
        super().__init__(groups, centered=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = -parameter.grad if group["maximize"] else parameter.grad
                state = self.state[parameter]
                if not state:
                    # As torch's own names them, which reads them back.
                    state["step"] = torch.zeros(())
                    for name in ("square_avg", "grad_avg"):
                        state[name] = torch.zeros_like(parameter)
                state["step"] += 1
                square, mean, fresh = state["square_avg"], state["grad_avg"], 1 - group["alpha"]
                square.mul_(group["alpha"]).addcmul_(gradient, gradient, value=fresh)
                mean.lerp_(gradient, fresh)
                deviation = (square - mean**2).clamp_(min=0).sqrt_()
                bounded = torch.maximum(deviation, LEAST * gradient.abs()).add_(group["eps"])
                parameter.addcdiv_(gradient, bounded, value=-group["lr"])
