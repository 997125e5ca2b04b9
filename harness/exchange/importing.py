"""Scores computed elsewhere: checked against a task and made a file that an explainer reads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from omegaconf import DictConfig, OmegaConf

from assay.explainers.explanation import Cost
from assay.explainers.score_file import Scores, text_print, write_scores
from assay.harness.config.compose import configuration, sweep
from assay.harness.config.keys import canonical
from assay.harness.config.offered import offered
from assay.harness.config.schema import Targets
from assay.harness.config.search_path import search_path
from assay.harness.exchange.atomic import whole_file
from assay.harness.exchange.importers.base import ScoredExample, TaskLookup
from assay.harness.exchange.importers.eraser import read_eraser
from assay.harness.exchange.importers.inseq import read_inseq
from assay.harness.exchange.importers.jsonl import read_jsonl
from assay.harness.exchange.importers.study import read_study
from assay.harness.trials.loading import limits_of, load_task, task_settings
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, did_you_mean
from assay.tasks.example import Example, Task
from assay.tasks.sampling import limit

READERS: Mapping[str, Callable[[Path, TaskLookup], Iterator[ScoredExample]]] = {
    "eraser": read_eraser,
    "study": read_study,
    "inseq": read_inseq,
    "jsonl": read_jsonl,
}
# The configuration key of an axis whose value is part of a file's name, where it is not the axis itself.
_AXES: Mapping[str, str] = {"task": "task.name", "model": "model.name"}


@dataclass(frozen=True, slots=True)
class Order:
    """What to import.

    Attributes:
        source: the file of scores.
        form: its layout, one of READERS.
        name: what the explainer will be called.
        folder: a configuration folder (`--config-dir`), where the file and its YAML go.
        by: axes with a file per value: task, model, seed, or settings such as model.path.
        overwrite: whether an earlier import of that name is replaced.
    """

    source: Path
    form: str
    name: str
    folder: Path
    by: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(slots=True)
class Tally:
    """Counts of what a file holds.

    Attributes:
        classes: the explained classes by example id, a bit for each.
        explanations: in the file.
        partly: those that leave characters of their text without a score.
        costly: those that come with their cost.
    """

    classes: dict[str, int] = field(default_factory=dict)
    explanations: int = 0
    partly: int = 0
    costly: int = 0


def import_scores(order: Order, overrides: Sequence[str]) -> str:
    """Write the file and the explainer's YAML; returns what was done and the command that scores it.

    Raises InputError, and writes nothing, on scores that do not fit the task, or that lack a text or class
    which the configuration explains.
    """
    _check_names(order)
    searched = _searched(order.folder)
    configs = [configuration(trial) for trial in sweep([*overrides, *searched]).trials()]
    task = _one_task(configs)
    path = order.folder / f"{'-'.join([order.name, *_values(configs, order.by)])}.parquet"
    tally = Tally()
    with whole_file(path, overwrite=order.overwrite) as scratch:
        explanations = READERS[order.form](order.source, TaskLookup(task))
        write_scores(scratch, task.labels, checked(explanations, tally))
        _check_complete(configs, task, tally, order.source)
        # The YAML comes after the checks and before the file: an old file is never named by a new YAML.
        _write_choice(order)
    return "\n".join([*_notes(order, configs, tally, path), *_command(order, overrides, configs)])


def _check_names(order: Order) -> None:
    if order.form not in READERS:
        raise InputError(f"--format is {order.form!r}; {did_you_mean(order.form, list(READERS))}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", order.name):
        raise InputError(f"--as is {order.name!r}; expected letters, digits and _, beginning with a letter")
    if order.name in offered("explainer"):
        raise InputError(f"--as is {order.name!r}, which is an explainer of Assay's own; choose another name")
    if "$" in str(order.folder):
        raise InputError(f"--to is {str(order.folder)!r}; expected a folder without $ in its name")


def _searched(folder: Path) -> list[str]:
    return [search_path(folder)] if folder.is_dir() else []


def _one_task(configs: Sequence[DictConfig]) -> Task:
    """The task of all trials, whole. Raises InputError when there are several."""
    tasks = {canonical(task_settings(config)): str(config.task.name) for config in configs}
    if len(tasks) > 1:
        names = ", ".join(tasks.values())
        raise InputError(
            f"the experiment has several tasks ({names}); say whose scores these are, with task="
        )
    return load_task(configs[0])


def _values(configs: Sequence[DictConfig], by: Sequence[str]) -> list[str]:
    """The value of each axis, which must be one. Raises InputError when there are several, or odd ones."""
    chosen = []
    _check_swept(configs, by)
    for axis in by:
        values = {str(OmegaConf.select(config, _AXES.get(axis, axis))): None for config in configs}
        if len(values) > 1:
            raise InputError(
                f"--by {axis}: the experiment has several ({', '.join(values)}); choose the one that these "
                f"scores are of, with {axis}="
            )
        (value,) = values
        if value == "None" or not re.fullmatch(r"[\w.-]+", value):
            raise InputError(f"--by {axis}: {value!r} cannot be part of a file's name")
        chosen.append(value)
    return chosen


def _check_swept(configs: Sequence[DictConfig], by: Sequence[str]) -> None:
    """Raise InputError when files by model would be shared by models that differ in a swept setting."""
    for key in configs[0].axes if "model" in by else ():
        if key.startswith("model.") and key not in by:
            raise InputError(
                f"--by {','.join(by)}: the experiment has several {key}, whose models would share this file; "
                f"choose the one that these scores are of, with {key}=, and write --by {','.join([*by, key])}"
            )


def checked(explanations: Iterator[ScoredExample], tally: Tally) -> Iterator[Scores]:
    """Explanations as they are stored. Raises InputError on a span outside its text, or on a second one of
    the same example and class."""
    for explanation in explanations:
        id, bit = explanation.example.id, 1 << explanation.target
        seen = tally.classes.get(id, 0)
        if seen & bit:
            raise InputError(
                f"{explanation.where}: a second explanation of example {id!r} and class "
                f"{explanation.target}; expected one explainer's scores, once for each"
            )
        tally.classes[id] = seen | bit
        tally.explanations += 1
        tally.partly += _scores_a_part(explanation)
        tally.costly += "forward_rows" in explanation.costs
        yield _stored(explanation)


def _scores_a_part(explanation: ScoredExample) -> bool:
    """Whether characters are left that no span covers. Raises InputError on a span outside its text."""
    texts = explanation.example.texts
    missing = [np.array([not character.isspace() for character in text]) for text in texts]
    for start, end, _, segment in explanation.spans:
        if not 0 <= segment < len(texts) or not 0 <= start < end <= len(texts[segment]):
            length = f"{len(texts[segment])} characters" if 0 <= segment < len(texts) else "no characters"
            raise InputError(
                f"{explanation.where}: a score at characters {start} to {end} of text {segment}, which has "
                f"{length} in example {explanation.example.id!r}; expected 0 <= start < end within the text"
            )
        missing[segment][start:end] = False
    return any(of_text.any() for of_text in missing)


def _stored(explanation: ScoredExample) -> Scores:
    starts, ends, scores, segments = np.array(explanation.spans, dtype=np.float64).reshape(-1, 4).T
    if (np.abs(scores) > np.finfo(np.float32).max).any():
        raise InputError(f"{explanation.where}: a score is too large for a 32-bit number; scale the scores")
    return Scores(
        explanation.example.id,
        explanation.target,
        text_print(explanation.example.texts),
        segments=segments.astype(np.int32),
        starts=starts.astype(np.int32),
        ends=ends.astype(np.int32),
        scores=scores.astype(np.float32),
        cost=Cost(**explanation.costs),
        **explanation.outputs,
    )


def _check_complete(configs: Sequence[DictConfig], task: Task, tally: Tally, source: Path) -> None:
    """Raise InputError on the first explained text without scores, or without those of an explained class."""
    for config in configs:
        explained = limit(task, test=limits_of(config).get("test")).test
        without = [example for example in explained if example.id not in tally.classes]
        if without:
            raise InputError(
                f"{source} has no scores for {len(without)} of the {len(explained)} texts that are "
                f"explained, such as {without[0].id!r}; give scores for all of them, or make a task of those "
                "that have some"
            )
        for example in explained:
            targets = _explained_targets(example, config.targets, len(task.labels))
            missing = [target for target in targets if not tally.classes[example.id] >> target & 1]
            if missing:
                raise InputError(
                    f"{source} has no scores for example {example.id!r} and class "
                    f"{task.labels[missing[0]]!r}, but targets={config.targets.name} explains it; give "
                    "scores for it, or explain what the file has, with targets=predicted or targets=gold"
                )


def _explained_targets(example: Example, targets: Targets, classes: int) -> Sequence[int]:
    """The classes that are explained whatever the model says."""
    if targets is Targets.all:
        return range(classes)
    return example.labels if targets is Targets.gold else ()


def _write_choice(order: Order) -> None:
    """The YAML by which the explainer is chosen."""
    choice = order.folder / "explainer" / f"{order.name}.yaml"
    suffix = "".join(f"-${{{_AXES.get(axis, axis)}}}" for axis in order.by)
    scores = str(order.folder / f"{order.name}{suffix}.parquet")
    settings = {order.name: {"_target_": "assay.explainers.imported.Imported", "path": scores}}
    text = "# Scores computed elsewhere, brought here by `assay import`.\n" + yaml.safe_dump(settings)
    if choice.is_file() and choice.read_text(encoding="utf-8") == text:
        return
    with whole_file(choice, overwrite=order.overwrite) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _notes(order: Order, configs: Sequence[DictConfig], tally: Tally, path: Path) -> Iterator[str]:
    texts = counted(len(tally.classes), "text")
    yield f"{counted(tally.explanations, 'explanation')} of {texts}: {path}"
    if tally.partly:
        yield f"{tally.partly} of them score part of their text; what has no score counts as 0."
    if tally.costly < tally.explanations:
        yield "The file does not say what its scores cost; compute time will show 0 for them."
    models = {canonical([config.model, config.seed]) for config in configs}
    if len(models) > 1 and not order.by:
        by = ",".join(["model", "seed", *(key for key in configs[0].axes if key.startswith("model."))])
        yield (
            f"The experiment has {len(models)} models, but scores explain one: if others have files of their "
            f"own, import each with --by {by}."
        )


def _command(order: Order, overrides: Sequence[str], configs: Sequence[DictConfig]) -> Iterator[str]:
    """How to score the explainer beside those that were chosen."""
    chosen = [str(name) for name in configs[0].explainer if name != order.name]
    kept = [text for text in overrides if not text.startswith("explainer=")]
    run = ["assay", "run", "--config-dir", str(order.folder), *kept]
    yield "To score them beside the others:"
    yield "  " + shlex.join([*run, f"explainer=[{','.join([*chosen, order.name])}]"])
