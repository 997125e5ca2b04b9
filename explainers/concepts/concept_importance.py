"""Does a concept of a layer matter? Sobol indices and deletion, through the rest of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.explainers.concepts.dictionary import ConceptDictionary
from assay.explainers.concepts.layer_vectors import vectors_of_texts
from assay.explainers.perturbation.sobol import Sobol
from assay.explainers.propagation.single_pass import text_paths
from assay.explainers.protocol import Request
from assay.models.engine import Engine
from assay.models.paths import Path
from assay.models.rebuilt import Rebuilding, rebuilt
from assay.tasks.example import Example
from assay.tasks.randomness import generator

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ConceptEffects:
    """What the concepts of a layer do to the logits of one text; K classes.

    Attributes:
        sobol: (C, K) total-order index of whether the concept is there, when each is with probability 1/2.
        deletion: (C, K) how far the logit falls without the concept; below 0, it rises.
        logits: (K,) through the rebuilt layer, all concepts there.
        empty: (K,) without any concept.
    """

    sobol: Floats
    deletion: Floats
    logits: Floats
    empty: Floats


def concept_effects(
    engine: Engine,
    examples: Sequence[Example],
    layer: str,
    dictionary: ConceptDictionary,
    points: int = 32,
    seed: int = 0,
) -> Iterator[tuple[int, ConceptEffects]]:
    """Each text's place and the effects of its concepts, which are there or not in all of its tokens at once.

    The layer is rebuilt from the concepts and the rest of the model answers. What the concepts do not explain
    of the layer is left out, so without any concept every text is alike there.

    Args:
        engine: asks the model.
        examples: the texts.
        layer: the layer of the dictionary.
        dictionary: its concepts.
        points: of the indices (`Sobol`), each at a cost of C + 1 rows; up to about log2(points C) concepts
            they are exact.
        seed: of the points.
    """
    number, estimator = len(dictionary.directions), Sobol(points)
    singles = ~np.eye(number, dtype=bool)
    ends = np.array([[True] * number, [False] * number])
    for at, encoding, vectors in vectors_of_texts(engine, examples, layer):
        example = examples[at]
        design = estimator.design(number, generator(seed, "layer_concepts", "sobol", example.id))
        kept = np.concatenate([ends, singles, design])
        (path,) = text_paths([Request(example, encoding, np.zeros(1, dtype=np.intp))])
        path = Path(path.start, path.end, np.ones(len(kept)), path.targets)
        building = Rebuilding(dictionary.encode(vectors.astype(np.float64)), kept.astype(np.float64))
        values = np.zeros((len(kept), len(engine.model.labels)))
        for batch in rebuilt(engine, [path], layer, dictionary.directions, dictionary.origin, [building]):
            values[batch.step] = batch.logits.cpu().double().numpy()
        full, empty, single = values[0], values[1], values[2 : 2 + number]
        indices = estimator.solve(design, values[2 + number :], full, empty).scores
        yield at, ConceptEffects(indices, full - single, full, empty)
