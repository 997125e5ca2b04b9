"""The version of the store's layout, without any import so that `assay status` can read it quickly."""

from __future__ import annotations

# Raised when the layout of stored files changes, or what is stored of every cell, so that older stores are
# never misread.
STORE_VERSION = 3
