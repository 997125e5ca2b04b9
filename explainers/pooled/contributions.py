"""What each number of a pooled vector adds to a logit, and through which words: of a text, or on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.explainers.baselines import Baseline
from assay.explainers.pooled.pooled_words import PooledExplainer
from assay.explainers.pooled.routing import Floats
from assay.explainers.protocol import Request
from assay.models.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Means over texts, or differences of two means, in units of the logit.

    numbers: (D,) of every number of the pooled vector. words: a word, in small letters, to its part (D,) of
    these; the parts of all words sum to `numbers`. own: a word to (D,) with the sign of what it adds where it
    stands. In a difference the two can disagree: a word that speaks against the class and reaches a number
    less often in its texts has a part above 0.
    """

    numbers: Floats
    words: dict[str, Floats]
    own: dict[str, Floats]

    def minus(self, other: Contributions) -> Contributions:
        """How much more the one mean has than the other."""
        nothing = np.zeros_like(self.numbers)
        both = {
            word: (self.words.get(word, nothing), other.words.get(word, nothing))
            for word in dict.fromkeys([*self.words, *other.words])
        }
        return Contributions(
            self.numbers - other.numbers,
            {word: here - there for word, (here, there) in both.items()},
            {word: here + there for word, (here, there) in both.items()},
        )


def contributions(
    explainer: PooledExplainer, engine: Engine, requests: Sequence[Request], baseline: Baseline
) -> Contributions:
    """The mean over requests, at least one, of one and the same target each; the baseline must be fitted.

    The numbers sum to the mean of f(x) - f(reference).
    """
    parts = baseline.parts(int(requests[0].targets[0]))
    words: dict[str, Floats] = {}
    for part in parts:
        for batch in explainer.batches(engine, requests, part):
            for row, index in enumerate(batch.path.tolist()):
                encoding = requests[index].encoding
                (of_tokens,) = explainer.contributions(batch, row) / (len(requests) * len(parts))
                for at in np.flatnonzero(encoding.content).tolist():
                    word = encoding.tokens[at].lower()
                    words[word] = words.get(word, 0.0) + of_tokens[at]
    return Contributions(sum(words.values(), np.zeros(1)), words, words)
