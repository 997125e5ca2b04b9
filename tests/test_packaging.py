"""What is installed: one top-level package with its data, from a wheel and from an editable install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLOORS = ("conf", "explainers", "harness", "metrics", "models", "results", "tasks")
DATA = (
    *("py.typed", "conf/config.yaml", "results/figures/assay.mplstyle"),
    *("results/page/report.html.j2", "results/page/report.css", "results/page/report.js"),
    "results/page/tables.js",
    "results/page/explorer.js",
    *("results/concepts/case.html.j2", "results/concepts/pages.css", "results/concepts/pages.js"),
)
# A user's own packages of the same names, which must neither hide Assay's nor be hidden.
OWN = ("conf", "models", "results", "tasks")
SMALL_RUN = [
    *("run", "name=small", "task=planted", "task.train=60", "task.dev=20", "task.test=6", "model=linear"),
    *("model.training.epochs=1", "explainer=[random,occlusion]", "baseline=[mask]", "metric=[faithfulness]"),
    *("limits.default.test=6", "report.bootstrap=20", "engine.threads=1"),
]


def run(*command: object, cwd: Path) -> str:
    """Standard output of a command that must succeed, run as a user would: without PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def packages() -> list[str]:
    """Every folder of a floor with an `__init__.py`, as it is imported."""
    folders = (file.parent for floor in FLOORS for file in (ROOT / floor).rglob("__init__.py"))
    return ["assay", *sorted(".".join(("assay", *folder.relative_to(ROOT).parts)) for folder in folders)]


def test_the_list_of_packages_is_the_tree() -> None:
    expected = "packages = [\n" + "".join(f'  "{name}",\n' for name in packages()) + "]"
    assert PROJECT["tool"]["setuptools"]["packages"] == packages(), (
        f"put this into [tool.setuptools] of pyproject.toml:\n{expected}"
    )


def test_every_python_file_of_a_floor_lies_in_a_package() -> None:
    for floor in FLOORS:
        for file in (ROOT / floor).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), f"{file.parent.relative_to(ROOT)}: no __init__.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of what git tracks; its link .venv/source/assay leads back to it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    archive = source / "checkout.tar"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).split()
    run("tar", "-cf", archive, *(name for name in files if (ROOT / name).exists()), cwd=ROOT)
    run("tar", "-xf", archive, cwd=source)
    archive.unlink()
    (source / ".venv" / "source").mkdir(parents=True)
    (source / ".venv" / "source" / "assay").symlink_to("../..")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps")
    run(*pip, "--wheel-dir", out, source, cwd=out)
    (built,) = out.glob("assay-*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_has_one_top_level_package_and_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"assay"}
    assert {f"assay/{name}" for name in DATA} <= names
    yaml = {str(file.relative_to(ROOT)) for file in (ROOT / "conf").rglob("*.yaml")}
    csv = {str(file.relative_to(ROOT)) for file in (ROOT / "results").rglob("*.csv")}
    assert {f"assay/{name}" for name in (*yaml, *csv)} <= names
    assert not [name for name in names if ".venv" in name or "/tests/" in name or "/scripts/" in name]


# The lines of the README, on fewer texts.
TEN_LINES = """
import assay
from assay.explainers.perturbation.lime import Lime
task = assay.task("planted", train=60, dev=20, test=4)
model = assay.fit("cnn", task, training={"epochs": 1})
wrapped = assay.wrap(lambda texts: [[0.5, 0.5] for _ in texts], labels=task.labels)
found = assay.explain(model, task.test, ["occlusion", Lime(rows=20), "gold", "random"], baseline="mask")
print(found["occlusion"][0])
table = assay.score(found, ["faithfulness", "human_agreement"]).compare(resamples=20)
assert set(table["method"]) == {"occlusion", "lime", "gold", "random"}
assert assay.explain(wrapped, "some text").words()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with packages of a user's own that have the names of Assay's folders."""
    for name in OWN:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"OWNER = 'user of {name}'\n", encoding="utf-8")
    (tmp_path / "conf" / "config.yaml").write_text("not: assay's\n", encoding="utf-8")
    return tmp_path


def environment(folder: Path) -> Path:
    """A fresh virtual environment that sees the packages of the running one; its interpreter."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    python = folder / "bin" / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    inherited = [path for path in sys.path if path.endswith("site-packages")]
    (site / "zz_inherited.pth").write_text("\n".join(inherited) + "\n", encoding="utf-8")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_it_runs_beside_a_users_own_packages(
    kind: str, project: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    python = environment(tmp_path_factory.mktemp("fresh") / "venv")
    what = [request.getfixturevalue("wheel")] if kind == "wheel" else ["--editable", ROOT]
    install = ("-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--ignore-installed")
    run(python, *install, *what, cwd=project)
    where = run(python, "-c", "import assay; print(assay.__file__)", cwd=project).strip()
    inside = Path(python).parents[1] if kind == "wheel" else ROOT
    assert Path(where).resolve().is_relative_to(inside.resolve())
    own = "; ".join(f"import {name}; assert {name}.OWNER == 'user of {name}'" for name in OWN)
    run(python, "-c", f"import assay.models.engine, assay.conf; {own}", cwd=project)
    run(python, "-c", TEN_LINES, cwd=project)
    run(
        python.parent / "assay",
        "run",
        "experiment=quickstart",
        f"store={project / 'quickstart'}",
        cwd=project,
    )
    for command in ([python.parent / "assay"], [python, "-m", "assay"]):
        run(*command, *SMALL_RUN, f"store={project / 'store'}", cwd=project)
    assert (project / "store" / "experiments" / "small" / "comparison.csv").exists()


@pytest.mark.slow
def test_tools_do_not_follow_the_link_into_the_checkout() -> None:
    link = ROOT / ".venv" / "source" / "assay"
    if not link.is_symlink():
        pytest.skip("the link .venv/source/assay, which `make` creates, is not there")
    files = run(Path(sysconfig.get_path("scripts")) / "ruff", "check", "--show-files", ".", cwd=ROOT)
    assert files and "/.venv/" not in files
    tests = run(sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/test_floors.py", ".", cwd=ROOT)
    assert not re.search(r"^\.venv", tests, flags=re.M)
