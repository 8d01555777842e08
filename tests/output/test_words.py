"""How lengths of time read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.spans import span
from reconciler.output.words import ago

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds ago"),
        (1.9, "1 second ago"),
        (119, "119 seconds ago"),
        (120, "2 minutes ago"),
        (7_199, "119 minutes ago"),
        (7_200, "2 hours ago"),
        (172_799, "47 hours ago"),
        (172_800, "2 days ago"),
        (-5, "in 5 seconds"),
        (-400_000, "in 4 days"),
    ],
)
def test_how_long_ago(seconds, words):
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (90, "90s"), (900, "15m"), (5_400, "90m"), (7_200, "2h"), (86_400, "1d")]
)
def test_a_span_in_the_largest_unit_that_says_it_exactly(seconds, text):
    assert span(timedelta(seconds=seconds)) == text
