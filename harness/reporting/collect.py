"""From the store to the records that the results floor reads; what is missing is named with its reason."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence

from assay.explainers.controls.heuristics import Heuristic
from assay.harness.config.choice import Choice, Method, choose
from assay.harness.config.keys import groups_key, key, plain
from assay.harness.config.provenance import explainer_libraries, library_versions
from assay.harness.reporting.completeness import completeness
from assay.harness.reporting.constant import ExplainedFolder, constant_methods
from assay.harness.reporting.data_sheets import task_sizes, texts_read
from assay.harness.reporting.missing import (
    cells_of_trial,
    failures,
    group_of,
    method_of,
    pair_group,
    refusals,
)
from assay.harness.reporting.paying import gate_notes, paying_notes, training_costs
from assay.harness.reporting.precisions import precision_remarks
from assay.harness.reporting.score_files import ScoreFile, SecondsFolder, read_scores, read_seconds
from assay.harness.reporting.shown_texts import shown_texts
from assay.harness.reporting.texts import text_facts
from assay.harness.reporting.trained_parts import trained_notes
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.cells import scores_path
from assay.harness.trials.checks import model_remark
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.masked_lms import generator, to_train
from assay.harness.trials.notes import text_notes
from assay.harness.trials.pairs import pair_cells, pairs
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trained_gates import gates_of
from assay.harness.trials.trial import read_trial
from assay.metrics.annotators import AnnotatorAgreement, annotator_agreement
from assay.metrics.cell_data import gold
from assay.results.flag import Flag
from assay.results.parallel import ParallelMap, serial_map
from assay.results.property_metrics import removal_operator
from assay.results.records import (
    Group,
    LabelTexts,
    ModelQuality,
    Results,
    Timing,
)
from assay.results.records import Method as ResultMethod
from assay.results.tables.bibliography import class_name
from assay.tasks.errors import InputError
from assay.tasks.grouping import clusters

RANDOM, MIXED = "random", "mixed"


def collect(
    experiment: Experiment,
    trials: Sequence[Trial],
    files: Sequence[ScoreFile] | None = None,
    parallel_map: ParallelMap = serial_map,
) -> Results:
    """Everything known about the experiment's trials.

    Args:
        experiment: its configuration and store.
        trials: those whose texts could be read.
        files: from `score_files`, if at hand.
        parallel_map: how calls that read files are mapped.
    """
    config, store = experiment.configs[0], experiment.store
    planned = [(trial, cells_of_trial(trial, store)) for trial in trials]
    done = [(trial, _done(cells, store)) for trial, cells in planned]
    facts = [text_facts(trial, store, cells) for trial, cells in done]
    removal = str(next(iter(config.removal), ""))
    return Results(
        name=experiment.name,
        metrics=[chosen.metric for chosen in choose(config).metrics],
        cells=read_scores(score_files(trials, store) if files is None else files, parallel_map),
        explainers=[str(name) for name in config.explainer],
        controls=frozenset(config.controls),
        random=RANDOM,
        heuristics=_heuristics(choose(config).methods, frozenset(config.controls)),
        command=shlex.join(["assay", "run", *experiment.command]),
        versions=library_versions() | explainer_libraries(m.explainer for m in choose(config).methods),
        remarks=[
            *_run_by_others(choose(config).methods),
            *precision_remarks(choose(config).methods, config.engine),
        ],
        tasks=task_sizes(trials),
        read=list(texts_read(trials, facts, store)),
        absences=[*failures(experiment, trials), *refusals(planned, store)],
        timings=_timings(done, store, parallel_map),
        models=[quality for trial in trials if (quality := _quality(trial, store)) is not None],
        texts=list(shown_texts(done, store, int(config.report.texts), int(config.report.seed))),
        labels=list(dict.fromkeys(_labels(trial) for trial in trials if _by_label(trial))),
        annotators={name: agreed for name, agreed in _annotators(trials) if agreed},
        facts=[of_trial for of_trial in facts if of_trial is not None],
        removal=removal,
        alike=alike(choose(config), removal),
        notes=notes(trials, store),
        constant=_constant(done, store, frozenset(config.controls), parallel_map),
        clusters=_clusters(trials),
        classes=_classes(choose(config).methods),
        training_costs=[cost for trial, cells in done for cost in training_costs(trial, cells, store)],
        incomplete=completeness(experiment, trials).sentence,
    )


def _classes(methods: Sequence[Method]) -> frozenset[str]:
    """The names of Assay's own classes of explainers and baselines."""
    parts = [part for method in methods for part in (method.explainer, method.baseline)]
    return frozenset(filter(None, map(class_name, parts)))


