"""The decisions of a model explained by its concepts, and how they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from assay.explainers.baselines import Baseline
from assay.explainers.concepts.bottleneck import BottleneckExplainer
from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart
from assay.explainers.concepts.heads import HeadWords
from assay.explainers.concepts.side_heads import SideHeadsExplainer
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.protocol import BottleneckModel
from assay.tasks.example import Example, Span

# Raised when what is kept of explanations changes.
VERSION = 3
_PART = pa.struct(
    [
        ("name", pa.string()),
        ("score", pa.float64()),
        ("probability", pa.float64()),
        ("spans", pa.list_(pa.list_(pa.int32()))),
        ("span_scores", pa.list_(pa.float64())),
        ("p", pa.float64()),
        ("learned", pa.bool_()),
        ("added_by", pa.string()),
        ("usual", pa.float64()),
        ("seen", pa.bool_()),
        ("denied", pa.list_(pa.list_(pa.int32()))),
    ]
)
_SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("method", pa.string()),
        ("target", pa.int32()),
        ("probability", pa.float64()),
        ("parts", pa.list_(_PART)),
        ("base", pa.float64()),
        ("rest", pa.float64()),
        ("additive", pa.bool_()),
    ]
)


def explain_by_concepts(
    engine: Engine,
    examples: Sequence[Example],
    baseline: Baseline | None,
    words: HeadWords | None = None,
    seed: int = 0,
) -> list[list[ConceptExplanation]]:
    """For every text one explanation per label: through the bottleneck where the decision goes through the
    concepts, else through the side heads.

    Args:
        engine: asks the model.
        examples: the texts.
        baseline: what "absent" means.
        words: finds the words of each concept.
        seed: of explainers that draw.

    Raises:
        InputError: a model without heads.
    """
    chosen = BottleneckExplainer if isinstance(engine.model, BottleneckModel) else SideHeadsExplainer
    labels = np.arange(len(engine.model.labels))
    encodings = engine.model.encode([example.texts for example in examples])
    requests = [Request(*pair, labels, seed) for pair in zip(examples, encodings, strict=True)]
    return list(chosen(words or HeadWords()).explain(engine, requests, baseline))


def to_table(explanations: Iterable[Sequence[ConceptExplanation]]) -> pa.Table:
    """One row per text and label."""
    rows = [asdict(one) for of_text in explanations for one in of_text]
    return pa.Table.from_pylist(rows, _SCHEMA)


def from_table(table: pa.Table) -> list[list[ConceptExplanation]]:
    """What `to_table` was made of."""
    found: dict[str, list[ConceptExplanation]] = {}
    for row in table.to_pylist():
        parts = tuple(
            ConceptPart(
                **{
                    **part,
                    "spans": tuple(Span(*span) for span in part["spans"]),
                    "span_scores": tuple(part["span_scores"]),
                    "denied": tuple(Span(*span) for span in part.get("denied") or ()),
                }
            )
            for part in row["parts"]
        )
        found.setdefault(row["example_id"], []).append(ConceptExplanation(**{**row, "parts": parts}))
    return list(found.values())
