"""How good an explainer was where a store has measured it on one model, in a line per experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.harness.config.keys import canonical
from assay.harness.storage.layout import StoredCell, StoredExperiment
from assay.harness.storage.store import Store, read_json
from assay.tasks.counted import counted

if TYPE_CHECKING:
    from assay.results.columns import ComparisonRow

RANDOM = "random"
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
        rows = _rows(stored)
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
                found[name] += _lines(folder.name, rows, trials[0], explainer, baselines)
    return found


def _rows(stored: StoredExperiment) -> list[ComparisonRow]:
    import pandas as pd

    from assay.results.columns import ComparisonRow, columns

    known = columns(ComparisonRow)
    numbers = [column.name for column in known if column.type is not str]
    # An explainer may be called "none"; only numbers may be missing.
    table = pd.read_csv(
        stored.comparison_table, keep_default_na=False, na_values={name: [""] for name in numbers}
    )
    texts = {column.name: str for column in known if column.type is str and column.name in table}
    # Tables of earlier versions lack some columns.
    kept = [column.name for column in known if column.name in table]
    return [ComparisonRow(*values) for values in table.astype(texts)[kept].itertuples(index=False)]


def _same(store: Store, cell: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a finished cell was computed with the chosen settings."""
    record = read_json(StoredCell(store.cell(cell["key"])).record)
    if record is None:
        return False
    config, names = record["config"], (("explainer", cell["explainer"]), ("baseline", cell["baseline"]))
    chosen = [(config[group].get(name), settings[group].get(name)) for group, name in names if name]
    return all(canonical(one) == canonical(other) for one, other in chosen)


def _lines(
    experiment: str,
    rows: Sequence[ComparisonRow],
    trial: Mapping[str, Any],
    explainer: str,
    baselines: list[str],
) -> Iterator[str]:
    from assay.results.tables.shared_operator import SHARING

    of_trial = [row for row in rows if (row.task, row.model) == (trial["task"], trial["model"])]
    random = {row.metric: row for row in of_trial if row.explainer == RANDOM}
    found = [
        row
        for row in of_trial
        if row.explainer == explainer
        and row.baseline in baselines
        and row.metric not in LEFT_OUT
        and row.value == row.value
    ]
    if found:
        parts = [_part(row, random.get(row.metric)) for row in found]
        if any(row.shares_operator for row in found):
            parts.append(SHARING)
        texts = counted(max(row.n_texts for row in found), "text")
        models = counted(max(row.n_seeds for row in found), "model")
        yield f"measured in {experiment} ({texts}, {models}): {'; '.join(parts)}"


def _part(row: ComparisonRow, random: ComparisonRow | None) -> str:
    """A value, its interval, and where it stands as far as that was tested."""
    from assay.results.against_random import against_random
    from assay.results.tables.shared_operator import SHARED

    mark = SHARED if row.shares_operator else ""
    interval = f" [{row.low:.3g}, {row.high:.3g}]" if row.low == row.low else ""
    best = "not told apart from the best" if row.best else ""
    value = f"{row.metric} {row.value:.3g}{mark}{interval}"
    return ", ".join(filter(None, (value, best, against_random(row, random))))
