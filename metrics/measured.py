"""Which texts the value of a metric rests on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import Parts
from assay.tasks.arrays import Bools, Floats


def measured(metric: Metric, parts: Parts) -> Bools:
    """(n,) which units have a value of the metric.

    A part that only says why a text was left out is no value, nor is one that is reported beside the metric.
    So only the part counts that the metric summarises (`assay.metrics.info.MetricInfo.part`). A metric that
    declares none is asked for its value on every unit alone; where that is never defined, as of a
    correlation, every unit with any part counts. A metric may also say it itself, in a method `measured`.

    Args:
        metric: What was measured.
        parts: Per part an (n, m) array over units and targets.
    """
    units = len(next(iter(parts.values()), ()))
    own = getattr(metric, "measured", None)
    if own is not None:
        return own(parts)
    part = getattr(metric, "part", "")
    if part:
        return _present([values for name, values in parts.items() if name.split("@")[0] == part], units)
    alone = np.isfinite(metric.summarise(parts, np.arange(units, dtype=np.intp)[:, None]))
    return alone if alone.any() else _present(parts.values(), units)


def _present(arrays: Iterable[Floats], units: int) -> Bools:
    """(units,) which units have a number in any of the arrays (units, m)."""
    found = np.zeros(units, dtype=np.bool_)
    for values in arrays:
        found |= ~np.isnan(values).all(axis=1)
        if found.all():
            break
    return found
