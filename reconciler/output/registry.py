"""Every format of ``--output``, by name. Adding one is its file and its line in :data:`FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.model.report import Report
from reconciler.output import json, text
from reconciler.output.document import WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a person wants to see it. Formats for machines heed none of these.

    ``width`` is in columns; ``colour`` is decided by :func:`colour_wanted`.
    """

    verbose: bool = False
    width: int = WIDTH
    colour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to show a report. ``machine`` ones are read by programs: stdout holds nothing else."""

    name: str
    machine: bool
    render: Callable[[Report, Options], str]


def _text(report: Report, options: Options) -> str:
    if options.colour:
        from reconciler.output import terminal  # noqa: PLC0415 - rich costs start-up time that a pipe need not pay

        return terminal.render(report, verbose=options.verbose, width=options.width)
    return text.render(report, verbose=options.verbose, width=options.width)


def _json(report: Report, options: Options) -> str:
    del options
    return json.render(report)


_ALL: Final = (
    Format(name="text", machine=False, render=_text),
    Format(name="json", machine=True, render=_json),
)

#: The formats by the name that ``--output`` takes.
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.name: one for one in _ALL})


def render(report: Report, name: str, options: Options | None = None) -> str:
    """``report`` in the format ``name``, one of :data:`FORMATS`; raise ``KeyError`` for another."""
    return FORMATS[name].render(report, options or Options())


def colour_wanted(environment: Mapping[str, str], *, isatty: bool, no_color: bool = False) -> bool:
    """Whether to style: never with ``--no-color``, a ``NO_COLOR`` that is not empty or ``TERM=dumb``.

    A ``FORCE_COLOR`` other than empty or ``0`` styles what is piped too. See https://no-color.org.
    """
    if no_color or environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "") not in {"", "0"}:
        return True
    return isatty and environment.get("TERM") != "dumb"
