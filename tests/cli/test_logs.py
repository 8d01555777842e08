"""What is logged goes to standard error, and no secret with it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from datetime import datetime

import pytest
import structlog

from reconciler.cli import logs
from reconciler.cli.logs import configure
from reconciler.model.secret import MASK, Secret

CANARY = "canary-7fK2-do-not-show"


@pytest.fixture(autouse=True)
def as_before():
    """Leave logging to the other tests as they had it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail(log) -> None:
    try:
        int(CANARY)
    except ValueError:
        log.exception(f"a call of {CANARY} failed")  # noqa: G004 - as a library would


@pytest.mark.parametrize("logger", [logging.getLogger, structlog.get_logger])
def test_every_log_passes_the_redactor(logger, capsys):
    redactor = configure(verbose=False)
    redactor.add([Secret(CANARY)])
    fail(logger("of.a.library"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "ValueError" in shown.err
    assert shown.err.count(MASK) >= 2
    assert CANARY not in shown.err


@pytest.mark.parametrize("logger", [logging.getLogger, structlog.get_logger])
@pytest.mark.parametrize(("verbose", "lines"), [(False, 0), (True, 1)])
def test_warnings_show_only_when_asked_for(logger, verbose, lines, capsys):
    configure(verbose=verbose)
    logger("of.a.library").warning("tried again")
    logger("of.a.library").info("told nobody")
    assert len(capsys.readouterr().err.splitlines()) == lines


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


class TestJson:
    """Standard error for programs: each line an object, whoever wrote it."""

    @pytest.fixture(autouse=True)
    def in_json(self):
        logs.choose("json")
        yield
        logs.choose("text")
        logging.captureWarnings(False)

    @pytest.mark.parametrize("logger", [logging.getLogger, structlog.get_logger])
    def test_every_log_is_an_object_without_a_secret(self, logger, capsys):
        configure(verbose=False).add([Secret(CANARY)])
        fail(logger("of.a.library"))
        shown = capsys.readouterr()
        assert (shown.out, CANARY in shown.err) == ("", False)
        (one,) = lines_of(shown.err)
        assert list(one)[:4] == ["timestamp", "level", "logger", "event"]
        assert (one["level"], one["event"]) == ("error", f"a call of {MASK} failed")
        assert "ValueError" in one["exception"]
        assert datetime.fromisoformat(one["timestamp"]).tzinfo is not None

    def test_the_library_that_logs_is_named(self, capsys):
        configure(verbose=True)
        logging.getLogger("of.a.library").warning("tried %s times", 3)
        (one,) = lines_of(capsys.readouterr().err)
        assert (one["logger"], one["level"], one["event"]) == ("of.a.library", "warning", "tried 3 times")

    def test_arguments_that_do_not_fit_are_still_one_object(self, capsys):
        configure(verbose=True)
        logging.getLogger("of.a.library").warning("tried %s times %s", 3)  # noqa: PLE1206 - the fault
        (one,) = lines_of(capsys.readouterr().err)
        assert one["event"] == "tried %s times %s"

    def test_warnings_of_python_are_logs_too(self, capsys):
        configure(verbose=True)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("soon to be removed", DeprecationWarning, stacklevel=1)
        (one,) = lines_of(capsys.readouterr().err)
        assert one["logger"] == "py.warnings"

    def test_what_is_said_to_people_is_an_object_with_its_fields(self, capsys):
        configure(verbose=False).add([Secret(CANARY)])
        logs.say(f"waiting for {CANARY}\x1b[31m", level="warning", held_by={"who": CANARY})
        text = capsys.readouterr().err
        assert CANARY not in text
        assert "\x1b" not in text
        (one,) = lines_of(text)
        assert (one["level"], one["logger"]) == ("warning", "reconciler")
        assert one["held_by"] == {"who": MASK}

    @pytest.mark.parametrize(
        ("text", "level", "event"),
        [
            ("2026-11-22T10:00:00Z critical: a key may withdraw", "critical", "a key may withdraw"),
            ("2026-11-22T10:00:00Z over: it is well", "info", "over: it is well"),
            ("waiting for the lock\nstill", "info", "waiting for the lock\nstill"),
        ],
    )
    def test_moment_and_severity_of_a_notice_are_fields(self, text, level, event, capsys):
        configure(verbose=False)
        logs.notice(text)
        (one,) = lines_of(capsys.readouterr().err)
        assert (one["level"], one["event"]) == (level, event)

    def test_lines_of_both_kinds_sort_by_their_time(self, capsys):
        configure(verbose=False)
        for _ in range(3):
            logging.getLogger("a").error("one")
            structlog.get_logger("b").error("two")
            logs.say("three")
        stamps = [one["timestamp"] for one in lines_of(capsys.readouterr().err)]
        assert stamps == sorted(stamps)
        assert {len(stamp) for stamp in stamps} == {len("2026-11-22T10:00:00.000000Z")}


def told(*arguments: str, **environ: str) -> tuple[int, list[dict]]:
    """Run the real command; its exit code and what it wrote to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    return done.returncode, lines_of(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--nonsense",), 3, "No such option"),
        (("--timeout", "never"), 3, "--timeout"),
        (("--yes", "-f", "missing.yaml"), 3, "1 error in the configuration"),
        (("explain", "nonsense"), 3, "no check"),
        (("check", "-f", "missing.yaml"), 3, "1 error in the configuration"),
    ],
)
def test_the_error_that_ends_a_run_is_an_object(arguments, code, says):
    done = told("--log-format", "json", *arguments)
    assert done[0] == code
    (one,) = done[1]
    assert (one["level"], one["exit_code"], says in one["event"]) == ("error", code, True)
    assert told(*arguments, RECONCILER_LOG_FORMAT="json")[1][0]["event"] == one["event"]


def test_an_error_of_files_holds_every_problem_of_it(tmp_path):
    (tmp_path / "c.yaml").write_text("version: 1\nconnections: 5\nnonsense: 1\n")
    _, (one,) = told("--log-format", "json", "--dry-run", "-f", str(tmp_path / "c.yaml"))
    assert one["code"] == "config"
    assert {problem["line"] for problem in one["problems"]} == {2, 3}
    assert all(problem["fix"] for problem in one["problems"])


def test_a_command_keeps_the_format_of_reconcile_itself():
    _, (one,) = told("--log-format", "json", "check", "--timeout", "never")
    assert one["exit_code"] == 3
    _, (one,) = told("check", "--log-format", "json", "--timeout", "never")
    assert one["exit_code"] == 3
