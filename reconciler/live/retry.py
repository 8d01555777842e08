"""Asking again, only where that can help: never for a refusal of the key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import stamina

from reconciler.model.live import CallFailed, FailureKind

ATTEMPTS: Final = 3
TOTAL_SECONDS: Final = 90.0
_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 2.0

#: Kinds that a pause may cure. A wrong clock is cured by measuring again, not by waiting.
_TRANSIENT: Final = frozenset({FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE})


def attempts(*, transient: Callable[[CallFailed], bool] | None = None) -> AsyncIterator[stamina.Attempt]:
    """Up to three attempts with growing, jittered pauses, for failures that a pause may cure.

    How long a rate limit lasts is the budget's matter: the next attempt waits there.
    """
    decide = transient or curable
    return stamina.retry_context(
        on=lambda error: isinstance(error, CallFailed) and decide(error),
        attempts=ATTEMPTS,
        timeout=TOTAL_SECONDS,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
        wait_jitter=_FIRST_WAIT,
    ).__aiter__()


def curable(failed: CallFailed) -> bool:
    """Whether waiting can cure the failure: too many requests, or an exchange that was not there."""
    return failed.failure.kind in _TRANSIENT
