"""Computing an experiment, reporting it, and saying what failed."""

from __future__ import annotations

from collections.abc import Sequence

from assay.harness.command_line.terminal import print_error
from assay.harness.reporting.collect import collect, inputs, notes, score_files
from assay.harness.reporting.missing import failures
from assay.harness.state.plan_snapshot import plan_work
from assay.harness.state.status import State, survey
from assay.harness.state.store_state import model_remarks, read_store_state
from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.store import Damaged, present, read_json, write_json
from assay.harness.trials.experiment import Experiment, run
from assay.harness.trials.plan import Trial
from assay.results.inert import inert
from assay.results.parallel import process_pool, useful_processes
from assay.results.records import grouped
from assay.tasks.counted import counted
from assay.tasks.errors import InputError

# So often a run starts over because a file was damaged; files found damaged together count once.
REPAIR_ATTEMPTS = 5


def compute_and_report(experiment: Experiment) -> int:
    """Compute whatever is missing and report; returns the exit status.

    What turns out to be damaged on disk is set aside and computed anew.
    """
    stored = StoredExperiment(experiment.store.experiment(experiment.name))
    write_json(stored.command, {"overrides": list(experiment.command)})
    for _ in range(REPAIR_ATTEMPTS):
        try:
            trials = run(experiment)
            write_report(experiment, trials, anew=False)
        except Damaged:
            # Whatever else is damaged is found now, and computed anew together with it.
            for path in experiment.store.tables():
                present(path)
            continue
        return exit_status(experiment, trials)
    raise InputError(
        f"files in {str(experiment.store.root)!r} were damaged {REPAIR_ATTEMPTS} times in a row; "
        "check the disk"
    )


def write_report(experiment: Experiment, trials: Sequence[Trial], *, anew: bool = True) -> None:
    """Write tables and page, unless they were written from the very same inputs and `anew` is false."""
    stored = StoredExperiment(experiment.store.experiment(experiment.name))
    files = score_files(trials, experiment.store)
    made_from = {"inputs": inputs(experiment, trials, files)}
    if anew or read_json(stored.report_record) != made_from:
        if not files:
            return
        options = experiment.configs[0].report
        with process_pool(useful_processes(len(files))) as spreading:
            # Drawing is slow to import, and most commands draw nothing.
            from assay.results.statistics.estimates import Bootstrap
            from assay.results.write import write_results

            bootstrap = Bootstrap(n=int(options.bootstrap), seed=int(options.seed))
            results = collect(experiment, trials, files, spreading)
            write_results(results, stored.folder, bootstrap, spreading)
        write_json(stored.report_record, made_from)
    print(stored.comparison.read_text(encoding="utf-8"))
    for note in notes(trials, experiment.store):
        print(inert(f"{note}."))
    print(f"Report: {stored.page}")


def exit_status(experiment: Experiment, trials: Sequence[Trial]) -> int:
    """0 if everything is there, else 1; what failed, each sentence once, what is missing and what is to be
    said of the models go to stderr."""
    failed = grouped(failures(experiment, trials), lambda failure: failure.reason)
    for sentence, (first, *others) in failed.items():
        more = f" (and {len(others)} more)" if others else ""
        print_error(f"error: {first.place}{more}: {sentence}")
    planned = plan_work(experiment, trials)
    state = survey(planned, read_store_state(experiment.store, planned))
    for remark in model_remarks(experiment.store, planned):
        print_error(f"warning: {remark}")
    if missing := state.counts()[State.missing]:
        are = "is" if missing == 1 else "are"
        print_error(f"{counted(missing, 'cell')} {are} missing; run again to compute what is missing")
    return 0 if state.done and not failed else 1
