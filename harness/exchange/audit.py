"""A bundle for an audit: what was decided and why, the evidence, and hashes of what it was made with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from assay.harness.config.keys import plain
from assay.harness.config.places import command_without_places, plain_without_places
from assay.harness.config.provenance import code_digest, code_lines, library_versions
from assay.harness.exchange.atomic import new_folder
from assay.harness.exchange.audit_pages import COLUMNS_PAGE, README, column_page
from assay.harness.exchange.audit_sums import Bundle, write_sums
from assay.harness.exchange.cards import file_name, write_cards
from assay.harness.exchange.export_explanations import export_explanations
from assay.harness.reporting.cards import Asked, Finished, cards, finished, require_finished
from assay.harness.state.last_run import PLACES
from assay.harness.storage.layout import StoredModel
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import read_card, read_predictions, stored_trial
from assay.harness.upkeep.references import used
from assay.harness.upkeep.verify import verify
from assay.metrics.cell_data import predicted
from assay.results.inert import inert, to_csv
from assay.results.recommendation.answer import answer, record
from assay.results.write import write_results
from assay.tasks.content import digest_now
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

DECISIONS, EXPLANATIONS, CARDS, EVIDENCE = "decisions", "explanations", "cards", "evidence"
# Of the form of a bundle; later versions verify it by its list alone.
VERSION = 1


def write_bundle(experiment: Experiment, trials: Sequence[Trial], folder: Path, asked: Asked) -> Bundle:
    """Write the bundle of a finished experiment into a new folder, whole or not at all.

    Args:
        experiment: its configuration and store.
        trials: those whose texts can be read.
        folder: new, or empty.
        asked: what the user adds to the cards.

    Returns:
        The number of files and the root hash.

    Raises:
        InputError: the folder is not empty, the experiment is not finished, or its store has faults.
    """
    with new_folder(folder) as scratch:
        require_finished(experiment, trials)
        # Before anything is read: reading renames what it finds damaged, and this changes nothing.
        faults = [fault for fault in verify(experiment.store, used(experiment, trials)) if fault.aside]
        if faults:
            raise InputError(
                f"the store has {counted(len(faults), 'fault')}, the first in "
                f"{faults[0].path.relative_to(experiment.store.root)} ({faults[0].what}); see assay verify "
                f"{experiment.name}, and run it again"
            )
        _write(finished(experiment, trials), scratch, asked)
        return write_sums(scratch)


def _write(of: Finished, folder: Path, asked: Asked) -> None:
    experiment, results = of.experiment, of.sources.results
    (folder / DECISIONS).mkdir()
    for trial in of.trials:
        table = _decisions(trial, experiment.store)
        name = file_name(trial.task_name, trial.model_name, trial.kind, str(trial.seed))
        (folder / DECISIONS / f"{name}.csv").write_bytes(to_csv(table))
    kept = tuple(text for text in experiment.command if not text.startswith(PLACES))
    shown = replace(experiment, command=tuple(command_without_places(kept)))
    export_explanations(shown, of.trials, folder / EXPLANATIONS, overwrite=False)
    write_cards(cards(of, asked), folder / CARDS, overwrite=False)
    write_results(results, folder / EVIDENCE, of.bootstrap)
    advice = list(of.sources.advice.values())
    texts = {
        "README.md": README.format(name=experiment.name),
        "code.sha256": code_lines(),
        f"{EVIDENCE}/recommendation.txt": answer(advice, results.incomplete) + "\n",
        f"{EVIDENCE}/recommendation.json": _json([record(one) for one in advice]),
        f"{EVIDENCE}/metric_checks.csv": files("assay.results")
        .joinpath("metric_checks.csv")
        .read_text("utf-8"),
        "hashes.json": _json(_hashes(of)),
        "settings.json": _json([_settings(trial) for trial in of.trials]),
        "audit.json": _json(
            {
                "bundle_version": VERSION,
                "experiment": experiment.name,
                "command": results.command,
                "by": asked.by,
                "date": asked.date,
                "versions": library_versions(),
            }
        ),
    }
    texts[COLUMNS_PAGE] = column_page(
        {*texts, *(path.relative_to(folder).as_posix() for path in folder.rglob("*.csv"))}
    )
    for name, text in texts.items():
        (folder / name).write_bytes(inert(text).encode())


def _decisions(trial: Trial, store: Store) -> pd.DataFrame:
    """A row per explained text: its id and texts, its labels, what was decided, and the probabilities."""
    stored = stored_trial(trial, store)
    assert stored is not None
    ids, probabilities = read_predictions(stored)
    task = trial.task
    examples = {example.id: example for example in task.test}
    decided = predicted(probabilities, multi_label=task.multi_label)
    rows: list[dict[str, Any]] = []
    for id, row, probability in zip(ids, decided, probabilities, strict=True):
        example = examples[id]
        rows.append(
            {
                "id": id,
                **{f"text_{place}": text for place, text in enumerate(example.texts, 1)},
                "gold": "; ".join(task.labels[label] for label in example.labels),
                "decided": "; ".join(task.labels[label] for label in row.nonzero()[0]),
                **{
                    f"p({label})": float(value) for label, value in zip(task.labels, probability, strict=True)
                },
            }
        )
    return pd.DataFrame(rows)


def _hashes(of: Finished) -> dict[str, Any]:
    """Hashes of the models, the texts and the program."""
    return {
        "models": list(_models(of)),
        "texts": [
            {
                "task": trial.task_name,
                "model": trial.model_name,
                "seed": trial.seed,
                "explained": trial.explained,
                "training": trial.data[0],
                "development": trial.data[1],
            }
            for trial in of.trials
        ],
        "code": code_digest(),
    }


def _models(of: Finished) -> Iterator[dict[str, Any]]:
    for trial in of.trials:
        folder = of.experiment.store.model(trial.model_key)
        card = read_card(trial, of.experiment.store)
        # A model that was brought has no files here; its card has the hash of its weights all the same.
        own = sorted(path for path in folder.iterdir() if path.is_file())
        yield {
            "task": trial.task_name,
            "model": trial.model_name,
            "kind": trial.kind,
            "seed": trial.seed,
            "weights": card and card["weights"],
            "files": {path.name: digest_now(path) for path in own if path != StoredModel(folder).card},
        }


def _settings(trial: Trial) -> dict[str, Any]:
    """Every setting of a trial but where its store is."""
    settings = plain(trial.config)
    return plain_without_places({name: value for name, value in settings.items() if name != "store"})


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, sort_keys=True).replace("\x7f", "\\u007f") + "\n"
