"""What an engine has run, and the records of its answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

# The names of rows, tokens and seconds.
MODEL_COUNTERS = ("forward_rows", "forward_tokens", "seconds")
MLM_COUNTERS = ("mlm_rows", "mlm_tokens", "mlm_seconds")


@dataclass(slots=True)
class Counters:
    """What the engine has run: rows and real (unpadded) tokens, and seconds inside the model; those of masked
    language models apart."""

    forward_rows: int = 0
    forward_tokens: int = 0
    backward_rows: int = 0
    seconds: float = 0.0
    halvings: int = 0
    mlm_rows: int = 0
    mlm_tokens: int = 0
    mlm_seconds: float = 0.0

    def since(self, earlier: Counters) -> Counters:
        """The difference to an earlier copy."""
        return Counters(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})

    def copy(self) -> Counters:
        """A snapshot for `since`."""
        return Counters(**asdict(self))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Logits (R, K) of masked inputs. rows, tokens: how many of the rows are distinct, and their tokens."""

    logits: NDArray[np.float64]
    rows: int
    tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class ActivationBatch:
    """Layers of B texts. index: (B,) positions into the encodings asked for; layers: name to (B, T, D) or
    (B, D) float32; attention: (B, T) bool, false on padding."""

    index: NDArray[np.intp]
    layers: dict[str, NDArray[np.float32]]
    attention: NDArray[np.bool_]
