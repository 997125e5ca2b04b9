"""What the outputs of a checkpoint's head stand for: which of a task's labels, and what kind of task."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from assay.tasks.errors import InputError
from assay.tasks.labels import given_labels, plain_text

log = logging.getLogger(__name__)


def output_labels(
    labels: Sequence[str], config: Mapping[str, Any], given: Sequence[object] | None, checkpoint: str
) -> tuple[str, ...]:
    """The task's label of each output of a head that is used as it was trained, in the order of the outputs.

    labels: the task's. config: what the checkpoint's config.json holds. given: the option model.labels, which
    overrules the checkpoint's names. Those are matched in any case; where there are none but LABEL_0 and so
    on, outputs are taken to be in the task's order, and a warning says so. Raises InputError on other names.
    """
    if given is None:
        names = _own_names(config, len(labels), checkpoint)
    else:
        names = given_labels(given, labels, "model.labels")
    matched = match_names(names, labels)
    if matched is not None:
        return matched
    if given is not None:
        raise InputError(
            f"model.labels is [{', '.join(names)}]; expected each of the task's labels ({', '.join(labels)}) "
            f"once, in the order of the outputs of {checkpoint}"
        )
    if names == _generic_names(len(labels)):
        pairs = ", ".join(f"{name} is {label}" for name, label in zip(names, labels, strict=True))
        _warn_once(
            f"the checkpoint {checkpoint} does not name its outputs, so they are read in the order of the "
            f"task's labels ({pairs}); if that is wrong, set model.labels to the label of each output"
        )
        return tuple(labels)
    raise InputError(
        f"the checkpoint {checkpoint} has outputs for {', '.join(names)}, but the task's labels are "
        f"{', '.join(labels)}; set model.labels to a list with the task's label for each of these outputs, "
        "in their order"
    )


def check_head(problem: object, outputs: int, *, multi_label: bool, model: str) -> None:
    """Raise InputError on a head that answers something else than is read of it.

    problem: its configuration's `problem_type`, None where that says nothing. outputs: how many it has.
    multi_label: how it is read. model: names it in the message.
    """
    if problem == "regression":
        raise InputError(
            f"{model} is a regression by its configuration (problem_type), so its outputs are no classes; "
            "expected a classifier"
        )
    if outputs == 1 and not multi_label:
        raise InputError(
            f"{model} has one output, which is a regression; expected a classifier with an output for each "
            "of two classes or more"
        )
    other = {"multi_label_classification": True, "single_label_classification": False}.get(str(problem))
    if other is not None and other != multi_label:
        raise InputError(
            f"{model} was trained as {problem} (problem_type in its config.json), but the task has "
            f"multi_label={str(multi_label).lower()}; expected the same, set task.multi_label="
            f"{str(other).lower()} or choose another checkpoint"
        )


def match_names(names: Sequence[str], labels: Sequence[str]) -> tuple[str, ...] | None:
    """The label that each name means, as it is written or else in any case; None unless one to one."""
    for form in (str, str.casefold):
        by_form = {form(label): label for label in labels}
        matched = [by_form[form(name)] for name in names if form(name) in by_form]
        if len(matched) == len(names) == len(labels) == len(set(matched)):
            return tuple(matched)
    return None


def _own_names(config: Mapping[str, Any], outputs: int, checkpoint: str) -> tuple[str, ...]:
    """What a checkpoint calls its outputs; some say it in `label2id` alone."""
    generic = _generic_names(outputs)
    by_output = {plain_text(at): plain_text(name) for at, name in (config.get("id2label") or {}).items()}
    by_name = {plain_text(at): plain_text(name) for name, at in (config.get("label2id") or {}).items()}
    names, others = _in_order(by_output), _in_order(by_name)
    if by_output and names is None:
        raise InputError(
            f"the checkpoint {checkpoint} names the outputs {', '.join(by_output)} in id2label; expected "
            f"numbers from 0 to {len(by_output) - 1}, set model.labels to the label of each output"
        )
    if names in (None, generic):
        return others or generic
    if others not in (None, generic) and _folded(others) != _folded(names):
        raise InputError(
            f"the checkpoint {checkpoint} calls its outputs {', '.join(names)} in id2label, but "
            f"{', '.join(others)} in label2id; set model.labels to the label of each output"
        )
    return names


def _in_order(names: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names by the text of their place, in order; None unless there are some and places count from 0."""
    places = [str(at) for at in range(len(names))]
    return tuple(names[at] for at in places) if names and set(places) == set(names) else None


def _folded(names: Sequence[str]) -> list[str]:
    return [name.casefold() for name in names]


def _generic_names(outputs: int) -> tuple[str, ...]:
    """What the library calls the outputs that nobody named."""
    return tuple(f"LABEL_{at}" for at in range(outputs))


@cache
def _warn_once(message: str) -> None:
    log.warning("%s", message)


def columns(network: Any, labels: tuple[str, ...]) -> list[int] | None:
    """Which output of the network each label is; None where they are in the same order."""
    names = {int(at): str(name) for at, name in (network.config.id2label or {}).items()}
    outputs = [names[at] for at in range(len(names))]
    if sorted(outputs) != sorted(labels):
        raise InputError(
            f"the network's id2label names {', '.join(outputs)}; expected the labels {', '.join(labels)}, "
            "each once"
        )
    return None if outputs == list(labels) else [outputs.index(label) for label in labels]
