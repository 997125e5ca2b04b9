"""Which code and which machine made a result."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assay.tasks.content import digest_now

CODE = ("conf", "explainers", "harness", "metrics", "models", "results", "tasks")
CODE_ENDINGS = frozenset({".py", ".yaml", ".csv", ".css", ".js", ".j2", ".mplstyle"})
LIBRARIES = ("assay", "torch", "transformers", "numpy", "scipy", "scikit-learn")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on, and a digest of all dependencies.

    Returns:
        Name to version. `environment` is `environment_digest()`: two records with the same digest were made
        with the same version of every dependency, direct or not.
    """
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions | {"environment": environment_digest()}


def explainer_libraries(explainers: Iterable[object]) -> dict[str, str]:
    """Versions of the libraries whose code explains, by name."""
    return {name: version(name) for one in explainers if (name := getattr(one, "library", None)) is not None}


@cache
def code_files() -> dict[str, str]:
    """The SHA-256 of every file of the program, by its path from the folder of the package."""
    root = Path(str(files("assay")))
    found = [*root.glob("*.py"), *(path for name in CODE for path in (root / name).rglob("*"))]
    return {
        path.relative_to(root).as_posix(): digest_now(path)
        for path in sorted(found)
        if path.is_file() and path.suffix in CODE_ENDINGS
    }


def code_lines() -> str:
    """`code_files` as `sha256sum` writes it."""
    return "".join(f"{digest}  {name}\n" for name, digest in code_files().items())


def code_digest() -> str:
    """The SHA-256 over `code_lines`: two programs with the same one have the same files."""
    return hashlib.sha256(code_lines().encode()).hexdigest()


@cache
def environment_digest() -> str:
    """16 hexadecimal digits of the SHA-256 over `pinned("assay")`, one line each, and Python's version."""
    lines = [f"python=={platform.python_version()}", *pinned("assay")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def pinned(name: str) -> list[str]:
    """`name==version` of everything that a distribution needs and that is installed, sorted; without itself.

    Optional dependencies (extras) are left out, so that test tools do not change the digest.
    """
    installed: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    pending = [Requirement(name)]
    while pending:
        requirement = pending.pop()
        key = canonicalize_name(requirement.name)
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:
            continue
        visit = key, frozenset(requirement.extras)
        if visit not in seen:
            seen.add(visit)
            installed[key] = package.version
            pending += _requirements(package, requirement.extras)
    installed.pop(canonicalize_name(name), None)
    return sorted(f"{key}=={number}" for key, number in installed.items())


def _requirements(package: Distribution, extras: set[str]) -> list[Requirement]:
    """What a distribution needs on this machine, with the extras that were asked of it."""
    parsed = map(Requirement, package.requires or ())
    environments = [{"extra": extra} for extra in ("", *sorted(extras))]
    return [each for each in parsed if each.marker is None or any(map(each.marker.evaluate, environments))]
