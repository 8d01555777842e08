"""A runtime outside of the state: one append-only log, which outlives whoever writes to it.

An act is one write of one line. So a process that dies between the act and its answer is as real here
as at a server: the line is there, and nobody knows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steps import Steps

from reconciler.model.desired import OnDisable
from reconciler.model.errors import LockHeld
from reconciler.model.plan import RunningStrategy


class Log:
    """What was done in all of these runtimes, in order. ``order`` gives how many acts the ledgers know of."""

    def __init__(self, path: Path, order: Callable[[], int]) -> None:
        self.path = path
        self._order = order

    def lines(self) -> list[dict[str, Any]]:
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def append(self, **act: Any) -> None:
        line = json.dumps({**act, "order": self._order()}) + "\n"
        with self.path.open("ab") as file:  # a line cut off by a shot never happened
            file.truncate(self._whole())
            os.write(file.fileno(), line.encode())

    def _whole(self) -> int:
        return self.path.read_bytes().rfind(b"\n") + 1

    def running(self, runtime: str) -> dict[str, dict[str, Any]]:
        """The act by which each strategy runs."""
        held: dict[str, dict[str, Any]] = {}
        for line in self.lines():
            if line["runtime"] == runtime:
                held.pop(line["strategy"], None)
                if line["act"] != "disable":
                    held[line["strategy"]] = line
        return held


class Bot:
    """One runtime that keeps its acts in the log. ``unreadable`` and ``mute`` as a stage has them."""

    def __init__(self, name: str, log: Log, steps: Steps, *, unreadable: bool, mute: bool) -> None:
        self._name, self._log, self._step = name, log, steps
        self._unreadable, self._mute = unreadable, mute

    async def read(self) -> Mapping[str, RunningStrategy]:
        self._step("read")
        if self._unreadable:
            raise OSError("no answer")
        held = {
            name: RunningStrategy(
                id=name, enabled=True, connection=line["connection"], parameters=line["parameters"]
            )
            for name, line in self._log.running(self._name).items()
        }
        self._step("read")
        return held

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        self._act("enable", strategy, connection, parameters, token)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        self._act("change", strategy, connection, parameters, token)

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        self._act("disable", strategy, None, {}, token)

    async def close(self) -> None:
        """Nothing is open."""

    def _act(
        self, act: str, strategy: str, connection: str | None, parameters: Mapping[str, Any], token: int
    ) -> None:
        self._step("act")
        if token < max((line["token"] for line in self._log.lines()), default=0):
            raise LockHeld("a newer applier was here")
        self._log.append(
            act=act,
            runtime=self._name,
            strategy=strategy,
            connection=connection,
            parameters=json.loads(json.dumps(parameters, default=dict)),
            token=token,
        )
        self._step("act")
        if self._mute:
            raise OSError("no answer")
