"""Which pairs of an explainer and a baseline stand for the whole cross of both in the default suite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

Pair = tuple[str, str]
# Removal of single tokens, a straight path, a mixture, and random draws beside those of a baseline.
EXPLAINERS = ("occlusion", "integrated_gradients", "input_marginalization", "lime")
BASELINE = "mask"


def representatives(pairs: Iterable[Pair]) -> set[Pair]:
    """Every explainer with one baseline, "mask" or else its first; every baseline with the explainers above
    that take it, or else with its first.

    Args:
        pairs: (explainer, baseline), those that can be run.
    """
    first_baseline: dict[str, str] = {}
    first_explainer: dict[str, str] = {}
    pairs = list(pairs)
    for explainer, baseline in pairs:
        if baseline == BASELINE:
            first_baseline[explainer] = baseline
        first_baseline.setdefault(explainer, baseline)
        first_explainer.setdefault(baseline, explainer)
    chosen = {pair for pair in pairs if pair[0] in EXPLAINERS}
    covered = {baseline for _, baseline in chosen}
    rest = {
        (explainer, baseline) for baseline, explainer in first_explainer.items() if baseline not in covered
    }
    return chosen | set(first_baseline.items()) | rest


def mark(by_default: bool) -> Any:
    """The marks of a case: none, or slow."""
    return () if by_default else pytest.mark.slow
