"""Kill a run with kill -9 at random moments, run it once more, and compare with a run that was left alone.

    python scripts/chaos.py [--quick] [--kills N] [--launchers in-process,joblib,ray] [--lanes N] [--seed N]

An experiment of 60 cells (2 small models x 3 seeds, 7 explainers, 2 explainer seeds of the stochastic ones, 5
metrics with pairs of models among them; 24 generated texts in 6 shards a cell) is run under each launcher.
A moment is uniform over the duration of an undisturbed run under the same launcher and the same load. What
is killed there is drawn too: all processes of the run at once; one worker of joblib or Ray; or the process
that launched them, whose workers may go on while the next run starts. Half of the stores take one kill, the
others up to five in a row (kill, start again, kill ...); a run that ends before its moment comes is not
counted. Then each store gets one undisturbed rerun, which must exit with 0.

A row of the table: what was killed, how often, before the first, between and after the last cell; the median
of cells done at the kill; of the stores with such kills the rows lost and doubled, the parts that were whole
at a kill and were written again all the same, and the files (all Parquet files but those of wall times, and
comparison.csv) that have the bytes of the undisturbed run in this process, out of all. A store is listed
under each kind of kill that it took. The bar: no row lost or doubled, no part written again, all bytes equal.
--quick: 4 kills in-process, 12 cells.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from shutil import rmtree
from statistics import mean, median
from typing import NoReturn

from bar import Table, finish, options
from chaos_lab import (
    EVERYTHING,
    EXPERIMENT,
    FULL,
    LAUNCHERS,
    LAUNCHING,
    NAME,
    PATIENCE,
    QUICK,
    WORKER,
    Kill,
    Lab,
    strike,
    undisturbed,
)
from chaos_processes import Session
from chaos_rows import Content, Difference, content, difference, parts


@dataclass(frozen=True, slots=True)
class Outcome:
    """One store: the kills it took, whether its rerun exited with 0, and how it differs from the expected."""

    launcher: str
    kills: tuple[Kill, ...]
    status: int | None
    difference: Difference
    rewritten: int
    files: int

    @property
    def good(self) -> bool:
        """Nothing lost, nothing done twice, the same bytes."""
        found = self.difference
        return self.status == 0 and not (found.lost or found.doubled or found.files or self.rewritten)


def reference(lab: Lab, names: Sequence[str], lanes: int) -> tuple[Content, list[Outcome]]:
    """What a store must hold, by a run in this process; the other launchers are compared with it.

    Each runs in all lanes at once, so that its duration is that under the load of what comes.
    """
    expected, outcomes = None, []
    for launcher in dict.fromkeys(("in-process", *names)):
        stores = [lab.folder / f"{launcher}-undisturbed-{lane}" for lane in range(lanes)]
        with ThreadPoolExecutor(lanes) as pool:
            lab.seconds[launcher] = mean(pool.map(partial(undisturbed, lab, launcher), stores))
        print(f"{launcher}, undisturbed, {lanes} at a time: {lab.seconds[launcher]:.0f} s", flush=True)
        for store in stores:
            found = content(store, NAME)
            expected = expected or found
            same = difference(found, expected)
            outcomes.append(Outcome(launcher, (), 0, same, 0, len(expected.files)))
            told(outcomes[-1], store)
    assert expected is not None
    cells = len({name.split("/")[1] for name in expected.files if name.startswith("cells/")})
    if cells != lab.cells:
        raise SystemExit(f"the experiment has {cells} cells; expected {lab.cells}")
    return expected, outcomes


def one_store(lab: Lab, expected: Content, launcher: str, job: tuple[str, int, int]) -> Outcome:
    """A store that takes so many kills in a row, if there is so much to do, and one rerun."""
    name, wanted, seed = job
    store, draw = lab.folder / name, random.Random(f"{seed} {name}")
    kills: list[Kill] = []
    left: list[Session] = []
    for _ in range(wanted):
        found, alive = strike(lab, launcher, store, draw)
        if found is None:
            break
        left += alive
        kills.append(found)
    session = lab.begin(launcher, store)
    status = session.wait(PATIENCE * lab.seconds[launcher])
    for begun in (session, *left):
        begun.kill()
    now, whole = parts(store), {path: known for one in reversed(kills) for path, known in one.whole.items()}
    got = content(store, NAME)
    outcome = Outcome(
        launcher,
        tuple(kills),
        status,
        difference(got, expected),
        sum(now.get(path) != known for path, known in whole.items()),
        len(expected.files),
    )
    told(outcome, store)
    if outcome.good:
        rmtree(store)
    return outcome


def told(outcome: Outcome, store: Path) -> None:
    """A line per store as it is done, and why if something is wrong."""
    found = outcome.difference
    print(
        f"  {outcome.launcher}, {store.name}: {', '.join(f'{k.what} at {k.cells}' for k in outcome.kills)}; "
        f"rerun {outcome.status}, lost {found.lost}, doubled {found.doubled}, written again "
        f"{outcome.rewritten}, other bytes {len(found.files)}",
        flush=True,
    )
    if not outcome.good:
        print(f"    {', '.join(found.files[:5])}")
        print(store.with_suffix(".log").read_text(errors="replace")[-1500:])


def show(outcomes: Sequence[Outcome], cells: int) -> None:
    """A line per launcher and thing killed."""
    columns = ("kills", "before", "among", "after", "cells", "stores", "lost", "doubled", "again")
    table = Table("launcher", "killed", "bytes equal", **dict.fromkeys(columns, ".0f"))
    for launcher, what in product(LAUNCHERS, (EVERYTHING, WORKER, LAUNCHING)):
        of_kind = [o for o in outcomes if o.launcher == launcher and what in {k.what for k in o.kills}]
        if not of_kind:
            continue
        done = [k.cells for o in of_kind for k in o.kills if k.what == what]
        before, after = done.count(0), done.count(cells)
        equal = sum(o.files - len(o.difference.files) for o in of_kind)
        differences = [(o.difference.lost, o.difference.doubled, o.rewritten) for o in of_kind]
        kills = len(done), before, len(done) - before - after, after, median(done)
        files = f"{equal}/{sum(o.files for o in of_kind)}"
        table.row(launcher, what, files, *kills, len(of_kind), *map(sum, zip(*differences, strict=True)))


def disturb(lab: Lab, expected: Content, launcher: str, kills: int, lanes: int, seed: int) -> list[Outcome]:
    """So many kills or a few more, on as many stores as they take."""
    found: list[Outcome] = []
    with ThreadPoolExecutor(lanes) as pool:
        while (left := kills - sum(len(o.kills) for o in found)) > 0:
            first = len(found)
            jobs = []
            for nth in range(first, first + lanes):
                wanted = min(left, 1 if nth % 2 else 5)
                left -= wanted
                if wanted:
                    jobs.append((f"{launcher}-{nth}", wanted, seed))
            found += pool.map(partial(one_store, lab, expected, launcher), jobs)
    return found


def verdict(outcomes: Sequence[Outcome], folder: Path) -> NoReturn:
    """Print the last line; scratch stores are left where something is wrong."""
    met = all(outcome.good for outcome in outcomes)
    if met:
        rmtree(folder)
    else:
        print(f"stores and logs: {folder}")
    disturbed = [outcome for outcome in outcomes if outcome.kills]
    single = sum(len(outcome.kills) == 1 for outcome in disturbed)
    finish(
        met,
        f"{sum(len(o.kills) for o in disturbed)} kills on {len(disturbed)} stores, {single} of them one "
        f"kill; reruns that failed {sum(o.status != 0 for o in disturbed)}, rows lost "
        f"{sum(o.difference.lost for o in outcomes)}, doubled {sum(o.difference.doubled for o in outcomes)}, "
        f"parts written again {sum(o.rewritten for o in outcomes)}, files with other bytes "
        f"{sum(len(o.difference.files) for o in outcomes)} of {sum(o.files for o in outcomes)}",
    )


def main() -> None:
    chosen = options(
        __doc__,
        "4 kills in-process, 12 cells; under a minute",
        kills=(int, "kills over all launchers (default: 100)"),
        launchers=(str, "names with commas between (default: all)"),
        lanes=(2, "stores at a time"),
        seed=(0, "of the moments"),
    )
    overrides, cells = (QUICK, 12) if chosen.quick else (FULL, 60)
    lab = Lab(Path(tempfile.mkdtemp(prefix="chaos-")), (*EXPERIMENT, *overrides), cells, {})
    names = (chosen.launchers or ("in-process" if chosen.quick else ",".join(LAUNCHERS))).split(",")
    kills = chosen.kills or (4 if chosen.quick else 100)
    expected, outcomes = reference(lab, names, chosen.lanes)
    for number, launcher in enumerate(names):
        share = kills // len(names) + (number < kills % len(names))
        outcomes += disturb(lab, expected, launcher, share, chosen.lanes, chosen.seed)
    show(outcomes, lab.cells)
    verdict(outcomes, lab.folder)


if __name__ == "__main__":
    main()
