"""Whether an explainer is better than random scores, in words, where that was tested."""

from __future__ import annotations

import math

from assay.results.columns import ComparisonRow
from assay.results.statistics.informed import few_texts
from assay.results.statistics.verdicts import EXTREME


def against_random(row: ComparisonRow, random: ComparisonRow | None) -> str:
    """What the test against the random control says of a row; "" where nothing was tested.

    Controls are not tested, nor are extremes, values of few texts, and metrics of which random scores have
    no value.

    Args:
        row: of an explainer.
        random: of the random control by the same metric; None without one, and for costs, of which random
            scores are no level.

    Example:
        >>> against_random(row_of_gold, row_of_random)  # doctest: +SKIP
        ''
    """
    if random is None or row.control or row.interval_note == EXTREME:
        return ""
    if not all(math.isfinite(one.value) and _enough(one) for one in (row, random)):
        return ""
    return "better than random" if row.better_than_random else "not shown to be better than random"


def _enough(row: ComparisonRow) -> bool:
    # Tables of earlier versions have no groups.
    return not few_texts(row.n_texts, row.n_groups or row.n_texts)
