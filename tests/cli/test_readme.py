"""What the README says is what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import click
from click.testing import CliRunner

from reconciler.cli.root import COMMANDS, root
from reconciler.model.errors import ExitCode

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_exit_codes_are_those_of_the_program():
    rows = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", README, re.MULTILINE))
    assert rows == {str(code.value): code.meaning for code in ExitCode}


def test_the_commands_are_those_of_the_program():
    rows = dict(re.findall(r"^\| `reconcile (\w+)` \| (.+?) \|$", README, re.MULTILINE))
    assert rows == {name: text for name, (_, text) in COMMANDS.items()}


def test_every_flag_that_the_readme_names_exists():
    commands = [root, *(root.get_command(click.Context(root), name) for name in COMMANDS)]
    known = {name for command in commands for option in command.params for name in option.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    foreign = {"--require-hashes", "--input-type", "--filename-override"}
    assert named - foreign - {"--help"} <= known


def test_every_command_has_help_that_says_what_it_does():
    for name in COMMANDS:
        result = CliRunner().invoke(root, [name, "--help"])
        assert result.exit_code == 0, name
        assert len(result.output.splitlines()) > 5, name


def test_every_option_has_an_environment_variable():
    commands = [root, *(root.get_command(click.Context(root), name) for name in COMMANDS)]
    for command in commands:
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in {"help", "version", "sops"}:
                assert str(option.envvar).startswith("RECONCILER_"), (command.name, option.name)
