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
from collections import Counter
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
    QUICK,
    WORKER,
    Kill,
    Lab,
    strike,
    undisturbed,
)
from chaos_processes import Session
from chaos_rows import Content, content, parts

FAULTS = ("lost", "doubled", "rewritten", "altered")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One store: the kills it took, the status of its rerun, and how it differs from the expected one.

    counts: rows that are missing ("lost"), rows that are there too often or should not be ("doubled"), parts
    that were whole at a kill and were written again ("rewritten"), and files with other bytes ("altered"),
    out of all ("files").
    """

    launcher: str
    kills: tuple[Kill, ...]
    status: int | None
    counts: Counter[str]

    @property
    def good(self) -> bool:
        """Nothing lost, nothing done twice, the same bytes."""
        return self.status == 0 and not any(self.counts[name] for name in FAULTS)


def outcome(
    store: Path, expected: Content, launcher: str, kills: Sequence[Kill] = (), status: int | None = 0
) -> Outcome:
    """How a store has come out, printed as it is done, with the reason if something is wrong."""
    found = content(store, NAME)
    now, whole = parts(store), {path: then for kill in reversed(kills) for path, then in kill.whole.items()}
    altered = sorted({name for name, _ in found.files.items() ^ expected.files.items()})
    counts = Counter(
        lost=(expected.rows - found.rows).total(),
        doubled=(found.rows - expected.rows).total(),
        rewritten=sum(now.get(path) != then for path, then in whole.items()),
        altered=len(altered),
        files=len(expected.files),
    )
    result = Outcome(launcher, tuple(kills), status, counts)
    killed = ", ".join(f"{kill.what} at {kill.cells}" for kill in kills)
    faults = ", ".join(f"{name} {counts[name]}" for name in FAULTS)
    print(f"  {launcher}, {store.name}: {killed}; rerun {status}, {faults}", flush=True)
    if not result.good:
        print(f"    {', '.join(altered[:5])}")
        print(store.with_suffix(".log").read_text(errors="replace")[-1500:])
    return result


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
        expected = expected or content(stores[0], NAME)
        outcomes += [outcome(store, expected, launcher) for store in stores]
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
        kill, alive = strike(lab, launcher, store, draw)
        if kill is None:
            break
        left += alive
        kills.append(kill)
    session = lab.begin(launcher, store)
    status = session.wait(lab.patience(launcher))
    for begun in (session, *left):
        begun.kill()
    result = outcome(store, expected, launcher, kills, status)
    if result.good:
        rmtree(store)
    return result


def show(outcomes: Sequence[Outcome], cells: int) -> None:
    """A line per launcher and thing killed."""
    columns = ("kills", "before", "among", "after", "cells", "stores", "lost", "doubled", "again")
    table = Table("launcher", "killed", "bytes equal", **dict.fromkeys(columns, ".0f"))
    for launcher, what in product(LAUNCHERS, (EVERYTHING, WORKER, LAUNCHING)):
        stores = [o for o in outcomes if o.launcher == launcher and what in {kill.what for kill in o.kills}]
        if not stores:
            continue
        done = [kill.cells for o in stores for kill in o.kills if kill.what == what]
        before, after = done.count(0), done.count(cells)
        counts = total(stores)
        kills = len(done), before, len(done) - before - after, after, median(done)
        files = f"{counts['files'] - counts['altered']}/{counts['files']}"
        rows = counts["lost"], counts["doubled"], counts["rewritten"]
        table.row(launcher, what, files, *kills, len(stores), *rows)


def total(outcomes: Sequence[Outcome]) -> Counter[str]:
    """The counts over stores."""
    return sum((outcome.counts for outcome in outcomes), Counter())


def disturb(lab: Lab, expected: Content, launcher: str, kills: int, lanes: int, seed: int) -> list[Outcome]:
    """So many kills or a few more, on as many stores as they take."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(lanes) as pool:
        while (left := kills - sum(len(o.kills) for o in outcomes)) > 0:
            jobs = []
            for number in range(len(outcomes), len(outcomes) + lanes):
                wanted = min(left, 1 if number % 2 else 5)
                left -= wanted
                if wanted:
                    jobs.append((f"{launcher}-{number}", wanted, seed))
            outcomes += pool.map(partial(one_store, lab, expected, launcher), jobs)
    return outcomes


def verdict(outcomes: Sequence[Outcome], folder: Path) -> NoReturn:
    """Print the last line; scratch stores are left where something is wrong."""
    met = all(outcome.good for outcome in outcomes)
    if met:
        rmtree(folder)
    else:
        print(f"stores and logs: {folder}")
    kills = [len(outcome.kills) for outcome in outcomes if outcome.kills]
    failed, counts = sum(outcome.status != 0 for outcome in outcomes), total(outcomes)
    finish(
        met,
        f"{sum(kills)} kills on {len(kills)} stores, {kills.count(1)} of them one kill; reruns that failed "
        f"{failed}, rows lost {counts['lost']}, doubled {counts['doubled']}, parts written again "
        f"{counts['rewritten']}, files with other bytes {counts['altered']} of {counts['files']}",
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
