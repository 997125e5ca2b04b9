"""One figure of an experiment by its name."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib

from assay.harness.reporting.baseline_pairs import with_baselines
from assay.harness.reporting.global_words import MOST_TEXTS, stored_words
from assay.harness.reporting.scored_results import scored_results
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.figures.every_figure import Summaries, named_figures
from assay.results.figures.names import KINDS
from assay.results.figures.style import Drawing
from assay.results.figures.words import words_figures
from assay.results.statistics.baseline_sensitivity import sensitivity
from assay.results.statistics.by_group import by_group
from assay.results.statistics.rank_table import rank_table
from assay.results.tables.layout import grids
from assay.tasks.errors import InputError, did_you_mean

FORMATS = ("svg", "pdf", "png")
METRIC = "METRIC"
BASELINES = "baseline_sensitivity"


def check_name(name: str) -> None:
    """Raise InputError unless a figure may be called so; METRIC is any word, a number may stand behind."""
    stems = [kind.removesuffix(METRIC) for kind in KINDS]
    if not any(name.startswith(stem) if stem.endswith("-") else _stem(name) == stem for stem in stems):
        raise InputError(f"there is no figure {name!r}; {did_you_mean(name, KINDS)}")


def draw(experiment: Experiment, trials: Sequence[Trial], name: str) -> Drawing:
    """The figure as the report has it, with its PDF.

    Args:
        experiment: whose finished cells are shown.
        trials: those whose texts could be read.
        name: one of `KINDS`, with the name of a metric in place of METRIC.

    Raises:
        InputError: there is no such figure, or nothing for it to show.
    """
    check_name(name)
    with scored_results(experiment, trials) as scored:
        results, bootstrap = scored.results, scored.bootstrap
        found = by_group(results, bootstrap, scored.parallel_map)
    ranks = rank_table(results, alpha=bootstrap.alpha)
    shown = grids(found.comparison, results.metrics, results.removal, alike=results.alike)
    # Baselines are compared for their own figure alone, because that reads explanations.
    sensitive = (
        sensitivity(
            with_baselines(results, trials, experiment.store), found.comparison, found.labels, bootstrap
        )
        if name == BASELINES
        else ()
    )
    figures = {
        **named_figures(results, shown, Summaries(found, ranks, sensitive, bootstrap.alpha)),
        "global_words": lambda: words_figures(
            stored_words(trials, experiment.store, MOST_TEXTS).words, results.controls
        ),
    }
    call = figures.get(name, figures.get(_stem(name)))
    if call is None:
        raise InputError(f"{experiment.name!r} has no figure {name!r}; {did_you_mean(name, figures)}")
    with matplotlib.rc_context({"savefig.format": "pdf"}):
        drawn = call()
    every = [] if drawn is None else [drawn] if isinstance(drawn, Drawing) else list(drawn)
    for one in every:
        # A name without its number is the first of several.
        if name in (one.name, _stem(one.name)):
            return one
    if every:
        names = did_you_mean(name, [one.name for one in every])
        raise InputError(f"{experiment.name!r} has no figure {name!r}; {names}")
    raise InputError(f"{experiment.name!r} has nothing to show as {name!r}: {KINDS.get(name, 'no value')}")


def _stem(name: str) -> str:
    """The name without the number behind it."""
    stem, _, number = name.rpartition("-")
    return stem if number.isdecimal() and stem else name
