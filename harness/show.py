"""Plans, states and choices as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from harness.choice import EVERY_ABILITY
from harness.compose import offered
from harness.experiment import Experiment
from harness.ledger import Failure, failure
from harness.plan import Cell, Trial, cells, failure_key, title
from harness.store import Store
from harness.trial import complete, read_card
from models.vocabulary import find_words


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One trial as it stands: cells planned, explained, refused; scored: whether every metric is there."""

    title: str
    planned: int
    done: int
    scored: bool
    refused: tuple[Cell, ...]
    failures: tuple[Failure, ...]


def survey(experiment: Experiment, trials: Sequence[Trial]) -> list[State]:
    """The state of every trial, those whose texts cannot be read included."""
    loaded = {failure_key(trial.config): trial for trial in trials}
    found = []
    for config in experiment.configs:
        name = failure_key(config)
        failures = [failure(experiment.store, name)]
        trial = loaded.get(name)
        if trial is None:
            found.append(State(title(config), 0, 0, False, (), tuple(f for f in failures if f)))
            continue
        planned = planned_cells(trial, experiment.store)
        asked = [cell for cell in planned if cell.refusal is None]
        failures += [failure(experiment.store, cell.key) for cell in asked]
        found.append(
            State(
                title=trial.title,
                planned=len(asked),
                done=sum((experiment.store.cell(cell.key) / "cell.json").exists() for cell in asked),
                scored=complete(trial, experiment.store),
                refused=tuple(cell for cell in planned if cell.refusal is not None),
                failures=tuple(f for f in failures if f),
            )
        )
    return found


def planned_cells(trial: Trial, store: Store) -> list[Cell]:
    """The trial's cells; before its model is known, under the assumption that it can do everything."""
    card = read_card(trial, store) or {"weights": "unknown", "abilities": EVERY_ABILITY}
    return cells(trial, card["weights"], frozenset(card["abilities"]))


def plan_text(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """Trials, cells, what is stored, and the model rows and tokens still to run."""
    rows: list[list[str]] = []
    refused: dict[str, None] = {}
    total_rows = total_tokens = 0
    for trial in trials:
        lengths = np.array([_words(example.texts) for example in trial.task.test])
        targets = len(trial.task.labels) if trial.config.targets.name == "all" else 1
        for cell in planned_cells(trial, experiment.store):
            if cell.refusal is not None:
                place = f"{trial.task.name} / {trial.model_name} / {cell.title}"
                refused[f"  {place}: {cell.refusal}"] = None
                continue
            stored = (experiment.store.cell(cell.key) / "cell.json").exists()
            counts = [sum(cell.method.explainer.model_rows(int(length), targets)) for length in lengths]
            passes, tokens = sum(counts), int(np.dot(counts, lengths))
            if not stored:
                total_rows, total_tokens = total_rows + passes, total_tokens + tokens
            state = "stored" if stored else "to do"
            rows.append([trial.title, cell.title, state, f"{passes:,}", f"{tokens:,}"])
    lines = [f"Experiment {experiment.name}: {len(trials)} trials, {len(rows)} cells", ""]
    lines += aligned(["trial", "explainer", "state", "model rows", "tokens"], rows)
    lines += [
        "",
        f"To do: {total_rows:,} model rows, about {total_tokens:,} tokens (words counted; metrics not).",
    ]
    if refused:
        lines += ["", "Left out:", *refused]
    return "\n".join(lines)


def status_text(experiment: Experiment, states: Sequence[State]) -> str:
    """One line per trial, then every failure."""
    rows = [
        [
            state.title,
            f"{state.done}/{state.planned}",
            "yes" if state.scored else "no",
            str(len(state.failures)),
            str(len(state.refused)),
        ]
        for state in states
    ]
    done, planned = sum(state.done for state in states), sum(state.planned for state in states)
    lines = [f"Experiment {experiment.name}: {done} of {planned} cells explained", ""]
    lines += aligned(["trial", "explained", "scored", "failed", "left out"], rows)
    for found in (found for state in states for found in state.failures):
        lines += ["", f"failed: {found.title}", f"  {found.sentence}"]
    return "\n".join(lines)


def choices() -> str:
    """Every group and the names it offers, with the first line of each file."""
    lines: list[str] = []
    for group in ("experiment", "task", "model", "explainer", "baseline", "metric"):
        lines += [f"{group}", *(f"  {name:28}{about}" for name, about in _offers(group)), ""]
    return "\n".join(lines).rstrip()


def aligned(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with columns as wide as they need to be."""
    table = [heading, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def _offers(group: str) -> Iterable[tuple[str, str]]:
    for name in offered(group):
        lines = files("conf").joinpath(group, f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        comments = (line[2:] for line in lines if line.startswith("# "))
        yield name, next((line for line in comments if not line.startswith("@package")), "")


def _words(texts: tuple[str, ...]) -> int:
    return sum(len(find_words(text)) for text in texts)
