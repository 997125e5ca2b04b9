"""From how many texts on the training of an explainer pays, in rows of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assay.explainers.masks.gate_report import warnings
from assay.harness.reporting.missing import group_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_json, read_table
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trained_gates import gates_of
from assay.results.figures.paying import COMPARED
from assay.results.training_costs import TrainingCost


def training_costs(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[TrainingCost]:
    """Of every explainer of the trial that was trained; cells: those that are complete."""
    # Records are not read where none can tell of a training: an experiment may have thousands.
    gated = [cell.title for cell in cells if gates_of(cell.method.explainer) is not None]
    stored = {cell.title: StoredCell(store.cell(cell.key)) for cell in cells}
    for title in dict.fromkeys(gated):
        cell = stored[title]
        trained = (read_json(cell.record) or {}).get("trained")
        if trained is not None:
            rows = {name: rows_of_text(other) for name, other in stored.items()}
            training = trained["forward_rows"] + trained["backward_rows"]
            yield TrainingCost(group_of(trial), title, training, rows.pop(title), rows)


def paying_notes(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[str]:
    """A sentence for every explainer of the trial that was trained; cells: those that are complete."""
    for cost in training_costs(trial, cells, store):
        paid = list(cost.pays().items())[-COMPARED:]
        told = ", ".join(f"{name} from {count:,} texts on" for name, count in paid)
        yield (
            f"{trial.task_name} / {trial.model_name}: training of {cost.method} asked {cost.training:,} "
            "model rows, once, which are in no cost per text"
            + (f"; with them it is cheaper than {told}" if told else "")
            + ("" if told or not cost.others else "; no explainer here is dearer, however many texts")
        )


def gate_notes(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[str]:
    """What is said against the gates of a trial's explainers; cells: those that are complete."""
    for cell in cells:
        trained = (read_json(StoredCell(store.cell(cell.key)).record) or {}).get("trained")
        for words in [] if trained is None else warnings(trained):
            yield f"{trial.title}, {cell.title}: {words.removeprefix('diffmask: ')}"


def rows_of_text(cell: StoredCell) -> float:
    """Mean rows, forward, backward and of a masked language model, for each text of the first part."""
    # Every target of a text has the cost of all. What the file does not have is not read.
    columns = ["forward_rows", "backward_rows", "mlm_rows"]
    table = read_table(cell.part(0), columns=["example_id", *columns])
    asked = [name for name in columns if name in table.column_names]
    texts = table.group_by("example_id").aggregate([(name, "max") for name in asked])
    rows = sum(texts[f"{name}_max"].to_numpy() for name in asked)
    return float(np.mean(rows)) if len(texts) else 0.0
