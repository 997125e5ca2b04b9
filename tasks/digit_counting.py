"""The toy task of DiffMask: does one digit occur more often than another?"""

from __future__ import annotations

import numpy as np

from assay.tasks.errors import InputError
from assay.tasks.example import Example, Rationale, Span, Task

LABELS = ("not_more", "more")
_DIGITS = 10
_LONGEST = 10
# the probability of each of the two digits that are counted; the other eight share the rest evenly
_COUNTED = 0.25


def digit_counting(
    *,
    name: str = "digit_counting",
    seed: int = 0,
    train: int = 9000,
    dev: int = 1000,
    test: int = 1000,
) -> Task:
    """Pairs of a query, two distinct digits n and m, and a sequence of 1 to 10 digits.

    The label is "more" if n occurs more often than m in the sequence. Its length is uniform; each digit is n
    with probability 1/4, m with 1/4, and each of the other eight with 1/16. Draws are independent, so labels
    are not balanced (ties are "not_more") and short texts repeat, also across splits.

    The rationale is every word that the label depends on, whichever way it speaks: the query, and what equals
    n or m in the sequence. Where nothing does there is none. The paper leaves out such texts, and gives its
    attributions to the sequence alone (segment 1).

    Source: De Cao, Schlichtkrull, Aziz and Titov, EMNLP 2020, section 4, whose 10,000 texts are `train` and
    `dev`; `test` is drawn anew.

    Args:
        name: of the task.
        seed: of the draws; every split has its own stream.
        train: number of texts.
        dev: number of texts.
        test: number of texts.

    Raises:
        InputError: on a negative seed, or an empty split.

    Example:
        >>> digit_counting(train=20, dev=5, test=5).test[0].texts
        ('4 6', '6 5 8 7 0 7')
    """
    if seed < 0:
        raise InputError(f"task.seed is {seed}; expected at least 0")
    if min(train, dev, test) < 1:
        raise InputError(f"task sizes are {train}, {dev}, {test}; expected at least 1 text per split")
    splits = {}
    for stream, (split, size) in enumerate((("test", test), ("dev", dev), ("train", train))):
        rng = np.random.default_rng([seed, stream])
        splits[split] = tuple(_draw(f"{split}-{number}", rng) for number in range(size))
    return Task(name, LABELS, splits["train"], splits["dev"], splits["test"], ground_truth=True)


def _draw(name: str, rng: np.random.Generator) -> Example:
    query = rng.permutation(_DIGITS)[:2].tolist()
    chances = np.full(_DIGITS, (1 - 2 * _COUNTED) / (_DIGITS - 2))
    chances[query] = _COUNTED
    digits = rng.choice(_DIGITS, size=int(rng.integers(1, _LONGEST + 1)), p=chances).tolist()
    label = int(digits.count(query[0]) > digits.count(query[1]))
    # words of one character, with one space between
    found = [Span(2 * at, 2 * at + 1, 1) for at, digit in enumerate(digits) if digit in query]
    spans = (Span(0, 1), Span(2, 3), *found)
    texts = tuple(" ".join(map(str, part)) for part in (query, digits))
    return Example(name, texts, (label,), (Rationale(spans, label=label),) if found else ())
