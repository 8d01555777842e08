"""What is said when something breaks that nobody foresaw: where in the code, and never what it held."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from types import TracebackType

from reconciler.cli import logs


def describe(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Two lines for an error that nobody handled: its class and its place in our code, no value.

    A library's message may quote anything, so the error's own text is never part of it.
    """
    return (
        f"error: internal error ({kind.__name__}{_place(trace)}). Nothing that was not reported was done.\n"
        "hint: please report it with the command line, without any file content"
    )


def quote_nothing() -> None:
    """Say :func:`describe` where Python itself would print a traceback with the error's text.

    That is for the main thread, for other threads, and for finalisers. Holds until the process ends.
    """

    def tell(kind: type[BaseException], trace: TracebackType | None) -> None:
        if not issubclass(kind, SystemExit):
            with suppress(OSError):
                logs.say(describe(kind, trace), level="critical")

    sys.excepthook = lambda kind, _, trace: tell(kind, trace)
    threading.excepthook = lambda args: tell(args.exc_type, args.exc_traceback)
    sys.unraisablehook = lambda args: tell(args.exc_type, args.exc_traceback)


def _place(trace: TracebackType | None) -> str:
    """The innermost place in our own code, nothing when it is not in the trace."""
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "reconciler" in code.co_filename:
            place = f" at {code.co_name} in {os.path.basename(code.co_filename)}:{trace.tb_lineno}"  # noqa: PTH119
        trace = trace.tb_next
    return place
