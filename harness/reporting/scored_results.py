"""The scores of an experiment, read to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from assay.harness.reporting.collect import collect, score_files
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.parallel import ParallelMap, process_pool, useful_processes
from assay.results.records import Results
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class ScoredResults:
    """results: as stored. bootstrap: as configured. parallel_map: over processes, while they are held."""

    results: Results
    bootstrap: Bootstrap
    parallel_map: ParallelMap


@contextmanager
def scored_results(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[ScoredResults]:
    """What is scored, with processes to compute more of it.

    Args:
        experiment: whose finished cells are read.
        trials: those whose texts could be read.

    Raises:
        InputError: nothing is scored.
    """
    files = score_files(trials, experiment.store)
    if not files:
        raise InputError(f"nothing of experiment {experiment.name!r} is scored yet; run it, with assay run")
    options = experiment.configs[0].report
    bootstrap = Bootstrap(n=int(options.bootstrap), seed=int(options.seed))
    with process_pool(useful_processes(len(files))) as spreading:
        yield ScoredResults(collect(experiment, trials, files, spreading), bootstrap, spreading)
