"""Versions stand in one place each, and where a tool needs them twice they agree."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assay.harness.config import provenance

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _pins(name: str) -> dict[str, str]:
    """Package to version of a file of `name==version` lines."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


def _bounds(requirements: list[str]) -> dict[str, str]:
    """Package to the lower bound or the pin."""
    found = {}
    for requirement in map(Requirement, requirements):
        (lower,) = (each.version for each in requirement.specifier if each.operator in (">=", "=="))
        found[canonicalize_name(requirement.name)] = lower
    return found


def test_pre_commit_runs_the_tools_that_pyproject_pins() -> None:
    dev = _bounds(PROJECT["optional-dependencies"]["dev"])
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (ruff,) = (repo for repo in config["repos"] if "ruff" in repo["repo"])
    assert ruff["rev"] == f"v{dev['ruff']}"
    exact = [each for each in PROJECT["optional-dependencies"]["dev"] if "==" in each]
    assert {Requirement(each).name for each in exact} == {"ruff", "pyright"}


def test_the_lowest_versions_are_the_bounds_of_pyproject() -> None:
    # A library may need more than one form of spelling: 2 and 2.0.0 are one version.
    def plain(version: str) -> str:
        return re.sub(r"(\.0)+$", "", version)

    lowest, bounds = _pins("constraints-lowest.txt"), _bounds(PROJECT["dependencies"])
    assert {name: plain(pin) for name, pin in lowest.items()} == {n: plain(b) for n, b in bounds.items()}


def test_the_lock_pins_every_dependency_and_names_no_index() -> None:
    lock = _pins("requirements.lock")
    assert _bounds(PROJECT["dependencies"]).keys() <= lock.keys()
    assert "assay" not in lock
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_torch_of_the_constraints_is_that_of_the_lock() -> None:
    assert _pins("constraints.txt")["torch"] == _pins("requirements.lock")["torch"].split("+")[0]


def test_the_release_is_in_the_changelog_and_the_citation() -> None:
    version = PROJECT["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (date,) = re.findall(rf"^## {re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)$", changelog, flags=re.M)
    assert (citation["version"], str(citation["date-released"])) == (version, date)


class _Package:
    def __init__(self, version: str, *requires: str) -> None:
        self.version, self.requires = version, requires


PACKAGES = {
    "assay": _Package("1", "b>=1", "c[fast]", "missing", 'd; extra == "dev"', 'e; python_version < "3"'),
    "b": _Package("2", "C"),
    "c": _Package("3", 'f; extra == "fast"', "b"),
    "d": _Package("4"),
    "e": _Package("5"),
    "f": _Package("6"),
}


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, _Package]:
    """A made-up environment of which `provenance` reads the distributions."""
    packages = dict(PACKAGES)

    def distribution(name: str) -> _Package:
        try:
            return packages[name.lower()]
        except KeyError:
            raise PackageNotFoundError(name) from None

    monkeypatch.setattr(provenance, "distribution", distribution)
    return packages


def test_dependencies_of_dependencies_are_pinned_and_extras_are_not(packages: dict[str, _Package]) -> None:
    # c is first met as b's plain dependency or as c[fast], by the order of the walk.
    assert provenance.pinned("assay") == ["b==2", "c==3", "f==6"]


def test_the_digest_changes_with_an_indirect_dependency_only_if_it_is_needed(
    packages: dict[str, _Package],
) -> None:
    digest = provenance.environment_digest.__wrapped__
    before = digest()
    packages["d"] = _Package("9")
    assert digest() == before
    packages["f"] = _Package("7")
    assert digest() != before


def test_every_record_has_the_digest() -> None:
    versions = provenance.library_versions()
    assert versions["environment"] == provenance.environment_digest()
    assert re.fullmatch(r"[0-9a-f]{16}", versions["environment"])
