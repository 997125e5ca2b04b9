"""Entries of the ledger, and claims, by the cell, trial or pair that they belong to."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from assay.harness.storage.ledger import Failure, failure
from assay.harness.storage.store import Store


def ledger_of(store: Store, keys: Collection[str]) -> dict[str, Failure]:
    """The entries of the ledger that belong to these keys, by the entries' names."""
    names = [file.removesuffix(".json") for file in sorted(names_in(store.root / "ledger"))]
    mine = [name for name in names if not name.startswith(".") and owner(name, keys) is not None]
    return {name: entry for name in mine if (entry := failure(store, name)) is not None}


def owner(name: str, keys: Collection[str]) -> str | None:
    """The key that an entry, or a claim, speaks of: keys stand in names between hyphens."""
    return next((part for part in name.split("-") if part in keys), None)


def names_in(folder: Path) -> frozenset[str]:
    """The names of a folder's files; none where there is no such folder."""
    try:
        return frozenset(file.name for file in folder.iterdir())
    except FileNotFoundError:
        return frozenset()
