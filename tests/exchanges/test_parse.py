from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import parse
from reconciler.model.live import IpWhitelist, Permission

FREE = IpWhitelist(restricted=False, addresses=())
UNKNOWN = IpWhitelist()
MASKED = IpWhitelist(restricted=True, addresses=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
P = Permission
KNOWN = {"Read": (P.READ,), "Trade": (P.SPOT, P.MARGIN), "Pull": (P.WITHDRAW,), "Noise": ()}


def bound(*addresses):
    return IpWhitelist(restricted=True, addresses=addresses)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a,b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ("", ()),
        ([], ()),
        (["a", " b "], ("a", "b")),
        (None, None),
        ({"a": 1}, None),
        (7, None),
        (["a", 7], None),
    ],
)
def test_words(value, words):
    assert parse.words(value) == words


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("203.0.113.10", bound("203.0.113.10")),
        ("203.0.113.10, 198.51.100.7", bound("203.0.113.10", "198.51.100.7")),
        ("203.0.113.10 198.51.100.7\n2001:DB8::1", bound("203.0.113.10", "198.51.100.7", "2001:db8::1")),
        (["203.0.113.10", "203.0.113.10"], bound("203.0.113.10")),
        (["203.0.113.5/24"], bound("203.0.113.0/24")),
        ("10.0.0.0-10.0.0.3", bound("10.0.0.0/30")),
        ("", FREE),
        ([], FREE),
        ([""], FREE),
        (["*"], FREE),
        ("0.0.0.0/0", FREE),
        ("203.0.113.1,::/0", FREE),
        ("0.0.0.0-255.255.255.255", FREE),
        ("203.0.113.1 0:0:0:0:0:0:0:0/0", FREE),
        ("203.0.113.9/0", FREE),
        ("0.0.0.0-0.0.0.9", UNKNOWN),
        ("203.**.154,103.**.34", MASKED),
        ("203.**.154.7,198.51.100.7", MASKED),
        (None, UNKNOWN),
        ("anywhere", UNKNOWN),
        ("0.0.0.0", UNKNOWN),  # noqa: S104 - read, not bound
        (["203.0.113.1", "?"], UNKNOWN),
        ("10.0.0.9-10.0.0.3", UNKNOWN),
        ("10.0.0.9-::1", UNKNOWN),
        ({"ip": "203.0.113.1"}, UNKNOWN),
        (["203.0.113.1", 7], UNKNOWN),
        (True, UNKNOWN),
    ],
    ids=str,
)
def test_whitelists(value, told):
    assert parse.whitelist(value) == told


def test_what_empty_and_absent_mean_is_the_exchanges_matter():
    assert parse.whitelist(None, null=False) == FREE
    assert parse.whitelist([], empty=None) == UNKNOWN


DAY = datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1789412016,
        "1789412016",
        1789412016000,
        "1789412016000",
        1789412016000000,
        "2026-09-14T18:53:36Z",
        "2026-09-14T18:53:36.000+00:00",
        "2026-09-14T20:53:36+02:00",
        "2026-09-14T18:53:36",
    ],
)
def test_times(value):
    assert parse.moment(value) == DAY


@pytest.mark.parametrize(
    "value",
    [
        0,
        "0",
        -1,
        -999,
        "",
        None,
        True,
        1.5,
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "soon",
        [],
        10**30,
    ],
)
def test_sentinels_are_no_times(value):
    assert parse.moment(value) is None


def test_uids():
    assert parse.uid(44705892343619584) == "44705892343619584"
    assert parse.uid(" 209302839 ") == "209302839"
    assert parse.uid("a-b") == "a-b"
    for nothing in (0, "0", "", None, -3, True, 1.5, [], "x" * 65, "a\nb"):
        assert parse.uid(nothing) is None


def test_flags():
    for yes in (True, 1, "true", "1", " TRUE "):
        assert parse.flag(yes) is True
    for no in (False, 0, "false", "0"):
        assert parse.flag(no) is False
    for unclear in (None, 2, "yes", "", [], 1.0):
        assert parse.flag(unclear) is None


def test_granted_denies_what_a_whole_list_leaves_out():
    permissions, strange = parse.granted(("read", "Noise"), KNOWN)
    assert strange == ()
    assert permissions.read is True
    assert (permissions.spot, permissions.margin, permissions.withdraw) == (False, False, False)
    assert (permissions.futures, permissions.options, permissions.transfer) == (None, None, None)


def test_granted_leaves_open_what_a_strange_word_could_mean():
    permissions, strange = parse.granted(("Read", "Moon", "Moon"), KNOWN)
    assert strange == ("Moon",)
    assert (permissions.read, permissions.spot, permissions.withdraw) == (True, None, None)
    permissions, _ = parse.granted(("Read", "Moon"), KNOWN, could_mean=lambda _: (P.SPOT,))
    assert (permissions.spot, permissions.withdraw) == (None, False)
    permissions, _ = parse.granted(("Noise",), KNOWN, perhaps={"noise": (P.WITHDRAW,)})
    assert permissions.withdraw is None


def test_granted_of_an_unknown_list_is_unknown():
    permissions, _ = parse.granted(None, KNOWN)
    assert {value for _, value in permissions.items()} == {None}


def test_fields_that_sound_like_rights_are_words():
    body = {"permission": "x", "canWithdraw": True, "enableMoon": 1, "region": "SG"}
    assert parse.strange_rights(body, {"permission"}) == ("canWithdraw", "enableMoon")


def test_pairs():
    assert parse.pair("BTC/USDT", "") == "BTCUSDT"
    assert parse.pair("BTC/USDT:USDT", "-") == "BTC-USDT"


@given(JSON)
def test_nothing_raises_and_strangers_restrict_or_free_nothing(value):
    listed = parse.whitelist(value)
    if not isinstance(value, str | list):
        assert listed == UNKNOWN
    parse.moment(value)
    parse.uid(value)
    parse.flag(value)
    parse.words(value)
    parse.said(value, "code", "msg")
    parse.fields(value)
    parse.text(value)


@given(st.lists(st.text(max_size=8), max_size=6))
def test_a_false_needs_only_known_words(listed):
    permissions, strange = parse.granted(tuple(listed), KNOWN)
    if strange:
        assert not [p for p, value in permissions.items() if value is False]


@given(st.lists(st.ip_addresses(), min_size=1, max_size=8))
def test_addresses_survive(addresses):
    told = parse.whitelist([str(address) for address in addresses])
    if not any(address.is_unspecified for address in addresses):
        assert set(told.addresses) == {str(address) for address in addresses}
