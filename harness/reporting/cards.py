"""Explainer cards of an experiment, from what its store holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from assay.harness.config.keys import plain
from assay.harness.config.places import command_without_places, plain_without_places, without_places
from assay.harness.config.provenance import code_digest
from assay.harness.config.resampling import bootstrap_of
from assay.harness.reporting.baseline_pairs import with_baselines
from assay.harness.reporting.collect import collect
from assay.harness.reporting.completeness import completeness
from assay.harness.reporting.method_facts import method_facts
from assay.harness.reporting.missing import cells_of_trial, group_of, method_of
from assay.harness.state.last_run import PLACES
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, required_json
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Cell, Trial
from assay.results.card.card import About, Card, Sources, make_card
from assay.results.checks import packaged_checks
from assay.results.columns import ComparisonRow, LabelRow, from_table
from assay.results.recommendation.constraints import MethodFacts
from assay.results.recommendation.recommend import recommend
from assay.results.records import Group, Method, Results
from assay.results.statistics.baseline_sensitivity import recommended_baselines, sensitivity
from assay.results.statistics.comparison import compare, methods_of
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.labels import by_label
from assay.results.statistics.shared_estimates import SharedEstimates
from assay.tasks.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Asked:
    """Which cards are made, and what the user adds to them.

    Attributes:
        explainer, baseline, task, model: their names; "" for all.
        use: what the explanations are meant for.
        by: who makes the cards.
        date: when, as YYYY-MM-DD.
    """

    explainer: str = ""
    baseline: str = ""
    task: str = ""
    model: str = ""
    use: str = ""
    by: str = ""
    date: str = ""


def today() -> str:
    """The day, in UTC, as YYYY-MM-DD: all that a card tells of when it was made."""
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A finished experiment with everything that its cards rest on."""

    experiment: Experiment
    trials: Sequence[Trial]
    sources: Sources
    bootstrap: Bootstrap


def require_finished(experiment: Experiment, trials: Sequence[Trial]) -> None:
    """Raise InputError unless every cell of the experiment is done, or failed."""
    found = completeness(experiment, trials)
    if not found.scored:
        raise InputError(
            f"nothing of the experiment {experiment.name!r} is stored yet, or its texts or settings have "
            "changed since it was run; run it first (assay run)"
        )
    if found.missing:
        raise InputError(
            f"the experiment {experiment.name!r} is not complete: {found.left}; finish it first (assay run "
            f"{experiment.name}, assay status {experiment.name})"
        )


def require_placeless_names(names: Iterable[str]) -> None:
    """Raise InputError on a task or model that is named by a place, as by short values of an axis."""
    for name in names:
        if without_places(name) != name:
            raise InputError(
                f"{name!r} holds a place of this machine, which belongs in no card; run it with a path from "
                "the working folder, such as model.path=v1,v2"
            )


def finished(experiment: Experiment, trials: Sequence[Trial]) -> Finished:
    """An experiment whose cards can be made.

    Raises:
        InputError: nothing is stored, or not all of it.
    """
    require_placeless_names(name for trial in trials for name in (trial.task_name, trial.model_name))
    require_finished(experiment, trials)
    bootstrap = bootstrap_of(experiment.configs[0])
    collected = with_baselines(collect(experiment, trials), trials, experiment.store)
    results = placeless(collected, experiment)
    # Estimated once for all of them.
    shared = SharedEstimates()
    comparison = unstarred(compare(results, bootstrap, shared), results)
    labels = by_label(results, bootstrap, shared=shared)
    facts = method_facts(trials, experiment.store, results.cells)
    advice = recommend(results, facts, bootstrap=bootstrap, shared=shared) if results.cells else []
    sources = Sources(
        results,
        from_table(ComparisonRow, comparison),
        from_table(LabelRow, labels),
        {one.group: one for one in advice},
        sensitivity(results, comparison, labels, bootstrap),
        recommended_baselines(results, bootstrap, shared=shared),
        packaged_checks(),
        bootstrap.alpha,
    )
    return Finished(experiment, trials, sources, bootstrap)


