"""The texts from which the direction of a concept is found: some that have it, and some that have it not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.tasks.arrays import Bools, Ints
from assay.tasks.concept_labels import HAS, HAS_NOT, LabelledConcept, check_positives
from assay.tasks.concepts import Concept
from assay.tasks.example import Example
from assay.tasks.grouping import together
from assay.tasks.randomness import generator


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The texts of one concept.

    Attributes:
        concept: that they have, or have not.
        members: (N,) positions of the texts.
        has: (N,) which of them have the concept.
    """

    concept: Concept
    members: Ints
    has: Bools


def concept_pools(
    labelled: Sequence[LabelledConcept], examples: Sequence[Example], size: int, fewest: int, seed: int
) -> list[Pool]:
    """For each concept at most `size` texts that have it and as many that have it not, drawn at random.

    Of texts that hang together (equal texts, or those of one group) only one is taken, whatever it has, since
    tests count texts as independent.

    Args:
        labelled: the concepts on the examples.
        examples: the texts.
        size: of each side.
        fewest: texts of each side.
        seed: of the draws.

    Raises:
        InputError: a concept that fewer texts have, or have not.
    """
    rng = generator(seed, "concepts", "one of a group")
    units = together(examples)
    single = np.array([unit[rng.integers(len(unit))] for unit in units], dtype=np.intp)
    pools = []
    for one in labelled:
        check_positives(one, fewest)
        status = np.full(len(examples), -1, dtype=np.int8)
        status[single] = one.status[single]
        check_positives(LabelledConcept(one.concept, status[single]), fewest)
        draw = generator(seed, "concepts", one.concept.name)
        sides = [_some(np.flatnonzero(status == kind), size, draw) for kind in (HAS, HAS_NOT)]
        has = np.arange(sum(map(len, sides))) < len(sides[0])
        pools.append(Pool(one.concept, np.concatenate(sides), has))
    return pools


def _some(members: Ints, size: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.permutation(members)[:size])
