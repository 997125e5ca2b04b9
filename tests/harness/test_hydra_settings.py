"""A configuration starts launchers by name; Hydra runs nothing else that a file names."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import open_dict

from assay.harness.cli import main
from assay.harness.config.compose import raw_configuration
from assay.harness.config.hydra_settings import check_hydra
from assay.harness.config.search_path import check_search_path, search_path
from assay.tasks.errors import InputError

SMALL = ("task=planted_presence", "explainer=[random]", "metric=[compute_time]", "limits.default.train=20")
HOSTILE: dict[str, Any] = {
    "callbacks": {"x": {"_target_": "pathlib.Path.touch", "self": "touched"}},
    "sweeper": {"_target_": "os.system"},
    "launcher": {"_target_": "subprocess.Popen"},
    "callbacks.x": {"deep": [{"_target_": "os.getpid"}]},
    "job_logging.handlers.file": {"class": "logging.FileHandler", "filename": "touched", "mode": "w"},
    "hydra_logging.handlers.file": {"()": "pathlib.Path"},
    "job_logging.formatters.plain": {"()": "os.getpid"},
    "job.env_set": {"ASSAY_TRUST": "evil"},
    "job.env_set ": {"PYTHONPATH": "evil"},
}


@pytest.mark.parametrize("place", HOSTILE)
def test_a_file_cannot_make_hydra_run_other_code(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    node = HOSTILE[place]
    for name in reversed(place.strip().split(".")):
        node = {name: node}
    file = tmp_path / "conf" / "experiment" / "hostile.yaml"
    file.parent.mkdir(parents=True)
    # JSON is YAML.
    file.write_text(f"# @package _global_\n{json.dumps({'hydra': node})}\n")
    assert main(["run", "--config-dir", "conf", "experiment=hostile", *SMALL, "store=store"]) == 1
    error = capsys.readouterr().err
    assert "hydra." in error and error.count("\n") == 1
    assert not (tmp_path / "touched").exists() and not list(tmp_path.rglob("cell.json"))


def test_the_same_on_the_command_line() -> None:
    with pytest.raises(InputError, match=r"^hydra\.callbacks\.x\._target_ is 'pandas\.read_pickle'"):
        check_hydra(raw_configuration(["+hydra.callbacks.x._target_=pandas.read_pickle"], hydra=True))


@pytest.mark.parametrize(
    ("launcher", "plugin"),
    [
        ("workstation", "hydra_joblib_launcher"),
        ("slurm", "hydra_submitit_launcher"),
        ("ray_local", "hydra_ray_launcher"),
        ("ray_cluster", "hydra_ray_launcher"),
    ],
)
def test_the_launchers_of_the_shipped_configuration_pass(launcher: str, plugin: str) -> None:
    pytest.importorskip(f"hydra_plugins.{plugin}")
    check_hydra(raw_configuration([f"hydra/launcher={launcher}"], hydra=True))


def test_hydras_own_and_other_settings_pass() -> None:
    check_hydra(raw_configuration(["hydra.verbose=true", "+hydra.job.env_set.OMP_NUM_THREADS=1"], hydra=True))


@pytest.mark.parametrize(
    "node",
    [
        {"callbacks": {"x": "${model.evil}"}},
        {"callbacks": "${oc.create:${model}}"},
        {"job": {"env_set": "${model.evil}"}},
        {"job_logging": {"handlers": {"console": {"extra": "ext://this.s"}}}},
        {"job_logging": {"handlers": {"console": {"extra": "${model.external}"}}}},
        {"job_logging": {"handlers": {"console": {"class": "${model.external}"}}}},
    ],
)
def test_nor_by_way_of_an_interpolation(node: dict[str, Any], tmp_path: Path) -> None:
    evil = {"_target_": "os.mkdir", "path": str(tmp_path / "made"), "ASSAY_TRUST": "evil"}
    file = tmp_path / "conf" / "experiment" / "hostile.yaml"
    file.parent.mkdir(parents=True)
    content = {"model": {"evil": evil, "external": "ext://this.s"}, "hydra": node}
    file.write_text(f"# @package _global_\n{json.dumps(content)}\n")
    config = raw_configuration([search_path(tmp_path / "conf"), "experiment=hostile"], hydra=True)
    with pytest.raises(InputError, match=r"^hydra\."):
        check_hydra(config)


def test_every_choice_of_groups_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "conf" / "model" / "evil.yaml"
    file.parent.mkdir(parents=True)
    hydra = {"hydra": {"job_logging": {"formatters": {"x": {"()": "os.mkdir", "path": "made"}}}}}
    shipped = yaml.safe_load(Path(str(files("assay.conf"))).joinpath("model", "linear.yaml").read_text())
    file.write_text(f"# @package _global_\n{json.dumps({**hydra, 'model': {**shipped, 'name': 'evil'}})}\n")
    assert main(["run", "--config-dir", "conf", "model=linear,evil", *SMALL, "store=store"]) == 1
    assert "hydra.job_logging" in capsys.readouterr().err and not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "node", [{"sweep": {"dir": "elsewhere"}}, {"output_subdir": ".."}, {"job": {"chdir": True}}]
)
def test_a_run_writes_into_its_store_alone(node: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "conf" / "experiment" / "hostile.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{json.dumps({'hydra': node})}\n")
    config = raw_configuration([search_path(tmp_path / "conf"), "experiment=hostile"], hydra=True)
    with pytest.raises(InputError, match="since a run writes into its store alone"):
        check_hydra(config)


def test_a_file_that_is_no_yaml_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "conf" / "experiment" / "twice.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nlimits: {}\nlimits: {}\n")
    assert main(["plan", "--config-dir", str(tmp_path / "conf"), "experiment=twice"]) == 1
    error = capsys.readouterr().err
    assert "is no YAML" in error and "twice.yaml" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["ASSAY_TRUST", "PYTHONPATH", "LD_PRELOAD", "PATH", "BASH_ENV", "HF_ENDPOINT", "X"]
)
def test_only_known_variables_are_set(name: str) -> None:
    config = raw_configuration([f"+hydra.job.env_set.{name}=1"], hydra=True)
    with pytest.raises(
        InputError, match=rf"^hydra\.job\.env_set\.{name} may not be set by a configuration.*shell"
    ):
        check_hydra(config)


def test_threads_devices_and_caches_are_set(tmp_path: Path) -> None:
    values = {"OMP_NUM_THREADS": 1, "CUDA_VISIBLE_DEVICES": "0", "HF_HOME": str(tmp_path)}
    values["CUBLAS_WORKSPACE_CONFIG"] = "':4096:8'"
    check_hydra(raw_configuration([f"+hydra.job.env_set.{n}={v}" for n, v in values.items()], hydra=True))


@pytest.mark.parametrize(
    "launcher",
    [
        {"setup": ["touch touched"]},
        {"python": "./python"},
        {"srun_args": ["--prolog=./evil"]},
        {"additional_parameters": {"prolog": "evil"}},
        {"ray": {"init": {"runtime_env": {"worker_process_setup_hook": "evil.hook"}}}},
        {"pre_dispatch": "__import__('os').getpid()"},
        {"setup": ["${model.name}"]},
    ],
)
def test_launchers_run_no_commands_of_a_file(launcher: dict[str, Any]) -> None:
    config = raw_configuration([], hydra=True)
    slurm = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
    # As it is composed where the plugin is installed.
    with open_dict(config):
        config.hydra.launcher = {"_target_": slurm, "mem_gb": 4, "setup": None, "pre_dispatch": "2*n_jobs"}
        check_hydra(config)
        config.hydra.launcher = {"_target_": slurm, **launcher}
    with pytest.raises(InputError, match=r"^hydra\.launcher\..* would run code"):
        check_hydra(config)


@pytest.mark.parametrize(
    "override",
    ["hydra.searchpath=[pkg://evil]", "hydra.searchpath=pkg://evil", "+hydra.searchpath=['pkg://evil.conf']"],
)
def test_no_package_is_imported_to_search_it(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evil" / "conf").mkdir(parents=True)
    (tmp_path / "evil" / "__init__.py").write_text("from pathlib import Path\nPath('touched').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for command in ("plan", "status", "run"):
        assert main([command, *SMALL, override, "store=store"]) == 1
        error = capsys.readouterr().err
        assert "hydra.searchpath has 'pkg://evil" in error and error.count("\n") == 1
    assert not (tmp_path / "touched").exists()


def test_a_package_that_is_trusted_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_TRUST", "mine, other")
    check_search_path(["pkg://mine.conf", "pkg://other/conf", "file:///tmp", "/tmp"])
    with pytest.raises(InputError, match="pkg://miner"):
        check_search_path(["pkg://miner"])
