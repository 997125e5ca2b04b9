"""In which precision an explainer asks under the setting of an engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from assay.explainers.perturbation.asked_twice import LEAST
from assay.models.precision import FLOAT32, Kind, Precision

ONLY_FLOAT32: tuple[Kind, ...] = ("float32",)


def used_precision(explainer: object, asked: Precision) -> Precision:
    """The precision of an explainer's coalitions, or of those of an explainer inside it.

    Args:
        explainer: One that names the `precisions` it can ask in; others ask in float32 whatever is set.
        asked: The engine's setting.

    Returns:
        The setting where the explainer can ask so, else float32.

    Example:
        >>> from assay.explainers.perturbation.kernel_shap import KernelShap
        >>> used_precision(KernelShap(), Precision("bfloat16")).kind
        'bfloat16'
    """
    return asked if any(asked.kind in kinds for kinds in _precisions(explainer)) else FLOAT32


def rows_asked_twice(explainer: object, asked: Precision, rows: int) -> int:
    """How many of an explainer's rows for a text are asked in bfloat16 and in float32.

    Args:
        explainer: As above.
        asked: The engine's setting.
        rows: Of one text, asked in one round, the full and the empty one among them, which are always asked
            twice; an explainer that serves the order of its scores may ask more.

    Example:
        >>> from assay.explainers.perturbation.kernel_shap import KernelShap
        >>> rows_asked_twice(KernelShap(), Precision("mixed", 0.1), 202)
        22
    """
    used = used_precision(explainer, asked)
    others = max(0, rows - 2)
    return min(rows, 2 + max(LEAST, round(used.asked_twice * others))) if used.kind == "mixed" else 0


def key_parts(explainer: object, asked: Precision) -> list[list[Any]]:
    """What the precision adds to the key of a cell: nothing in float32."""
    used = used_precision(explainer, asked)
    if used.kind == "float32":
        return []
    return [["precision", used.kind, *([used.asked_twice] if used.kind == "mixed" else [])]]


def _precisions(part: object) -> Iterator[tuple[Kind, ...]]:
    yield getattr(part, "precisions", ONLY_FLOAT32)
    if is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            yield from _precisions(getattr(part, field.name))
    if isinstance(part, tuple):
        for item in part:
            yield from _precisions(item)
