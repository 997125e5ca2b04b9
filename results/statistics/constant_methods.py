"""Who gives all tokens one score in every text is called best by nothing, whatever its values."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from assay.results.records import Group, Method, Results

NOBODY = "whoever could be called best gives all tokens of every text one score"
CONSTANT = "gives all tokens of every text one score"
# What a column of a table is about, as far as it has these.
_COLUMN = ("task", "model", "kind", "metric", "scope", "label")


def always_constant(results: Results) -> set[tuple[Group, Method]]:
    """The methods whose explanations are constant in every text of a group."""
    return {place for place, flag in results.constant.items() if flag.always}


def is_constant_everywhere(results: Results, method: Method, groups: Collection[Group]) -> bool:
    """Whether a method's explanations are constant in every text of all these groups."""
    constant = always_constant(results)
    return bool(groups) and all((group, method) in constant for group in groups)


def unstarred(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    """A comparison in which nobody is best whose explanations are constant in every text.

    Args:
        table: of ComparisonRow or LabelRow. What is left without anybody best says why in `no_best`.
        results: with `constant`.
    """
    constant = always_constant(results)
    if not constant or not len(table):
        return table
    names = [table[name].tolist() for name in ("task", "model", "kind", "explainer", "baseline")]
    places = [(Group(*place[:3]), Method(*place[3:])) for place in zip(*names, strict=True)]
    columns = list(zip(*(table[name].tolist() for name in _COLUMN if name in table), strict=True))
    best: list[bool] = table["best"].tolist()
    kept = [was and place not in constant for was, place in zip(best, places, strict=True)]
    had, has = (
        {column for column, is_best in zip(columns, some, strict=True) if is_best} for some in (best, kept)
    )
    rows = zip(columns, table["control"].tolist(), table["no_best"].tolist(), strict=True)
    why = [NOBODY if column in had - has and not control else said for column, control, said in rows]
    return table.assign(best=kept, no_best=why)
