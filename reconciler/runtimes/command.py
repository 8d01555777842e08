"""Any program: it reads a request as JSON from its standard input and writes the answer to its output.

Which program that is stands in git, so nothing is started unless the operator allows it. No shell comes
in between, and no secret: it gets three variables of the environment, and no key. The only module of
this room that starts a process.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Final

from reconciler.child import Cut, Ended, run
from reconciler.model.desired import OnDisable
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import EVERYTHING
from reconciler.runtimes.bounded import Closed
from reconciler.runtimes.contract import OBSERVE, Told
from reconciler.runtimes.failing import failed
from reconciler.runtimes.interface import Opening, Runtime, RuntimeType

#: What a command sees of the environment, as far as it is set.
_SEEN: Final = ("PATH", "LANG", "HOME")

MAX_OUTPUT: Final = 1 << 20
"""Bytes that an answer may have."""

GRACE: Final = 1.0
"""Seconds between asking a command that takes too long to end, and ending it."""

_BY_HAND: Final = "run it by hand with the same request; docs/runtimes/command.md shows how"


class Command(Told):
    """One program, started anew for each request, one at a time.

    It is waited for in a thread of its own: those of asyncio also resolve names and open secrets, and a
    few programs that hang would keep every exchange from being read.
    """

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening.spec.id, self._ran)
        options = opening.spec.options
        self._argv = tuple(options["command"])
        self._limit = float(options.get("time_limit", f"{opening.timeout}s").removesuffix("s"))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="command")
        self._environ = {name: opening.environ[name] for name in _SEEN if name in opening.environ}

    async def close(self) -> None:
        """Let go of the thread; it ends once what it still waits for has ended."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ran(self, action: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        """The answer. It is ended with all that it started where nobody waits for it any more."""
        cancel = Event()
        try:
            ended = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, body, cancel)
        except OSError as error:
            told = f"{action}: the command cannot be started: {error.strerror}"
            raise failed(Kind.UNREACHABLE, told, hint="install it at that path, executable") from None
        finally:
            cancel.set()
        return self._answer_of(action, ended)

    def _run(self, body: bytes, cancel: Event) -> Ended:
        return run(
            self._argv,
            stdin=body,
            env=self._environ,
            limit=self._limit,
            grace=GRACE,
            cancel=cancel,
            output=MAX_OUTPUT,
        )

    def _answer_of(self, action: str, ended: Ended) -> Any:  # noqa: ANN401 - JSON
        """What it wrote to standard output; of what it wrote to the other, not a word is shown."""
        safe = action == OBSERVE
        if ended.cut is Cut.OUTPUT:
            told = f"{action}: the command wrote more than {MAX_OUTPUT:,} bytes, and was ended"
            raise failed(Kind.UNEXPECTED_ANSWER, told, untouched=safe, hint=_BY_HAND)
        if ended.cut is not None:
            told = f"{action}: the command did not end within {self._limit:g} s, and was ended"
            raise failed(Kind.UNREACHABLE, told, untouched=safe, hint=_BY_HAND)
        if ended.code:
            how = f"with {ended.code}" if ended.code > 0 else f"by signal {-ended.code}"
            told = f"{action}: the command ended {how}; what it wrote beside its answer is not shown"
            raise failed(Kind.REFUSED, told, untouched=safe, hint=_BY_HAND)
        try:
            return json.loads(ended.stdout)
        except (ValueError, RecursionError):
            told = f"{action}: the command wrote something else than JSON"
            raise failed(Kind.UNEXPECTED_ANSWER, told, untouched=safe, hint=_BY_HAND) from None


def _opened(opening: Opening) -> Runtime:
    if opening.allow_commands:
        return Command(opening)
    told = f"{opening.spec.id} runs a command that the files choose, and such commands are not allowed here"
    return Closed(failed(Kind.NOT_ALLOWED, told))


TYPE: Final = RuntimeType(
    name="command",
    open=_opened,
    disables=(OnDisable.STOP, OnDisable.STOP_ENTRIES),
    tells_positions=True,
    takes=EVERYTHING,
)
