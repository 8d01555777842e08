"""Asking again, only where that can help: never for a refusal of the key."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Final

import stamina

from reconciler.model.live import CallFailed, FailureKind

ATTEMPTS: Final = 3
TOTAL_SECONDS: Final = 90.0
_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 2.0

#: Kinds that a pause may cure. A wrong clock is cured by measuring again, not by waiting.
_TRANSIENT: Final = frozenset({FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE})


def attempts() -> AsyncIterable[stamina.Attempt]:
    """Up to three attempts with growing, jittered pauses, for failures that a pause may cure.

    How long a rate limit lasts is the budget's matter: the next attempt waits there.
    """
    return stamina.retry_context(
        on=_curable,
        attempts=ATTEMPTS,
        timeout=TOTAL_SECONDS,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
        wait_jitter=_FIRST_WAIT,
    )


def _curable(error: Exception) -> bool:
    return isinstance(error, CallFailed) and error.failure.kind in _TRANSIENT
