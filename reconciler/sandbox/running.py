"""Ways to keep a sandbox running: beside synchronous code, or in the foreground until stopped."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from reconciler.sandbox.scenario import Scenario
from reconciler.sandbox.server import Sandbox

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SandboxThread:
    """A sandbox on a thread and an event loop of its own, for code that is not asynchronous.

    Inside the context, ``sandbox`` is the running :class:`Sandbox`: its ``endpoints``,
    ``requests`` and ``keys`` may be read, and single fields of a key changed, from any thread.
    """

    def __init__(self, scenario: Scenario, *, ports: Mapping[str, int] | None = None) -> None:
        self.sandbox = Sandbox(scenario, ports=ports)
        self._stack = ExitStack()

    @property
    def endpoints(self) -> Mapping[str, str]:
        """The URL of each exchange, by the name that ``--endpoint`` takes."""
        return self.sandbox.endpoints

    def __enter__(self) -> Self:
        """Start, and return once every exchange answers. Raises what the sandbox raised on starting."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
        with ExitStack() as stack:
            stack.callback(loop.close)
            thread.start()
            stack.callback(thread.join)
            stack.callback(loop.call_soon_threadsafe, loop.stop)
            asyncio.run_coroutine_threadsafe(self.sandbox.__aenter__(), loop).result()
            stack.callback(self._leave, loop)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the exchanges and wait for the thread."""
        self._stack.close()

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(self.sandbox.__aexit__(None, None, None), loop).result()


def endpoint_options(endpoints: Mapping[str, str]) -> str:
    """The ``--endpoint`` options that point the tool at ``endpoints``, ready to paste."""
    return " ".join(f"--endpoint {name}={url}" for name, url in endpoints.items())


def run_forever(
    scenario: Scenario, *, say: Callable[[str], object], ports: Mapping[str, int] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. ``say`` gets the options to paste, then one line once ready."""
    asyncio.run(_run_until_signal(scenario, say=say, ports=ports))


async def _run_until_signal(
    scenario: Scenario, *, say: Callable[[str], object], ports: Mapping[str, int] | None
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stopped.set)
    async with Sandbox(scenario, ports=ports) as sandbox:
        say(endpoint_options(sandbox.endpoints))
        say(f"sandbox ready: {', '.join(sandbox.scenario.exchanges)}; stop it with Ctrl-C")
        await stopped.wait()
