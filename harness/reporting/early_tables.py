"""The comparison of a task and model, printed while the rest of the experiment still runs."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from assay.harness.reporting.missing import group_of
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import complete
from assay.results.inert import inert
from assay.results.records import Group, grouped

log = logging.getLogger(__name__)

# The store is asked this often; where asking is slow, in this share of the time at most.
EVERY_SECONDS, SHARE = 2.0, 0.05
# Of larger experiments nobody waits for the first table, and asking takes long.
MOST_TRIALS = 60


@contextmanager
def early_tables(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[None]:
    """Print the table of each task and model once all of its trials are complete.

    Wherever jobs run, the store tells. What was complete before is not printed, nor what is complete last,
    with which the report follows; and nothing of an experiment of one task and model. Metrics over pairs of
    models come after all trials, and are in the report only.

    Args:
        experiment: what is running.
        trials: those whose texts could be read.
    """
    groups = grouped(trials, group_of)
    if len(groups) < 2 or len(trials) > MOST_TRIALS:
        yield
        return
    store, over = experiment.store, threading.Event()
    waiting = {
        group: some for group, some in groups.items() if not all(complete(trial, store) for trial in some)
    }

    def watch() -> None:
        wait = EVERY_SECONDS
        while len(waiting) > 1 and not over.wait(wait):
            began = time.perf_counter()
            done = [group for group, some in waiting.items() if all(complete(trial, store) for trial in some)]
            # Of asking alone: a table takes longer, and is made once.
            wait = max(EVERY_SECONDS, (time.perf_counter() - began) * (1 / SHARE - 1))
            # The last one comes with the report.
            for group in done[: len(waiting) - 1]:
                _print(experiment, group, waiting.pop(group))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _print(experiment: Experiment, group: Group, trials: Sequence[Trial]) -> None:
    try:
        text = early_table(experiment, trials)
    # A table before its time is no reason to stop a run, and the report says what is wrong.
    except Exception as error:
        log.warning("the table of %s cannot be shown yet: %s", group.title, error)
        return
    # Above the bar, where there is one.
    tqdm.write(inert(text), file=sys.stdout)
    sys.stdout.flush()


def early_table(experiment: Experiment, trials: Sequence[Trial]) -> str:
    """The comparison of the trials of one task and model, for a terminal."""
    # Slow to import, and needed when the first table is ready.
    from assay.harness.config.resampling import bootstrap_of
    from assay.harness.reporting.collect import collect
    from assay.results.statistics.comparison import compare
    from assay.results.statistics.constant_methods import unstarred
    from assay.results.tables.layout import grids
    from assay.results.tables.text import plain

    results, bootstrap = collect(experiment, trials), bootstrap_of(experiment.configs[0])
    comparison = unstarred(compare(results, bootstrap), results)
    return plain(grids(comparison, results.metrics, results.removal, alike=results.alike), bootstrap)
