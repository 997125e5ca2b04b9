"""From character spans that people marked to the tokens a model reads; through offsets and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from assay.models.encoding import Encoding
from assay.models.limit import visible
from assay.tasks.errors import InputError, located
from assay.tasks.example import Example, Span, rationales_for


def gold_spans(example: Example, label: int) -> tuple[Span, ...]:
    """What any annotator marked as the reason for `label`, without repetitions, in order."""
    spans = {span for rationale in rationales_for(example, label) for span in rationale.spans}
    return tuple(sorted(spans, key=lambda span: (span.segment, span.start, span.end)))


def gold_mask(encoding: Encoding, example: Example, label: int) -> NDArray[np.bool_]:
    """(T,) bool: the tokens of the example's rationale for `label`, all false where there is none."""
    with located(f"example {example.id!r}"):
        return rationale_mask(encoding, gold_spans(example, label), example.texts)


def gold_alternatives(encoding: Encoding, example: Example, label: int) -> list[NDArray[np.bool_]]:
    """(T,) bool masks, each a complete reason for `label`: one for each choice of alternatives, all different
    and in order, without those that the model reads no token of. One mask where there is no choice."""
    found = list(rationales_for(example, label))
    masks: dict[bytes, NDArray[np.bool_]] = {}
    for choice in product(*(rationale.alternatives or (rationale.spans,) for rationale in found)):
        with located(f"example {example.id!r}"):
            mask = rationale_mask(encoding, sorted(chain.from_iterable(choice)), example.texts)
        masks[mask.tobytes()] = mask
    return [mask for mask in masks.values() if mask.any()]


def gold_grades(encoding: Encoding, example: Example, label: int) -> NDArray[np.float64]:
    """(T,) how much each token is the reason for `label`: the highest grade of a mark on it, 1 where marks
    are yes or no, 0 without one."""
    found = list(rationales_for(example, label))
    plain = tuple(rationale for rationale in found if not rationale.graded)
    grades = gold_mask(encoding, replace(example, rationales=plain), label).astype(np.float64)
    graded = [mark for rationale in found for mark in rationale.graded]
    for span, grade in graded:
        with located(f"example {example.id!r}"):
            mask = rationale_mask(encoding, [span], example.texts)
        grades = np.maximum(grades, grade * mask)
    return grades


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
        begin, end = visible(encoding, span.segment)
        if encoding.truncated and (span.start >= end or span.end <= begin):
            continue
        if texts is not None and not texts[span.segment][span.start : span.end].strip():
            continue
        raise InputError(
            f"no token overlaps the rationale at characters {span.start} to {span.end} of text "
            f"{span.segment}; the spans do not belong to this text, or the tokenizer drops these characters"
        )
    return mask


@dataclass(frozen=True, slots=True)
class Cut:
    """What a model's limit takes from some texts.

    Attributes:
        texts: how many are cut.
        tokens: how many tokens that takes.
        marked: how many texts have a rationale of at least one span, cut or not.
        partly: how many of these lose some of what people marked.
        wholly: how many of these lose all of it.
        of_tokens: how many tokens the texts have, cut ones included; 0 in records that did not count them.
    """

    texts: int
    tokens: int
    marked: int
    partly: int
    wholly: int
    of_tokens: int = 0


def count_cut(examples: Sequence[Example], encodings: Sequence[Encoding]) -> Cut:
    """Count what lies behind a model's limit; what is marked by anybody for a label of the text, or for any
    where texts have no labels, counts as marked."""
    marked = [example for example in examples if _marked(example)]
    cut = [pair for pair in zip(examples, encodings, strict=True) if pair[1].truncated]
    left = [_marks(*pair) for pair in cut]
    return Cut(
        texts=len(cut),
        tokens=sum(encoding.truncated for _, encoding in cut),
        marked=len(marked),
        partly=left.count((True, True)),
        wholly=left.count((False, True)),
        of_tokens=sum(int(each.content.sum()) + each.truncated for each in encodings),
    )


def _marked(example: Example) -> set[Span]:
    """What people marked for the labels of a text."""
    for_labels = (rationales_for(example, label) for label in example.labels)
    marking = chain.from_iterable(for_labels) if example.labels else example.rationales
    return {span for rationale in marking for span in rationale.spans}


def _marks(example: Example, encoding: Encoding) -> tuple[bool, bool]:
    """Whether some of the marked characters are in view, and whether some are not; spaces do not count."""
    seen = lost = False
    for span in _marked(example):
        text, (begin, end) = example.texts[span.segment], visible(encoding, span.segment)
        seen |= bool(text[max(span.start, begin) : min(span.end, end)].strip())
        lost |= bool(
            (text[span.start : min(span.end, begin)] + text[max(span.start, end) : span.end]).strip()
        )
    return seen, lost
