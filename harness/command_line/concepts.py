"""Decisions of an experiment's models explained by concepts: pages and tables after a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from assay.explainers.baselines import Baseline, Delete, Mask
from assay.explainers.concepts.heads import Heads, HeadWords
from assay.explainers.explanation import Explanation
from assay.harness.config.keys import canonical, key, plain
from assay.harness.config.resampling import bootstrap_of
from assay.harness.config.schema import JUDGES, PAGES
from assay.harness.exchange.atomic import whole_folder
from assay.harness.storage.layout import StoredCell, StoredTrial
from assay.harness.storage.locks import run_once
from assay.harness.storage.store import Store, present, read_json, read_table, write_json, write_table
from assay.harness.trials.cells import Loaded
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial, cells
from assay.harness.trials.records import read_explanations
from assay.harness.trials.titles import file_name
from assay.harness.trials.trial import load_model, read_card
from assay.harness.validation.concept_explanations import (
    VERSION,
    explain_by_concepts,
    from_table,
    to_table,
)
from assay.harness.validation.concept_judging import Explained, complete, judge, stable
from assay.harness.validation.concept_pages import PAGES_VERSION, About, write_pages
from assay.harness.validation.concept_questions import probabilities_of, question_quality
from assay.models.protocol import ConceptModel
from assay.results.inert import inert, to_csv
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.judges import Judged, JudgedRow, judged_rows
from assay.tasks.counted import counted
from assay.tasks.errors import InputError
from assay.tasks.example import Example
from assay.tasks.grouping import clusters

# Marks the folder as one to replace, and says who could not be asked.
MARK = "left_out.txt"


@dataclass(frozen=True, slots=True, eq=False)
class _OfTrial:
    """What is kept of one trial: its explained texts, the names of its concepts, and what judges found."""

    trial: Trial
    explained: Explained
    names: tuple[str, ...]
    judged: Judged
    questions: list[dict[str, object]]


@dataclass(slots=True, eq=False)
class _Found:
    """By (task, model) what was found of each seed, and what could not be asked."""

    by_model: dict[tuple[str, str], list[_OfTrial]] = field(default_factory=dict)
    complete: list[dict[str, object]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    all_read: bool = True


def write_concepts(experiment: Experiment, trials: Sequence[Trial]) -> int:
    """Explain the decisions of an experiment's models by their concepts, and write the folder `concepts`
    beside the report, unless it was written from the same models and settings; prints where it lies.

    Explanations are kept in the store, so that a run that was stopped goes on where it was. A model without
    concepts is left out, with the reason. Pages are made for the first seed of each task and model. Returns
    the exit status: 1 if no model could be explained.
    """
    config, store = experiment.configs[0], experiment.store
    folder = store.experiment(experiment.name) / "concepts"
    record = folder.with_suffix(".json")
    inputs = canonical(_inputs(trials, store))
    known = read_json(record) or {}
    if known.get("inputs") != inputs or not folder.is_dir():
        bootstrap = bootstrap_of(config)
        with whole_folder(folder, mark=MARK, overwrite=True) as scratch:
            found = _Found()
            for trial in trials:
                _ask(trial, store, found, scratch, bootstrap)
            _write_tables(found, scratch, bootstrap)
            (scratch / MARK).write_text(
                "".join(f"{inert(line)}\n" for line in found.left_out), encoding="utf-8"
            )
        # By the weights that were asked. What could not be read may be readable the next time.
        inputs = canonical(_inputs(trials, store)) if found.all_read else None
        known = {"inputs": inputs, "left_out": found.left_out, "asked": bool(found.by_model)}
        write_json(record, known)
    for line in known["left_out"]:
        print(f"Left out: {line}")
    print(f"Concepts: {folder}")
    return 0 if known["asked"] else 1


def _inputs(trials: Sequence[Trial], store: Store) -> list[object]:
    return [
        [trial.title, trial.model_key, (read_card(trial, store) or {}).get("weights"), *_settings(trial)]
        for trial in trials
    ]


def _settings(trial: Trial) -> list[object]:
    config = trial.config
    parts = (config.concepts, config.report, config.baseline, config.removal, config.explainer)
    days = [example.date.isoformat() if example.date else "" for example in trial.task.test]
    dated = [days] if any(days) else []
    return [VERSION, PAGES_VERSION, trial.explained, *map(plain, parts), *dated]


def _ask(trial: Trial, store: Store, found: _Found, folder: Path, bootstrap: Bootstrap) -> None:
    ask = trial.config.concepts.ask
    try:
        loaded = load_model(trial, store)
    except InputError as error:
        found.left_out.append(f"{trial.title}: {error}")
        found.all_read = False
        return
    try:
        explained = _explained(loaded, store)
        names = Heads.of(loaded.model).names
        judged: Judged = {}
        if JUDGES in ask:
            removal = _fitted(loaded, [chosen.removal for chosen in trial.choice.metrics])
            budget = int(trial.config.concepts.budget)
            judged = judge(explained, loaded.engine, removal, budget=budget, seed=trial.seed)
            found.complete += _complete(loaded, explained, found)
        one = _OfTrial(trial, explained, names, judged, _questions(loaded, explained, names))
    except InputError as error:
        found.left_out.append(f"{trial.title}: {error}")
        return
    of_model = found.by_model.setdefault((trial.task_name, trial.model_name), [])
    if PAGES in ask and not of_model:
        _write_pages(one, loaded, folder / file_name(trial.task_name, trial.model_name), bootstrap)
    of_model.append(one)


def _explained(loaded: Loaded, store: Store) -> Explained:
    """The explained texts of a trial, from the store or explained now."""
    trial, options = loaded.trial, loaded.trial.config.concepts
    examples = trial.task.test[: int(options.texts)]
    Heads.of(loaded.model)
    baseline = _fitted(loaded, [method.baseline for method in trial.choice.methods if method.baseline])
    words = HeadWords(share=float(options.share))
    name = key("concepts", VERSION, trial.key(loaded.weights), len(examples), baseline.name, words.share)
    path = StoredTrial(store.trial(trial.key(loaded.weights))).concepts(name)

    def explain() -> None:
        seed = trial.request_seed(0)
        write_table(path, to_table(explain_by_concepts(loaded.engine, examples, baseline, words, seed)))

    title = f"explanations of {trial.title} by concepts"
    run_once(store, f"concepts-{name}", title, lambda: present(path), explain)
    return Explained(
        examples,
        loaded.model.encode([example.texts for example in examples]),
        loaded.probabilities[: len(examples)],
        trial.task.multi_label,
        from_table(read_table(path)),
        dict(_word_level(loaded, store, examples)),
    )


def _word_level(
    loaded: Loaded, store: Store, examples: Sequence[Example]
) -> Iterator[tuple[str, list[list[Explanation]]]]:
    """The explanations of the trial's cells that are done, without controls, each of the first seed."""
    trial, wanted, seen = loaded.trial, {example.id for example in examples}, set[str]()
    for cell in cells(trial, loaded.weights, loaded.capabilities):
        stored = StoredCell(store.cell(cell.key))
        if cell.method.explainer_name in trial.config.controls or cell.title in seen or not stored.done:
            continue
        seen.add(cell.title)
        by_text: dict[str, list[Explanation]] = {example.id: [] for example in examples}
        for path in stored.parts():
            for record in read_explanations(path):
                if record.example_id in wanted:
                    by_text[record.example_id].append(record)
        yield cell.title, list(by_text.values())


