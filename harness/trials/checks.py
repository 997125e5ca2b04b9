"""What is said of a model: whether its answers are its own, and whether it is better than a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.models.check import Findings
    from assay.models.engine import Engine

# Texts of the task that a model is checked on when its trial begins.
PROBED = 6
# Largest difference of two answers to one text, where sums are in another order: on a processor, and on an
# accelerator, whose convolutions round to ten bits.
TOLERANCE, ACCELERATOR_TOLERANCE = 1e-4, 5e-3
# Below this probability a model is no good by more than bad luck.
ALPHA = 0.01


def model_problems(engine: Engine, texts: Sequence[tuple[str, ...]], count: int = PROBED) -> list[str]:
    """What is wrong with a model on some of these texts; empty if nothing was found."""
    return _findings(engine, texts, count).problems


def _findings(engine: Engine, texts: Sequence[tuple[str, ...]], count: int) -> Findings:
    # Heavy, and `assay status` only wants the remarks.
    from assay.models.check import examine
    from assay.models.probe_texts import probe_texts

    tolerance = TOLERANCE if engine.device.startswith("cpu") else ACCELERATOR_TOLERANCE
    probe = probe_texts(texts, count)
    # A batch of one token is a single row.
    singly = engine.budget == 1
    return examine(engine.model, probe, tolerance=tolerance, device=engine.device, singly=singly)


def require_sound(name: str, engine: Engine, texts: Sequence[tuple[str, ...]]) -> bool:
    """Raise InputError on a model whose answers are not its own when Assay asks.

    Returns whether any two answers differed; if not, mixed up answers could not be seen.
    """
    found = _findings(engine, texts, PROBED)
    if found.problems:
        raise InputError(f"model {name!r} cannot be explained: {found.problems[0]}")
    return found.differ


def model_remark(record: Mapping[str, Any]) -> str | None:
    """The warning about a model that is no better than a constant answer, by its trial's record."""
    beside = record.get("majority")
    if beside is None or record["kind"] == "untrained":
        return None
    if beside["right"] > beside["constant"] or beside["right"] == beside["texts"]:
        return None
    answer = " and ".join(beside["labels"]) or "no label"
    counts = (
        f"the model is right on {beside['right']} of {beside['texts']} texts, and always answering "
        f"{answer!r} on {beside['constant']}"
    )
    if beside["p"] >= ALPHA:
        return f"{counts}: it is not better than a constant, so explanations of it show little"
    return (
        f"{counts}, which is not bad luck (p = {beside['p']:.1g}): its labels may be mixed up (model.labels, "
        "task.labels), or it was made for other texts; see `assay check-model`"
    )
