"""Why nothing is recommended in a group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from assay.results.recommendation.decision import Decision
from assay.results.recommendation.evidence import TRUTH, Evidence
from assay.results.records import Method


def why_refused(
    candidates: Collection[Method],
    allowed: Sequence[Method],
    evidence: Sequence[Evidence],
    decision: Decision,
    beats: Mapping[Method, tuple[str, ...]],
) -> str:
    """The key of the sentence that says why nothing is recommended; "" where something is."""
    truth = [each for each in evidence if each.tells and each.property in TRUTH and each.estimates]
    if not candidates:
        return "no candidate"
    if not allowed:
        return "all violate"
    if not truth:
        return "no truth"
    if not any(each.random is not None for each in truth):
        return "no random"
    if not any(each.better for each in truth):
        return "nothing beats random"
    if not any(view.evidence for view in decision.views):
        return "nothing counts"
    if decision.too_few:
        return "too few texts"
    if not decision.group:
        return "operators disagree"
    if decision.untested:
        return "one operator"
    if not any(beats[method] for method in decision.group):
        return "none of the best beats random"
    return ""
