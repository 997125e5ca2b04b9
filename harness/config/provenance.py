"""Which code and which machine made a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("assay", "torch", "transformers", "numpy", "scipy", "scikit-learn")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries whose numbers ours depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
