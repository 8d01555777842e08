"""What a sound configuration amounts to, whatever the order it is written in."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import ip_network

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.desired import load
from reconciler.model.desired import (
    Attestation,
    CredentialRef,
    Desired,
    Guarded,
    MarginLimit,
    Market,
    Policy,
    Requirement,
    Threshold,
    Thresholds,
    Waiver,
)
from reconciler.model.errors import ConfigError, Mark
from reconciler.model.live import Permission

ENC = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"

FULL = f"""\
version: 1
egress:
  bot-eu: {{addresses: [203.0.113.10, 198.51.100.0/28]}}
  bot-us:
    addresses: ["2001:db8::/64", "2001:db8:1::1"]
    proxy: socks5://127.0.0.1:1080
    family: ipv6
policy:
  ip_whitelist: recommended
  max_key_age: 180d
  unknown_grace: 90s
  expiry_warning: 2w
  attestation_max_age: 12h
  recipients: {{age: [age1b, age1a]}}
  max_margin_limit: {{amount: "1000.50", currency: USDT}}
  max_averaging_factor: "8"
  allowed_quotes: [USDT, USDC]
connections:
  mexc-spot-main:
    name: MEXC Spot Main
    exchange: mexc
    market: spot
    egress: bot-eu
    account: {{uid: "209302839"}}
    credentials: secrets/mexc-spot-main.sops.yaml
    permissions: {{transfer: false, read: true, withdraw: false}}
    attestations:
      two_factor: {{by: treasury, on: 2026-10-01}}
  kucoin-inline:
    name: KuCoin Inline
    exchange: kucoin
    market: futures
    account: {{uid: "17"}}
    credentials:
      secret: {ENC}
      api_key: {ENC}
      passphrase: {ENC}
runtimes:
  paper: {{type: ledger}}
strategies:
  full:
    name: Full
    connection: mexc-spot-main
    runtime: paper
    enabled: true
    pairs: [ETH/USDT, BTC/USDT]
    risk_level: conservative
    margin_limit: {{amount: "500", currency: USDT}}
    averaging: {{max_additions: 3, step: "2%", multiplier: "1.5"}}
    recovery_mode: {{enabled: true, max_drawdown: "12%"}}
    settings: {{depth: [1, null, {{a: "b"}}]}}
  bare:
    name: Bare
    connection: kucoin-inline
    runtime: paper
    enabled: false
    pairs: ["BTC/USDT:USDT"]
waivers:
  - {{check: ip-whitelist-wide, connection: mexc-spot-main, reason: b, approved_by: t, until: 2020-01-31}}
  - {{check: ip-whitelist-extra, connection: mexc-spot-main, reason: a, approved_by: t, until: 2026-12-31}}
