"""Reading what was trained and is kept in the store, and training it again where its files were harmed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from assay.harness.storage.store import ReadOnly, StoreFull, set_aside
from assay.tasks.errors import InputError

Trained = TypeVar("Trained")

log = logging.getLogger(__name__)


def read_or_retrain(folder: Path, ready: Callable[[], Trained]) -> Trained:
    """What `ready` makes of a folder, training first where there is nothing; once more if the folder is
    harmed, which is then set aside.

    Raises StoreFull and ReadOnly, which say nothing against the folder, and InputError where nothing was
    trained.
    """
    try:
        return ready()
    except (StoreFull, ReadOnly):
        raise
    except InputError as error:
        if not os.path.lexists(folder):
            raise
        # It was whole when it was written, so its files were harmed since.
        log.warning("%s", error)
        set_aside(folder)
        return ready()
