"""The experiment that is disturbed, its launchers, and one run of it, left alone or killed."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

from chaos_processes import Session, kill, start
from chaos_rows import cells_done, parts

NAME = "chaos"
EXPERIMENT = (
    f"name={NAME}",
    "task=planted",
    "task.train=300",
    "task.dev=60",
    "task.test=24",
    "limits.default.test=24",
    "shard=4",
    "engine.threads=1",
    "model.training.epochs=3",
    "explainer.lime.rows=30",
    "explainer.integrated_gradients.steps=5",
    "explainer.shapley_sampling.permutations=2",
    "baseline=[mask]",
    "metric=[human_agreement,faithfulness,confidence_indication,rationale_consistency,completeness]",
    "report.bootstrap=50",
)
FULL = (
    "model=linear,maxpool",
    "seed=0,1,2",
    "explainer=[random,saliency_l2,input_x_gradient_l2,integrated_gradients,occlusion,lime,shapley_sampling]",
    "explainer_seeds=[0,1]",
)
QUICK = (
    "model=linear",
    "seed=0,1",
    "explainer=[random,saliency_l2,integrated_gradients,occlusion,lime,shapley_sampling]",
)
LAUNCHERS = {
    "in-process": (),
    "joblib": ("hydra/launcher=workstation", "hydra.launcher.n_jobs=2"),
    "ray": ("hydra/launcher=ray_local", "hydra.launcher.ray.init.num_cpus=2"),
}
EVERYTHING, WORKER, LAUNCHING = "everything", "one worker", "launching process"
# A run that takes so many times its usual duration hangs.
PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, how many cells were done by then, and which parts were whole (`chaos_rows.parts`)."""

    what: str
    cells: int
    whole: dict[Path, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Lab:
    """folder: scratch space. overrides: of the experiment. seconds: of an undisturbed run, by launcher."""

    folder: Path
    overrides: tuple[str, ...]
    cells: int
    seconds: dict[str, float]

    def patience(self, launcher: str) -> float:
        """Seconds after which a run hangs."""
        return PATIENCE * self.seconds[launcher]

    def begin(self, launcher: str, store: Path) -> Session:
        """Start the run of a store, and have its output beside it."""
        arguments = [*self.overrides, *LAUNCHERS[launcher], f"store={store}"]
        if launcher == "ray":
            # Ray's own files, sockets among them, whose paths must be short.
            arguments.append(f"++hydra.launcher.ray.init._temp_dir={self.folder / 'ray'}")
        return start(["run", *arguments], store.with_suffix(".log"))


def undisturbed(lab: Lab, launcher: str, store: Path) -> float:
    """Seconds of a run that is left alone."""
    began = time.monotonic()
    session = lab.begin(launcher, store)
    status = session.process.wait()
    session.kill()
    if status:
        raise SystemExit(f"an undisturbed run failed:\n{session.log.read_text(errors='replace')[-3000:]}")
    return time.monotonic() - began


def strike(lab: Lab, launcher: str, store: Path, draw: random.Random) -> tuple[Kill | None, list[Session]]:
    """One run that is killed at a random moment; no kill if it ended before. Sessions that may live on."""
    what = EVERYTHING if launcher == "in-process" else draw.choice((EVERYTHING, WORKER, LAUNCHING))
    session = lab.begin(launcher, store)
    if session.wait(draw.uniform(0, lab.seconds[launcher])) is not None:
        session.kill()
        return None, []
    workers = session.workers()
    if what is WORKER and not workers:
        what = EVERYTHING
    taken = Kill(what, cells_done(store), parts(store))
    if what is EVERYTHING:
        session.kill()
        return taken, []
    if what is WORKER:
        kill(draw.choice(workers))
        if session.wait(lab.patience(launcher)) is None:
            raise SystemExit(f"a run hangs after one of its workers was killed; its output: {session.log}")
    else:
        kill(session.process.pid)
        session.process.wait()
    return taken, [session]
