"""What a reader must know of a table whose explainers were asked in several precisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.explainers.precisions import used_precision
from assay.harness.config.choice import Method
from assay.harness.config.engines import read_precision


def precision_remarks(methods: Sequence[Method], engine: Any) -> list[str]:
    """The explainers that were not asked in float32, in one sentence; nothing where all were.

    Args:
        methods: Those of an experiment.
        engine: Its settings `engine`.
    """
    asked = read_precision(engine)
    by_kind: dict[bool, list[str]] = {True: [], False: []}
    for method in methods:
        by_kind[used_precision(method.explainer, asked) == asked].append(method.explainer_name)
    reduced, exact = (list(dict.fromkeys(by_kind[kind])) for kind in (True, False))
    if asked.kind == "float32" or not reduced:
        return []
    twice = f", a share of {asked.asked_twice:g} of the rows in float32, too" if asked.kind == "mixed" else ""
    others = f"; this table mixes precisions: {', '.join(exact)} in float32" if exact else ""
    what = "mixed precision" if asked.kind == "mixed" else asked.kind
    return [f"asked in {what}{twice}: {', '.join(reduced)}{others}; metrics in float32"]