def _fitted(loaded: Loaded, chosen: Sequence[Baseline]) -> Baseline:
    """The first baseline that is a single text of equal length; without one, the mask token."""
    for base in chosen:
        if base.references and base.removes and not (base.per_target or base.mixture or base.repeats > 1):
            return loaded.fitted(base)
    return Delete() if loaded.model.mask_id is None else Mask()


def _questions(loaded: Loaded, explained: Explained, names: Sequence[str]) -> list[dict[str, object]]:
    trial = loaded.trial
    answered = probabilities_of(explained.of_given(), names)
    found = question_quality(loaded.model, trial.task, explained.examples, answered)
    return [
        {"trial": trial.title, "question": question, **asdict(quality), "learned": learned}
        for question, (quality, learned) in found.items()
    ]


def _complete(loaded: Loaded, explained: Explained, found: _Found) -> list[dict[str, object]]:
    """A row per question with its share, and the sum of the shares; nothing where that cannot be told."""
    title, heads = loaded.trial.title, Heads.of(loaded.model)
    try:
        told = complete(explained, heads, loaded.trial.seed)
    except InputError as error:
        found.left_out.append(f"completeness of {title}: {error}")
        return []
    assert isinstance(loaded.model, ConceptModel)
    questions = [question.name for question in loaded.model.questions]
    shares = [*zip(questions, told.shares.tolist(), strict=True), ("all questions", told.total)]
    return [{"trial": title, "question": question, "share": share} for question, share in shares]


