"""A fingerprint of a fitted estimator that is the same in every process."""

from __future__ import annotations

from copy import copy
from typing import Any

from joblib.hashing import NumpyHasher

# scikit-learn's vectorizers keep the memory address of their stop words, which tells nothing of what they do.
ADDRESSES = ("_stop_words_id",)


def estimator_hash(estimator: Any) -> str:
    """A hash of everything that an estimator and its parts hold, but for addresses in memory.

    Raises:
        Exception: whatever parts raise that cannot be written out.
    """
    return str(_Hasher(hash_name="md5").hash(estimator))


class _Hasher(NumpyHasher):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The hash tells objects apart by their addresses, so copies must live as long as it does.
        self.copies: list[Any] = []
        super().__init__(*args, **kwargs)

    def save(self, obj: Any) -> None:
        """Add an object to the hash."""
        held = getattr(obj, "__dict__", None)
        if isinstance(held, dict) and not isinstance(obj, type) and any(name in held for name in ADDRESSES):
            obj = copy(obj)
            self.copies.append(obj)
            for name in ADDRESSES:
                obj.__dict__.pop(name, None)
        super().save(obj)
