"""Says at once when something changes in the folders of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from watchfiles import awatch

#: Milliseconds in which changes that follow one another count as one; a longer row is told in parts.
_DEBOUNCE: Final = 500
_STEP: Final = 50


class Changes:
    """Watches folders, and calls ``changed`` for anything that happens directly in them.

    A notice is a reason to look, no more: what counts is what the files then hold. Where the system
    cannot watch (a file system over the network, no watches left) ``failed`` is called once with the
    reason, and only the regular looks are left.
    """

    def __init__(self, changed: Callable[[], None], failed: Callable[[str], None]) -> None:
        self._changed = changed
        self._failed = failed
        self._watched: frozenset[tuple[Path, int, int]] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def watch(self, folders: Iterable[Path]) -> None:
        """Watch these folders from now on, and no others. One that was replaced is watched anew."""
        wanted = frozenset(filter(None, map(_identified, folders)))
        if wanted == self._watched and self._task and not self._task.done():
            return
        await self.close()
        self._watched = wanted
        if wanted:
            following = self._follow([str(path) for path, _, _ in wanted])
            self._task = asyncio.create_task(following)

    async def close(self) -> None:
        """Watch nothing any longer."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, folders: list[str]) -> None:
        try:
            async for _ in awatch(
                *folders, recursive=False, watch_filter=None, debounce=_DEBOUNCE, step=_STEP
            ):
                self._changed()
        except Exception as error:  # noqa: BLE001 - the library raises its own and the system's
            self._failed(type(error).__name__)


def _identified(folder: Path) -> tuple[Path, int, int] | None:
    """A folder with what tells it from another of the same name; ``None`` where it is gone."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return folder, found.st_dev, found.st_ino
