"""How near `assay plan` comes to the real run of a small experiment.

    python scripts/plan_accuracy.py [--quick] [--processor] [--attempts N]

Two models, several explainers, the usual metrics, two seeds, in a fresh store: first the plan with its
calibration, before any cell is finished, then the run; after that the same for other texts, planned from the
finished cells without a calibration. The bars: the total is estimated within the factor 2 before a cell is
finished and within 1.5 after. Seconds are of this machine and its load, and an estimate can be held against a
run only if both had the same: where the share of a processor that this process got differs by more than a
fifth between the two, they are measured again. --processor: count seconds of the processor, not of the
clock, for a machine that others use, too. --quick: word models on generated texts, under a minute on an idle
machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bar import Result, Table, finish, options

from assay.harness.costs.calibration import calibrate
from assay.harness.costs.estimate import Estimate, estimate
from assay.harness.costs.speeds import keep, recall
from assay.harness.trials.census import outlooks
from assay.harness.trials.experiment import Experiment, load_trials, open_experiment
from assay.harness.trials.job import run_job, threads
from assay.harness.trials.pairs import run_pairs
from assay.harness.trials.trial import complete

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
# Other texts, and so other models and other cells.
OTHER = {True: ["task.seed=1"], False: ["limits.cnn.test=200", "limits.minilm.test=24"]}
BEFORE, AFTER = 2.0, 1.5
SAME_LOAD = 1.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """One plan and its run.

    Attributes:
        titles: of the trials, then of the pairs.
        estimates: their seconds by the plan.
        truths: their seconds in the run.
        shares: of a processor, while planning and while running.
    """

    titles: list[str]
    estimates: list[float]
    truths: list[float]
    shares: tuple[float, float]

    @property
    def factor(self) -> float:
        """Between the total of the plan and that of the run, whichever is larger."""
        ratio = sum(self.estimates) / sum(self.truths)
        return max(ratio, 1 / ratio)

    @property
    def alike(self) -> bool:
        """Whether planning and running had the same share of a processor."""
        return max(self.shares) / min(self.shares) <= SAME_LOAD


def before_and_after(overrides: list[str], other: list[str]) -> tuple[Attempt, Attempt]:
    """Plan and run in a fresh store, calibrated; then other texts, by what the store holds."""
    with tempfile.TemporaryDirectory() as store:
        first = open_experiment([*overrides, f"store={store}"])
        before = attempt(first, calibrated=True)
        show(before, "before a cell is finished")
        after = attempt(open_experiment([*first.command, *other]), calibrated=False)
        show(after, "after")
        return before, after


def attempt(experiment: Experiment, *, calibrated: bool) -> Attempt:
    """Plan, then run, all in this process."""
    work, _, planning = timed(lambda: _plan(experiment, calibrated=calibrated))
    truths, _, running = timed(lambda: _run(experiment))
    titles = [*(trial.title for trial in work.trials), "pairs of models"]
    estimates = [*(trial.amount.seconds for trial in work.trials), work.pairs.seconds]
    # A plan from finished cells measures nothing, so its own share says nothing.
    return Attempt(titles, estimates, truths, (planning if calibrated else running, running))


def _plan(experiment: Experiment, *, calibrated: bool) -> Estimate:
    """As `assay plan` does it."""
    seen, _ = outlooks(experiment.configs, experiment.store)
    if calibrated:
        with threads(experiment.configs[0].engine.threads):
            for name, speeds in calibrate(seen).items():
                keep(experiment.store, name, speeds)
    return estimate(seen, recall(seen, experiment.store), experiment.store)


def _run(experiment: Experiment) -> list[float]:
    """Seconds of every trial, and of the pairs of models at the end."""
    seconds = [timed(partial(run_job, config))[1] for config in experiment.configs]
    trials = load_trials(experiment)
    if len(trials) < len(experiment.configs) or not all(complete(one, experiment.store) for one in trials):
        raise SystemExit("the run did not finish; see its messages above")
    with threads(experiment.configs[0].engine.threads):
        return [*seconds, timed(lambda: run_pairs(trials, experiment.store))[1]]


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """What a function returns, its seconds, and the share of a processor it got."""
    began, used = time.perf_counter(), time.process_time()
    result = work()
    seconds = time.perf_counter() - began
    return result, seconds, (time.process_time() - used) / seconds


def show(measured: Attempt, when: str) -> None:
    """A line per trial, and the total."""
    print()
    table = Table(when, estimate_s=".1f", truth_s=".1f", ratio=".2f")
    totals = "total", sum(measured.estimates), sum(measured.truths)
    lines = zip(measured.titles, measured.estimates, measured.truths, strict=True)
    for title, estimated, true in (*lines, totals):
        table.row(title, estimated, true, estimated / true)
    planning, running = measured.shares
    print(f"share of a processor: {planning:.0%} while planning, {running:.0%} while running")


def main() -> None:
    chosen = options(
        __doc__,
        "word models on generated texts",
        attempts=(3, "how often to measure at most"),
        processor=(False, "count seconds of the processor"),
    )
    if chosen.processor:
        time.perf_counter = time.process_time
    for _ in range(chosen.attempts):
        before, after = before_and_after(QUICK if chosen.quick else FULL, OTHER[chosen.quick])
        if before.alike:
            break
        print("the load changed between plan and run")
    finish(
        before.factor <= BEFORE and after.factor <= AFTER,
        f"a factor of {before.factor:.2f} before a cell is finished (at most {BEFORE}), of "
        f"{after.factor:.2f} after (at most {AFTER})",
    )


if __name__ == "__main__":
    main()
