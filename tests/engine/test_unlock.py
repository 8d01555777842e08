"""Ending the lease of an apply that is gone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.engine.settings import Settings
from reconciler.engine.unlock import unlock
from reconciler.model.errors import LockHeld, UsageError
from reconciler.state.records import Holder
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADA = Holder(host="server", pid=4711, user="ada", started_at=START)


@pytest.fixture
def settings(state_url):
    return Settings(files=(), state=state_url)


def test_the_right_number_ends_it_says_whose_it_was_and_fences_the_holder_off(settings):
    with open_for_writing(settings.state) as store, store.lease(ADA, clock=lambda: START) as lease:
        assert unlock(settings, lease.token) == str(ADA)
        assert "ada@server, process 4711" in str(ADA)
        with pytest.raises(LockHeld):
            lease.check()
        with store.lease(clock=lambda: START) as next_:
            assert next_.token > lease.token


def test_a_wrong_number_ends_nothing(settings):
    with open_for_writing(settings.state) as store, store.lease(ADA, clock=lambda: START) as lease:
        with pytest.raises(UsageError, match="number 99"):
            unlock(settings, 99)
        lease.check()


def test_a_released_lease_is_not_ended_again(settings):
    with open_for_writing(settings.state) as store, store.lease(ADA, clock=lambda: START) as lease:
        pass
    with pytest.raises(UsageError, match="no lock"):
        unlock(settings, lease.token)


def test_a_state_that_is_not_there_is_not_made(settings, tmp_path):
    with pytest.raises(UsageError, match="nothing was ever applied"):
        unlock(settings, 1)
    assert list(tmp_path.iterdir()) == []
    assert open_for_reading(settings.state).lease_record() is None