def _write_tables(found: _Found, folder: Path, bootstrap: Bootstrap) -> None:
    judged, questions = [], []
    for (task, model), of_model in found.by_model.items():
        for one in of_model:
            questions += one.questions
        rows = _rows(of_model, bootstrap)
        judged += [{"task": task, "model": model, "seeds": len(of_model), **row.flat()} for row in rows]
    tables = {"questions": questions, "judges": judged, "completeness": found.complete}
    for name, rows in tables.items():
        if rows:
            (folder / f"{name}.csv").write_bytes(to_csv(pd.DataFrame(rows)))


def _rows(of_model: Sequence[_OfTrial], bootstrap: Bootstrap) -> list[JudgedRow]:
    """The rows of all seeds of one model that explain the same texts."""
    same = [one for one in of_model if one.trial.explained == of_model[0].trial.explained and one.judged]
    if not same:
        return []
    examples = same[0].explained.examples
    ids, hang_together = [example.id for example in examples], clusters(examples)
    rows = judged_rows({str(one.trial.seed): one.judged for one in same}, ids, hang_together, bootstrap)
    stable = {"-".join(str(one.trial.seed) for one in pair): _stable(*pair) for pair in combinations(same, 2)}
    return rows + (judged_rows(stable, ids, hang_together, bootstrap) if stable else [])


def _stable(one: _OfTrial, other: _OfTrial) -> Judged:
    """How alike the concept scores of two seeds are, for the label that the first gives; NaN without one."""
    found = stable(one.explained.concepts, other.explained.concepts, one.explained.given)
    gives = one.explained.gives
    return {
        judge: {what: np.where(gives, values, np.nan) for what, values in of_judge.items()}
        for judge, of_judge in found.items()
    }


def _write_pages(one: _OfTrial, loaded: Loaded, folder: Path, bootstrap: Bootstrap) -> None:
    """The portfolio and a page per case, about the label that is chosen."""
    trial, explained, options = one.trial, one.explained, one.trial.config.concepts
    labels, count = trial.task.labels, len(explained.examples)
    about = About(
        str(options.title or trial.title),
        None if options.label is None else labels.index(str(options.label)),
        str(options.noun),
        model=trial.title if options.title else "",
        chosen_by="concepts.label=NAME",
        notes=(
            f"The cases are {counted(count, 'test text')}, which the model did not learn from; training "
            "texts have no page.",
        ),
    )
    focus = about.focus(labels)
    write_pages(
        folder,
        about,
        loaded.engine,
        trial.task,
        explained.examples,
        [of_text[focus] for of_text in explained.concepts],
        explained.probabilities,
        bootstrap=bootstrap,
    )
