"""The processes of a report, begun before it is known what is reported: they import while this one does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from assay.harness.state.manifest import store_folder
from assay.harness.storage.layout import Layout
from assay.results.parallel import MANY, ParallelMap, process_pool, useful_processes

# What draws the figures, which the processes of a report need.
DRAWING = "assay.results.figures.every_figure"


@contextmanager
def early_processes(overrides: Sequence[str]) -> Iterator[ParallelMap | None]:
    """Processes for a report of what these overrides describe; None where its store has too few scores to be
    worth any, or is not spelled out.

    Other experiments of the store are counted as well: what theirs are is not known yet.
    """
    root = store_folder(overrides)
    tables = Layout(root).tables() if root is not None else iter(())
    scores = (path for path in tables if path.parent.name == "scores")
    processes = useful_processes(sum(1 for _ in islice(scores, MANY)))
    if processes < 2:
        yield None
        return
    with process_pool(processes, [DRAWING]) as pool:
        yield pool
