"""Which cell, trial or pair an entry of the ledger, or a claim, belongs to."""

from __future__ import annotations

from collections.abc import Collection

from assay.harness.storage.ledger import Failure, failure
from assay.harness.storage.store import Store


def ledger_of(store: Store, keys: Collection[str]) -> dict[str, Failure]:
    """The entries of the ledger that belong to these keys, by the entries' names."""
    names = [path.stem for path in store.failures() if owner(path.stem, keys) is not None]
    return {name: entry for name in names if (entry := failure(store, name)) is not None}


def owner(name: str, keys: Collection[str]) -> str | None:
    """The key that an entry, or a claim, belongs to: keys stand in names between hyphens."""
    return next((part for part in name.split("-") if part in keys), None)
