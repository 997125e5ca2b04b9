"""What was trained for results beside their model, gates or a masked language model, named in their files.

Where its files are lost, training anew need not give the same weights: time may end it elsewhere. Keys have
its settings only, since a plan knows no weights. So every file names the weights that it was made with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from assay.explainers.baselines import Baseline
from assay.explainers.marginal.mixture import Mixture
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.masks.diffmask import TrainedDiffMask
from assay.explainers.masks.gates import StoredGates
from assay.explainers.protocol import Explainer
from assay.models.saving import weights_hash
from assay.models.trained_mlm import WordMLM

FIELD = b"made_with"
# By what was trained, the hash of its weights.
MadeWith = dict[str, str]


def has_masked_lm(baseline: Baseline | None) -> bool:
    """Whether a baseline has a masked language model that is trained on the task's texts."""
    return isinstance(baseline, MaskedLanguageModel) and baseline.path is None


def masked_lm_weights(baseline: Baseline) -> str:
    """The hash of the weights of that masked language model, of a fitted baseline."""
    assert isinstance(baseline, Mixture) and baseline.about is not None
    return str(baseline.about["weights"])


def named_weights(explainer: Explainer, baseline: Baseline | None) -> MadeWith:
    """What an explainer and a baseline that are fitted were made with, wherever it was trained."""
    made: MadeWith = {}
    if (trained := _trained_gates(explainer)) is not None:
        made["gates"] = weights_hash(cast(Any, StoredGates(None, trained.gates)))
    if isinstance(baseline, Mixture) and isinstance(baseline.mlm, WordMLM):
        made["baseline"] = weights_hash(cast(Any, baseline.mlm))
    return made


def about_gates(explainer: Explainer) -> dict[str, Any]:
    """What is on record of the gates of a fitted explainer, or of the one it passes on; empty without any."""
    trained = _trained_gates(explainer)
    return {} if trained is None else trained.about


def _trained_gates(explainer: Explainer) -> TrainedDiffMask | None:
    while (of := getattr(explainer, "of", None)) is not None:
        explainer = of
    return explainer if isinstance(explainer, TrainedDiffMask) else None


def named(table: pa.Table, made: MadeWith) -> pa.Table:
    """The table with what it was made with, if with anything that was trained."""
    if not made:
        return table
    return table.replace_schema_metadata({**(table.schema.metadata or {}), FIELD: json.dumps(made)})


def read_made_with(path: Path) -> MadeWith:
    """What a whole Parquet file of the store was made with."""
    return json.loads((pq.read_schema(path).metadata or {}).get(FIELD, b"{}"))
