"""What each command does; every function returns the exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.harness.reporting.collect import RANDOM, collect, inputs, score_files
from assay.harness.reporting.missing import failures
from assay.harness.state.plan_snapshot import plan_work
from assay.harness.state.status import State, survey
from assay.harness.state.store_state import read_store_state
from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.ledger import failure
from assay.harness.storage.store import Damaged, present, read_json, write_json
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.experiment import run as run_experiment
from assay.harness.trials.plan import Trial
from assay.harness.trials.titles import failure_key
from assay.results.parallel import spread, useful_processes
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    from assay.harness.exchange.importing import Order

# So often a run starts over because a file was damaged; files found damaged together count once.
REPAIR_ATTEMPTS = 5


def run(overrides: Sequence[str]) -> int:
    """Compute, report, and say what failed."""
    experiment = open_experiment(overrides)
    trials = _whole_run(experiment)
    return _say_failures(experiment, trials)


def retry(overrides: Sequence[str]) -> int:
    """Compute again what failed, report, and say what failed again."""
    from assay.harness.state.retry import retry_text, what_failed

    experiment = open_experiment(overrides)
    found = what_failed(experiment, load_trials(experiment))
    print(retry_text(found))
    trials = _whole_run(found.experiment) if found.failures else load_trials(experiment)
    return _say_failures(experiment, trials)


def _whole_run(experiment: Experiment) -> list[Trial]:
    """Compute and report; what turns out to be damaged on disk is set aside and computed anew."""
    stored = StoredExperiment(experiment.store.experiment(experiment.name))
    write_json(stored.command, {"overrides": list(experiment.command)})
    for _ in range(REPAIR_ATTEMPTS):
        try:
            trials = run_experiment(experiment)
            _report(experiment, trials, anew=False)
        except Damaged:
            # Whatever else is damaged is found now, and computed anew together with it.
            for path in experiment.store.tables():
                present(path)
            continue
        return trials
    raise InputError(
        f"files in {str(experiment.store.root)!r} were damaged {REPAIR_ATTEMPTS} times in a row; "
        "check the disk"
    )


def report(overrides: Sequence[str]) -> int:
    """Report what is on disk."""
    experiment = open_experiment(overrides)
    trials = load_trials(experiment)
    _report(experiment, trials, anew=True)
    return _say_failures(experiment, trials)


def plan(overrides: Sequence[str], *, calibrated: bool, workers: int) -> int:
    """Print what a run would do, and how long it would take."""
    from assay.harness.costs import planning

    print(planning.plan(open_experiment(overrides), calibrated=calibrated, workers=workers))
    return 0


def export(overrides: Sequence[str], *, to: Path | None, explanations: Path | None, overwrite: bool) -> int:
    """Write the scores as one table, the explanations as a dataset, or both."""
    from assay.harness.exchange.export_explanations import export_explanations
    from assay.harness.exchange.export_scores import export_scores

    if to is None and explanations is None:
        raise InputError("nothing to export; give --to FILE for the scores or --explanations FOLDER, or both")
    experiment = open_experiment(overrides)
    trials = load_trials(experiment)
    if to is not None:
        rows, tables = export_scores(experiment, trials, to, overwrite=overwrite)
        print(f"{rows:,} scores of {tables:,} tables: {to}")
    if explanations is not None:
        rows = export_explanations(experiment, trials, explanations, overwrite=overwrite)
        print(f"{rows:,} explanations, with their texts: {explanations}")
    return _say_failures(experiment, trials)


def import_scores(order: Order, overrides: Sequence[str]) -> int:
    """Make an explainer of a file of scores, and print the command that scores it."""
    from assay.harness.exchange.importing import import_scores as made

    print(made(order, overrides))
    return 0


def track(overrides: Sequence[str], *, to: str, folder: Path | None) -> int:
    """Hand what is finished over to an experiment tracker."""
    from assay.harness.exchange.tracking import track

    experiment = open_experiment(overrides)
    found = track(experiment, load_trials(experiment), to, folder)
    print(f"Runs written: {found.written}, there already: {found.known}. Folder: {found.folder}")
    return 0


def check_metrics(arguments: Sequence[str], *, csv: Path | None, quick: bool) -> int:
    """Print what each metric tells apart on texts with known causes; `csv`: also write it there.

    arguments: names of metrics, and overrides, which hold a "=".
    """
    from assay.harness.questions.check_metrics import QUICK, Effort, check_metrics, chosen_metrics, worlds
    from assay.results.tables.metric_checks import summary, to_csv, to_markdown

    if csv is not None and not csv.parent.is_dir():
        raise InputError(f"--csv {str(csv)!r} is in no folder that exists; expected a file to write")
    overrides = [argument for argument in arguments if "=" in argument]
    metrics = chosen_metrics([name for name in arguments if name not in overrides], overrides)
    effort = QUICK if quick else Effort()
    found = check_metrics(metrics, worlds(effort), effort)
    print(to_markdown(found), end="\n\n")
    if csv is not None:
        csv.write_text(to_csv(found), encoding="utf-8")
    print(summary(found))
    return 0


def roar(overrides: Sequence[str], *, shares: tuple[int, ...], recursive: bool, absent: str) -> int:
    """Retrain without the words each explainer ranks first, and print how far the models fall."""
    from assay.harness.questions.roar import Settings, remove_and_retrain
    from assay.results.tables.roar import roar_markdown

    settings = Settings(shares, recursive, absent)
    experiment = open_experiment(overrides)
    folder = experiment.store.experiment(experiment.name)
    trials = load_trials(experiment)
    found = remove_and_retrain(trials, experiment.store, folder / "roar", settings)
    name = "recursive_roar" if recursive else "roar"
    if len(found.rows):
        table = roar_markdown(found.rows, RANDOM)
        found.rows.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        (folder / f"{name}.md").write_text(table, encoding="utf-8")
        print(table)
        print(f"Table: {folder / f'{name}.md'}")
    for line in found.left_out:
        print(f"Left out: {line}")
    unread = [failure(experiment.store, failure_key(config)) for config in experiment.configs]
    failed = [entry for entry in (*unread, *found.failures) if entry is not None]
    for entry in failed:
        print(f"assay: error: {entry.title}: {entry.sentence}", file=sys.stderr)
    return 1 if failed else 0


def _report(experiment: Experiment, trials: Sequence[Trial], *, anew: bool) -> None:
    """Write tables and page, unless they were written from the very same inputs and `anew` is false."""
    stored = StoredExperiment(experiment.store.experiment(experiment.name))
    files = score_files(trials, experiment.store)
    made_from = {"inputs": inputs(experiment, trials, files)}
    if anew or read_json(stored.report_record) != made_from:
        if not files:
            return
        options = experiment.configs[0].report
        with spread(useful_processes(len(files))) as spreading:
            # Drawing is slow to import, and most commands draw nothing.
            from assay.results.statistics.estimates import Bootstrap
            from assay.results.write import write_results

            bootstrap = Bootstrap(n=int(options.bootstrap), seed=int(options.seed))
            results = collect(experiment, trials, files, spreading)
            write_results(results, stored.folder, bootstrap, spreading)
        write_json(stored.report_record, made_from)
    print(stored.comparison.read_text(encoding="utf-8"))
    print(f"Report: {stored.page}")


def _say_failures(experiment: Experiment, trials: Sequence[Trial]) -> int:
    """Each distinct sentence once, on stderr."""
    places: dict[str, list[str]] = {}
    for absence in failures(experiment, trials):
        places.setdefault(absence.reason, []).append(absence.place)
    for sentence, where in places.items():
        more = f" (and {len(where) - 1} more)" if len(where) > 1 else ""
        print(f"assay: error: {where[0]}{more}: {sentence}", file=sys.stderr)
    planned = plan_work(experiment, trials)
    found = survey(planned, read_store_state(experiment.store, planned))
    if missing := found.counts()[State.missing]:
        print(f"assay: {missing} cells are missing; run again to compute them", file=sys.stderr)
    return 0 if found.done and not places else 1
