"""What an exchange echoes of a key is masked, also where a long message was cut in the middle of it."""

from __future__ import annotations

import pytest

from reconciler.live.scrub import scrub, scrub_failure
from reconciler.model.live import Failure, FailureKind
from reconciler.model.secret import Credentials, Secret

KEY = "no-digits-in-here"
CREDENTIALS = Credentials(api_key=Secret(KEY), secret=Secret("a-secret-of-it"), passphrase=Secret("pass"))


@pytest.mark.parametrize("length", range(4, len(KEY)))
def test_a_beginning_before_a_cut_is_masked(length):
    text = f"“you sent {KEY[:length]}…”"
    assert KEY[:4] not in scrub(text, CREDENTIALS)
    assert scrub(text, CREDENTIALS).endswith("…”")


def test_the_whole_is_masked_wherever_it_stands():
    failure = Failure(kind=FailureKind.INVALID_KEY, message=f"{KEY} a-secret-of-it pass", code=KEY)
    shown = scrub_failure(failure, CREDENTIALS)
    for value in (KEY, "a-secret-of-it", "pass"):
        assert value not in shown.message
        assert value not in shown.code


def test_text_without_a_secret_stays_as_it_is():
    assert scrub("IP not allowed…", CREDENTIALS) == "IP not allowed…"
