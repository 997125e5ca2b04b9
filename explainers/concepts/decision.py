"""One decision by the concepts of a reader: what each adds to a logit through a layer, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from assay.explainers.concepts.explanation import ConceptExplanation, ConceptPart, denied_spans
from assay.explainers.concepts.tcav import ConceptVector
from assay.explainers.concepts.text_vectors import layer_gradients
from assay.models.directions import drives_along
from assay.models.encoding import Encoding
from assay.models.engine import Engine, Path
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.protocol import probabilities
from assay.tasks.arrays import Floats
from assay.tasks.concept_labels import mentions
from assay.tasks.corrections import Corrections
from assay.tasks.example import Example, Span

# Of a text that has the concept but no word of it: at most so many words, which make up this share of what
# speaks for it.
_MOST_WORDS, _SHARE = 5, 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tests said of a concept and a target. p: corrected, of TCAV. learned: whether a probe tells it."""

    p: float
    learned: bool


def explain_decision(
    engine: Engine,
    example: Example,
    start: MaskedInputs,
    vectors: Sequence[ConceptVector],
    target: int,
    evidence: Mapping[str, Evidence],
    corrections: Corrections | None = None,
) -> ConceptExplanation:
    """Explain a target's logit for one text by concepts at their layer.

    The score of a concept is the derivative of the logit along its unit CAV, at the text, x how far the
    text's vector lies, along the CAV, from the mean of the texts without the concept. So it is, to first
    order, what the logit would lose if the concept were taken out of the layer. CAVs may overlap: scores of
    several concepts do not sum to the logit.

    Words: the mentions of the concept that are not denied. A text without any whose vector lies nearer to the
    texts with the concept than to those without has the words that drive it there, by gradient x change from
    `start`.

    Args:
        engine: asks the model.
        example: the text.
        start: what its tokens are measured against, of equal length, such as all masked.
        vectors: CAVs of one layer.
        target: the class.
        evidence: by the names of the concepts.
        corrections: what readers said of mentions.
    """
    layer, units = vectors[0].layer, np.stack([one.unit for one in vectors])
    (found,) = layer_gradients(engine, [example], layer, np.array([target]))
    along = found.vectors[0] @ units.T - [one.absent for one in vectors]
    scores = (found.gradients[0, 0] @ units.T) * along
    (encoding,) = engine.model.encode([example.texts])
    path = Path(start, full_rows(encoding), np.ones(1), np.array([target]))
    (driven,) = drives_along(engine, [path], layer, units)
    drives = driven.drives[:, 0].cpu().double().numpy()
    parts = []
    for at, one in enumerate(vectors):
        nearer = _nearer(float(along[at]), one.gap)
        every = mentions(one.concept, example, corrections)
        said = [mention for mention in every if mention.affirmed]
        spans = [span for mention in said for span in mention.spans]
        if not said and nearer:
            spans = _driving(encoding, drives[at])
        known = evidence[one.concept.name]
        parts.append(
            ConceptPart(
                one.concept.name,
                float(scores[at]),
                spans=tuple(spans),
                span_scores=tuple(_of_span(encoding, drives[at], span) for span in spans),
                p=known.p,
                learned=known.learned,
                added_by=one.concept.added_by,
                seen=bool(said) and nearer,
                denied=denied_spans(one.concept.name, every),
            )
        )
    logits = torch.from_numpy(found.logits)
    probability = probabilities(logits, multi_label=engine.model.multi_label)[0, target]
    ranked = tuple(sorted(parts, key=lambda part: (-abs(part.score), part.name)))
    return ConceptExplanation(example.id, "tcav", target, float(probability), ranked)


def _nearer(along: float, gap: float) -> bool:
    """Whether a text lies nearer to the texts with the concept than to those without."""
    return abs(along - gap) < abs(along)


def _of_span(encoding: Encoding, drives: Floats, span: Span) -> float:
    """The sum over the tokens that overlap the span."""
    starts, ends = encoding.offsets.T
    inside = (
        encoding.content & (encoding.segments == span.segment) & (starts < span.end) & (ends > span.start)
    )
    return float(drives[inside].sum())


def _driving(encoding: Encoding, drives: Floats) -> list[Span]:
    """The words that drive a text most, in order of the text."""
    words: dict[Span, float] = {}
    for word in dict.fromkeys(encoding.word_ids[encoding.content].tolist()):
        places = np.flatnonzero(encoding.word_ids == word)
        offsets, segment = encoding.offsets[places], int(encoding.segments[places[0]])
        span = Span(int(offsets[:, 0].min()), int(offsets[:, 1].max()), segment)
        words[span] = float(drives[places].sum())
    speaking = sorted((one for one in words.items() if one[1] > 0), key=lambda one: (-one[1], one[0]))
    enough, reached = sum(value for _, value in speaking) * _SHARE, 0.0
    chosen = []
    for span, value in speaking[:_MOST_WORDS]:
        if reached >= enough:
            break
        chosen.append(span)
        reached += value
    return sorted(chosen, key=lambda span: (span.segment, span.start))
