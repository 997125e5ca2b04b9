"""From character spans that people marked to the tokens a model reads; through offsets and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.models.encoding import Encoding
from assay.tasks.errors import InputError
from assay.tasks.example import Example, Span


def gold_spans(example: Example, label: int) -> tuple[Span, ...]:
    """What any annotator marked as the reason for `label`, without repetitions, in order.

    Rationales that name no label stand for the example's gold labels.
    """
    spans = {
        span
        for rationale in example.rationales
        if rationale.label == label or (rationale.label is None and label in example.labels)
        for span in rationale.spans
    }
    return tuple(sorted(spans, key=lambda span: (span.segment, span.start, span.end)))


def gold_mask(encoding: Encoding, example: Example, label: int) -> NDArray[np.bool_]:
    """(T,) bool: the tokens of the example's rationale for `label`, all false where there is none."""
    try:
        return rationale_mask(encoding, gold_spans(example, label), example.texts)
    except InputError as error:
        raise InputError(f"example {example.id!r}: {error}") from error


def rationale_mask(
    encoding: Encoding, spans: Iterable[Span], texts: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """(T,) bool: the tokens whose characters overlap a span of their own text; never a special token.

    Raises InputError on a span that no token overlaps, unless it lies in what was cut off at the model's
    limit or, where `texts` are given, holds white space only.
    """
    mask = np.zeros(len(encoding), dtype=bool)
    content = encoding.content
    starts, ends = encoding.offsets.T
    for span in spans:
        of_segment = content & (encoding.segments == span.segment)
        hit = of_segment & (starts < span.end) & (ends > span.start) & (starts < ends)
        mask |= hit
        if hit.any():
            continue
        cut_from = ends[of_segment].max(initial=0)
        if encoding.truncated and span.start >= cut_from:
            continue
        if texts is not None and not texts[span.segment][span.start : span.end].strip():
            continue
        raise InputError(
            f"no token overlaps the rationale at characters {span.start} to {span.end} of text "
            f"{span.segment}; the spans do not belong to this text, or the tokenizer drops these characters"
        )
    return mask
