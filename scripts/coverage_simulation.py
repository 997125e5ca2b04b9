"""Do intervals cover what they say, and do groups err as seldom as they say? Simulated, with known truths.

    python scripts/coverage.py [--quick | --full] [--out FILE] [--workers N] [--only WORDS] [--minutes M]

One metric of each kind of estimator behind conf/metric/ (coverage_kinds.py), and the three overall scores, on
texts that are even, skewed (lognormal) or clustered (groups of 4 share half of their variance): 20, 50 and
200 texts, 1, 2 and 5 models. First the coverage of nominal 95 % intervals; with three models or more the
models are drawn, too. Then the family-wise error: how often any of twelve explainers that do not differ is
told apart from the best of them, and of six of them beside six that are worse.

A setting fails if the exact 99.9 % interval of its coverage lies wholly outside 92 to 98.5 %, or that of its
family-wise error wholly above 6 %; and if the comparison refuses from 50 texts on: no interval, nobody best.
The bar: every setting was run, none fails.

Finished simulations are kept in FILE, in pieces; the next run with the same code goes on where this one
ended, however it ended. --quick: a few simulations of 50 even texts in the fewest models. --full: 2,000 of
every setting, which takes a night on all processors.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from bar import Table, finish, options
from coverage_file import Chunk, append, code, merged, read, write
from coverage_settings import (
    COVERAGE,
    EXPLAINERS,
    FAMILY,
    OVERALL,
    SIZES,
    Setting,
    fewest_models,
    names,
    settings,
    simulate,
)
from coverage_texts import EVEN
from scipy.stats import binomtest

from assay.results.parallel import process_pool
from assay.tasks.errors import InputError

RANGE, MOST = (0.92, 0.985), 0.06
CONFIDENCE = 0.999
# From so many texts on, the comparison may not refuse.
ENOUGH = 50
# So many models are what most experiments have.
FEW = 2
# Simulations of one piece of work.
PIECE = 100
FULL, USUAL, QUICK = 2000, 200, 5
NOT_RUN = "not run"
# Simulations, refusals and hits.
Sums = tuple[int, int, int]
HEADS = {
    COVERAGE: "Coverage of nominal 95 % intervals",
    FAMILY: f"Family-wise error at 5 % of the group of the best among {EXPLAINERS}",
}


def run(setting: Setting, first: int, sims: int, seed: int, resamples: int, of_code: str) -> list[Chunk]:
    """So many simulations of a setting, from the given one on."""
    found = [simulate(setting, seed, first + sim, resamples) for sim in range(sims)]
    chunks = []
    for name in names(setting):
        outcomes = [each[name] for each in found]
        counts = sims, outcomes.count(None), outcomes.count(True)
        chunks.append(Chunk(*setting, name, seed, resamples, first, *counts, of_code))
    return chunks


def known(path: Path, seed: int, resamples: int) -> list[Chunk]:
    """What the file has, rewritten as a line for each interval. Raises InputError if it is of other code or
    draws."""
    chunks, now = merged(read(path)), code()
    for chunk in chunks:
        if (chunk.code, chunk.seed, chunk.resamples) != (now, seed, resamples):
            raise InputError(
                f"{path} has simulations of code {chunk.code}, seed {chunk.seed}, {chunk.resamples} "
                f"resamples; expected {now}, {seed}, {resamples}; name another file (--out)"
            )
    write(path, chunks)
    return chunks


def pieces(
    wanted: Sequence[Setting], sims: int, chunks: Iterable[Chunk]
) -> Iterator[tuple[Setting, int, int]]:
    """What is left to do: setting, first simulation, how many. All settings have their first piece before any
    has its second, so that a run cut short knows something of all; of few texts, or many models, last."""
    done = {setting: count for (setting, _), (count, _, _) in summed(chunks).items()}
    ordered = sorted(wanted, key=lambda setting: (setting.n < ENOUGH, setting.models > FEW))
    for begin, setting in product(range(0, sims, PIECE), ordered):
        first, end = max(begin, done.get(setting, 0)), min(begin + PIECE, sims)
        if first < end:
            yield setting, first, end - first


def is_quick(setting: Setting) -> bool:
    """Whether --quick simulates it: none of the slow ones."""
    fewest = setting.world != OVERALL and setting.models == fewest_models(setting.world)
    return fewest and setting.n == ENOUGH and setting.shape == EVEN and not setting.worse


def summed(chunks: Iterable[Chunk]) -> dict[tuple[Setting, str], Sums]:
    """Of each interval of each setting."""
    return {(each.setting, each.name): (each.sims, each.refused, each.hits) for each in merged(chunks)}


def why_failed(setting: Setting, sims: int, refused: int, hits: int) -> str:
    """Why the figures of a setting fail, in a word; "" if they do not."""
    if refused and setting.n >= ENOUGH:
        return "refused"
    if sims == refused:
        return ""
    exact = binomtest(hits, sims - refused).proportion_ci(CONFIDENCE, "exact")
    if setting.table == FAMILY:
        return "too high" if exact.low > MOST else ""
    low, high = RANGE
    return "too low" if exact.high < low else "too high" if exact.low > high else ""


def figure(setting: Setting, sums: Sums) -> str:
    """The share of one setting, the number of its simulations where it is not clear, and whether it fails."""
    sims, refused, hits = sums
    if not sims:
        return NOT_RUN
    failed = why_failed(setting, *sums)
    share = "refused" if sims == refused else f"{hits / (sims - refused):.1%}"
    notes = [f"{refused / sims:.0%} refused"] if 0 < refused < sims else []
    notes += [f"**{failed}**"] if failed else []
    return f"{share} of {sims}" + "".join(f", {note}" for note in notes)


def show(table: str, chosen: Sequence[Setting], sums: Mapping[tuple[Setting, str], Sums]) -> int:
    """Print the settings of a table, a line for those that differ in the number of texts; how many failed."""
    rows: dict[str, dict[int, str]] = {}
    failed = 0
    for setting in (each for each in chosen if each.table == table):
        for name in names(setting):
            of_interval = sums.get((setting, name), (0, 0, 0))
            failed += bool(of_interval[0] and why_failed(setting, *of_interval))
            title = setting._replace(world=name).title
            rows.setdefault(title, {})[setting.n] = figure(setting, of_interval)
    if rows:
        print(f"\n{HEADS[table]}.\n")
        shown = Table("what", **{f"{n}_texts": "" for n in SIZES})
        for title, by_size in rows.items():
            shown.row(title, *(by_size.get(n, "–") for n in SIZES))
    return failed


def main() -> None:
    chosen = options(
        __doc__,
        f"{QUICK} simulations of 50 even texts in the fewest models; under a minute",
        full=(False, f"{FULL} simulations of every setting, not {USUAL}"),
        sims=(int, "simulations of a setting"),
        seed=(0, "of all draws"),
        resamples=(1000, "of an interval"),
        out=("", "CSV file of finished simulations, which is gone on with"),
        workers=(1, "processes; 0: one per processor"),
        only=("", "settings whose title has these words"),
        minutes=(float, "start nothing new after so many minutes"),
    )
    sims = chosen.sims or (FULL if chosen.full else QUICK if chosen.quick else USUAL)
    wanted = [
        setting
        for setting in settings()
        if chosen.only in setting.title and (not chosen.quick or is_quick(setting))
    ]
    if not wanted:
        sys.exit(f"--only {chosen.only}: no title of a setting has these words")
    path = Path(chosen.out) if chosen.out else None
    try:
        chunks = known(path, chosen.seed, chosen.resamples) if path else []
    except InputError as error:
        sys.exit(str(error))
    now = code()
    work = [
        partial(run, *piece, chosen.seed, chosen.resamples, now) for piece in pieces(wanted, sims, chunks)
    ]
    workers = chosen.workers or len(os.sched_getaffinity(0))
    deadline = time.monotonic() + 60 * (chosen.minutes if chosen.minutes is not None else float("inf"))
    with process_pool(min(workers, len(work))) as parallel_map:
        for done in parallel_map(work) if time.monotonic() < deadline else ():
            chunks += done
            if path:
                append(path, done)
            if time.monotonic() > deadline:
                break
    if path:
        write(path, merged(chunks))
    sums = summed(chunks)
    print(
        f"Seed {chosen.seed}, {chosen.resamples} resamples. Each share stands with its number of simulations."
    )
    failed = show(COVERAGE, wanted, sums) + show(FAMILY, wanted, sums)
    every = [(setting, name) for setting in wanted for name in names(setting)]
    counts = [sums.get(key, (0, 0, 0))[0] for key in every]
    missing, run_at_all = sum(count < sims for count in counts), sum(count > 0 for count in counts)
    print()
    finish(
        not failed and not missing,
        f"{failed} of {run_at_all} that were run fail (coverage: {RANGE[0]:.0%} to {RANGE[1]:.1%}, "
        f"family-wise error: at most {MOST:.0%}, by exact {CONFIDENCE:.1%} intervals); "
        f"{missing} of {len(every)} lack {sims} simulations",
    )
