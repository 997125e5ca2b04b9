"""The claims of the diagnostic study, tested on what an experiment has in its store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.harness.reporting.collect import collect, score_files
from assay.harness.reporting.published import asked
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.claims.claims import Verdict, verdicts
from assay.results.claims.records import PublishedRow
from assay.results.parallel import process_pool, useful_processes
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError


def tested_claims(
    experiment: Experiment, trials: Sequence[Trial], published: Path | None = None
) -> tuple[list[Verdict], list[PublishedRow]]:
    """The verdicts on the claims, and the published numbers beside the measured ones.

    Args:
        experiment: whose finished cells count.
        trials: those whose texts could be read.
        published: a file of published numbers.

    Raises:
        InputError: nothing is scored, or the file cannot be used.
    """
    wanted = asked(True, published)
    files = score_files(trials, experiment.store)
    if not files or wanted is None:
        raise InputError(f"nothing of experiment {experiment.name!r} is scored yet; run it, with assay run")
    options = experiment.configs[0].report
    bootstrap = Bootstrap(n=int(options.bootstrap), seed=int(options.seed))
    with process_pool(useful_processes(len(files))) as spreading:
        results = collect(experiment, trials, files, spreading)
        found = verdicts(results, bootstrap, parallel_map=spreading)
    return found, wanted.rows(compare(results, bootstrap)) if wanted.published else []
