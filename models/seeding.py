"""A seed for torch that ends with its scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

# torch's default generators belong to the whole process: one scope at a time.
_LOCK = RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give torch's default generators a seed inside the scope and their old states back afterwards.

    Parameter initialisation and dropout take no generator of their own, so this is the only way to seed them
    without leaving a trace. Scopes of several threads wait for each other, so none draws from another's seed.
    """
    with _LOCK, torch.random.fork_rng():
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(seed)
        yield
