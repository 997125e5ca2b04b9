"""Past cases that resemble a case in the model's concepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.explainers.concepts.explanation import ConceptExplanation
from assay.results.concepts.cases import PastCases
from assay.tasks.example import Example

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Similar:
    """A past case.

    Attributes:
        example: its text and outcome.
        distance: root of the mean squared difference over the concepts, from 0 to 1.
        common: concepts that the model gives at least 0.5 in both cases.
    """

    example: Example
    distance: float
    common: tuple[str, ...]


def most_similar(explanation: ConceptExplanation, past: PastCases, count: int = SHOWN) -> list[Similar]:
    """The past cases nearest in the probabilities of concepts; equal ones in their given order.

    Concepts count that the model learned and that have a probability in the case and a column in `past`.
    Without any there is no similar case. The case itself, by its id, is none.
    """
    column = {name: at for at, name in enumerate(past.concepts)}
    own = {
        part.name: part.probability
        for part in explanation.parts
        if part.learned and part.probability is not None and part.name in column
    }
    if not own:
        return []
    values = past.values[:, [column[name] for name in own]]
    distances = np.sqrt(((values - np.array(list(own.values()))) ** 2).mean(axis=1))
    found = list[Similar]()
    for at in np.argsort(distances, kind="stable").tolist():
        if len(found) == count:
            break
        if past.examples[at].id == explanation.example_id:
            continue
        common = [
            name
            for name, here, there in zip(own, own.values(), values[at], strict=True)
            if min(here, float(there)) >= 0.5
        ]
        found.append(Similar(past.examples[at], float(distances[at]), tuple(common)))
    return found