def alike(choice: Choice, first: str) -> dict[str, frozenset[str]]:
    """By baseline the removal operators that put in the same, whatever they are called and set to; words of
    masked language models are the same only where these are.

    first: the name of the first operator.
    """
    operators = {
        removal_operator(chosen.metric, first): generator(chosen.removal)
        for chosen in choice.metrics
        if "removal" in chosen.metric.needs
    }
    return {
        method.baseline_name: frozenset(
            operator for operator, made_by in operators.items() if made_by == generator(method.baseline)
        )
        for method in choice.methods
        if method.baseline is not None
    }


def _clusters(trials: Sequence[Trial]) -> dict[str, dict[str, str]]:
    """By task the groups of the explained texts that hang together; models may explain more or fewer."""
    found: dict[str, dict[str, str]] = {}
    # Looked at once: trials share the texts of a task.
    for trial in {(trial.task_name, id(trial.task)): trial for trial in trials}.values():
        found.setdefault(trial.task_name, {}).update(clusters(trial.task.test))
    return found


def notes(trials: Sequence[Trial], store: Store) -> list[str]:
    """What a reader must know of the texts of trials whose models were asked."""
    records = ((trial, read_trial(trial, store)) for trial in trials)
    found = [note for trial, record in records if record is not None for note in text_notes(trial, record)]
    return list(dict.fromkeys([*found, *_of_training(trials, store)]))


def _of_training(trials: Sequence[Trial], store: Store) -> Iterator[str]:
    for trial in trials:
        gated = any(gates_of(method.explainer) for method in trial.choice.methods)
        if not gated and not to_train(trial.choice):
            continue
        done = _done(cells_of_trial(trial, store), store)
        yield from trained_notes(trial, done, store)
        if gated:
            yield from gate_notes(trial, done, store)
            yield from paying_notes(trial, done, store)


def inputs(experiment: Experiment, trials: Sequence[Trial], files: Sequence[ScoreFile]) -> str:
    """A name for everything a report is made from; scores are named by their content already.

    files: by `score_files`.
    """
    config = experiment.configs[0]
    paths = [str(file.path) for file in files]
    failed = [absence.reason for absence in failures(experiment, trials)]
    chosen = [config.report, config.controls, list(config.explainer), config.metric]
    # Only if there are any, so that reports of other experiments keep their name.
    swept = [plain(config.axes)] if config.axes else []
    grouped = {task: groups_key(of_task) for task, of_task in _clusters(trials).items() if of_task}
    # Files that are there do not say how much is missing.
    incomplete = completeness(experiment, trials).sentence
    also = [*swept, *([grouped] if grouped else []), *([incomplete] if incomplete else [])]
    return key(library_versions(), experiment.command, chosen, paths, failed, *also)


def score_files(trials: Sequence[Trial], store: Store) -> list[ScoreFile]:
    """The scores of all cells, and of all pairs of cells, that are on disk."""
    files = []
    for trial in trials:
        # Computed once: an experiment has thousands of cells.
        group, seed = group_of(trial), str(trial.seed)
        for cell in cells_of_trial(trial, store):
            for chosen in trial.choice.metrics:
                names = group, method_of(cell), chosen.metric.name, seed, cell.explainer_seed
                files.append(ScoreFile(scores_path(store, cell, chosen), *names))
    for pair in pairs(trials, store):
        for both in pair_cells(pair, store):
            cell, metric = both.first, both.chosen.metric
            names = pair_group(pair), method_of(cell), metric.name, pair.seeds, cell.explainer_seed
            files.append(ScoreFile(both.path, *names))
    return [file for file in files if file.path.exists()]


