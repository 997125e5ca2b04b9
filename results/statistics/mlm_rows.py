"""How many rows of a masked language model an explanation asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.results.records import CellScores


def mlm_rows(cells: Sequence[CellScores]) -> float:
    """The mean rows of a masked language model per text with a cost."""
    found = [
        float(np.nansum(cell.parts["mlm_rows"]) / np.isfinite(cell.parts["passes"]).sum())
        for cell in cells
        if "mlm_rows" in cell.parts
    ]
    return float(np.mean(found)) if found else 0.0
