"""Reads every connection live, all at once but bounded, and gives one observation for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from reconciler.live.observatory import Observatory
from reconciler.live.reading import ObserveOptions, Target, late
from reconciler.model.live import Observation

__all__ = ["ObserveOptions", "Target", "observe"]


async def observe(
    targets: Sequence[Target],
    *,
    options: ObserveOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, Observation]:
    """An observation of every target, by connection id; ``progress`` hears ``(done, all)``.

    One connection's trouble is in its own observation and never stops another's.

    Raises:
        UsageError: an endpoint names a host that its exchange has not, or is in clear where an
            egress's proxy would read it.
        ObservationError: an egress or an exchange that cannot be used at all.
    """
    async with Observatory(options) as observatory:
        for target in targets:
            await observatory.open(target)
        tasks = {asyncio.create_task(observatory.read(target)): target for target in targets}
        try:
            done = await _finish(tasks, options, progress)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return {target.connection.id: done[target.connection.id] for target in targets}


async def _finish(
    tasks: Mapping[asyncio.Task[Observation], Target],
    options: ObserveOptions,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Observation]:
    """Every observation; connections that the deadline cut off are told as such."""
    found: dict[str, Observation] = {}
    for coming in asyncio.as_completed(tasks, timeout=options.deadline):
        try:
            seen = await coming
        except TimeoutError:  # the deadline's: what a task itself runs into is in its observation
            break
        found[seen.connection] = seen
        if progress is not None:
            progress(len(found), len(tasks))
    targets = (target for target in tasks.values() if target.connection.id not in found)
    return found | {target.connection.id: late(target, options) for target in targets}
