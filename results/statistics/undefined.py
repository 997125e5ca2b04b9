"""Why a metric has no value: it was not computed, or is no number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.metrics.cell_data import Metric
from assay.metrics.long_table import LEFT_OUT
from assay.results.records import CellScores, Group, Method, Missing
from assay.results.statistics.informed import has_value
from assay.results.statistics.text_pairs import is_pairwise

UNDEFINED = "undefined on these texts"
UNKNOWN = "not computed"


def why_undefined(cells: Sequence[CellScores], metric: Metric) -> str:
    """What the measured parts say of the reason, in one clause; only that it is undefined where they do not.

    Args:
        cells: of one method, whose value is undefined.
        metric: what was measured.
    """
    reasons = dict.fromkeys(_reason(cell, metric) for cell in cells)
    return "; ".join(f"{UNDEFINED}: {reason}" if reason else UNDEFINED for reason in reasons) or UNDEFINED


def _reason(cell: CellScores, metric: Metric) -> str:
    parts = {name: values for name, values in cell.parts.items() if name not in LEFT_OUT}
    if not parts and "rationales" in metric.needs:
        return "none has a marked word among those that the model reads"
    if "fold" in parts and np.isnan(parts["fold"]).all():
        return "the texts are too few for a regression"
    several = "pairs" if is_pairwise(metric) else "texts"
    known = int(has_value(cell, metric).sum())
    if not known and getattr(metric, "undefined", ""):
        return str(getattr(metric, "undefined", ""))
    if known < 2:
        return f"only one of the {several} has a value" if known else f"none of the {several} has a value"
    for name, values in parts.items():
        # Spearman's correlation of something that does not vary.
        if name.endswith("_distance") and np.nanmin(values) == np.nanmax(values):
            return f"all {several} have the same {name.replace('_', ' ')}"
    return ""


def reason_for(
    absences: Sequence[Missing], group: Group, method: Method, metric: str, undefined: str = ""
) -> str:
    """Why the metric of the method has no value; `undefined`: why, if it was computed, it is no number."""
    reasons = [absence.reason for absence in absences if absence.explains(group, method, metric)]
    if reasons:
        return "; ".join(dict.fromkeys(reasons))
    return undefined or UNKNOWN
