"""The table of remove and retrain: how far a retrained model falls, against random removal."""

from __future__ import annotations

import pandas as pd

from assay.results.tables.text import escape_markdown, markdown_table

METHOD = ["explainer", "baseline"]


def roar_markdown(rows: pd.DataFrame, reference: str) -> str:
    """GitHub Markdown, one table per task and model; methods the furthest below the reference come first.

    rows: task, model, seed, explainer, baseline, recursive, absent, share in percent, accuracy.
    """
    first = rows.iloc[0]
    kind = "Recursive remove and retrain" if first["recursive"] else "Remove and retrain"
    lines = [
        f"# {kind} (ROAR)",
        "",
        "Accuracy on test texts of models trained and tested without so many percent of each text's words, "
        f"the highest scores first ({first['absent']}). Means over model seeds. Below {reference}: how far "
        f"accuracy lies below that of `{reference}`, mean over the shares; higher is better.",
    ]
    for names, group in rows.groupby(rows["task"] + " / " + rows["model"], sort=False):
        table = below_reference(group, reference)
        shares = [column for column in table.columns if column != "below"]
        headings = [*METHOD, *(f"{share} %" for share in shares), f"below {reference}"]
        cells = []
        for method, values in table.iterrows():
            assert isinstance(method, tuple)
            numbers = ["–" if pd.isna(value) else f"{value:.3f}" for value in values]
            cells.append([*(escape_markdown(str(name)) for name in method), *numbers])
        lines += ["", *markdown_table(str(names), headings, "ll" + "r" * (len(headings) - 2), cells)]
    return "\n".join([*lines, ""])


def below_reference(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """One row per method: mean accuracy per share, and in `below` the mean over shares above 0 of how far it
    lies below the reference explainer's, NaN where that is not known; the furthest first."""
    means = rows.pivot_table(index=METHOD, columns="share", values="accuracy", aggfunc="mean", sort=True)
    removed = means[[share for share in means.columns if share > 0]]
    of_reference = removed[removed.index.get_level_values("explainer") == reference].mean(axis=0)
    below = removed.rsub(of_reference, axis=1).mean(axis=1)
    return means.assign(below=below).sort_values("below", ascending=False, kind="stable")
