"""Every command line that a page, a pipeline or a hook shows is one that ``reconcile`` takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from reconciler.cli.root import root

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples" / "ci" / "README.md"]
PIPELINES = [
    path for path in sorted((ROOT / "examples" / "ci").rglob("*")) if path.suffix in {".yml", ".yaml"}
]


def from_page(text):
    """Lines of code blocks, and code in running text."""
    for block in re.findall(r"^\s*```\w*\n(.*?)^\s*```", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(
            r"^\s*(?:\$ |- |run: )?(reconcile [^\n|&;]*)", block.replace("\\\n", " "), re.MULTILINE
        )
    yield from re.findall(r"(?<!`)`(reconcile [^`]+)`(?!`)", re.sub(r"\n\s*", " ", text))


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)
        if isinstance(value, list) and value[:1] == ["reconcile"]:
            yield shlex.join(value)


def from_pipeline(text):
    for document in yaml.safe_load_all(text.replace("!reference ", "")):
        for string in strings(document):
            yield from re.findall(r"^\s*(reconcile -?-?\w[^\n|&;]*)", string, re.MULTILINE)


def from_hooks():
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        yield " ".join([hook["entry"], *hook.get("args", [])])


def lines():
    found = {(path, line) for path in PAGES if path.exists() for line in from_page(path.read_text())}
    found |= {(path, line) for path in PIPELINES for line in from_pipeline(path.read_text())}
    found |= {(ROOT / ".pre-commit-hooks.yaml", line) for line in from_hooks()}
    return [pytest.param(line, id=f"{path.relative_to(ROOT)}: {line[:60]}") for path, line in sorted(found)]


@pytest.mark.parametrize("line", lines())
def test_the_command_line_is_one_that_reconcile_takes(line):
    words = shlex.split(line, comments=True)[1:]
    try:
        command, context = root, root.make_context("reconcile", words)
        while isinstance(command, click.Group) and (rest := [*context._protected_args, *context.args]):
            name, command, arguments = command.resolve_command(context, rest)
            context = command.make_context(name, arguments, parent=context)
    except click.exceptions.Exit:
        pass  # --help and --version
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        assert len(words) == 1  # a page that mentions a command gives no arguments


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("github", 0),  # workflows name commands of the action, whose lines have a test of their own
        ("gitlab", 5),
        ("kubernetes", 2),
    ],
)
def test_the_lines_are_found_where_they_are(path, wanted):
    found = [
        line for file in PIPELINES if file.parent.name == path for line in from_pipeline(file.read_text())
    ]
    assert len(found) == wanted, found


def test_the_readmes_lines_are_found():
    assert len(set(from_page(PAGES[0].read_text()))) > 15
