"""Numbers as the page writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from assay.results.tables.layout import MISSING


def three_digits(value: float) -> str:
    """Three significant digits without an exponent; a dash if it is no number."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    return f"{value:,.{min(12, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"


def by_label(values: Mapping[str, float]) -> str:
    """Numbers by label in one line; a dash if there are none."""
    return ", ".join(f"{label} {three_digits(value)}" for label, value in values.items()) or MISSING
