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

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

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
    print(f"{'':44} {'estimate s':>11} {'truth s':>9} {'ratio':>6}")
    rows = [*zip(found.titles, found.estimates, found.truths, strict=True)]
    for title, estimated, true in [*rows, ("total", sum(found.estimates), sum(found.truths))]:
        print(f"{title:44} {estimated:11.1f} {true:9.1f} {estimated / true:6.2f}")
    print(
        f"share of a processor: {found.shares[0]:.0%} while planning, {found.shares[1]:.0%} while running",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="word models on generated texts")
    parser.add_argument("--factor", type=float, default=1.5, help="the bar (default: 1.5)")
    parser.add_argument("--attempts", type=int, default=3, help="how often to measure at most (default: 3)")
    parser.add_argument("--processor", action="store_true", help="count seconds of the processor")
    options = parser.parse_args()
    if options.processor:
        time.perf_counter = time.process_time
    overrides = QUICK if options.quick else FULL
    found = attempt(overrides)
    show(found)
    for _ in range(options.attempts - 1):
        if found.alike:
            break
        print("the load changed between the two\n")
        found = attempt(overrides)
        show(found)
    factor = max(found.ratio, 1 / found.ratio)
    met = factor <= options.factor
    print(
        f"bar: {'met' if met else 'missed'}; the total is estimated at {found.ratio:.2f} of the truth, a "
        f"factor of {factor:.2f} (at most {options.factor})"
    )
    sys.exit(not met)


if __name__ == "__main__":
    main()
