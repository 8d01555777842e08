"""Scenario files: what they may say, and how each mistake is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.errors import ConfigError
from reconciler.sandbox.load import load_scenario, parse_scenario
from reconciler.sandbox.scenario import Faults, Key, RateLimit, Scenario, Verbatim

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
SECRET = "hunter2hunter2"


def scenario(key="", exchange=""):
    """A scenario with one key; ``key`` and ``exchange`` add lines to it."""
    lines = [
        "version: 1",
        "exchanges:",
        "  mexc:",
        *(f"    {line}" for line in exchange.splitlines()),
        "    keys:",
        "      one:",
        "        api_key: mx0a",
        f"        secret: {SECRET}",
        *(f"        {line}" for line in key.splitlines()),
    ]
    return "\n".join(lines)


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse_scenario(text, file="s.yaml", now=NOW)
    assert not any(SECRET in str(problem) for problem in caught.value.problems)
    return caught.value.problems


def only(text):
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def test_a_minimal_key_gets_sensible_defaults():
    key = parse_scenario(scenario(), now=NOW).keys["one"]
    assert (key.api_key, key.secret, key.label, key.status) == ("mx0a", SECRET, "one", "VALID")
    assert (key.created, key.expires) == (NOW - timedelta(days=30), None)
    assert key.admits("192.0.2.1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-40d", NOW - timedelta(days=40)),
        ("+10d", NOW + timedelta(days=10)),
        ("+3h", NOW + timedelta(hours=3)),
        ("-15m", NOW - timedelta(minutes=15)),
        ("+30s", NOW + timedelta(seconds=30)),
        ("2026-09-14T18:53:36Z", datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)),
        ("2026-09-14T18:53:36+00:00", datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)),
    ],
)
def test_times_are_relative_or_absolute(written, meant):
    assert parse_scenario(scenario(f"expires: {written}"), now=NOW).keys["one"].expires == meant


def test_every_fault_can_be_written():
    text = scenario(
        "faults:\n"
        "  delay_ms: 5\n"
        "  outage: closed\n"
        "  rate_limit: {units: 20, seconds: 2, retry_after: 3}\n"
        "  html: 403\n"
        "  error: maintenance\n"
        "  verbatim: {status: 418, body: {a: 1}, headers: {X-A: b}}\n"
        "  cut: true\n"
        "  paths: {/api: {outage: 502}}",
        "clock_offset_ms: -7000\ncaller_ip: 198.51.100.3\nfaults: {outage: refused}",
    )
    made = parse_scenario(text, now=NOW)
    assert made.exchanges["mexc"].clock_offset_ms == -7000
    assert made.exchanges["mexc"].caller_ip == "198.51.100.3"
    assert made.exchanges["mexc"].faults.outage == "refused"
    assert made.keys["one"].faults == Faults(
        delay_ms=5,
        outage="closed",
        rate_limit=RateLimit(units=20, seconds=2, retry_after=3),
        html=403,
        error="maintenance",
        verbatim=Verbatim(status=418, body={"a": 1}, headers={"X-A": "b"}),
        cut=True,
        paths={"/api": Faults(outage=502)},
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (scenario("secrte: x"), 8, "may not hold secrte"),
        (scenario("status: GONE"), 8, "must satisfy enum"),
        (scenario("unified: 'yes'"), 8, "must be of type boolean"),
        (scenario("expires: soon"), 8, "must satisfy pattern"),
        (scenario("expires: 2026-02-30T00:00:00Z"), 8, "is no time"),
        (scenario("created: -999999d"), 8, "is no time"),
        (scenario("balances: {USDT: '1e3'}"), 8, "must satisfy pattern"),
        (scenario("ip_whitelist:\n- 203.0.113.10\n- 203.0.113.300"), 10, "is no address"),
        (scenario("caller_ip: here"), 8, "is no address"),
        (scenario(exchange="pairs: [BTCUSDT]"), 4, "must satisfy pattern"),
        (scenario(exchange="closed: BTC/USDT"), 4, "must be of type array"),
        (scenario("faults: {outage: 404}"), 8, "refused (a whole exchange only), closed, or an HTTP status"),
        (scenario("faults: {outage: refused}"), 8, "only a whole exchange can refuse"),
        (scenario("faults: {error: gone_fishing}"), 8, "names an error that the exchange does not have"),
        (scenario("faults: {rate_limit: {every: 2, units: 3}}"), 8, "Either every n-th request"),
        (scenario(exchange="faults: {paths: {/api: {error: nope}}}"), 4, "names an error"),
        (scenario("api_key: again"), 8, "stands twice"),
        (scenario().replace("mexc", "nowhere"), 3, "does not speak 'nowhere'"),
        (scenario().replace("        api_key: mx0a\n", ""), 5, "lacks api_key"),
        (scenario().replace("version: 1", "version: 2"), 1, "must satisfy const"),
        (scenario("label: [1"), 9, ""),
        (scenario() + "\n---\nversion: 1", 8, ""),
        (scenario("label: !!int words"), 1, "no YAML that can be read"),
        ("", 1, "must be of type object"),
        ("[1, 2]", 1, "must be of type object"),
        ("version: 1\nexchanges: {1: {}}", 2, ""),
    ],
)
def test_each_mistake_is_told_at_its_line(text, line, message):
    found = only(text)
    assert (found.mark.file, found.mark.line) == ("s.yaml", line)
    assert message in found.message
    assert found.fix


def test_every_mistake_is_told_at_once():
    found = problems(scenario("a: 1\nstatus: GONE\nunified: 3"))
    assert [problem.mark.line for problem in found] == [8, 9, 10]


def test_a_name_used_on_two_exchanges_is_told():
    text = scenario() + "\n  kucoin:\n    keys:\n      one: {api_key: x, secret: y, passphrase: z}"
    found = only(text)
    assert (found.code, found.mark.line) == ("name-taken", 10)


def test_aliases_are_followed_once_even_in_a_circle():
    assert parse_scenario(scenario("open_orders: [&o {symbol: A}, *o]"), now=NOW).keys["one"].open_orders[1]
    assert parse_scenario(scenario("raw: &r {self: *r}"), now=NOW).keys["one"].raw


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_told(tmp_path, content):
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    assert caught.value.problems[0].code == "unreadable"


def test_a_key_shows_none_of_its_secrets():
    key = Key(name="one", api_key="AAAA", secret="BBBB", passphrase="CCCC")
    assert not any(value in repr(Scenario(exchanges={})) + repr(key) for value in ("AAAA", "BBBB", "CCCC"))


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        ("General, Spot,,", {"General", "Spot"}),
        (["a", "b"], {"a", "b"}),
        ({"enableReading": True, "enableFutures": False}, {"enableReading"}),
        ("", set()),
    ],
)
def test_permissions_are_words_in_every_shape(permissions, words):
    assert Key(name="one", api_key="a", secret="b", permissions=permissions).words() == words


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_a_scenario_holds_it_is_read_or_told(value):
    text = yaml.safe_dump({"version": 1, "exchanges": {"mexc": {"keys": {"one": value}}}})
    with pytest.raises(ConfigError):
        parse_scenario(text, now=NOW)
