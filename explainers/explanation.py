"""The record an explainer leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from assay.explainers.reliability import reliability


@dataclass(frozen=True, slots=True)
class Cost:
    """What the explanations of one example, all its targets together, asked of the model.

    forward_rows, backward_rows: rows after dropping duplicates within the example. tokens: forward tokens.
    seconds: wall time, shared out over the examples of a pool by their tokens. mlm_rows, mlm_tokens: of a
    masked language model, which are in none of the others but the seconds.
    """

    forward_rows: int = 0
    backward_rows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    mlm_rows: int = 0
    mlm_tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One score per token for one (example, target class).

    scores: (T,) float32, larger means more evidence for `target`; 0 on tokens the method does not score.
    segments, offsets: (T,) which text of a pair, and (T, 2) the character range in it. word_ids: (T,), -1 for
    special tokens. output_space: "logit", "probability", "log_odds" or "none", the units the scores are in.
    value_input, value_baseline: the model's output for the target at the input and at the baseline, NaN where
    the method has none.
    standard_error: (T,) how far a score would move under another draw, in its own units, NaN where the budget
    was too small to tell; None where nothing was drawn or nothing is known. saturated: how many of the
    outputs behind the scores round to probability 0 or 1, where a method of log-odds counts them.
    by_layer: (L, T) the scores by every layer of the model, from the bottom up, where a method has them.
    precision: in which the rows behind the scores were asked (assay.models.precision). asked_twice: the share
    of them that mixed precision asked in float32, too. bound: (T,) how far the scores are from those of the
    same rows in float32: in 95 of 100 draws of what mixed precision asks twice, or where a ranking decides
    that, if no difference is larger than those seen; None in one precision.
    Raises ValueError, naming the example, on a score that is not finite or an array of the wrong length.
    """

    example_id: str
    target: int
    tokens: tuple[str, ...]
    segments: NDArray[np.int32]
    offsets: NDArray[np.int32]
    word_ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    output_space: str
    value_input: float = float("nan")
    value_baseline: float = float("nan")
    standard_error: NDArray[np.float32] | None = None
    cost: Cost = field(default_factory=Cost)
    saturated: int = 0
    by_layer: NDArray[np.float32] | None = None
    precision: str = "float32"
    asked_twice: float = 0.0
    bound: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        where = f"explanation of example {self.example_id!r}, target {self.target}"
        length = len(self.tokens)
        if (
            self.scores.shape != (length,)
            or self.word_ids.shape != (length,)
            or self.offsets.shape != (length, 2)
        ):
            raise ValueError(f"{where}: {length} tokens, but scores of shape {self.scores.shape}")
        if self.standard_error is not None and self.standard_error.shape != (length,):
            raise ValueError(
                f"{where}: {length} tokens, but standard errors of shape {self.standard_error.shape}"
            )
        if self.bound is not None and self.bound.shape != (length,):
            raise ValueError(f"{where}: {length} tokens, but bounds of shape {self.bound.shape}")
        if self.by_layer is not None and self.by_layer.shape[1:] != (length,):
            raise ValueError(f"{where}: {length} tokens, but scores by layer of shape {self.by_layer.shape}")
        if not np.isfinite(self.scores).all():
            bad = self.tokens[int(np.flatnonzero(~np.isfinite(self.scores))[0])]
            raise ValueError(
                f"{where}: the score of token {bad!r} is not finite; the model's output may be NaN"
            )

    @property
    def completeness_gap(self) -> float:
        """f(input) - f(baseline) - sum of scores; 0 for an exact additive method, NaN where undefined."""
        return self.value_input - self.value_baseline - float(self.scores.sum())

    @property
    def reliability(self) -> float:
        """How much of the order of its content tokens another seed would repeat, 0 to 1
        (`assay.explainers.reliability`); NaN where nothing was drawn, or for fewer than two tokens."""
        if self.standard_error is None:
            return float("nan")
        return float(reliability(self.scores, self.standard_error, self.word_ids >= 0))
