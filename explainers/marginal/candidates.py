"""What may stand for absent tokens, and how probable a masked language model finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.tasks.errors import InputError, check_at_least

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]
NOWHERE = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which replacements stand for absent tokens; exactly one of sigma, top_k and mc_samples is set.

    sigma: of one absent token all that are more probable; of several, where no sequence is probable, `draws`
    sequences drawn from what is above sigma at each place. top_k: the most probable tokens, of several absent
    ones the most probable sequences. mc_samples: so many draws. include_original: whether a token may stand
    for itself. renormalise: whether the weights of one token's replacements sum to 1, as those of draws do;
    if not, no two tokens can be absent together.
    """

    sigma: float | None = 1e-5
    top_k: int | None = None
    mc_samples: int | None = None
    draws: int = 10
    include_original: bool = True
    renormalise: bool = True

    def __post_init__(self) -> None:
        chosen = [name for name in ("sigma", "top_k", "mc_samples") if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise InputError(
                f"baseline.mlm sets {' and '.join(chosen) or 'none'} of sigma, top_k and mc_samples; "
                "expected exactly one, and null for the others"
            )
        if self.sigma is not None and not 0 <= self.sigma < 1:
            raise InputError(f"baseline.mlm.sigma is {self.sigma}; expected 0 <= sigma < 1")
        for name in ("top_k", "mc_samples", "draws"):
            if getattr(self, name) is not None:
                check_at_least(f"baseline.mlm.{name}", getattr(self, name), 1)

    def most_rows(self, alone: int, others: int, words: int) -> tuple[int, int]:
        """As `Baseline.most_rows`, with a row of the masked language model per text."""
        fixed = self.top_k or self.mc_samples
        # No more tokens than 1 / sigma can be as probable as that.
        bound = words if not self.sigma else min(words, int(1 / self.sigma))
        return alone * (fixed or bound) + others * (fixed or self.draws), alone + others

    def draws_for(self, absent: int) -> int:
        """How many replacements are drawn for so many tokens that are absent together; 0 if none are."""
        return self.mc_samples or (self.draws if self.top_k is None and absent > 1 else 0)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Of one absent token. ids, p: (c,) what may replace it, and how probable that is. drawn: (s,) some ids
    drawn with these probabilities; none where there is no candidate."""

    ids: Ids
    p: Floats
    drawn: Ids

    @property
    def size(self) -> int:
        """How many are kept."""
        return len(self.ids) + len(self.drawn)


@dataclass(frozen=True, slots=True, eq=False)
class Replacements:
    """Of P tokens absent together. ids: (n, P), one in each row. weights: (n,) above 0, in all at most 1."""

    ids: Ids
    weights: Floats


def candidates(
    ids: Ids, log_p: Floats, originals: Ids, selection: Selection, uniform: Floats
) -> list[Candidates]:
    """The candidates for P places that are masked together.

    Args:
        ids: (C,) what the masked language model chooses from.
        log_p: (P, C) how probable each is.
        originals: (P,) the tokens of the text there.
        selection: the choice among them.
        uniform: (P, S) numbers from 0 to 1, each of which draws one candidate.
    """
    p = np.exp(log_p)
    if not selection.include_original:
        p[ids == originals[:, None]] = 0.0
    p[p <= (selection.sigma or 0.0)] = 0.0
    # Where candidates are only drawn, the others need not be kept.
    only_drawn = uniform.shape[1] > 0 and selection.draws_for(len(p)) > 0
    found = []
    for of_place, numbers in zip(p, uniform, strict=True):
        drawn = _drawn(ids, of_place, numbers) if len(numbers) else ids[:0]
        kept = NOWHERE if only_drawn else _best(of_place, selection.top_k)
        found.append(Candidates(ids[kept], of_place[kept], drawn))
    return found


def _drawn(ids: Ids, p: Floats, numbers: Floats) -> Ids:
    """(S,) ids drawn in proportion to p, one by each number (S,) from 0 to 1; none where no p is above 0."""
    share = np.cumsum(p)
    at = np.searchsorted(share, numbers * share[-1], side="right")
    # Rounding must not lead behind the last one that is possible.
    last = int(np.searchsorted(share, share[-1]))
    return ids[np.minimum(at, last)] if share[-1] > 0 else ids[:0]


def _best(p: Floats, most: int | None) -> NDArray[np.intp]:
    """Where p is above 0; at most so many places, those of the highest p, of equals the first."""
    if most is None or most >= len(p):
        return np.flatnonzero(p)
    # A whole sort would take longer than the masked language model.
    least = np.partition(p, -most)[-most]
    above = np.flatnonzero(p > least)
    equal = np.flatnonzero(p == least)[: most - len(above)] if least > 0 else NOWHERE
    return np.sort(np.concatenate([above, equal]))


def replacements(of: Sequence[Candidates], selection: Selection) -> Replacements:
    """The replacements for P >= 1 tokens that are absent together, drawn or chosen each by itself."""
    if selection.draws_for(len(of)):
        drawn = np.stack([one.drawn for one in of], axis=1)
        ids, counts = np.unique(drawn, axis=0, return_counts=True)
        return Replacements(ids, counts / len(drawn))
    ids, weights = of[0].ids[:, None], of[0].p
    for one in of[1:]:
        # Only the most probable beginnings lead to the most probable sequences.
        both = np.outer(weights, one.p)
        best = np.argsort(-both, axis=None, kind="stable")[: selection.top_k]
        first, last = np.unravel_index(best, both.shape)
        # Of many tokens no sequence has a probability above 0; only the ratios count.
        ids, weights = np.column_stack([ids[first], one.ids[last]]), both[first, last] / both.max()
    return Replacements(ids, weights / weights.sum() if selection.renormalise else weights)
