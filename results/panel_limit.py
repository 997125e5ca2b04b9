"""How much of an experiment of many groups is drawn: figures and folded tables of the first of them."""

from __future__ import annotations

from collections.abc import Sequence

# More panels than these nobody compares by eye, and a page with hundreds is slow to make and to read.
PANEL_LIMIT = 12


def limit_sentence(count: int) -> str:
    """A sentence, with a blank in front, where not all of so many groups are shown; else nothing."""
    if count <= PANEL_LIMIT:
        return ""
    return f" The first {PANEL_LIMIT} of {count} groups are shown; the files beside this page have all."


def listed(names: Sequence[str], between: str = ", ") -> str:
    """The names of the groups shown, as the end of a sentence, and what is not shown."""
    return f"{between.join(names[:PANEL_LIMIT])}.{limit_sentence(len(names))}"
