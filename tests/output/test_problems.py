"""Problems of files: each with its place and fix, on screen and as JSON."""

from __future__ import annotations

import json

import jsonschema
import pytest

from reconciler import resources
from reconciler.model.errors import (
    ConfigError,
    ExitCode,
    KeyUnavailable,
    LockHeld,
    Mark,
    PlaintextSecret,
    Problem,
    ReconcilerError,
    SopsMissing,
)
from reconciler.model.report import Validation, concerns_of, in_file_order
from reconciler.output.error import render_error
from reconciler.output.formats.json import render as render_json
from reconciler.output.text import render as render_text

SCHEMA = json.loads(resources.schema("validate.schema.json"))


def problem(file: str, line: int, message: str = "duplicate key") -> Problem:
    return Problem(
        mark=Mark(file=file, line=line, column=5), code="duplicate-key", message=message, fix="remove one"
    )


def validation(*errors: ReconcilerError, files: tuple[str, ...] = ()) -> Validation:
    concerns = in_file_order(concern for error in errors for concern in concerns_of(error))
    return Validation(version="0.1.0", files=files, concerns=concerns)


@pytest.fixture
def broken() -> Validation:
    return validation(
        SopsMissing("sops was not found", hint="install it, or name it with --sops"),
        ConfigError([problem("b.yaml", 3), problem("a.yaml", 9), problem("a.yaml", 2)]),
        PlaintextSecret("api_key stands in clear", hint="rotate it", mark=Mark(file="a.yaml", line=4)),
        files=("a.yaml", "b.yaml", "c.yaml"),
    )


def test_text_groups_by_file_and_counts_last(broken, snapshot):
    assert render_text(broken) == snapshot


def test_json_lists_everything_in_file_order(broken, snapshot):
    document = json.loads(render_json(broken))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [(one["file"], one["line"]) for one in document["problems"]] == [
        ("a.yaml", 2),
        ("a.yaml", 4),
        ("a.yaml", 9),
        ("b.yaml", 3),
        (None, None),
    ]
    assert document == snapshot


def test_the_most_urgent_exit_code_wins(broken):
    assert broken.exit_code is ExitCode.SECRETS
    assert json.loads(render_json(broken))["exit_code"] == 4


def test_no_error_is_one_line_and_exit_0():
    fine = Validation(version="0.1.0", files=("a.yaml",))
    assert render_text(fine) == "validate: 0 errors (1 file read)\n"
    document = json.loads(render_json(fine))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert document["problems"] == []
    assert document["exit_code"] == 0


def test_an_error_without_a_place_or_hint_is_one_line():
    assert (
        render_error(LockHeld("another apply holds the lease"))
        == "error: another apply holds the lease [lock]\n"
    )


def test_an_error_shows_its_place_once_and_its_fix():
    error = KeyUnavailable(
        "no private key here opens it", hint="ask the owner", mark=Mark(file="s.yaml", line=1)
    )
    assert (
        render_error(error)
        == "s.yaml:1:1: no private key here opens it [key-unavailable]\n    fix: ask the owner\n"
    )


def test_several_problems_are_counted():
    shown = render_error(ConfigError([problem("a.yaml", 1), problem("b.yaml", 1)]))
    assert shown.endswith("\n\n2 errors in 2 files\n")


def test_a_configuration_error_without_problems_still_says_something():
    assert concerns_of(ConfigError([], hint="look"))[0].message == "0 errors in the configuration"


def test_untrusted_file_names_and_messages_do_nothing():
    hostile = problem("a\x1b[2J.yaml", 1, "expected text, got \u202ekey\nvalidate: 0 errors in 0 files")
    shown = render_text(validation(ConfigError([hostile])), width=60)
    assert all(row.isprintable() for row in shown.splitlines())
    assert [row for row in shown.splitlines() if row.startswith("validate:")] == [shown.splitlines()[-1]]
