"""How precisely coalitions are asked: in float32, in bfloat16, or in bfloat16 with a sample in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from assay.tasks.errors import InputError, check_choice, shown

Kind = Literal["float32", "bfloat16", "mixed"]
ANY: tuple[Kind, ...] = get_args(Kind)
UNMIXED: tuple[Kind, ...] = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Precision:
    """The precision of rows that explainers of coalitions ask; nothing else depends on it.

    Attributes:
        kind: float32; bfloat16; or mixed, all rows in bfloat16 and a sample of them in float32, too.
        asked_twice: that sample's share under mixed.

    Raises:
        InputError: An unknown kind, or a share that is not above 0 and at most 1.

    Example:
        >>> Precision("mixed").asked_twice
        0.15
    """

    kind: Kind = "float32"
    asked_twice: float = 0.15

    def __post_init__(self) -> None:
        check_choice("engine.precision", self.kind, ANY)
        share: object = self.asked_twice
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"engine.asked_twice is {share!r}; expected a number above 0 and at most 1")

    def settings(self) -> dict[str, str | float]:
        """The settings of `engine` that describe it."""
        return {"precision": self.kind, "asked_twice": self.asked_twice}

    def record(self) -> dict[str, str | float]:
        """What records say of it."""
        twice = {"asked_twice": self.asked_twice} if self.kind == "mixed" else {}
        return {"precision": self.kind, **twice}


def checked_precision(given: object) -> Precision:
    """What was put into an engine's `precision`. Raises InputError on anything but a Precision."""
    if not isinstance(given, Precision):
        raise InputError(
            f'engine.precision is {shown(given)}; expected Precision("mixed") or of another kind, from '
            "assay.models.precision"
        )
    return given


FLOAT32 = Precision()
