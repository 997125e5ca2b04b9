"""What a terminal shows while tables and figures are made, of which no one knows how long each takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

    from assay.results.parallel import ParallelMap

T = TypeVar("T")
# Commands that are done by then show nothing.
SECONDS_WITHOUT_LINE = 2.0
EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """The line of one command. Only the thread that made it may count parts."""

    bar: tqdm[Any]

    def counted(self, parallel_map: ParallelMap) -> ParallelMap:
        """The same map, whose calls are counted on the line as their answers are taken."""

        def counting(calls: Sequence[Callable[[], T]]) -> Iterator[T]:
            self.bar.total += len(calls)
            # Not in the generator below: a map may start its calls before the first answer is asked for.
            answers = parallel_map(calls)
            return self._taken(answers)

        return counting

    def _taken(self, answers: Iterator[T]) -> Iterator[T]:
        for answer in answers:
            self.bar.n += 1
            yield answer


@contextmanager
def waiting(title: str) -> Iterator[Waiting]:
    """Say on a terminal's standard error what is being done, how many parts of it and since when.

    The line appears after two seconds, moves on by itself, and is gone with the block.

    Args:
        title: what is done, such as "report".

    Yields:
        what counts the parts.

    Example:
        >>> with waiting("report") as line:
        ...     list(line.counted(map_of_calls)([len]))  # doctest: +SKIP
    """
    # Slow to import for the commands that need no line.
    from tqdm import tqdm

    with tqdm(total=0, desc=title, delay=SECONDS_WITHOUT_LINE, disable=None, leave=False) as bar:
        over = threading.Event()
        # A part may take long, so that the line is drawn by the clock.
        thread = threading.Thread(target=_draw, args=(bar, title, over), daemon=True)
        if not bar.disable:
            bar.bar_format = "{desc} [{elapsed}]"
            thread.start()
        try:
            yield Waiting(bar)
        finally:
            over.set()
            if thread.is_alive():
                thread.join()
                bar.clear()


def _draw(bar: tqdm[Any], title: str, over: threading.Event) -> None:
    wait = SECONDS_WITHOUT_LINE
    while not over.wait(wait):
        bar.set_description_str(f"{title}: {bar.n} of {bar.total} parts" if bar.total else title)
        wait = EVERY_SECONDS
