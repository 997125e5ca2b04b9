"""What a trial costs beside its model: wall time minus time inside the model, as a share, and where it goes.

    python scripts/bench_overhead.py [--quick] [--models cnn,minilm] [--texts N]

A trial is run as a job on a cluster is: a fresh interpreter imports what it needs, reads the task, loads the
model, explains so many review sentences for every class and scores the explanations. 6 explainers (random,
saliency, integrated gradients, occlusion, LIME, Shapley sampling; settings as in conf/) and the metrics of
conf/config.yaml that reviews allow. The model is trained before, by a run of its own that explains one text,
and takes no part. About ten minutes.

Inside the model: the seconds that the engines count (models/engine.py), which is making a batch of tensors,
running the model forward or backward on it, and copying the answer out. The rest is wall time, from before
the interpreter starts, minus that. Where the rest goes is sampled: a thread reads the stack of the job every
5 ms; the phases:

    imports      the interpreter, torch and the libraries
    engine       joining, sorting and cutting rows of many texts into batches
    encoding     texts to tokens, and loading the model
    explainers   their own mathematics: drawing coalitions, solving, adding up
    metrics      their own mathematics
    writing      explanations and scores to Parquet, syncs included
    reading      explanations from Parquet
    harness      everything else: configuration, the task, claims, hashes

The bar: at most 5 % for minilm (--quick: at most 50 % for the cnn on few texts, a check of the measuring).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from threading import Event, get_ident
from traceback import walk_stack
from types import FrameType

from bar import Table, finish, fresh_process, options

import assay

PACKAGE = f"{Path(assay.__file__).parent}/"
EVERY_SECONDS = 0.005
BAR, QUICK_BAR = 0.05, 0.50
TEXTS = {"cnn": 200, "minilm": 60}
QUICK_TEXTS = 60
INSIDE = "model"
# The first that fits: a part of the path of Assay's innermost file, and of any function on the stack.
PHASES = (
    (INSIDE, "models/", "_run"),
    ("imports", "", "_find_and_load"),
    ("writing", "", "write_"),
    ("reading", "", "read_"),
    ("encoding", "", "encode"),
    ("engine", "models/masked_inputs", ""),
    ("engine", "models/batching", ""),
    ("engine", "models/paths", ""),
    ("engine", "models/engine", ""),
    ("encoding", "models/", ""),
    ("explainers", "explainers/", ""),
    ("metrics", "metrics/", ""),
)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one trial: in all, inside the model, and by phase as sampled."""

    wall: float
    model: float
    phases: dict[str, float]

    @property
    def share(self) -> float:
        """What is not the model."""
        return 1 - self.model / self.wall

    @property
    def lines(self) -> dict[str, float]:
        """Seconds by the line of the table."""
        names = dict.fromkeys(name for name, _, _ in PHASES[1:])
        return {
            "wall time": self.wall,
            "in the model": self.model,
            "- as sampled": self.phases.get(INSIDE, 0.0),
            "the rest": self.wall - self.model,
            **{f"- {name}": self.phases.get(name, 0.0) for name in (*names, "harness")},
        }


def overrides(model: str, texts: int, store: str) -> list[str]:
    """The experiment, as `assay run` would be told."""
    return [
        "name=overhead",
        "task=reviews",
        f"model={model}",
        "explainer=[random,saliency_l2,integrated_gradients,occlusion,lime,shapley_sampling]",
        "baseline=[mask]",
        f"limits={{default: {{train: 1000, dev: 200, test: {texts}}}}}",
        f"store={store}",
    ]


@contextmanager
def sampled() -> Iterator[dict[str, float]]:
    """Seconds by phase, of the thread that runs the block, complete after the block."""
    seconds: dict[str, float] = defaultdict(float)
    thread, ended = get_ident(), Event()

    def sample() -> None:
        before = time.perf_counter()
        while not ended.wait(EVERY_SECONDS):
            current = phase(sys._current_frames()[thread])
            now = time.perf_counter()
            seconds[current] += now - before
            before = now

    with ThreadPoolExecutor(1) as sampler:
        sampler.submit(sample)
        try:
            yield seconds
        finally:
            ended.set()


def phase(frame: FrameType) -> str:
    """The phase that a stack belongs to."""
    codes = [called.f_code for called, _ in walk_stack(frame)]
    ours = (code.co_filename.removeprefix(PACKAGE) for code in codes if code.co_filename.startswith(PACKAGE))
    # The environment may be a folder of the checkout.
    innermost = next((file for file in ours if "site-packages" not in file), "")
    for name, file, function in PHASES:
        if file in innermost and any(function in code.co_name for code in codes):
            return name
    return "harness"


def trial(model: str, texts: int, store: str, began: float) -> Spent:
    """The whole job, in this process, which was started at `began`."""
    started = time.time() - began
    with sampled() as phases:
        from assay.harness.config.compose import configuration
        from assay.harness.trials.job import run_job
        from assay.models.engine import Engine

        engines: list[Engine] = []
        made = Engine.__post_init__

        def noted(self: Engine) -> None:
            made(self)
            engines.append(self)

        Engine.__post_init__ = noted
        run_job(configuration(overrides(model, texts, store)))
    phases["imports"] += started
    wall = time.time() - began
    for failure in Path(store).glob("ledger/*.json"):
        raise SystemExit(f"the trial of {model} failed:\n{failure.read_text(encoding='utf-8')}")
    return Spent(wall, sum(engine.counters.seconds for engine in engines), dict(phases))


def measure(model: str, texts: int) -> Spent:
    """A trial in a process of its own, whose model was trained by another."""
    with tempfile.TemporaryDirectory() as store:
        fresh_process(trial, model, 1, store, time.time())
        return fresh_process(trial, model, texts, store, time.time())


def show(spent: dict[str, Spent]) -> None:
    """Two columns per model: seconds, and the share of the wall time."""
    columns = [*product(spent, (("s", ".2f"), ("share", ".1%")))]
    table = Table("", **{f"{name} {unit}": form for name, (unit, form) in columns})
    for title in next(iter(spent.values())).lines:
        trials = [(trial.lines[title], trial.wall) for trial in spent.values()]
        table.row(title, *chain.from_iterable((seconds, seconds / wall) for seconds, wall in trials))


def main() -> None:
    chosen = options(
        __doc__,
        "the cnn on few texts; under a minute",
        models=("cnn,minilm", "names with commas between"),
        texts=(int, f"texts to explain (default: {TEXTS})"),
    )
    names = ["cnn"] if chosen.quick else chosen.models.split(",")
    sizes = dict.fromkeys(TEXTS, QUICK_TEXTS) if chosen.quick else TEXTS
    spent = {name: measure(name, chosen.texts or sizes[name]) for name in names}
    show(spent)
    bar = QUICK_BAR if chosen.quick else BAR
    shares = ", ".join(f"{name} {trial.share:.1%}" for name, trial in spent.items())
    judged = spent.get("minilm") or spent["cnn"]
    finish(judged.share <= bar, f"not in the model: {shares} (at most {bar:.0%})")


if __name__ == "__main__":
    main()
