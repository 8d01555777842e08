"""From options to :class:`Settings`, with a progress line while it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from reconciler.cli.logs import chosen_json, configure, notice
from reconciler.cli.passwords import passwords
from reconciler.engine.settings import Settings
from reconciler.live.endpoints import parse_endpoints
from reconciler.output.progress import ProgressLine
from reconciler.runtimes.kubeconfig import parse_kubeconfigs

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work``. Being told to end is as Ctrl-C: what is held is given back, exit 130.

    asyncio handles Ctrl-C itself; the other two cancel the work in the same orderly way.
    """
    try:
        return asyncio.run(_ending_on((signal.SIGTERM, signal.SIGHUP), work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _ending_on(numbers: tuple[signal.Signals, ...], work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - it is what runs this
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    return await work


@contextmanager
def settings_from(
    *,
    endpoints: tuple[str, ...],
    kubeconfigs: tuple[str, ...] = (),
    verbose: bool = False,
    **chosen: Any,  # noqa: ANN401 - the other fields of Settings
) -> Iterator[Settings]:
    """The settings that the options ask for; the progress line goes once all is read, or on the way out."""
    redactor = configure(verbose=verbose)
    redactor.add(passwords(chosen.get("state", "")))
    with ProgressLine(
        sys.stderr, isatty=sys.stderr.isatty() and not chosen_json(), environment=os.environ
    ) as line:

        def progress(done: int, total: int) -> None:
            if done < total:
                line.show(done, total)
            else:
                line.erase()

        yield Settings(
            endpoints=parse_endpoints(list(endpoints)),
            kubeconfigs=parse_kubeconfigs(kubeconfigs),
            progress=progress,
            notice=notice,
            redactor=redactor,
            **chosen,
        )
