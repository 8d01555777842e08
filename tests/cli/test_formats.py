"""Every format on the command line: to standard output, to files, and to the summary of a GitHub job."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.entry import run
from reconciler.cli.options import FORMATS
from reconciler.cli.screen import Screen
from reconciler.model.errors import ExitCode, Mark
from reconciler.model.report import Concern, Validation
from reconciler.output import registry
from reconciler.resources import folder

EXAMPLES = str(folder("examples") / "connections.yaml")

BROKEN = """\
version: 1
connections:
  a: {name: A, exchange: mexc, market: spot, credentials: a.sops.yaml}
  a: {name: A, exchange: mexc, market: spot, credentials: a.sops.yaml}
"""


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A checkout with a file that is wrong."""
    (tmp_path / "deploy").mkdir()
    file = tmp_path / "deploy" / "connections.yaml"
    file.write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return file


def test_the_names_of_the_command_line_are_those_of_the_registry():
    assert tuple(registry.FORMATS) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_validate_speaks_every_format(name, broken, capsys):
    assert run(["validate", "-f", "deploy", "--output", name]) == ExitCode.CONFIG
    out, err = capsys.readouterr()
    assert "duplicate-key" in out
    assert err == ""


@pytest.mark.parametrize("name", FORMATS)
def test_validate_says_that_all_is_well_in_every_format(name, capsys):
    assert run(["validate", "-f", EXAMPLES, "--output", name]) == 0
    assert capsys.readouterr().out


def test_several_files_beside_standard_output(broken, tmp_path, capsys):
    files = {name: tmp_path / f"out.{name}" for name in FORMATS}
    options = [part for name, path in files.items() for part in ("--output-file", f"{name}={path}")]
    assert run(["validate", "-f", "deploy", *options]) == ExitCode.CONFIG
    assert capsys.readouterr().out == files["text"].read_text()
    assert json.loads(files["sarif"].read_text())["version"] == "2.1.0"
    assert files["junit"].read_text().startswith("<?xml")


def test_a_misspelt_format_stops_it_before_anything_is_read(capsys):
    assert run(["validate", "-f", "nowhere.yaml", "--output-file", "jsn=x"]) == ExitCode.CONFIG
    assert "--output-file takes FORMAT=PATH" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", None])
def test_files_are_named_from_the_top_of_the_checkout(variable, broken, tmp_path, monkeypatch, capsys):
    if variable:
        monkeypatch.chdir(broken.parent)
        monkeypatch.setenv(variable, str(tmp_path))
    run(["validate", "-f", str(broken), "--output", "gitlab"])
    (issue, *_) = json.loads(capsys.readouterr().out)
    assert issue["location"]["path"] == "deploy/connections.yaml"


def test_an_error_before_there_is_a_result_stays_text_on_standard_error(broken, capsys):
    assert run(["validate", "-f", "nowhere.yaml", "--output", "sarif"]) != 0
    out, err = capsys.readouterr()
    assert "nowhere.yaml" in out + err


class TestSummary:
    @pytest.fixture
    def summary(self, broken, tmp_path, monkeypatch):
        path = tmp_path / "summary.md"
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        return path

    def test_annotations_come_with_the_summary_of_the_step(self, summary, capsys):
        summary.write_text("# before\n")
        run(["validate", "-f", "deploy", "--output", "github"])
        shown = summary.read_text()
        assert shown.startswith("# before\n<!-- reconciler:validate:")
        assert "#### Errors (2)" in shown
        assert capsys.readouterr().out.startswith("::error file=deploy/connections.yaml,line=3,")

    def test_no_other_format_writes_it(self, summary):
        for name in FORMATS:
            if name != "github":
                run(["validate", "-f", "deploy", "--output", name])
        run(["validate", "-f", "deploy", "--output-file", f"github={summary.with_suffix('.txt')}"])
        assert not summary.exists()

    def test_a_full_summary_is_left_as_it_is(self, summary, capsys):
        summary.write_bytes(b"x" * (1 << 20))
        assert run(["validate", "-f", "deploy", "--output", "github"]) == ExitCode.CONFIG
        assert summary.stat().st_size == 1 << 20
        assert "is full" in capsys.readouterr().err

    def test_a_summary_that_cannot_be_written_changes_no_exit_code(self, summary, capsys):
        summary.mkdir()
        assert run(["validate", "-f", "deploy", "--output", "github"]) == ExitCode.CONFIG
        assert "cannot be written" in capsys.readouterr().err


def test_a_screen_shows_any_result(capsys):
    wrong = Concern(code="c", message="m", fix="f", mark=Mark(file="a.yaml", line=1))
    Screen(output="rdjson").report(Validation(version="1", files=("a.yaml",), concerns=(wrong,)))
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["code"] == {"value": "c"}
