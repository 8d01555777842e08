"""Threads of the loop's own, for what blocks: files, the state, sops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: One may wait for sops, one for the state and one for the disk.
_COUNT: Final = 3


class Threads:
    """A few threads that nobody else uses.

    asyncio's own also resolve names: with a name server that does not answer they all wait for it, and
    nothing that an exchange does may keep a pass from its files and its state.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=_COUNT, thread_name_prefix="loop")

    async def run(self, work: Callable[..., T], *given: Any, **named: Any) -> T:  # noqa: ANN401 - what `work` takes
        """What ``work`` gives, or raises; the event loop goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *given, **named))

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        self._pool.shutdown(wait=False, cancel_futures=True)
