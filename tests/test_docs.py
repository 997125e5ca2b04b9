"""What the documentation shows is run, so that it cannot go stale."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.harness.cli import COMMANDS, main
from assay.harness.config.compose import configuration, sweep
from assay.harness.config.offered import offered

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


def test_the_explainer_of_contributing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = _blocks(ROOT / "CONTRIBUTING.md", "python")
    (settings,) = _blocks(ROOT / "CONTRIBUTING.md", "yaml")
    (tmp_path / "alone.py").write_text(code, encoding="utf-8")
    folder = tmp_path / "conf" / "explainer"
    folder.mkdir(parents=True)
    (folder / "alone.yaml").write_text(settings.replace("assay.explainers.alone", "alone"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ASSAY_TRUST", "alone")
    overrides = ["task=planted", "task.train=200", "model=linear", "explainer=[alone,occlusion,random]"]
    overrides += ["limits.default.test=30", "report.bootstrap=20", f"store={tmp_path / 'store'}", "name=docs"]
    assert main(["run", "--config-dir", str(folder.parent), *overrides]) == 0
    table = (tmp_path / "store" / "experiments" / "docs" / "comparison.md").read_text(encoding="utf-8")
    assert "alone" in table


def test_the_experiment_of_the_configuration_page_composes(tmp_path: Path) -> None:
    (text,) = _blocks(ROOT / "docs" / "configuration.md", "yaml")
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    found = sweep([f'hydra.searchpath=["file://{tmp_path}"]', "experiment=mine"])
    assert len(found.trials()) == 6
    assert configuration(found.trials()[0]).name == "mine"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    own = {"mine", "module", "pipeline", "service", "alone", "NAME", "KEY"}
    for group in ("task", "model", "experiment"):
        for name in re.findall(rf"\b{group}=(\w+)", text):
            assert name in {*offered(group), *own}, f"{page.name}: {group}={name}"
    for group in ("explainer", "baseline", "metric", "baseline@removal"):
        for names in re.findall(rf"(?<![\w@.]){group}=\[([\w,]+)\]", text):
            known = {*offered(group.split("@")[0]), *own, "A", "B"}
            assert set(names.split(",")) <= known, f"{page.name}: {group}=[{names}]"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def _slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_of_links_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        text = (page.parent / target if target else page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
        assert anchor in map(_slug, headings), f"{page.name}: {target}#{anchor}"


# columns.md is generated.
@pytest.mark.parametrize(
    "page", [page for page in PAGES[2:] if page.name != "columns.md"], ids=lambda page: page.name
)
def test_a_page_begins_with_the_question_that_it_answers(page: Path) -> None:
    assert re.match(r"# .+\n\n\*[^*]+\?\*\n", page.read_text(encoding="utf-8"))


def _inline_runs() -> list[str]:
    """Commands within sentences that compose a configuration, without those that leave something open."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    commands = [command for text in texts for command in re.findall(r"(?<!`)`(assay [^`]+)`(?!`)", text)]
    return sorted(
        {command for command in commands if not re.search(r"[A-Z]{3}|\.\.\.|<|mine|alone|myconf", command)}
    )


@pytest.mark.parametrize("command", _inline_runs())
def test_commands_within_sentences_are_possible(command: str) -> None:
    _, verb, *words = shlex.split(command)
    assert verb in {*(command.name for command in COMMANDS), "--version", "--install-completion", "|"}, (
        command
    )
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    if verb in ("run", "plan", "status", "report"):
        assert sweep(overrides).trials()


def test_every_shipped_file_of_configuration_is_yaml_with_a_comment_of_what_it_is() -> None:
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert yaml.safe_load(text), path
        lines = [line for line in text.splitlines() if not line.startswith("# @package")]
        assert lines[0].startswith("# "), path


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_numbers_of_choices_are_those_of_conf(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for row, group in (("explainers", "explainer"), ("metrics", "metric")):
        (count,) = re.findall(rf"^\| {row} \| \[?(\d+)", text, re.MULTILINE)
        assert int(count) == len(list((ROOT / "conf" / group).glob("*.yaml"))), f"{page}: {row}"


def test_the_page_on_results_names_the_parts_of_the_report_that_are_open() -> None:
    folder = ROOT / "results" / "page"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("report*.html.j2")]
    opened = {
        title for text in texts for title in re.findall(r'call part\("[a-z]+", "([^"]+)", true\)', text)
    }
    page = (ROOT / "docs" / "reading_results.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^- (.*) are open, every other part is folded", page, re.MULTILINE)
    assert set(re.findall(r"\*\*([^*]+)\*\*", line)) == opened and len(opened) > 1


def test_the_help_of_train_mlm_lists_every_setting_of_what_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    baseline = yaml.safe_load((ROOT / "conf" / "baseline" / "mlm.yaml").read_text(encoding="utf-8"))["mlm"]

    def keys(settings: dict[str, Any], before: str) -> set[str]:
        inner = {name: value for name, value in settings.items() if name != "_target_"}
        parts = [
            keys(value, f"{before}{name}.") if isinstance(value, dict) else {before + name}
            for name, value in inner.items()
        ]
        return set().union(*parts)

    with pytest.raises(SystemExit):
        main(["train-mlm", "--help"])
    listed = re.findall(r"^  (baseline\.mlm\.trained\.\S+)  +\S", capsys.readouterr().out, re.MULTILINE)
    assert set(listed) == keys(baseline["trained"], "baseline.mlm.trained.") and len(listed) > 8
