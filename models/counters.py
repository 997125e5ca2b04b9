"""What an engine has run."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """What the engine has run: rows and real (unpadded) tokens, and seconds inside the model."""

    forward_rows: int = 0
    forward_tokens: int = 0
    backward_rows: int = 0
    seconds: float = 0.0
    halvings: int = 0

    def since(self, earlier: Counters) -> Counters:
        """The difference to an earlier copy."""
        return Counters(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})

    def copy(self) -> Counters:
        """A snapshot for `since`."""
        return Counters(**asdict(self))
