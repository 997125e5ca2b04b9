"""The references of what an experiment uses, as BibTeX; `references.bib` has them all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files

from assay.results.records import Results

# In front of what every one of Assay's own classes is called.
OWN = "assay."
_CLASSES = re.compile(r"^  assay = \{(.*)\},\n", re.MULTILINE)


def class_name(of: object) -> str:
    """The name by which `references.bib` knows the class of an object; "" of one that is not Assay's own."""
    own = type(of).__module__.startswith(OWN)
    return type(of).__name__ if own else ""


def references() -> dict[str, tuple[str, frozenset[str]]]:
    """By key each entry as it is written, and the names of the classes that it is the source of."""
    text = files("assay.results.tables").joinpath("references.bib").read_text("utf-8")
    found = {}
    for entry in re.split(r"\n(?=@)", text)[1:]:
        key = entry[entry.index("{") + 1 : entry.index(",")]
        match = _CLASSES.search(entry)
        assert match is not None, key
        found[key] = _CLASSES.sub("", entry).strip() + "\n", frozenset(match[1].split())
    return found


def used_references(results: Results) -> str:
    """The entries of the explainers, baselines and metrics of an experiment."""
    return bibliography({*results.classes, *map(class_name, results.metrics)})


def bibliography(classes: Iterable[str]) -> str:
    """The entries of some classes, sorted by key, each once; "" where there are none.

    Args:
        classes: names by `class_name`.

    Example:
        >>> bibliography(["Lime"]).splitlines()[0]
        '@inproceedings{ribeiro2016why,'
    """
    wanted = set(classes)
    return "\n".join(entry for entry, of in references().values() if of & wanted)
