"""No text that passes the redactor shows a secret, however it was spelt or wrapped."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.secret import MASK, Secret
from reconciler.secrets.redact import RedactingFilter, Redactor

CANARY = "canary/7fK2+do not=show"
PEM = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIIr9canarycanarycanary
AwEHoUQDQgAEcanary2canary2==
-----END EC PRIVATE KEY-----
"""


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([Secret(CANARY), Secret(PEM)])


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        quote(CANARY, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        json.dumps(CANARY),
        json.dumps(PEM),
        repr(PEM),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
        PEM,
        PEM.splitlines()[1],
        PEM.splitlines()[2],
        PEM.strip(),
    ],
)
def test_every_spelling(redactor: Redactor, form: str) -> None:
    assert "canary" not in redactor.text(f"before {form} after")
    assert redactor.text(f"before {form} after").startswith("before ")
    assert redactor.text(f"before {form} after").endswith(" after")


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user:"])
def test_inside_base64_of_something_longer(redactor: Redactor, user: str) -> None:
    """As in an Authorization header; a few characters at its ends also depend on the neighbours."""
    whole = base64.b64encode(f"{user}{CANARY}:tail".encode()).decode()
    shown = redactor.text(whole)
    assert MASK in shown
    assert len(shown.replace(MASK, "")) <= len(whole) - len(base64.b64encode(CANARY.encode())) + 8


def test_short_secrets_are_left_since_they_would_mask_words() -> None:
    assert Redactor([Secret("abc"), Secret("")]).text("abc abc") == "abc abc"
    assert Redactor([Secret("abcd")]).text("abcd") == MASK


def test_overlapping_and_nested_secrets() -> None:
    redactor = Redactor([Secret("abcdef"), Secret("defghi"), Secret("abcd"), Secret("abcdefghijkl")])
    assert redactor.text("xabcdefghix") == f"x{MASK}x"
    assert redactor.text("xabcdefghijklx") == f"x{MASK}x"
    assert redactor.text("abcd abcdef") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://api.x.com/a/b?timestamp=1&signature=00ff done", "GET https://api.x.com/a/b done"),
        ("'https://a/b?accessKey=k&x=1'", "'https://a/b'"),
        ("https://a/b?AccessKeyId=k", "https://a/b"),
        ("/api/v3/account?apiKey=k&Signature=s", "/api/v3/account"),
        ("https://a/b?symbol=BTC", "https://a/b?symbol=BTC"),
        ("socks5://user:pass@proxy:1080/x", f"socks5://{MASK}@proxy:1080/x"),
        ("what? a sign of life", "what? a sign of life"),
    ],
)
def test_signed_urls_are_cut_even_when_their_keys_are_not_known(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_a_secret_cut_in_two_by_a_url_is_masked_first() -> None:
    redactor = Redactor([Secret("left?sign=x right")])
    assert redactor.text("left?sign=x right") == MASK
    assert Redactor([Secret("left right")]).text("left?sign=x right") == MASK


_secrets = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=12)


@given(
    st.lists(_secrets, min_size=1, max_size=4),
    st.lists(st.one_of(st.integers(0, 3), st.text(max_size=8)), max_size=8),
)
def test_no_secret_survives_anywhere(secrets: list[str], parts: list[int | str]) -> None:
    redactor = Redactor(Secret(value) for value in secrets)
    text = "".join(secrets[p % len(secrets)] if isinstance(p, int) else p for p in parts)
    shown = redactor.text(text)
    assert not [secret for secret in secrets if secret in shown]
    assert redactor.text(shown).count(MASK) >= shown.count(MASK) * bool(shown)


@given(st.text(max_size=60))
def test_text_without_secrets_is_left_alone(text: str) -> None:
    redactor = Redactor([Secret("never-in-the-text-0123456789")])
    if "?" not in text and "://" not in text:
        assert redactor.text(text) == text


def test_thousands_of_secrets_cost_a_line_no_more() -> None:
    few, many = (
        Redactor(Secret(f"{n:04d}-secret-of-connection") for n in range(count)) for count in (10, 3000)
    )
    line = "checking mexc-spot-main: permissions read, spot; whitelist 203.0.113.10; account 209302839 " * 20

    def cost(redactor: Redactor) -> float:
        began = time.process_time()
        redactor.text(line)
        return time.process_time() - began

    assert min(cost(many) for _ in range(5)) < 10 * min(cost(few) for _ in range(5))


def test_hostile_text_takes_linear_time() -> None:
    began = time.process_time()
    Redactor([Secret("????")]).text("?" * 200_000 + "://" * 50_000)
    Redactor().text("?sig" * 50_000)
    Redactor().text("://a" * 50_000)
    assert time.process_time() - began < 20


def test_log_events_of_structlog(redactor: Redactor) -> None:
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.format_exc_info, redactor, structlog.processors.JSONRenderer()],
    )
    nested = {"a": [CANARY, (CANARY.encode(), {CANARY: 1})], "n": 1, "none": None, "flag": True}
    details = {"nested": nested, "secret": Secret(CANARY), "error": OSError(CANARY)}
    logger.error(f"failed with {CANARY}", exc_info=raised(ValueError(CANARY)), **details)  # noqa: G004 - the case
    event = json.loads(out.getvalue())
    assert "canary" not in out.getvalue()
    assert event["nested"]["n"] == 1
    assert (event["nested"]["none"], event["nested"]["flag"]) == (None, True)
    assert "ValueError" in event["exception"]


def test_log_records_of_the_standard_library(redactor: Redactor) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(RedactingFilter(redactor))
    logger = logging.getLogger("third.party.of.test_redact")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    logger.warning("key %s in %r", CANARY, {"k": CANARY})
    logger.warning(f"wrong arguments %d {CANARY}", "x")  # noqa: G004 - a message of somebody else's making
    logger.warning("stack", stack_info=True)
    logger.error("broke", exc_info=raised(ValueError(CANARY)))
    text = out.getvalue()
    assert "canary" not in text
    assert "ValueError" in text
    assert text.count(MASK) >= 4


def test_many_threads_may_teach_it_at_once() -> None:
    """None of what was learnt may be lost when two learn in the same moment."""
    redactor, interval = Redactor(), sys.getswitchinterval()
    taught = [[Secret(f"{thread:02d}{n:03d}-of-a-thread") for n in range(60)] for thread in range(8)]

    def teach(secrets: list[Secret]) -> None:
        for secret in secrets:
            redactor.add([secret])

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(taught)) as pool:
            list(pool.map(teach, taught))
    finally:
        sys.setswitchinterval(interval)
    everything = [secret.reveal() for secrets in taught for secret in secrets]
    assert [value for value in everything if value in redactor.text(value)] == []
