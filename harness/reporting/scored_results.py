"""The scores of an experiment, read to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from assay.harness.config.resampling import bootstrap_of
from assay.harness.reporting.collect import collect, scored_files
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.parallel import ParallelMap, process_pool, useful_processes
from assay.results.records import Results
from assay.results.statistics.estimates import Bootstrap


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
    files = scored_files(experiment, trials)
    bootstrap = bootstrap_of(experiment.configs[0])
    with process_pool(useful_processes(len(files))) as spreading:
        yield ScoredResults(collect(experiment, trials, files, spreading), bootstrap, spreading)
