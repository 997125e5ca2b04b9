"""How good an explainer was where a store has measured it on one model, in a line per experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assay.harness.config.keys import canonical
from assay.harness.storage.layout import StoredCell, StoredExperiment
from assay.harness.storage.store import Store, read_json
from assay.tasks.counted import counted

if TYPE_CHECKING:
    import pandas as pd

# Of cost, and of the machine, not of quality.
LEFT_OUT = frozenset({"compute_time"})


def benchmarks(
    store: Store, model_key: str, settings: Mapping[str, Any], methods: Iterable[str]
) -> dict[str, list[str]]:
    """What the experiments of a store say of explainers with these very settings on this very model.

    Args:
        store: with the experiments.
        model_key: of the model.
        settings: the chosen "explainer" and "baseline", by name.
        methods: names as `assay.harness.interface.explaining` gives them; "explainer (baseline)" where
            several baselines are crossed.

    Returns:
        For every method a line per experiment that measured it; none where there was no such experiment.
    """
    found: dict[str, list[str]] = {name: [] for name in methods}
    for folder in store.folders("experiments"):
        stored = StoredExperiment(folder)
        records = [record for path in stored.manifests() if (record := read_json(path)) is not None]
        trials = [
            trial for record in records for trial in record["trials"] if trial["model_key"] == model_key
        ]
        # A plan may be newer than the table, and be about other cells.
        reported = frozenset((read_json(stored.report_record) or {}).get("cells", ()))
        if not trials or not reported or not stored.comparison_table.is_file():
            continue
        table = _table(stored)
        for name in found:
            explainer, _, rest = name.partition(" (")
            baselines = [rest.removesuffix(")")] if rest else ["", *settings["baseline"]]
            cells = [
                cell
                for trial in trials
                for cell in trial["cells"]
                if cell["explainer"] == explainer
                and cell["baseline"] in baselines
                and cell["key"] in reported
            ]
            if any(_same(store, cell, settings) for cell in cells):
                found[name] += _lines(folder.name, table, trials[0], explainer, baselines)
    return found


def _table(stored: StoredExperiment) -> pd.DataFrame:
    import pandas as pd

    # An explainer may be called "none"; only numbers may be missing.
    missing = {name: [""] for name in ("value", "low", "high")}
    return pd.read_csv(stored.comparison_table, keep_default_na=False, na_values=missing)


def _same(store: Store, cell: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a finished cell was computed with the chosen settings."""
    record = read_json(StoredCell(store.cell(cell["key"])).record)
    if record is None:
        return False
    config, names = record["config"], (("explainer", cell["explainer"]), ("baseline", cell["baseline"]))
    chosen = [(config[group].get(name), settings[group].get(name)) for group, name in names if name]
    return all(canonical(one) == canonical(other) for one, other in chosen)


def _lines(
    experiment: str, table: pd.DataFrame, trial: Mapping[str, Any], explainer: str, baselines: list[str]
) -> Iterator[str]:
    of_method = (table["explainer"] == explainer) & table["baseline"].isin(baselines)
    of_trial = (table["task"] == trial["task"]) & (table["model"] == trial["model"])
    rows: list[dict[Any, Any]] = table.loc[of_method & of_trial].to_dict(orient="records")
    parts = [
        f"{row['metric']} {row['value']:.3g}{_interval(row)}, {_standing(row)}"
        for row in rows
        if row["metric"] not in LEFT_OUT and row["value"] == row["value"]
    ]
    if parts:
        texts = counted(max(int(row["n_texts"]) for row in rows), "text")
        models = counted(max(int(row["n_seeds"]) for row in rows), "model")
        yield f"measured in {experiment} ({texts}, {models}): {'; '.join(parts)}"


def _interval(row: Mapping[Any, Any]) -> str:
    return f" [{row['low']:.3g}, {row['high']:.3g}]" if row["low"] == row["low"] else ""


def _standing(row: Mapping[Any, Any]) -> str:
    certain = str(row.get("better_than_random")) == "True"
    random = "better than random" if certain else "not shown to be better than random"
    return f"not told apart from the best, {random}" if str(row["best"]) == "True" else random
