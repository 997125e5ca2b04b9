"""The engine that a configuration describes."""

from __future__ import annotations

from typing import Any

from assay.models.engine import Engine
from assay.models.precision import FLOAT32, Precision
from assay.models.protocol import Model

# Settings of `engine` that only matter where coalitions are not asked in float32.
OF_PRECISION = ("precision", "asked_twice")


def engine_of(model: Model, options: Any) -> Engine:
    """An engine of a model.

    Args:
        model: What it asks.
        options: The settings `engine` of a configuration, or of a record that may be older than some.

    Returns:
        The engine.

    Raises:
        InputError: Settings out of range, or a precision in which the model cannot be asked.

    Example:
        >>> engine_of(model, {"device": "cpu", "budget": 512}).precision.kind  # doctest: +SKIP
        'float32'
    """
    precision = read_precision(options)
    if precision.kind != "float32":
        from assay.models.reduced import check_reducible

        check_reducible(model)
    return Engine(model, device=options["device"], budget=options["budget"], precision=precision)


def read_precision(options: Any) -> Precision:
    """The precision that such settings name; records of earlier versions were made in float32."""
    given = {name: options.get(name) for name in OF_PRECISION}
    kind, share = given["precision"], given["asked_twice"]
    return Precision(FLOAT32.kind if kind is None else kind, FLOAT32.asked_twice if share is None else share)