def placeless(results: Results, experiment: Experiment) -> Results:
    """The results without places of this machine: in the command, and in what is said of failures."""
    kept = tuple(text for text in experiment.command if not text.startswith(PLACES))
    absences = [replace(one, reason=without_places(one.reason), detail="") for one in results.absences]
    command = shlex.join(["assay", "run", *command_without_places(kept)])
    notes = [without_places(note) for note in results.notes]
    return replace(results, command=command, absences=absences, notes=notes)


def cards(of: Finished, asked: Asked) -> list[Card]:
    """The cards that are asked for; without an explainer those of every candidate.

    Raises:
        InputError: there is no such explainer, baseline, task or model in the experiment.
    """
    results, store = of.sources.results, of.experiment.store
    facts = method_facts(of.trials, store, results.cells)
    found = []
    for group, method in _chosen(results, asked):
        trials = [trial for trial in of.trials if group_of(trial) == group]
        about = _about(of, trials, method, facts[group, method], asked)
        found.append(make_card(of.sources, group, method, about))
    return found


def _chosen(results: Results, asked: Asked) -> Iterator[tuple[Group, Method]]:
    single = {one.group for one in results.models}
    known = {group: methods for group, methods in methods_of(results).items() if group in single}
    scored = {(cell.group, cell.method) for cell in results.cells}
    pairs = [
        (group, method)
        for group, methods in known.items()
        for method in methods
        if (group, method) in scored and (asked.explainer or method.explainer not in results.controls)
    ]
    for name in ("task", "model", "explainer", "baseline"):
        wanted = getattr(asked, name)
        if wanted:
            names = {getattr(one, name) for pair in pairs for one in pair if hasattr(one, name)} - {""}
            if wanted not in names:
                raise InputError(
                    f"the experiment {results.name!r} has no scores of the {name} {wanted!r}; "
                    f"{did_you_mean(wanted, names)}"
                )
            pairs = [pair for pair in pairs if wanted in [getattr(one, name, None) for one in pair]]
    yield from pairs


def _about(of: Finished, trials: Sequence[Trial], method: Method, facts: MethodFacts, asked: Asked) -> About:
    store, results = of.experiment.store, of.sources.results
    cells = [(trial, cell) for trial in trials for cell in _cells(trial, method, store)]
    records = [(trial, cell, required_json(StoredCell(store.cell(cell.key)).record)) for trial, cell in cells]
    first_trial, first, _ = records[0]
    config = first_trial.config
    baseline = first.method.baseline
    training, development = (str(name) for name in first_trial.data[:2])
    settings: dict[str, Any] = {
        "explainer": plain(config.explainer[method.explainer]),
        "baseline": plain(config.baseline[method.baseline]) if method.baseline else None,
        "model": plain(config.model),
        "task": plain(config.task),
        "targets": config.targets.name,
        "limits": plain(config.limits),
    }
    return About(
        settings=plain_without_places(settings),
        policy="" if baseline is None else baseline.policy,
        weights={str(trial.seed): str(of_cell["weights"]) for trial, _, of_cell in records},
        data={
            "explained texts": first_trial.explained,
            "training texts": training,
            "development texts": development,
        },
        code=code_digest(),
        versions=results.versions,
        made_with=tuple(_other_versions([of_cell for *_, of_cell in records], results)),
        command=results.command,
        seeds=tuple(dict.fromkeys(cell.explainer_seed for _, cell in cells)),
        facts=facts,
        targets=config.targets.name,
        use=asked.use,
        by=asked.by,
        date=asked.date,
    )


def _cells(trial: Trial, method: Method, store: Store) -> list[Cell]:
    """The finished cells of a method, one for each seed of the explainer."""
    cells = cells_of_trial(trial, store)
    return [cell for cell in cells if method_of(cell) == method and StoredCell(store.cell(cell.key)).done]


def _other_versions(records: Sequence[dict[str, Any]], results: Results) -> Iterator[str]:
    """Libraries that explained in another version than the one at hand."""
    for name, now in results.versions.items():
        then = {str(record["versions"][name]) for record in records if name in record["versions"]} - {now}
        if then:
            yield f"explained with {name} {', '.join(sorted(then))}, and {now} now"
