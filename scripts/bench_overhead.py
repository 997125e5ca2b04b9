"""What a trial costs beside its model: wall time minus time inside the model, as a share, and where it goes.

    python scripts/bench_overhead.py [--quick] [--models cnn,minilm] [--texts N]

A trial is run as a job on a cluster is: a fresh interpreter imports what it needs, reads the task, loads the
model, explains so many review sentences for every class and scores the explanations. 6 explainers (random,
saliency, integrated gradients, occlusion, LIME, Shapley sampling; settings as in conf/) and the metrics of
conf/config.yaml that reviews allow. The model is trained before, by a run of its own that explains one text,
and takes no part. About ten minutes.

Inside the model: the seconds that the engines count (models/engine.py), which is making a batch of tensors,
running the model forward or backward on it, and copying the answer out. The rest is wall time, from before
the interpreter starts, minus that. Where the rest goes is told by a thread that looks every 5 ms at what line
of which file the job is; the phases it names:

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

import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread, get_ident
from traceback import walk_stack
from types import FrameType

from bar import HIDDEN, Table, finish, options, own_process

import assay

PACKAGE = str(Path(assay.__file__).parent / "")
EVERY_SECONDS = 0.005
BAR, QUICK_BAR = 0.05, 0.50
TEXTS = {"cnn": 200, "minilm": 60}
QUICK_TEXTS = 60
INSIDE = "model"
# The first that fits: a part of the path of the innermost file of ours, and of any function on the stack.
PHASES = (
    (INSIDE, "models/", "_run"),
    ("imports", "", "_find_and_load"),
    ("writing", "", "write_"),
    ("reading", "", "read_"),
    ("encoding", "", "encode"),
    ("engine", "models/rows", ""),
    ("engine", "models/paths", ""),
    ("engine", "models/engine", ""),
    ("encoding", "models/", ""),
    ("explainers", "explainers/", ""),
    ("metrics", "metrics/", ""),
)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one trial: in all, inside the model, and by phase as far as looking at it tells."""

    wall: float
    model: float
    phases: dict[str, float]

    @property
    def share(self) -> float:
        """What is not the model."""
        return 1 - self.model / self.wall


def overrides(model: str, texts: int, store: Path) -> list[str]:
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


class Watch:
    """Where the thread that made it is, again and again while the block runs. seconds: by phase."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._watched, self._over = get_ident(), Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        before = time.perf_counter()
        while not self._over.wait(EVERY_SECONDS):
            place = phase(sys._current_frames()[self._watched])
            now = time.perf_counter()
            self.seconds[place] += now - before
            before = now


def phase(frame: FrameType) -> str:
    """The phase that a stack belongs to."""
    stack = [(one.f_code.co_filename, one.f_code.co_name) for one, _ in walk_stack(frame)]
    innermost = next((file for file, _ in stack if file.startswith(PACKAGE)), "").removeprefix(PACKAGE + "/")
    functions = [name for _, name in stack]
    for name, file, function in PHASES:
        if file in innermost and any(function in called for called in functions):
            return name
    return "harness"


def trial(model: str, texts: int, store: Path, began: float) -> Spent:
    """The whole job, in this process, which was started at `began`."""
    started = time.time() - began
    with Watch() as watch:
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
    watch.seconds["imports"] += started
    wall = time.time() - began
    return Spent(wall, sum(engine.counters.seconds for engine in engines), dict(watch.seconds))


def measure(model: str, texts: int) -> Spent:
    """A trial in a process of its own, whose model was trained by another."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        _child(model, 1, store)
        return _child(model, texts, store)


def _child(model: str, texts: int, store: Path) -> Spent:
    began = time.time()
    spent = own_process(__file__, "--part", model, "--texts", texts, "--store", store, "--began", began)
    for failure in store.glob("ledger/*.json"):
        raise SystemExit(f"the trial of {model} failed:\n{failure.read_text(encoding='utf-8')}")
    return Spent(**spent)


def show(spent: dict[str, Spent]) -> None:
    """Two columns per model: seconds, and the share of the wall time."""
    table = Table(
        "", **{key: form for name in spent for key, form in ((f"{name} s", ".2f"), (f"{name} share", ".1%"))}
    )
    names = dict.fromkeys(name for name, _, _ in PHASES if name != INSIDE)
    seconds = {
        "wall time": lambda one: one.wall,
        "in the model": lambda one: one.model,
        "- as watched": lambda one: one.phases.get(INSIDE, 0.0),
        "the rest": lambda one: one.wall - one.model,
        **{f"- {name}": lambda one, name=name: one.phases.get(name, 0.0) for name in (*names, "harness")},
    }
    for title, of_trial in seconds.items():
        table.row(title, *(v for one in spent.values() for v in (of_trial(one), of_trial(one) / one.wall)))


def main() -> None:
    chosen = options(
        __doc__,
        "the cnn on few texts; under a minute",
        models=("cnn,minilm", "names with commas between"),
        texts=(int, f"texts to explain (default: {TEXTS})"),
        part=(str, HIDDEN),
        store=(Path, HIDDEN),
        began=(float, HIDDEN),
    )
    if chosen.part:
        print(json.dumps(asdict(trial(chosen.part, chosen.texts, chosen.store, chosen.began))))
        return
    names = ["cnn"] if chosen.quick else chosen.models.split(",")
    sizes = dict.fromkeys(TEXTS, QUICK_TEXTS) if chosen.quick else TEXTS
    spent = {name: measure(name, chosen.texts or sizes[name]) for name in names}
    show(spent)
    bar = QUICK_BAR if chosen.quick else BAR
    shares = ", ".join(f"{name} {one.share:.1%}" for name, one in spent.items())
    finish(
        (spent.get("minilm") or spent["cnn"]).share <= bar, f"not in the model: {shares} (at most {bar:.0%})"
    )


if __name__ == "__main__":
    main()
