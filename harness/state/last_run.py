"""An experiment's name in place of its overrides: the store has those that it was last run with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from assay.harness.state.manifest import STORE
from assay.harness.storage.layout import Layout, StoredExperiment
from assay.harness.storage.store import Store, check_mark, read_json, write_json
from assay.tasks.errors import InputError, did_you_mean

# Overrides that say where to look, and nothing of the experiment.
PLACES = ("store=", "hydra.searchpath=")
# What sets something of an entry, and what chooses the entries that there are.
OF_ENTRY = re.compile(r"[~+]{0,2}(explainer|baseline|removal|metric)\.([\w-]+)")
CHOOSING = {"removal": "baseline@removal"}


def expanded(overrides: Sequence[str], *, asks: bool) -> list[str]:
    """Overrides with an experiment's name replaced by those that it was last run with.

    Args:
        overrides: a word without "=" is a name; overrides beside it change what was run.
        asks: whether `name=NAME` alone stands for that run too, as of a command that computes nothing.

    Returns:
        Overrides without names.

    Raises:
        InputError: on several names, or one that was not run in the store.
    """
    names = [text for text in overrides if "=" not in text and not text.startswith("~")]
    others = [text for text in overrides if text not in names]
    if not names:
        said = [text for text in others if not text.startswith(PLACES)]
        name = said[0].removeprefix("name=") if len(said) == 1 and said[0].startswith("name=") else None
        places = [text for text in others if text not in said]
        known = None if name is None or not asks else last_run(Layout(_root(places)), name)
        return others if known is None else _with(known, places)
    if len(names) > 1:
        raise InputError(
            f"{' and '.join(map(repr, names))} are no overrides; expected KEY=VALUE, or one name"
        )
    known = last_run(Layout(_root(others)), names[0])
    if known is None:
        raise InputError(not_run(names[0], others))
    return _with(known, others)


def run_before(name: str, overrides: Sequence[str]) -> bool:
    """Whether the store that overrides name has an experiment of this name."""
    layout = Layout(_root(overrides))
    known = check_mark(layout) and name in layout.experiments()
    return known and last_run(layout, name) is not None


def not_run(name: str, overrides: Sequence[str]) -> str:
    """The beginning of a sentence about a name that no experiment of the store has."""
    layout = Layout(_root(overrides))
    return f"no experiment {name!r} was run in {str(layout.root)!r}; {_advice(layout, name)}"


def last_run(layout: Layout, name: str) -> list[str] | None:
    """The overrides that an experiment was last run with; None if the folder is no store that knows it."""
    command = read_json(StoredExperiment(layout.experiment(name)).command) if check_mark(layout) else None
    return None if command is None else [str(text) for text in command["overrides"]]


def keep_command(store: Store, name: str, overrides: Sequence[str]) -> None:
    """Write down what an experiment is run with."""
    write_json(StoredExperiment(store.experiment(name)).command, {"overrides": list(overrides)})


def other_run(store: Store, name: str, overrides: Sequence[str]) -> str | None:
    """A sentence if the store knows an experiment of that name by other overrides, else None."""
    known = last_run(store, name)
    if known is None or set(_with(known, [])) == set(_with(overrides, [])):
        return None
    return f"{name!r} was last run with other overrides; {name} in place of all overrides asks for that run"


def _root(overrides: Sequence[str]) -> Path:
    """The store's folder."""
    given = [text.removeprefix("store=") for text in overrides if text.startswith("store=")]
    return Path([STORE, *given][-1].strip("'\""))


def _with(known: Sequence[str], others: Sequence[str]) -> list[str]:
    """What was run, in the store that is asked, with the changes of `others` behind it.

    In the same place of the list, so that the snapshot of the plan is found again. What was set of an
    explainer, say, falls away with it where the changes choose others.
    """
    stores = [text for text in others if text.startswith("store=")][-1:]
    still = [old for old in known if _is_chosen(old, others)]
    kept = [text for old in still for text in (stores if old.startswith("store=") else [old])]
    return [*kept, *(text for text in others if text not in kept)]


def _is_chosen(old: str, others: Sequence[str]) -> bool:
    """Whether the entry that an override sets something of is among those that the changes choose."""
    entry = OF_ENTRY.match(old)
    if entry is None:
        return True
    group = CHOOSING.get(entry[1], entry[1])
    chosen = [text.partition("=")[2] for text in others if text.startswith(f"{group}=")][-1:]
    return not chosen or entry[2] in re.findall(r"[\w-]+", chosen[0])


def _advice(layout: Layout, name: str) -> str:
    from assay.harness.config.offered import offered

    if name in offered("experiment"):
        return f"it is a ready-made one: experiment={name}"
    names = layout.experiments() if check_mark(layout) else []
    return did_you_mean(name, names) if names else "it holds none; expected overrides, KEY=VALUE"
