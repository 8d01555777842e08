"""One line that tells how far long work has come, at a terminal alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TextIO

from reconciler.output.clean import encodable


class ProgressLine:
    """``checking 12/40 connections…`` on ``stream`` (stderr), rewritten in place and erased at the end.

    Nothing is ever written where ``isatty`` is false, in CI or on a dumb terminal.
    """

    def __init__(self, stream: TextIO, *, isatty: bool, environment: Mapping[str, str]) -> None:
        dull = environment.get("CI", "") not in {"", "false", "0"} or environment.get("TERM") == "dumb"
        self._stream = stream
        self._active = isatty and not dull
        self._shown = ""

    def show(self, done: int, total: int, what: str = "connections") -> None:
        """Say that ``done`` of ``total`` are checked."""
        line = f"checking {done}/{total} {what}…"
        self._write(encodable(line, self._stream.encoding or "utf-8"))

    def erase(self) -> None:
        """Leave the line as if nothing had been written; call it before anything else is printed."""
        self._write("")

    def _write(self, text: str) -> None:
        """Put ``text`` in place of what is shown: spaces cover the rest, which every terminal understands."""
        if not self._active or text == self._shown:
            return
        rest = " " * (len(self._shown) - len(text))
        home = "\r" if rest or not text else ""
        self._stream.write(f"\r{text}{rest}{home}")
        self._stream.flush()
        self._shown = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.erase()
