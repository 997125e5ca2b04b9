"""What the embeddings and hidden layers of an experiment's models know: tables and figures after a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from assay.explainers.embeddings.sparse_codes import SparseCoding, extreme_words
from assay.harness.config.keys import canonical, content, plain
from assay.harness.config.resampling import bootstrap_of
from assay.harness.config.schema import CONCEPTS, EMBEDDINGS, NEURONS
from assay.harness.exchange.atomic import whole_folder
from assay.harness.interface.classifiers import Classifier
from assay.harness.interface.neurons import neurons
from assay.harness.interface.tcav import tcav
from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.store import Store, read_json, write_json
from assay.harness.trials.cells import Loaded
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import file_name
from assay.harness.trials.trial import load_model, read_card
from assay.harness.validation.concept_pages import PAGES_VERSION
from assay.harness.validation.embedding_knowledge import embedding_knowledge
from assay.metrics.embedding_tables import EmbeddingKnowledge, Judging
from assay.metrics.word_intrusion import WordIntrusion
from assay.results.figures.embeddings import TableScore, dimensions_figure, intrusion_figure, table_scores
from assay.results.figures.neurons import ablation_figure, neurons_figure
from assay.results.figures.style import Drawing
from assay.results.inert import inert, to_csv
from assay.results.statistics.ablation_curve import AblationCurve
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)

VERSION = 5
# Marks the folder as one to replace, and says who could not be asked.
MARK = "left_out.txt"
# Words of a dimension in the table.
WORDS = 10


@dataclass(slots=True, eq=False)
class _Found:
    """What is written: rows of tables, figures, and what could not be asked. folder: of pages, which are
    written at once. all_read: whether every model could be read."""

    folder: Path
    bootstrap: Bootstrap
    scores: dict[str, list[TableScore]] = field(default_factory=dict)
    chance: float = 0.0
    curves: dict[str, AblationCurve] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    dimensions: list[dict[str, object]] = field(default_factory=list)
    neurons: list[dict[str, object]] = field(default_factory=list)
    concepts: list[dict[str, object]] = field(default_factory=list)
    completeness: list[dict[str, object]] = field(default_factory=list)
    figures: list[Drawing] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    all_read: bool = True


def write_knowledge(experiment: Experiment, trials: Sequence[Trial]) -> int:
    """Ask the models of an experiment what `knowledge.ask` says, and write the folder `knowledge` beside the
    report, unless it was written from the same models and settings; prints where it lies.

    A model that cannot be asked is left out, with the reason. Dimensions and neurons are drawn, and pages
    written, for the first seed of each task and model. Returns the exit status: 1 if no model could be asked.
    """
    config, store = experiment.configs[0], experiment.store
    stored = StoredExperiment(store.experiment(experiment.name))
    folder, record = stored.knowledge, stored.knowledge_record
    inputs = canonical(_inputs(config, trials, store))
    known = read_json(record) or {}
    if known.get("inputs") != inputs or not folder.is_dir():
        bootstrap = bootstrap_of(config)
        with whole_folder(folder, mark=MARK, overwrite=True) as scratch:
            found = _Found(scratch, bootstrap)
            drawn: set[tuple[str, str]] = set()
            for trial in trials:
                kind = trial.task_name, trial.model_name
                if _ask(trial, store, found, draw=kind not in drawn):
                    drawn.add(kind)
            figures = _figures(found)
            _write(found, figures, scratch)
            (scratch / MARK).write_text(
                "".join(f"{inert(line)}\n" for line in found.left_out), encoding="utf-8"
            )
        asked = bool(found.scores or found.curves or found.concepts)
        # By the weights that were asked. What could not be read may be readable the next time.
        inputs = canonical(_inputs(config, trials, store)) if found.all_read else None
        shown = [{"name": one.name, "title": one.title, "text": one.text} for one in figures]
        known = {"inputs": inputs, "left_out": found.left_out, "asked": asked, "figures": shown}
        write_json(record, known)
    for line in known["left_out"]:
        print(f"Left out: {line}")
    print(f"Knowledge: {folder}")
    return 0 if known["asked"] else 1


def _inputs(config: DictConfig, trials: Sequence[Trial], store: Store) -> list[object]:
    models = [[trial.title, trial.model_key, _weights(trial, store), trial.explained] for trial in trials]
    baselines = [plain(trial.config.baseline) for trial in trials[:1]]
    files = content(config.knowledge)
    about = plain(config.concepts), PAGES_VERSION
    return [VERSION, plain(config.knowledge), *files, plain(config.report), baselines, about, models]


def _weights(trial: Trial, store: Store) -> str | None:
    return (read_card(trial, store) or {}).get("weights")


def _ask(trial: Trial, store: Store, found: _Found, *, draw: bool) -> bool:
    """Whether there was an answer to any question."""
    options, name = trial.config.knowledge, file_name(trial.task_name, trial.model_name)
    try:
        loaded = load_model(trial, store)
    except InputError as error:
        found.left_out.append(f"{trial.title}: {error}")
        found.all_read = False
        return False
    answered = False
    parts: dict[str, Callable[[Loaded, _Found, str | None], None]] = {
        EMBEDDINGS: _embeddings,
        NEURONS: _neurons,
        CONCEPTS: _concepts,
    }
    for part, ask in parts.items():
        if part in options.ask:
            try:
                ask(loaded, found, name if draw else None)
                answered = True
            except InputError as error:
                found.left_out.append(f"{part} of {trial.title}: {error}")
    return answered


def _embeddings(loaded: Loaded, found: _Found, name: str | None) -> None:
    options, trial = loaded.trial.config.knowledge, loaded.trial
    coding = SparseCoding(int(options.dimensions), float(options.sparsity), seed=trial.seed)
    judging = Judging(int(options.words), int(options.min_count))
    known = embedding_knowledge(loaded.engine, trial.task, coding, WordIntrusion(), judging)
    found.scores[trial.title], found.chance = table_scores(known, found.bootstrap), known.chance
    found.dimensions += _dimension_rows(trial, known)
    if name is not None:
        found.figures.append(dimensions_figure(known, f"dimensions-{name}", trial.title))


def _dimension_rows(trial: Trial, known: EmbeddingKnowledge) -> list[dict[str, object]]:
    names = list(known.words)
    return [
        {
            "trial": trial.title,
            "table": table.name,
            "dimension": at,
            "intruders_told": score,
            "words": " ".join(extreme_words(table.values[:, at], names, WORDS)),
        }
        for table in known.tables
        for at, score in enumerate(table.intrusion.tolist())
    ]


def _neurons(loaded: Loaded, found: _Found, name: str | None) -> None:
    options, trial = loaded.trial.config.knowledge, loaded.trial
    # A path leads from the first of the experiment's baselines that is a single text of equal length.
    usable = [
        method.baseline
        for method in trial.choice.methods
        if (base := method.baseline) is not None
        and base.references
        and not (base.per_target or base.mixture or base.repeats > 1)
    ]
    classifier = Classifier(trial.model_name, loaded.engine, {}, trial.seed, loaded.weights, trial.task)
    of_layer = neurons(
        classifier,
        trial.task.test[: int(options.texts)],
        options.layer,
        k=int(options.neurons),
        baseline=usable[0] if usable else None,
        steps=int(options.steps),
        seed=trial.seed,
    )
    found.curves[trial.title] = of_layer.curve(bootstrap=found.bootstrap)
    found.layers[trial.title] = of_layer.layer
    by_label = {label: of_layer.of(label) for label in of_layer.given_labels()}
    found.neurons += [
        {
            "trial": trial.title,
            "layer": of_layer.layer,
            "label": label,
            "neuron": neuron.number,
            "conductance": neuron.conductance,
            "words": ", ".join(f"{word} {part:+.3g}" for word, part in neuron.words),
        }
        for label, top in by_label.items()
        for neuron in top
    ]
    if name is not None:
        found.figures.append(neurons_figure(by_label, of_layer.layer, f"neurons-{name}"))


def _concepts(loaded: Loaded, found: _Found, name: str | None) -> None:
    options, trial = loaded.trial.config.knowledge, loaded.trial
    classifier = Classifier(trial.model_name, loaded.engine, {}, trial.seed, loaded.weights, trial.task)
    told = tcav(
        classifier,
        trial.task.test[: int(options.texts)],
        str(options.concepts),
        options.layer,
        corrections=options.corrections,
        draws=int(options.draws),
        seed=trial.seed,
    )
    own = {vector.concept.name for of_layer in told.vectors.values() for vector in of_layer}
    answers = sum(judged.concept not in own for judged in told.corrections)
    if answers:
        log.warning(
            "%s: %s of auxiliary answers train no model in a run; assay.corrected(task, path) is a task to "
            "train one on", options.corrections, counted(answers, "correction"),
        )  # fmt: skip
    rows = told.table().to_dict("records")
    found.concepts += [
        {"trial": trial.title, **{str(name): cell for name, cell in row.items()}} for row in rows
    ]
    if name is not None and options.pages:
        about = trial.config.concepts
        told.write_pages(
            found.folder / f"pages-{name}",
            trial.task.test[: int(options.pages)],
            about.label,
            title=about.title or trial.title,
            noun=str(about.noun),
        )
    if not trial.task.multi_label:
        try:
            shares = told.completeness()
        except InputError as error:
            found.left_out.append(f"completeness of {trial.title}: {error}")
            return
        names = [vector.concept.name for vector in told.vectors[str(rows[0]["layer"])]]
        about = {"accuracy": shares.accuracy, "random": shares.random, "completeness": shares.total}
        found.completeness += [
            {"trial": trial.title, "concept": concept, "share": share, **about}
            for concept, share in zip(names, shares.shares.tolist(), strict=True)
        ]


def _figures(found: _Found) -> list[Drawing]:
    """Those of all models first."""
    figures = []
    if found.scores:
        figures.append(intrusion_figure(found.scores, found.chance))
    if found.curves:
        layers = ", ".join(dict.fromkeys(found.layers.values()))
        figures.append(ablation_figure(found.curves, layers))
    return [*figures, *found.figures]


def _write(found: _Found, figures: Sequence[Drawing], folder: Path) -> None:
    """Every table that has rows, and every figure."""
    tables = {
        "intrusion": [
            {"trial": trial, **_flat(score)} for trial, scores in found.scores.items() for score in scores
        ],
        "dimensions": found.dimensions,
        "neurons": found.neurons,
        "concepts": found.concepts,
        "completeness": found.completeness,
        "ablation": [
            {"trial": trial, "layer": found.layers[trial], **row}
            for trial, curve in found.curves.items()
            for row in curve.rows()
        ],
    }
    for name, rows in tables.items():
        if rows:
            (folder / f"{name}.csv").write_bytes(to_csv(pd.DataFrame(rows)))
    for drawing in figures:
        (folder / f"{drawing.name}.svg").write_bytes(drawing.svg)
        (folder / f"{drawing.name}.png").write_bytes(drawing.png)


def _flat(score: TableScore) -> dict[str, object]:
    row = asdict(score)
    interval = row.pop("interval")
    return row | {"low": interval[0], "high": interval[1]}
