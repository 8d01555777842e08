"""Ctrl-C, and being told to end, while files are written: after the whole, never in the middle."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

#: Ctrl-C, a service manager's or ``kill``'s request, and a terminal that was closed.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Whatever asks this process to end does so as Ctrl-C does, so that ``finally`` is heeded."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """A request to end waits until the block is done, and then raises ``KeyboardInterrupt``.

    Only for blocks that neither wait nor ask: nobody can end them.
    """
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
