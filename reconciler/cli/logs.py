"""Logs: on standard error, redacted, and silent unless something is wrong or ``-v`` asks for more.

As text they are for people. As JSON every line of standard error is one object, whatever it tells: logs
of ours and of libraries, notices, and the error that ends a run.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from reconciler.secrets.redact import Redactor

FORMATS: Final = ("text", "json")
_OURS: Final = "reconciler"
#: A line for people may begin with its moment and how severe it is.
_NOTICE: Final = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ )?(?:(?P<level>info|warning|critical): )?(?P<text>.*)", re.DOTALL
)


class _Chosen:
    """How this run logs, known from the first option on: an error in the others is told in that form."""

    def __init__(self) -> None:
        self.json = False
        self.redactor: Redactor | None = None


_chosen: Final = _Chosen()


def choose(log_format: str) -> None:
    """Have everything from here on told in this format, with no secret known yet."""
    _chosen.json = log_format == "json"
    _chosen.redactor = None


def asked_for(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The format that a command line asks for, before it is parsed: what is wrong with it is told so."""
    found = environ.get("RECONCILER_LOG_FORMAT", "text")
    for one, following in pairwise((*arguments, "")):
        name, given, value = one.partition("=")
        if name == "--log-format":
            found = value if given else following
    return found


def chosen_json() -> bool:
    """Whether standard error is for programs."""
    return _chosen.json


def configure(*, verbose: bool) -> Redactor:
    """Send every log of ours and of our libraries to stderr; give the redactor that all pass through.

    The redactor learns the secrets of the run as they are decrypted. With ``verbose`` warnings show,
    such as a request that is tried again; else errors alone.
    """
    import structlog  # noqa: PLC0415 - with the next one a tenth of a second that --help does not pay

    from reconciler.secrets.redact import RedactingFilter, Redactor  # noqa: PLC0415 - the same

    redactor = _chosen.redactor = Redactor()
    level = logging.WARNING if verbose else logging.ERROR
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(redactor))
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if _chosen.json else text)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(_chosen.json)
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_line)
        if _chosen.json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    return redactor


def say(text: str, *, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON-like
    """Tell a person something that is no log: a line, or in JSON an event with ``fields`` besides."""
    if not _chosen.json:
        click.echo(text, err=True)
        return
    event = {"timestamp": _now(), "level": level, "logger": _OURS, "event": text, **fields}
    click.echo(_line(_chosen.redactor.value(event) if _chosen.redactor else event), err=True)


def notice(text: str) -> None:
    """Tell what the engine tells people meanwhile. As JSON it has its moment and its severity as fields."""
    found = _NOTICE.fullmatch(text) if _chosen.json else None
    if found:
        say(found["text"], level=found["level"] or "info")
    else:
        say(text)


class _JsonLines(logging.Formatter):
    """What the standard library logs as one JSON object a line; redacted already by the handler's filter."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        event = {
            "timestamp": _moment(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_text:
            event["exception"] = record.exc_text
        return _line(event)


def _line(event: MutableMapping[str, Any], **_: Any) -> str:  # noqa: ANN401 - what structlog hands over
    """One line of JSON, its first fields always the same, with nothing in it that a terminal obeys."""
    first = {name: event.get(name, _OURS) for name in ("timestamp", "level", "logger", "event")}
    return json.dumps({**first, **event}, default=str)


def _now() -> str:
    return _moment(datetime.now(UTC))


def _moment(when: datetime) -> str:
    """As structlog writes it, so that lines sort by it whoever wrote them."""
    return f"{when.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
