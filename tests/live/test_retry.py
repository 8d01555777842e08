from __future__ import annotations

import pytest

from reconciler.live.retry import ATTEMPTS, attempts
from reconciler.model.live import RETRYABLE, CallFailed, Failure, FailureKind


async def fail(error, tries):
    """Make a call that always fails, and note each try."""
    async for attempt in attempts():
        with attempt:
            tries.append(error)
            raise error


@pytest.mark.parametrize("kind", list(FailureKind))
async def test_only_what_a_pause_may_cure_is_asked_again(kind):
    again = kind in {FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE}
    tries = []
    with pytest.raises(CallFailed):
        await fail(CallFailed(Failure(kind=kind, message="no")), tries)
    assert len(tries) == (ATTEMPTS if again else 1)
    assert kind in RETRYABLE or not again


async def test_a_second_success_is_a_success():
    count = 0
    async for attempt in attempts():
        with attempt:
            count += 1
            if count == 1:
                raise CallFailed(Failure(kind=FailureKind.UNAVAILABLE, message="no"))
    assert count == 2


async def test_a_fault_of_ours_is_not_tried_again():
    tries = []
    with pytest.raises(KeyError):
        await fail(KeyError(), tries)
    assert len(tries) == 1
