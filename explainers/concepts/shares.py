"""The decision's words shared among the concepts that claim them."""

from __future__ import annotations

import numpy as np

from assay.tasks.arrays import Bools, Floats


def shared(decision: Floats, concepts: Floats, claimed: Bools) -> tuple[Floats, float]:
    """What each concept contributes to a decision, by the words that carry both.

    Word i adds a_i to the decision and b_ik to concept k. A word that several concepts claim is shared in
    proportion to b_ik / max_i b_ik, how much it is a word of each, because the heads have scales of their
    own. So a concept's score is what its words, those that a reader sees, add to the decision, and

        scores.sum() + rest = decision.sum(),

    which is f(x) - f(baseline) where the decision's attribution is complete.

    Args:
        decision: (T,) a.
        concepts: (T, C) b.
        claimed: (T, C) the words of each concept; only those with b > 0 count.

    Returns:
        (C,) scores, and the rest: what no concept claims.
    """
    strength = np.where(claimed, np.maximum(concepts, 0.0), 0.0)
    largest = strength.max(axis=0, initial=0.0)
    strength = strength / np.where(largest > 0, largest, 1.0)
    total = strength.sum(axis=1, keepdims=True)
    shares = strength / np.where(total > 0, total, 1.0)
    scores = decision @ shares
    return scores, float(decision[total[:, 0] == 0].sum())
