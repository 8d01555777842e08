from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import registry
from reconciler.exchanges.errors import MAX_MESSAGE, ErrorRow, classify, redact, retry_after
from reconciler.exchanges.interface import Answer, Call, Transport
from reconciler.model.kinds import KINDS
from reconciler.model.live import FailureKind as Kind

CALL = Call(name="key", path="/key")
ROWS = (
    ErrorRow(kind=Kind.IP_NOT_ALLOWED, code="7", source="test"),
    ErrorRow(kind=Kind.KEY_EXPIRED, code={"8", "9"}, status=401, match="expired", note="Sad.", source="test"),
    ErrorRow(kind=Kind.INVALID_KEY, code={"8", "9"}, source="test"),
    ErrorRow(kind=Kind.RATE_LIMITED, code="418", match=r"banned until (?P<until_ms>\d+)", source="test"),
    ErrorRow(kind=Kind.RATE_LIMITED, code="429", retry_header="x-reset", retry_unit=0.001, source="test"),
)


def judge(*, status=400, code=None, message="", headers=None, text="", ccxt=None, transport=None):
    body = None if text else {"code": code, "msg": message}
    answer = Answer(
        call=CALL,
        status=status,
        headers=headers or {},
        body=body,
        text=text,
        ccxt_error=ccxt,
        transport=transport,
    )
    return classify(ROWS, call="key", status=status, code=code, message=message, answer=answer)


def test_the_first_row_that_holds_wins():
    assert judge(code="8", status=401, message="Key EXPIRED").kind is Kind.KEY_EXPIRED
    assert judge(code="8", status=401, message="no").kind is Kind.INVALID_KEY
    assert judge(code="8", status=400, message="expired").kind is Kind.INVALID_KEY


def test_a_failure_says_what_where_and_who():
    failure = judge(code="7", status=403, message="IP [203.0.113.9] not allowed")
    assert failure.caller_ip == "203.0.113.9"
    assert (failure.call, failure.code, failure.status) == ("key", "7", 403)
    assert failure.message == "IP not allowed (HTTP 403, code 7, “IP [203.0.113.9] not allowed”)."
    assert judge(code="9", status=401, message="expired").message.endswith(" Sad.")


@pytest.mark.parametrize(
    ("message", "address"),
    [
        ("Invalid request ip, the current clientIp is:34.58.165.144", "34.58.165.144"),
        ("the current clientIp is:2001:db8::7.", "2001:db8::7"),
        ("Your IP 185.14.47.178, is not", "185.14.47.178"),
        ("ip 1.2.3.4 is not one of 5.6.7.8", None),
        ("at 12:45:11 on 1.2.3", None),
        ("", None),
    ],
)
def test_the_caller_is_read_only_when_one_is_named(message, address):
    assert judge(code="7", message=message).caller_ip == address


@pytest.mark.parametrize("transport", list(Transport))
def test_no_answer_is_unavailable_and_retryable(transport):
    failure = judge(status=0, transport=transport)
    assert failure.kind is Kind.UNAVAILABLE
    assert failure.retryable
    assert failure.status is None


@pytest.mark.parametrize(
    ("given_", "kind"),
    [
        ({"status": 429}, Kind.RATE_LIMITED),
        ({"status": 418}, Kind.RATE_LIMITED),
        ({"status": 451}, Kind.REGION_BLOCKED),
        ({"status": 500}, Kind.UNAVAILABLE),
        ({"status": 530, "text": "<html>"}, Kind.UNAVAILABLE),
        ({"status": 403, "text": "<h1>Access Denied"}, Kind.UNAVAILABLE),
        ({"status": 403, "text": "not available in your country"}, Kind.REGION_BLOCKED),
        ({"status": 403, "text": "Error 1015"}, Kind.RATE_LIMITED),
        ({"status": 200, "text": "<h1>Under Maintenance"}, Kind.MAINTENANCE),
        ({"status": 200, "text": "<p>Sign in to the wifi"}, Kind.UNEXPECTED_RESPONSE),
        ({"status": 302, "text": "moved"}, Kind.UNEXPECTED_RESPONSE),
        ({"status": 200}, Kind.UNEXPECTED_RESPONSE),
        ({"status": 404, "ccxt": "ExchangeNotAvailable"}, Kind.UNEXPECTED_RESPONSE),
        ({"status": 200, "ccxt": "ExchangeNotAvailable"}, Kind.UNAVAILABLE),
        ({"status": 401, "ccxt": "AuthenticationError"}, Kind.AMBIGUOUS_AUTH),
        ({"status": 401, "ccxt": "PermissionDenied"}, Kind.PERMISSION_DENIED),
        ({"status": 400, "ccxt": "InvalidNonce"}, Kind.CLOCK_SKEW),
        ({"status": 400, "ccxt": "ANewClass"}, Kind.UNEXPECTED_RESPONSE),
    ],
    ids=str,
)
def test_what_holds_for_every_exchange(given_, kind):
    assert judge(**given_).kind is kind


def test_ambiguous_names_its_candidates():
    assert Kind.INVALID_KEY in judge(status=401, ccxt="AuthenticationError").candidates


def test_waits():
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    later = "Sun, 22 Nov 2026 10:00:30 GMT"
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": later, "date": date}) == 30
    assert retry_after({"retry-after": date, "date": later}) == 0
    for odd in ("", "soon", "-5", "9" * 40, later):
        assert retry_after({"retry-after": odd}) is None
    assert judge(code="429", headers={"x-reset": "1500"}).retry_after == 1.5
    banned = "banned until 1795341660000"
    assert judge(code="418", message=banned, headers={"date": date}).retry_after == 60
    assert judge(code="418", message=banned).retry_after is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "plain words, stay-as-they-are and_so_on_for_long",
            "plain words, stay-as-they-are and_so_on_for_long",
        ),
        ("GET https://a.b/c?signature=ff&x=1 failed", "GET https://a.b/c?******** failed"),
        ("key mx0npKfh57kEEVmyLa9x is bad", "key ******** is bad"),
        ("b68428e0-1111-2222-3333-444455556666", "********"),
        ("two\nlines\x1b[31m red\u202e", "two lines [31m red"),
    ],
)
def test_redaction(text, shown):
    assert redact(text) == shown


@given(st.text(max_size=3000))
def test_what_is_shown_is_one_short_printable_line(text):
    shown = redact(text)
    assert len(shown) <= MAX_MESSAGE
    assert shown.isprintable()


@given(
    status=st.integers(0, 999),
    code=st.none() | st.text(max_size=30),
    message=st.text(max_size=200),
    text=st.text(max_size=200),
    ccxt=st.none() | st.sampled_from(["AuthenticationError", "NetworkError", "BadRequest"]),
)
def test_every_answer_has_a_kind_with_texts(status, code, message, text, ccxt):
    failure = judge(status=status, code=code, message=message, text=text, ccxt=ccxt)
    assert failure.message.startswith(KINDS[failure.kind].title)
    assert failure.message.isprintable()


def test_every_kind_has_its_texts():
    assert set(KINDS) == set(Kind)
    for text in KINDS.values():
        assert text.title[0].isupper()
        assert text.cause.endswith(".")
        assert text.fix.endswith(".")


@pytest.mark.parametrize("exchange", registry.ids())
def test_a_persons_word_is_heard_on_nothing_that_the_exchange_tells_of_every_key(exchange):
    reader = registry.get(exchange)
    always = {
        subject
        for subject, told in (
            ("withdraw_disabled", reader.readable.withdraw),
            ("ip_whitelist", reader.readable.ip_list),
        )
        if told == "yes"
    }
    assert not reader.attestable & always
