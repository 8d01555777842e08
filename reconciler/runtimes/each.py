"""A strategy that is several things at once: each of them is stopped, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from reconciler.model.errors import RuntimeFailed


async def each(acts: Iterable[Awaitable[None]]) -> None:
    """Do all of ``acts``, one after the other, then raise what the first that failed raised.

    It is told as untouched only where each of them surely did nothing.
    """
    failures: list[RuntimeFailed] = []
    done = 0
    for act in acts:
        try:
            await act
            done += 1
        except RuntimeFailed as error:
            failures.append(error)
    if not failures:
        return
    first = failures[0]
    raise RuntimeFailed(
        first.message,
        kind=first.kind,
        untouched=not done and all(one.untouched for one in failures),
        hint=first.hint,
        status=first.status,
    )