def scored_files(experiment: Experiment, trials: Sequence[Trial]) -> list[ScoreFile]:
    """As `score_files`; raises InputError where nothing is scored."""
    files = score_files(trials, experiment.store)
    if not files:
        raise InputError(f"nothing of experiment {experiment.name!r} is scored yet; run it, with assay run")
    return files


def _run_by_others(methods: Sequence[Method]) -> list[str]:
    """Which explainers are other libraries' code, one sentence per library."""
    found: dict[str, list[str]] = {}
    for method in methods:
        for library, version in explainer_libraries([method.explainer]).items():
            found.setdefault(f"{library} {version}", []).append(method.explainer_name)
    return [f"run by {library}: {', '.join(dict.fromkeys(names))}" for library, names in found.items()]


def _heuristics(methods: Sequence[Method], controls: frozenset[str]) -> list[str]:
    """The explainers that are heuristic controls."""
    names = [method.explainer_name for method in methods if isinstance(method.explainer, Heuristic)]
    return [name for name in names if name in controls]


def _done(cells: Sequence[Cell], store: Store) -> list[Cell]:
    return [cell for cell in cells if StoredCell(store.cell(cell.key)).done]


def _timings(
    done: Sequence[tuple[Trial, Sequence[Cell]]], store: Store, parallel_map: ParallelMap
) -> list[Timing]:
    folders = []
    for trial, cells in done:
        # Computed once, as above.
        group, seed = group_of(trial), str(trial.seed)
        for cell in cells:
            folder = StoredCell(store.cell(cell.key)).seconds_folder
            folders.append(SecondsFolder(folder, group, method_of(cell), seed))
    return read_seconds(folders, parallel_map)


def _constant(
    done: Sequence[tuple[Trial, Sequence[Cell]]],
    store: Store,
    controls: frozenset[str],
    parallel_map: ParallelMap,
) -> dict[tuple[Group, ResultMethod], Flag]:
    folders = []
    for trial, cells in done:
        # Where models are compared, of one kind or of both, their explanations stand as well.
        groups = group_of(trial), group_of(trial)._replace(kind=MIXED)
        for cell in cells:
            labels = () if cell.method.explainer_name in controls else trial.task.labels
            folders.append(ExplainedFolder(store.cell(cell.key), groups, method_of(cell), labels))
    return constant_methods(folders, parallel_map)


def _annotators(trials: Sequence[Trial]) -> Iterator[tuple[str, list[AnnotatorAgreement]]]:
    """How well annotators agree on the explained texts of each task; trials share them."""
    for trial in {id(trial.task): trial for trial in trials}.values():
        yield trial.task_name, annotator_agreement(trial.task.test, trial.task.labels)


def _by_label(trial: Trial) -> bool:
    return trial.task.multi_label and trial.task.labelled


def _labels(trial: Trial) -> LabelTexts:
    task = trial.task
    texts = gold(task.test, len(task.labels)).sum(axis=0)
    return LabelTexts(group_of(trial), task.labels, tuple(map(int, texts)), len(task.test))


def _quality(trial: Trial, store: Store) -> ModelQuality | None:
    record = read_trial(trial, store)
    if record is None:
        return None
    # Records of earlier versions have no F1 per label; without labels nothing is known.
    macro, micro = (
        math.nan if value is None else value for value in map(record.get, ("macro_f1", "micro_f1"))
    )
    accuracy, f1 = record["label_accuracy"], record.get("f1", {})
    remark = model_remark(record) or ""
    votes = record.get("votes") or {}
    distances = (votes.get(name, math.nan) for name in ("model", "constant"))
    return ModelQuality(group_of(trial), str(trial.seed), macro, accuracy, f1, micro, remark, *distances)
