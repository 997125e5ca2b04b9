"""The ledger of failures: what went wrong, where, with which traceback; an entry goes when it succeeds."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from assay.harness.storage.store import Damaged, ReadOnly, Store, StoreFull, parse_json, set_aside, write_json
from assay.tasks.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """title: what failed, in a few words. sentence: why. traceback: empty for bad input, which needs none."""

    title: str
    sentence: str
    traceback: str


@contextmanager
def record_failure(store: Store, name: str, title: str, *, clear: bool = True) -> Iterator[None]:
    """Run a block; if it fails, write that to the ledger under `name` and go on behind the block.

    clear: take an earlier entry away when the block ends well. Raises StoreFull and Damaged, which concern
    more than this block.
    """
    try:
        yield
    except (StoreFull, Damaged, ReadOnly):
        raise
    except Exception as error:  # whatever went wrong with one cell, the others must still run
        sentence = _sentence(error)
        if not store.writable:  # then nobody reads it there
            log.warning("%s failed: %s", title, sentence)
            return
        log.info("%s failed: %s", title, sentence)
        detail = "" if isinstance(error, InputError) else "".join(traceback.format_exception(error))
        write_json(store.failure(name), asdict(Failure(title, sentence, detail)))
    else:
        if clear:
            clear_failure(store, name)


@contextmanager
def warned(title: str) -> Iterator[None]:
    """Run a block; if it fails, warn of it and go on behind the block. Raises StoreFull and Damaged."""
    try:
        yield
    except (StoreFull, Damaged):
        raise
    except Exception as error:
        log.warning("%s: %s", title, _sentence(error))


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def clear_failure(store: Store, name: str) -> None:
    """Forget a failure: what failed is done now."""
    store.failure(name).unlink(missing_ok=True)


def failure(store: Store, name: str) -> Failure | None:
    """The ledger's entry of that name, if there is one."""
    path = store.failure(name)
    try:
        # An entry may be written by hand: it decides what is tried again, not a number.
        return Failure(**parse_json(path, unsealed=True))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        with suppress(ReadOnly):
            set_aside(path)
        return None
