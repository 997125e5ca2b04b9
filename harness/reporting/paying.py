"""From how many texts on the training of an explainer pays, in rows of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from assay.explainers.masks.gate_report import warnings
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_json, read_table
from assay.harness.trials.plan import Cell, Trial

# At most so many explainers are compared, the cheapest ones.
COMPARED = 6


def pays_from(training: float, own: float, other: float) -> int | None:
    """The fewest texts for which training and own rows are at most the other's rows; None if for none.

    Args:
        training: rows forward and backward, once.
        own: rows for each text.
        other: rows of the compared explainer for each text.

    Example:
        >>> pays_from(990, 1, 100), pays_from(990, 1, 1)
        (10, None)
    """
    return None if other <= own else math.ceil(training / (other - own))


def paying_notes(trial: Trial, cells: Sequence[Cell], store: Store) -> Iterator[str]:
    """A sentence for every explainer of the trial that was trained; cells: those that are complete."""
    stored = {cell.title: StoredCell(store.cell(cell.key)) for cell in cells}
    for title, cell in stored.items():
        trained = (read_json(cell.record) or {}).get("trained")
        if trained is None:
            continue
        training = trained["forward_rows"] + trained["backward_rows"]
        own, others = rows_of_text(cell), {name: rows_of_text(other) for name, other in stored.items()}
        texts = {name: pays_from(training, own, rows) for name, rows in others.items()}
        paid = sorted((count, name) for name, count in texts.items() if count is not None)[-COMPARED:]
        told = ", ".join(f"{name} from {count:,} texts on" for count, name in paid)
        yield (
            f"{trial.task_name} / {trial.model_name}: training of {title} asked {training:,} model rows, "
            "once, which are in no cost per text"
            + (f"; with them it is cheaper than {told}" if told else "")
            + ("" if told or len(others) == 1 else "; no explainer here is dearer, however many texts")
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
