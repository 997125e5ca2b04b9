"""A target instead of a fixed budget: go on drawing until the scores are known well enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.explainers.perturbation.units import Floats
from assay.explainers.reliability import reliability
from assay.tasks.errors import InputError, check_at_least, check_positive

# A model's own last digits, in any output space.
PRECISION = 1e-6


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Draw the method's budget again and again until every class meets the goals, or max_rows are drawn.

    reliability: of the worst class (`assay.explainers.reliability`). standard_error: the largest of any token
    and class, in the units of the scores. max_rows: drawn rows, repeats included; a first round is always
    asked. Goals that are None are not looked at. Stopping at a goal favours lucky estimates of the noise;
    with the default goals and budgets that is slight.
    """

    reliability: float | None = 0.9
    standard_error: float | None = None
    max_rows: int = 5000

    def __post_init__(self) -> None:
        if self.reliability is None and self.standard_error is None:
            raise InputError("explainer until has no goal; give reliability, standard_error or both")
        if self.reliability is not None and not 0 < self.reliability < 1:
            raise InputError(
                f"explainer until.reliability is {self.reliability}; expected above 0 and below 1"
            )
        if self.standard_error is not None:
            check_positive("explainer until.standard_error", self.standard_error)
        check_at_least("explainer until.max_rows", self.max_rows, 1)

    def met(self, scores: Floats, standard_error: Floats, content: NDArray[np.bool_]) -> bool:
        """Whether (T, K) scores and their standard errors over (T,) content tokens are good enough."""
        if self.standard_error is not None and not (standard_error[content] <= self.standard_error).all():
            return False
        if self.reliability is None:
            return True
        # A class whose scores are all alike has no order to be sure of.
        varies = np.ptp(scores[content], axis=0) > PRECISION
        found = reliability(scores.T, standard_error.T, content)[varies]
        return not (found < self.reliability).any()


def stopping_rule(explainer: str, value: StoppingRule | Mapping[str, Any] | None) -> StoppingRule | None:
    """An explainer's `until`, also where configuration gives it as a plain mapping."""
    if value is None or isinstance(value, StoppingRule):
        return value
    try:
        return StoppingRule(**{str(name): goal for name, goal in value.items()})
    except (TypeError, AttributeError):
        raise InputError(
            f"explainer.{explainer}.until is {value!r}; "
            "expected a mapping of reliability, standard_error and max_rows"
        ) from None
