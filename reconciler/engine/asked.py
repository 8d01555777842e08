"""A source that is asked beside the passes: no pass waits for a server that is slow or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from reconciler.engine.source import Revision, Source
from reconciler.model.errors import ReconcilerError


async def first_of(source: Source, told: Callable[[str], None]) -> Revision:
    """The revision to begin with: the newest one, or the last good one where that cannot be had now.

    ``told`` hears why it is not the newest. Raise what :meth:`Source.refresh` does where none is kept.
    """
    try:
        return await source.refresh()
    except ReconcilerError as error:
        kept = await asyncio.to_thread(source.last_good)
        if kept is None:
            raise
        told(f"the repository gives nothing new, so the last good commit goes on: {error}")
        return kept


class Asked:
    """Asks ``source`` for what is new, one question at a time.

    ``new`` is called with every revision that it gives, ``failed`` with every error.
    """

    def __init__(
        self, source: Source, *, new: Callable[[Revision], None], failed: Callable[[ReconcilerError], None]
    ) -> None:
        self.source = source
        self._new = new
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """Ask, unless an answer is still awaited."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())

    async def close(self) -> None:
        """Ask no longer."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _ask(self) -> None:
        try:
            revision = await self.source.refresh()
        except ReconcilerError as error:
            self._failed(error)
        else:
            self._new(revision)