sops: {{version: 3.11.0, mac: x}}
"""


@pytest.fixture
def full(write) -> Desired:
    return load([write(FULL)])


def test_a_connection_says_what_was_written_and_where(full, tmp_path):
    connection = full.connections["mexc-spot-main"]
    file = str(tmp_path / "connections.yaml")
    assert (connection.id, connection.name) == ("mexc-spot-main", "MEXC Spot Main")
    assert (connection.exchange, connection.market, connection.egress) == ("mexc", Market.SPOT, "bot-eu")
    assert connection.permissions == {
        Permission.TRANSFER: False,
        Permission.READ: True,
        Permission.WITHDRAW: False,
    }
    assert connection.mark == Mark(file=file, line=19, column=3)
    assert connection.account is not None
    assert (connection.account.uid, connection.account.mark.line, connection.account.mark.column) == (
        "209302839",
        24,
        15,
    )
    assert connection.credentials == CredentialRef(
        file=str(tmp_path / "secrets/mexc-spot-main.sops.yaml"),
        mark=Mark(file=file, line=25, column=18),
        root=str(tmp_path),
    )
    assert connection.attestations == {
        "two_factor": Attestation(
            subject="two_factor",
            by="treasury",
            on=date(2026, 10, 1),
            mark=Mark(file=file, line=28, column=7),
        )
    }
    assert {name: mark.line for name, mark in connection.marks.items()} == {
        "name": 20,
        "exchange": 21,
        "market": 22,
        "egress": 23,
        "account": 24,
        "credentials": 25,
        "permissions": 26,
        "attestations": 27,
    }


def test_inline_credentials_name_their_fields(full, tmp_path):
    connection = full.connections["kucoin-inline"]
    file = str(tmp_path / "connections.yaml")
    assert connection.credentials == CredentialRef(
        file=file,
        mark=Mark(file=file, line=35, column=7),
        root=str(tmp_path),
        inline=True,
        fields=("api_key", "secret", "passphrase"),
    )
    assert (connection.egress, connection.permissions, connection.attestations) == (None, {}, {})


def test_a_strategy_carries_what_the_runtime_takes(full):
    strategy = full.strategies["full"]
    assert strategy.pairs == ("ETH/USDT", "BTC/USDT")
    assert strategy.enabled
    assert strategy.parameters == {
        "pairs": ["ETH/USDT", "BTC/USDT"],
        "risk_level": "conservative",
        "margin_limit": {"amount": "500", "currency": "USDT"},
        "averaging": {"max_additions": 3, "step": "2%", "multiplier": "1.5"},
        "recovery_mode": {"enabled": True, "max_drawdown": "12%"},
        "settings": {"depth": [1, None, {"a": "b"}]},
    }
    assert full.strategies["bare"].parameters == {"pairs": ["BTC/USDT:USDT"]}
    assert not full.strategies["bare"].enabled
    assert full.strategies_of("mexc-spot-main") == (strategy,)


def test_an_egress_is_a_set_of_networks(full):
    assert full.egress["bot-eu"].addresses == (
        ip_network("198.51.100.0/28"),
        ip_network("203.0.113.10/32"),
    )
    assert (full.egress["bot-eu"].proxy, full.egress["bot-eu"].family) == (None, "ipv4")
    assert full.egress["bot-us"].addresses == (ip_network("2001:db8::/64"), ip_network("2001:db8:1::1/128"))
    assert (full.egress["bot-us"].proxy, full.egress["bot-us"].family) == ("socks5://127.0.0.1:1080", "ipv6")


def test_a_policy_is_read_in_its_units(full):
    assert full.policy == Policy(
        ip_whitelist=Requirement.RECOMMENDED,
        max_key_age=timedelta(days=180),
        unknown_grace=timedelta(seconds=90),
        expiry_warning=timedelta(weeks=2),
        attestation_max_age=timedelta(hours=12),
        recipients={"age": ("age1a", "age1b")},
        max_margin_limit=MarginLimit(amount=Decimal("1000.5"), currency="USDT"),
        max_averaging_factor=Decimal(8),
        allowed_quotes=("USDC", "USDT"),
    )


def test_without_a_policy_the_defaults_hold(desired, sound):
    assert desired(sound).policy == Policy()


def test_waivers_are_in_a_fixed_order_and_may_be_over(full, tmp_path):
    assert [(w.check, w.until) for w in full.waivers] == [
        ("ip-whitelist-extra", date(2026, 12, 31)),
        ("ip-whitelist-wide", date(2020, 1, 31)),
    ]
    assert full.waivers[0] == Waiver(
        check="ip-whitelist-extra",
        connection="mexc-spot-main",
        reason="a",
        approved_by="t",
        until=date(2026, 12, 31),
        mark=Mark(file=str(tmp_path / "connections.yaml"), line=60, column=5),
    )


def test_a_file_may_say_nothing_but_its_version(desired):
    assert desired("version: 1\n").connections == {}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{enable: {count: 0}}", Thresholds(enable=Threshold(count=0))),
        ('{enable: {percent: "0%"}}', Thresholds(enable=Threshold(count=10, percent=Decimal(0)))),
        ("{disable: {count: 3}}", Thresholds(disable=Threshold(count=3, percent=Decimal(50)))),
        ('{disable: {percent: "100%"}}', Thresholds(disable=Threshold(count=10, percent=Decimal(100)))),
        ("{}", Thresholds()),
    ],
)
def test_what_a_threshold_does_not_say_keeps_its_default_and_zero_is_said(desired, written, expected):
    assert desired(f"version: 1\npolicy: {{thresholds: {written}}}\n").policy.thresholds == expected


def test_approvals_are_in_a_fixed_order_and_may_be_over(desired):
    common = "reason: r, approved_by: b"
    one = f"{{allow: enable, count: 3, until: 2026-12-31, {common}}}"
    other = f"{{allow: disable, count: 30, until: 2020-12-31, {common}}}"
    ahead, behind = (
        desired(f"version: 1\napprovals: [{pair}]\n").approvals
        for pair in (f"{one}, {other}", f"{other}, {one}")
    )
    assert unplaced(ahead) == unplaced(behind)
    assert [(one.allow, one.count, one.until) for one in ahead] == [
        (Guarded.DISABLE, 30, date(2020, 12, 31)),
        (Guarded.ENABLE, 3, date(2026, 12, 31)),
    ]


def unplaced(approvals):
    return [replace(one, mark=None) for one in approvals]


def test_windows_are_in_a_fixed_order_and_open_every_day_in_utc_unless_told(desired):
    one = '{kind: deny, days: [sun, sat], from: "22:00", to: "02:00", zone: Europe/Berlin}'
    other = '{kind: allow, from: "09:00", to: "17:30"}'
    ahead, behind = (
        desired(f"version: 1\npolicy: {{windows: [{pair}]}}\n").policy.windows
        for pair in (f"{one}, {other}", f"{other}, {one}")
    )
    assert ahead == behind
    assert list(map(str, ahead)) == [
        "allow every day 09:00-17:30 UTC",
        "deny sat, sun 22:00-02:00 Europe/Berlin",
    ]


def test_whatever_is_suspended_says_what_it_is(desired, sound):
    suspend = "suspend: {reason: audit, until: 2026-12-31}"
    text = sound.replace("{addresses: [203.0.113.10]}", f"{{addresses: [203.0.113.10], {suspend}}}")
    text = text.replace("{type: ledger}", f"{{type: ledger, {suspend}}}")
    for field in ("    market: spot", "    enabled: true"):
        text = text.replace(field, f"{field}\n    {suspend}")
    found = desired(f"{text}{suspend}\n")
    subjects = [
        "everything",
        "egress bot-eu",
        "connection mexc-spot-main",
        "runtime paper",
        "strategy btc-eth",
    ]
    assert [one.subject for one in found.suspensions] == subjects
    assert {(one.reason, one.until) for one in found.suspensions} == {("audit", date(2026, 12, 31))}
    assert sorted(one.subject for one in found.suspensions_of(found.strategies["btc-eth"])) == sorted(
        subjects
    )
    assert desired(sound).suspensions == ()


def test_everything_is_suspended_once_over_all_files(tmp_path, write, sound):
    write(sound)
    write("version: 1\nsuspend: {reason: one, until: 2026-12-31}\n", "a.yaml")
    assert load([tmp_path]).suspend.reason == "one"
    write("version: 1\nsuspend: {reason: other, until: 2026-12-30}\n", "b.yaml")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    assert {problem.code for problem in caught.value.problems} == {"duplicate-id"}


def test_sections_and_policy_are_merged_over_files(tmp_path, write, sound):
    write(sound)
    write("version: 1\npolicy: {max_key_age: 1d}\nruntimes:\n  second: {type: ledger}\n", "a.yaml")
    write("version: 1\npolicy: {unknown_grace: 1h}\nwaivers: []\n", "z.yaml")
    merged = load([tmp_path])
    assert list(merged.runtimes) == ["paper", "second"]
    assert merged.policy == Policy(max_key_age=timedelta(days=1), unknown_grace=timedelta(hours=1))
    assert (
        load([tmp_path / "z.yaml", tmp_path / "a.yaml", tmp_path / "connections.yaml"]).policy
        == merged.policy
    )


def test_what_is_defined_twice_names_both_places(tmp_path, write, sound):
    first = write("version: 1\npolicy: {max_key_age: 1d}\nruntimes:\n  paper: {type: ledger}\n", "a.yaml")
    write(sound + "policy: {max_key_age: 2d}\n")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    found = [(p.mark.line, p.mark.column, p.code, p.message) for p in caught.value.problems]
    assert found == [
        (13, 3, "duplicate-id", f"runtimes.paper is defined twice, first in {first}:4:3"),
        (21, 10, "duplicate-id", f"policy.max_key_age is defined twice, first in {first}:2:10"),
    ]


def test_an_id_that_is_defined_twice_is_told_even_when_one_is_wrong(tmp_path, write, sound):
    write("version: 1\nruntimes:\n  paper: {type: nothing}\n", "a.yaml")
    write(sound)
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    assert [p.code for p in caught.value.problems] == ["wrong-value", "duplicate-id"]


def test_problems_of_all_files_and_layers_come_at_once_in_order(tmp_path, write, sound):
    write(sound.replace("market: spot", "market: spott").replace("enabled: true", "enabled: NO"))
    write("version: 1\na: b: c\n", "z.yaml")
    write("version: 1\negress:\n  x: {addresses: [10.0.0.1/8]}\n", "a.yaml")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    found = [(p.mark.file.rpartition("/")[2], p.mark.line, p.code) for p in caught.value.problems]
    assert found == [
        ("a.yaml", 3, "bad-value"),
        ("connections.yaml", 8, "wrong-value"),
        ("connections.yaml", 19, "ambiguous-value"),
        ("z.yaml", 2, "yaml-syntax"),
    ]


def unmarked(value):
    """The same without marks and positions, for comparing what was said and not where."""
    if is_dataclass(value):
        kept = {
            f.name: unmarked(getattr(value, f.name))
            for f in fields(value)
            if f.name not in ("mark", "marks", "files")
        }
        return type(value).__name__, kept
    if isinstance(value, dict):
        return {key: unmarked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [unmarked(inner) for inner in value]
    return value


@st.composite
def shuffled(draw, value):
    """``value`` with the keys of every mapping in another order."""
    if isinstance(value, dict):
        return {key: draw(shuffled(value[key])) for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [draw(shuffled(inner)) for inner in value]
    return value


def quoted(value) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False)


def as_text(value):
    """Dates as text, which PyYAML makes of the fixture's unquoted ones."""
    if isinstance(value, dict):
        return {("on" if key is True else key): as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_text(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_the_order_of_items_changes_nothing(data, write):
    document = as_text(yaml.safe_load(FULL))
    expected = unmarked(load([write(FULL)]))
    mixed = data.draw(shuffled(document))
    mixed["waivers"] = data.draw(st.permutations(mixed["waivers"]))
    mixed["egress"]["bot-eu"]["addresses"].reverse()
    again = load([write(quoted(mixed))])
    assert unmarked(again) == expected
    assert list(again.connections) == ["kucoin-inline", "mexc-spot-main"]


def test_each_load_stands_alone(write):
    path = write(FULL)
    first, second = load([path]), load([path])
    first.strategies["full"].parameters["settings"]["depth"].append("changed")
    assert second.strategies["full"].parameters["settings"]["depth"] == [1, None, {"a": "b"}]
    assert replace(second) == load([path])
