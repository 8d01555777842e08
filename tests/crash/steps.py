"""Every step of a pass at which it can be cut off, and the shot that does it."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Pool, event


class Steps:
    """Counts the steps of a pass by kind; at the one that is aimed at, the process is gone.

    ``sql`` before and after every statement, ``commit`` before every one, ``released`` once it is over,
    ``read`` and ``act`` on both sides of what a runtime is asked and told, ``clock`` at every look at
    the time, which lies between everything else.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.aim: tuple[str, int] | None = None

    def __call__(self, kind: str) -> None:
        if self.aim == (kind, self.seen.count(kind)):
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(kind)

    def clock(self, moment: datetime) -> datetime:
        self("clock")
        return moment

    def watch_databases(self) -> None:
        """Have whatever SQLAlchemy does, in any engine, count."""

        def step(kind: str) -> Any:
            return lambda *_arguments: self(kind)

        event.listen(Engine, "before_cursor_execute", step("sql"))
        event.listen(Engine, "after_cursor_execute", step("sql"))
        event.listen(Engine, "commit", step("commit"))
        event.listen(Pool, "checkin", step("released"))
