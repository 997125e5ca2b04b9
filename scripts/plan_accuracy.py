"""How near `assay plan --calibrate` comes to the real run of a small experiment.

    python scripts/plan_accuracy.py [--quick] [--processor] [--factor F] [--attempts N]

Two models, several explainers, the usual metrics, two seeds, a fresh store: first the plan with its
calibration, then the run, trial by trial and the pairs of models at the end, all in one process. The bar: the
total is estimated within the factor 1.5. Seconds are of this machine and its load, and an estimate can be
held against a run only if both had the same: where the share of a processor that this process got differs by
more than a fifth between the two, they are measured again. --processor: count seconds of the processor, not
of the clock, for a machine that others use, too. --quick: word models on generated texts, under a minute on
an idle machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bar import Table, finish, options

from assay.harness.costs.calibration import calibrate
from assay.harness.costs.estimate import Estimate, estimate
from assay.harness.trials.census import outlooks
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.job import run_job, threads
from assay.harness.trials.pairs import run_pairs
from assay.harness.trials.trial import complete

Result = TypeVar("Result")

COMMON = [
    "explainer=[gold,random,inverted,saliency_l2,integrated_gradients,occlusion,lime,kernel_shap]",
    "explainer.integrated_gradients.steps=10",
    "baseline=[mask]",
    "seed=0,1",
    "engine.threads=1",
]
QUICK = [
    "name=plan_accuracy_quick",
    "task=planted_counting",
    "task.train=600",
    "task.dev=100",
    "task.test=100",
    "model=maxpool,cnn",
    "explainer.lime.rows=50",
    "explainer.kernel_shap.rows=50",
    *COMMON,
]
FULL = [
    # For its limits by model, which a command line cannot add.
    "experiment=tweet_sentiment",
    "name=plan_accuracy",
    "task=reviews",
    "model=cnn,minilm",
    "limits.cnn={train:2000,dev:200,test:300}",
    "limits.minilm={train:96,dev:32,test:32}",
    "explainer.lime.rows=60",
    "explainer.kernel_shap.rows=60",
    *COMMON,
]
SAME_LOAD = 1.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """titles: of the trials, then of the pairs. estimates, truths: their seconds. shares: of a processor,
    while planning and while running."""

    titles: list[str]
    estimates: list[float]
    truths: list[float]
    shares: tuple[float, float]

    @property
    def ratio(self) -> float:
        return sum(self.estimates) / sum(self.truths)

    @property
    def alike(self) -> bool:
        """Whether planning and running had the same share of a processor."""
        return max(self.shares) / min(self.shares) <= SAME_LOAD


def attempt(overrides: list[str]) -> Attempt:
    """Plan and run in a fresh store."""
    with tempfile.TemporaryDirectory() as store:
        experiment = open_experiment([*overrides, f"store={store}"])

        def plan() -> Estimate:
            seen, _ = outlooks(experiment.configs, experiment.store)
            # As jobs run, and as `assay plan` measures.
            with threads(experiment.configs[0].engine.threads):
                return estimate(seen, calibrate(seen), experiment.store)

        made, _, planning = _timed(plan)
        truths = []
        began, used = time.perf_counter(), time.process_time()
        for config in experiment.configs:
            _, seconds, _ = _timed(lambda config=config: run_job(config))
            truths.append(seconds)
        trials = load_trials(experiment)
        if len(trials) < len(experiment.configs) or not all(
            complete(one, experiment.store) for one in trials
        ):
            raise SystemExit("the run did not finish; see its messages above")
        _, seconds, _ = _timed(lambda: run_pairs(trials, experiment.store))
        running = (time.process_time() - used) / (time.perf_counter() - began)
        return Attempt(
            [*(trial.title for trial in made.trials), "pairs of models"],
            [*(trial.amount.seconds for trial in made.trials), made.pairs.seconds],
            [*truths, seconds],
            (planning, running),
        )


def _timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """What work gives, its seconds, and the share of a processor it got."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    seconds = time.perf_counter() - began
    return found, seconds, (time.process_time() - used) / seconds


def show(found: Attempt) -> None:
    """A line per trial, and the total."""
    table = Table("trial", estimate_s=".1f", truth_s=".1f", ratio=".2f")
    rows = [*zip(found.titles, found.estimates, found.truths, strict=True)]
    for title, estimated, true in [*rows, ("total", sum(found.estimates), sum(found.truths))]:
        table.row(title, estimated, true, estimated / true)
    print(
        f"share of a processor: {found.shares[0]:.0%} while planning, {found.shares[1]:.0%} while running",
        flush=True,
    )


def main() -> None:
    chosen = options(
        __doc__,
        "word models on generated texts",
        factor=(1.5, "the bar"),
        attempts=(3, "how often to measure at most"),
        processor=(False, "count seconds of the processor"),
    )
    if chosen.processor:
        time.perf_counter = time.process_time
    for _ in range(chosen.attempts):
        found = attempt(QUICK if chosen.quick else FULL)
        show(found)
        if found.alike:
            break
        print("the load changed between the two\n")
    factor = max(found.ratio, 1 / found.ratio)
    finish(
        factor <= chosen.factor,
        f"the total is estimated at {found.ratio:.2f} of the truth, a factor of {factor:.2f} (at most "
        f"{chosen.factor})",
    )


if __name__ == "__main__":
    main()
