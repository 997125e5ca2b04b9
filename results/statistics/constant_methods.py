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
    places = [
        (Group(task, model, kind), Method(explainer, baseline))
        for task, model, kind, explainer, baseline in table[
            ["task", "model", "kind", "explainer", "baseline"]
        ].itertuples(index=False)
    ]
    kept = table["best"].to_numpy() & ~pd.Series(place in constant for place in places).to_numpy(dtype=bool)
    found = table.assign(best=kept)
    column = [name for name in _COLUMN if name in table]
    had = table.groupby(column, dropna=False)["best"].transform("any")
    has = found.groupby(column, dropna=False)["best"].transform("any")
    emptied = had & ~has & ~found["control"]
    return found.assign(no_best=found["no_best"].mask(emptied, NOBODY))
