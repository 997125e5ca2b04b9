"""The texts from which the direction of a concept is found: some that have it, and some that have it not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.tasks.arrays import Bools, Ints
from assay.tasks.concept_labels import HAS, HAS_NOT, LabelledConcept, check_positives
from assay.tasks.concepts import Concept
from assay.tasks.example import Example
from assay.tasks.grouping import text_key, together

# So many times as many texts without a concept as with it.
NEGATIVES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The texts of one concept.

    Attributes:
        concept: that they have, or have not.
        members: (N,) positions of the texts: those that have it, then the others, each in a random order.
        has: (N,) which of them have the concept.
        drawn: (N,) which of them were drawn from more of their side.
    """

    concept: Concept
    members: Ints
    has: Bools
    drawn: Bools


def concept_pools(
    labelled: Sequence[LabelledConcept], examples: Sequence[Example], size: int, fewest: int, seed: int
) -> list[Pool]:
    """For each concept at most `size` texts that have it and `NEGATIVES` times as many that have it not.

    One random order of the texts serves all concepts: it goes by what they say, not by where they stand or by
    the names of concepts. So equal concepts have equal texts, and concepts share most of those without, which
    are read once.

    Of texts that hang together (equal texts, or those of one group) only one is taken, whatever it has, since
    tests count texts as independent.

    Args:
        labelled: the concepts on the examples.
        examples: the texts.
        size: of the side with the concept.
        fewest: texts of each side.
        seed: of the draws.

    Raises:
        InputError: a concept that fewer texts have, or have not.
    """
    order = _random_order(examples, seed)
    place = np.argsort(order)
    single = np.array([min(unit, key=place.__getitem__) for unit in together(examples)], dtype=np.intp)
    pools = []
    for one in labelled:
        check_positives(one, fewest)
        status = np.full(len(examples), -1, dtype=np.int8)
        status[single] = one.status[single]
        check_positives(LabelledConcept(one.concept, status[single]), fewest)
        sides = [order[status[order] == kind] for kind in (HAS, HAS_NOT)]
        taken = [side[:most] for side, most in zip(sides, (size, NEGATIVES * size), strict=True)]
        counts = [len(side) for side in taken]
        more = [len(side) > count for side, count in zip(sides, counts, strict=True)]
        has = np.repeat([True, False], counts)
        pools.append(Pool(one.concept, np.concatenate(taken), has, np.repeat(more, counts)))
    return pools


def _random_order(examples: Sequence[Example], seed: int) -> Ints:
    """The positions of the texts in the order of hashes of the seed and what they say."""

    def key(at: int) -> tuple[bytes, str]:
        named = hashlib.blake2b(text_key(examples[at].texts), key=str(seed).encode()).digest()
        return named, examples[at].id

    return np.array(sorted(range(len(examples)), key=key), dtype=np.intp)
