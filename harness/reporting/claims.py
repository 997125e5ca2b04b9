"""The claims of the diagnostic study, tested on what an experiment has in its store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.harness.reporting.published import asked
from assay.harness.reporting.scored_results import scored_results
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.claims.claims import Verdict, verdicts
from assay.results.claims.records import PublishedRow
from assay.results.statistics.comparison import compare


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
    with scored_results(experiment, trials) as scored:
        results, bootstrap = scored.results, scored.bootstrap
        found = verdicts(results, bootstrap, parallel_map=scored.parallel_map)
    return found, wanted.rows(compare(results, bootstrap)) if wanted and wanted.published else []
