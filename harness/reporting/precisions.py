"""What a reader must know of tables whose explainers were asked in several precisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.explainers.precisions import used_precision
from assay.harness.config.choice import Method
from assay.harness.config.engines import read_precision
from assay.harness.trials.plan import Trial


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


def differing_precisions(versions: Mapping[str, Sequence[Trial]]) -> list[str]:
    """Where two versions were asked in different precisions, a sentence on each.

    Args:
        versions: By name the trials of each; none of an exported table, which does not say how it was asked.
    """
    said = {
        name: list(
            dict.fromkeys(
                remark
                for trial in trials
                for remark in precision_remarks(trial.choice.methods, trial.config.engine)
            )
        )
        for name, trials in versions.items()
        if trials
    }
    if len({tuple(remarks) for remarks in said.values()}) < 2:
        return []
    return [f"{name}: {'; '.join(remarks) or 'asked in float32'}" for name, remarks in said.items()]
