"""What is logged goes to standard error, and no secret with it."""

from __future__ import annotations

import logging

import pytest
import structlog

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
