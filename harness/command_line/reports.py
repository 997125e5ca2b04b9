"""Computing an experiment, reporting it, and saying what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.harness.command_line.early import DRAWING
from assay.harness.command_line.terminal import print_error
from assay.harness.command_line.waiting import waiting
from assay.harness.exchange.atomic import whole_folder
from assay.harness.reporting.baseline_pairs import begin_pairs, with_baselines
from assay.harness.reporting.collect import collect, inputs, notes, score_files
from assay.harness.reporting.early_tables import early_tables
from assay.harness.reporting.global_words import MOST_TEXTS, begin_words
from assay.harness.reporting.knowledge import knowledge_figures, knowledge_record
from assay.harness.reporting.missing import cells_of_trial, failures, refusals
from assay.harness.reporting.published import asked
from assay.harness.reporting.score_files import ScoreFile
from assay.harness.state.last_run import keep_command, last_run, other_run
from assay.harness.state.plan_snapshot import plan_work
from assay.harness.state.status import State, Survey, survey
from assay.harness.state.status_text import missing_text
from assay.harness.state.store_state import living_claims, model_remarks, read_store_state
from assay.harness.storage.layout import StoredExperiment
from assay.harness.storage.store import Damaged, ReadOnly, present, read_json, write_json
from assay.harness.trials.experiment import Experiment, run
from assay.harness.trials.plan import Trial
from assay.harness.trials.progress import say_begun
from assay.results.claims.published import Beside
from assay.results.inert import inert
from assay.results.parallel import ParallelMap, process_pool, useful_processes
from assay.results.records import grouped
from assay.tasks.errors import InputError

# So often a run starts over because a file was damaged; files found damaged together count once.
REPAIR_ATTEMPTS = 5
# Tables of more lines stay in their file: what a terminal shows at last is the verdict.
MOST_LINES = 60
# The file that marks a folder outside the store as a report's, so that the next one may replace it.
MARK = "assay-report.json"


def compute_and_report(
    experiment: Experiment,
    *,
    everything: bool = True,
    ask: Callable[[Sequence[Trial]], int] | None = None,
) -> int:
    """Compute whatever is missing and report; returns the exit status.

    What turns out to be damaged on disk is set aside and computed anew.

    everything: whether the jobs do all that is missing, and not only what failed. ask: what else is asked of
    the trials and shown by the report; gives an exit status.
    """
    experiment.store.require_writable()
    before = last_run(experiment.store, experiment.name)
    keep_command(experiment.store, experiment.name, experiment.command)
    for _ in range(REPAIR_ATTEMPTS):
        try:
            trials = run(experiment, early_tables)
            if before is not None and not trials:
                # Nothing could be read: the name stays that of the last run that did something.
                keep_command(experiment.store, experiment.name, before)
            asked = 0 if ask is None else ask(trials)
            write_report(experiment, trials, anew=False)
        except Damaged:
            # Whatever else is damaged is found now, and computed anew together with it.
            for path in experiment.store.tables():
                present(path)
            continue
        return max(asked, exit_status(experiment, trials, ran=everything))
    raise InputError(
        f"files in {str(experiment.store.root)!r} were damaged {REPAIR_ATTEMPTS} times in a row; "
        "check the disk"
    )


def write_report(
    experiment: Experiment,
    trials: Sequence[Trial],
    *,
    anew: bool = True,
    to: Path | None = None,
    published: Path | None = None,
    pool: ParallelMap | None = None,
) -> None:
    """Write tables and page, unless they were written from the very same inputs and `anew` is false.

    Args:
        experiment: what is reported.
        trials: those whose texts could be read.
        anew: whether to write them in any case.
        to: the folder to write them to, in place of the experiment's in the store.
        published: a file of numbers to stand beside the claims of the study, which it asks for.
        pool: over the processes of `early_processes`, where there are any.

    Raises:
        InputError: if the folder cannot be written, or holds something else; or the file cannot be used.
    """
    claims = asked(bool(experiment.configs[0].report.claims), published)
    store = experiment.store
    stored = StoredExperiment(store.experiment(experiment.name) if to is None else to)
    files = score_files(trials, store)
    knowledge = knowledge_record(experiment)
    cells = sorted({file.path.parents[1].name for file in files})
    # Knowledge only where there is any, so that reports of other experiments keep their name.
    made_from: dict[str, Any] = {"inputs": inputs(experiment, trials, files), "cells": cells} | (
        {"knowledge": knowledge} if knowledge else {}
    )
    if claims is not None and claims.published:
        made_from |= {"published": [asdict(one) for one in claims.published]}
    whole = all(path.is_file() for path in (stored.verdict, stored.comparison, stored.page))
    if anew or not whole or read_json(stored.report_record) != made_from:
        if not files:
            return
        if to is not None:
            with whole_folder(to, mark=MARK, overwrite=True) as scratch:
                _write(experiment, trials, files, scratch, claims, pool)
                write_json(scratch / MARK, made_from)
        elif not store.writable:
            raise ReadOnly(
                f"the store {str(store.root)!r} can only be read; write elsewhere, with --to FOLDER"
            )
        else:
            if not anew:
                # The last part of a run, which a log tells part by part.
                say_begun("writing the report")
            _write(experiment, trials, files, stored.folder, claims, pool)
            write_json(stored.report_record, made_from)
    comparison = stored.comparison.read_text(encoding="utf-8")
    short = comparison.count("\n") <= MOST_LINES
    if short:
        print(comparison)
    for note in notes(trials, experiment.store):
        print(inert(f"{note}."))
    if verdict := stored.verdict.read_text(encoding="utf-8"):
        print(f"\n{verdict}Why, and how sure that is: assay recommend {experiment.name}\n")
    if not short:
        print(f"Tables: {stored.comparison}")
    print(f"Report: {stored.page}")


def _write(
    experiment: Experiment,
    trials: Sequence[Trial],
    files: Sequence[ScoreFile],
    folder: Path,
    claims: Beside | None,
    pool: ParallelMap | None,
) -> None:
    processes = useful_processes(len(files)) if pool is None else 1
    with waiting("report") as line, process_pool(processes, [DRAWING]) as own:
        # Drawing is slow to import, and most commands draw nothing.
        from assay.harness.config.resampling import bootstrap_of
        from assay.results.write import write_results

        bootstrap = bootstrap_of(experiment.configs[0])
        spreading = line.counted(own if pool is None else pool)
        # Begun here, and waited for at last.
        words = begin_words(trials, experiment.store, MOST_TEXTS, parallel_map=spreading)
        controls = frozenset(experiment.configs[0].controls)
        pairs = begin_pairs(trials, experiment.store, controls, spreading)
        collected = collect(experiment, trials, files, spreading)
        results = with_baselines(collected, trials, experiment.store, pairs)
        try:
            figures = knowledge_figures(experiment)
            write_results(results, folder, bootstrap, spreading, figures, words.found(), claims)
        except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError) as error:
            raise InputError(
                f"the report cannot be written: {error.filename!r} is in its way ({error.strerror}); move it "
                "away"
            ) from error


def exit_status(experiment: Experiment, trials: Sequence[Trial], *, ran: bool = False) -> int:
    """0 if everything is there, else 1, also if no score is, because nothing fits; what failed, what is
    missing and why, and models that are no better than a constant go to stderr.

    ran: whether it was just run, so that what is missing was tried.
    """
    failed = grouped(failures(experiment, trials), lambda failure: failure.reason)
    for sentence, (first, *others) in failed.items():
        more = f" (and {len(others)} more)" if others else ""
        print_error(f"error: {first.place}{more}: {sentence}")
    store, planned = experiment.store, plan_work(experiment, trials)
    state = survey(planned, read_store_state(store, planned, living_claims(store, planned)))
    for remark in model_remarks(store, planned):
        print_error(f"warning: {remark}")
    for line in missing_text(state, ran=ran):
        print_error(line)
    if not state.counts()[State.done] and (note := other_run(store, experiment.name, experiment.command)):
        print_error(note)
    whole = state.done and not failed
    nothing = _why_nothing(experiment, trials, state) if whole else []
    for line in nothing:
        print_error(line)
    return 0 if whole and not nothing else 1


def _why_nothing(experiment: Experiment, trials: Sequence[Trial], state: Survey) -> list[str]:
    """Why there is no score at all although everything is done; empty if there are scores."""
    if not state.nothing_fits and score_files(trials, experiment.store):
        return []
    what = "explainer" if state.nothing_fits else "metric"
    planned = [(trial, cells_of_trial(trial, experiment.store)) for trial in trials]
    by_reason = grouped(refusals(planned, experiment.store), lambda refused: refused.reason)
    return [
        f"error: there is nothing to report, because no {what} fits:",
        *(
            f"  {', '.join(one.place for one in of_reason)}: {reason}"
            for reason, of_reason in by_reason.items()
        ),
    ]
