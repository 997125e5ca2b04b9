"""DeepLift's multipliers: how a change of each step's input, from a reference to the text, became a change
of its output. The first half of every batch holds the texts, the second half their references."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.models.backward_rule import ELEMENTWISE, StepwiseRule, affine, derivative, with_slope

# Steps in which two things that depend on the input are multiplied.
PRODUCTS = frozenset({"multiply", "matmul", "softmax", "attend", "normalise"})
KINKED = frozenset({"relu"})


class DeepLiftRule(StepwiseRule):
    """Backward passes carry multipliers, the same for both halves: sum(multiplier * change) of a step's
    inputs is the change of its output, up to rounding.

    One input, one output: change of output / change of input (Shrikumar et al., ICML 2017, the
    rescale rule). Maximum: all of the change belongs to the input that holds the larger of the two maxima,
    as in shap and captum. Products, for which the paper has no rule: each factor's change times the mean of
    the other factor, its Shapley value in a game of two. Softmax and layer normalisation are taken apart
    into these.
    """

    def elementwise(self, name: str, x: Tensor) -> Tensor:
        value = ELEMENTWISE[name](x)
        inside, outside = _change(x), _change(value)
        # Where a smooth function hardly moves, the slope in the middle is more exact than the quotient.
        near = 0.0 if name in KINKED else torch.finfo(x.dtype).eps ** (1 / 3)
        still = inside.abs() <= near
        slope = torch.where(still, derivative(name, _mean(x)), outside / inside.masked_fill(still, 1))
        return with_slope(x, value, _both(slope))

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        return (a * b).detach() + _zero(a) * _both(_mean(b)) + _both(_mean(a)) * _zero(b)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return (a @ b).detach() + _zero(a) @ _both(_mean(b)) + _both(_mean(a)) @ _zero(b)

    def softmax(self, x: Tensor) -> Tensor:
        # Without the maximum, which cancels out, multipliers would grow like the quotient of the two sums.
        powers = _exp(x - self.maximum(x, dim=-1).unsqueeze(-1))
        return self.multiply(powers, _reciprocal(powers.sum(dim=-1, keepdim=True)))

    def normalise(self, norm: torch.nn.LayerNorm, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = self.multiply(centred, centred).mean(dim=-1, keepdim=True)
        return affine(norm, self.multiply(centred, _inverse_root(variance + norm.eps)))

    def maximum(self, x: Tensor, dim: int) -> Tensor:
        value, at = x.detach().max(dim=dim, keepdim=True)
        end, start = value.chunk(2)
        holder = x.gather(dim, _both(torch.where(end >= start, *at.chunk(2))))
        moved = _change(holder)
        slope = torch.where(moved == 0, 1.0, (end - start) / moved.masked_fill(moved == 0, 1))
        return with_slope(holder, value, _both(slope)).squeeze(dim)


def _exp(x: Tensor) -> Tensor:
    """e^x, whose slope between two points d apart is that at the higher one times (1 - e^-d) / d."""
    distance, higher = _change(x).abs(), torch.maximum(*x.detach().chunk(2))
    # Padding is at -inf in both.
    still = (distance == 0) | (higher == -torch.inf)
    slope = torch.where(still, 1.0, -torch.expm1(-distance) / distance.masked_fill(still, 1)) * higher.exp()
    return with_slope(x, x.exp(), _both(slope))


def _reciprocal(x: Tensor) -> Tensor:
    end, start = x.detach().chunk(2)
    return with_slope(x, 1 / x, _both(-1 / (end * start)))


def _inverse_root(x: Tensor) -> Tensor:
    end, start = x.detach().sqrt().chunk(2)
    return with_slope(x, x.rsqrt(), _both(-1 / (end * start * (end + start))))


def _change(x: Tensor) -> Tensor:
    end, start = x.detach().chunk(2)
    return end - start


def _mean(x: Tensor) -> Tensor:
    end, start = x.detach().chunk(2)
    return (end + start) / 2


def _both(half: Tensor) -> Tensor:
    return torch.cat([half, half])


def _zero(x: Tensor) -> Tensor:
    """0, with the gradient of x."""
    return x - x.detach()
