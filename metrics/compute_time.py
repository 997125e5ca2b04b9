"""Compute time: what an explanation costs, counted in passes through the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from assay.metrics.cell_data import CellData
from assay.metrics.info import NONNEGATIVE, MetricBase, MetricInfo
from assay.metrics.long_table import long

if TYPE_CHECKING:
    from assay.models.engine import Engine
    from assay.models.flops import Meter


NO_MODEL_QUERY = "0, because drawing random scores asks nothing of the model"


@dataclass(frozen=True, slots=True)
class ComputeTime(MetricBase):
    """Mean passes through the model per explained text, all its classes together; rows of a masked language
    model are counted apart.

    Forward rows plus backward rows; a row's backward pass costs about as much as another forward pass. Passes
    do not depend on the machine or its load, so the number can be reproduced; seconds cannot, and are kept
    apart. The study counted the processor's floating-point operations; the part
    `flops` has those of the model, each row at the price of one of its length (`assay.models.flops`).
    What a method computes beside the model is in neither. The parts of a masked language model, which another
    network reads, are in none of the others.
    """

    info = MetricInfo(
        "compute_time",
        "Compute time (model passes per text)",
        "lower",
        NONNEGATIVE,
        NO_MODEL_QUERY,
        "compute time",
        "passes",
        version=2,
    )

    def score(self, subject: CellData) -> pd.DataFrame:
        """Per example: `forward_rows`, `backward_rows`, their sum `passes`, forward `tokens`, and `flops`,
        which is absent where the model does not compute with torch; `mlm_rows` and `mlm_tokens` where a
        masked language model was asked."""
        tables, meter = [], _meter(subject.engine)
        for shard in subject.shards:
            costs = [(cost.forward_rows, cost.backward_rows, cost.tokens) for cost in shard.costs]
            forward, backward, tokens = np.array(costs, dtype=np.float64).reshape(-1, 3).T
            parts = {
                "forward_rows": forward,
                "backward_rows": backward,
                "passes": forward + backward,
                "tokens": tokens,
            }
            mlm = np.array([(cost.mlm_rows, cost.mlm_tokens) for cost in shard.costs], dtype=np.float64)
            if mlm.any():
                parts["mlm_rows"], parts["mlm_tokens"] = mlm.T
            if meter is not None:
                parts["flops"] = meter.flops(forward, backward, tokens)
            tables.append(long(shard.ids, parts))
        return pd.concat(tables, ignore_index=True)


def _meter(engine: Engine) -> Meter | None:
    # Imported when needed: this floor can be read without torch.
    from assay.models.flops import Meter, countable

    return Meter(engine) if countable(engine) else None
