from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import ip_network

import pytest

from reconciler.model.desired import (
    AccountPin,
    Approval,
    Attestation,
    CredentialRef,
    Egress,
    Guarded,
    MarginLimit,
    Market,
    Policy,
    Requirement,
    Threshold,
    Thresholds,
    Waiver,
)
from reconciler.model.errors import Mark
from reconciler.model.finding import Verdict
from reconciler.model.live import (
    Account,
    Failure,
    FailureKind,
    IpWhitelist,
    KeyReport,
    Permission,
    Permissions,
)
from reconciler.planning.canonical import dumps, parameters, plain, same_parameters

OTHER = Mark(file="moved.yaml", line=99, column=9)


def digest(make, desired, **changes):
    return make.plan(desired, **changes).digest


@pytest.fixture
def world(make):
    """Files with something in every section, and a report with something in every field."""
    connection = replace(
        make.connection("main"),
        account=AccountPin(uid="1", mark=make.mark),
        egress="bot",
        attestations={
            "two_factor": Attestation(subject="two_factor", by="ada", on=date(2026, 1, 1), mark=make.mark)
        },
        permissions={Permission.FUTURES: False},
    )
    waivers = tuple(
        Waiver(
            check=c, connection="main", reason="r", approved_by="t", until=date(2027, 1, 1), mark=make.mark
        )
        for c in ("key-shared", "ip-whitelist-extra")
    )
    return make.desired(
        make.strategy(),
        policy=Policy(recipients={"age": ("age1b", "age1a")}, allowed_quotes=("USDT", "USDC")),
        connections={"main": connection, "spare": make.connection("spare")},
        waivers=waivers,
    )


def live(make, **changes):
    key = KeyReport(
        permissions=Permissions(read=True, spot=True, withdraw=False),
        ip_whitelist=IpWhitelist(restricted=True, addresses=("203.0.113.10", "203.0.113.11")),
        account=Account(uid="1"),
        label="bot",
        created_at=make.now,
        expires_at=make.now,
    )
    base = make.report()
    return [replace(base, observation=replace(base.observation, report=replace(key, **changes)))]


def edited(world, section, id_, **changes):
    items = dict(getattr(world, section))
    items[id_] = replace(items[id_], **changes)
    return replace(world, **{section: items})


def limit(amount):
    return MarginLimit(amount=Decimal(amount), currency="USDT")


UNREVIEWED = {
    "another file": lambda world: replace(world, files=("b.yaml", "a.yaml")),
    "another line": lambda world: edited(world, "connections", "main", mark=OTHER, marks={"name": OTHER}),
    "another line of a strategy": lambda world: edited(world, "strategies", "grid", mark=OTHER),
    "re-encrypted elsewhere": lambda world: edited(
        world,
        "connections",
        "main",
        credentials=CredentialRef(file="new/main.sops.yaml", mark=OTHER, root="/x"),
    ),
    "waivers in another order": lambda world: replace(world, waivers=world.waivers[::-1]),
    "recipients in another order": lambda world: replace(
        world, policy=replace(world.policy, recipients={"age": ("age1a", "age1b")})
    ),
    "quotes in another order": lambda world: replace(
        world, policy=replace(world.policy, allowed_quotes=("USDC", "USDT"))
    ),
    "pairs in another order": lambda world: edited(
        world,
        "strategies",
        "grid",
        pairs=("ETH/USDT", "BTC/USDT"),
        parameters=world.strategies["grid"].parameters | {"pairs": ["ETH/USDT", "BTC/USDT"]},
    ),
}
REVIEWED = {
    "name": lambda world: edited(world, "connections", "main", name="x"),
    "market": lambda world: edited(world, "connections", "main", market=Market.MARGIN),
    "account": lambda world: edited(world, "connections", "main", account=AccountPin(uid="2", mark=OTHER)),
    "no pin": lambda world: edited(world, "connections", "main", account=None),
    "permissions": lambda world: edited(world, "connections", "main", permissions={}),
    "attestations": lambda world: edited(world, "connections", "main", attestations={}),
    "egress": lambda world: edited(world, "connections", "main", egress=None),
    "addresses": lambda world: replace(
        world, egress={"bot": Egress(id="bot", addresses=(ip_network("203.0.113.99"),), mark=OTHER)}
    ),
    "proxy": lambda world: edited(world, "egress", "bot", proxy="socks5://127.0.0.1:1080"),
    "policy": lambda world: replace(world, policy=Policy(ip_whitelist=Requirement.RECOMMENDED)),
    "grace": lambda world: replace(world, policy=Policy(unknown_grace=timedelta(hours=9))),
    "margin limit": lambda world: replace(world, policy=replace(world.policy, max_margin_limit=limit("1"))),
    "averaging": lambda world: replace(world, policy=replace(world.policy, max_averaging_factor=Decimal(8))),
    "quotes": lambda world: replace(world, policy=replace(world.policy, allowed_quotes=("USDT",))),
    "thresholds": lambda world: replace(
        world, policy=replace(world.policy, thresholds=Thresholds(enable=Threshold(count=0)))
    ),
    "approval": lambda world: replace(
        world,
        approvals=(
            Approval(
                allow=Guarded.ENABLE,
                count=1,
                reason="r",
                approved_by="t",
                until=date(2027, 1, 1),
                mark=OTHER,
            ),
        ),
    ),
    "runtime url": lambda world: edited(world, "runtimes", "paper", url="http://127.0.0.1:1"),
    "strategy name": lambda world: edited(world, "strategies", "grid", name="x"),
    "strategy off": lambda world: edited(world, "strategies", "grid", enabled=False),
    "settings": lambda world: edited(world, "strategies", "grid", parameters={"settings": {"a": 1}}),
    "waiver gone": lambda world: replace(world, waivers=world.waivers[1:]),
    "waiver longer": lambda world: replace(
        world, waivers=(replace(world.waivers[0], until=date(2028, 1, 1)), world.waivers[1])
    ),
}


@pytest.mark.parametrize("change", UNREVIEWED.values(), ids=UNREVIEWED)
def test_what_nobody_reviewed_does_not_count(make, world, change):
    assert digest(make, change(world)) == digest(make, world)


@pytest.mark.parametrize("change", REVIEWED.values(), ids=REVIEWED)
def test_what_was_reviewed_counts(make, world, change):
    assert digest(make, change(world)) != digest(make, world)


@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": Permissions(read=True, spot=True, withdraw=None)},
        {"ip_whitelist": IpWhitelist(restricted=True, addresses=("203.0.113.10",))},
        {"ip_whitelist": IpWhitelist(restricted=None, addresses=("203.0.113.10", "203.0.113.11"))},
        {"account": Account(uid="2")},
        {"account": Account(uid="1", is_sub=True)},
        {"label": "other"},
        {"created_at": None},
        {"disabled": True},
        {"expiry_rule": "idle for 90 days"},
        {"unknown_words": ("NEW",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_exchange_says_counts(make, world, changes):
    assert digest(make, world, reports=live(make, **changes)) != digest(make, world, reports=live(make))


def test_an_end_that_is_counted_from_today_does_not_count_by_itself(make, world):
    later = make.now + timedelta(days=1)
    drifted = live(make, expires_at=later, trade_expires_at=later)
    assert digest(make, world, reports=drifted) == digest(make, world, reports=live(make))


def test_addresses_are_a_set(make, world):
    turned = live(make, ip_whitelist=IpWhitelist(restricted=True, addresses=("203.0.113.11", "203.0.113.10")))
    assert digest(make, world, reports=turned) == digest(make, world, reports=live(make))


def findings(make, change):
    report = make.report()
    return [replace(report, findings=tuple(change(finding) for finding in report.findings))]


def test_evidence_places_and_texts_do_not_count(make, world):
    reworded = findings(make, lambda f: replace(f, evidence="31 days old", cause="c", fix="f", mark=OTHER))
    assert digest(make, world, reports=reworded) == digest(make, world, reports=[make.report()])


@pytest.mark.parametrize("change", [{"verdict": Verdict.FAIL}, {"waived_by": "ada"}, {"attested_by": "ada"}])
def test_verdicts_waivers_and_attestations_count(make, world, change):
    changed = findings(make, lambda f: replace(f, **change) if f.check == "name-unclear" else f)
    assert digest(make, world, reports=changed) != digest(make, world, reports=[make.report()])


def test_the_kind_of_a_failure_counts_and_its_words_do_not(make, world):
    def failed(kind, message):
        report = make.report(connection_test="unknown")
        failure = Failure(kind=kind, message=message, caller_ip=None)
        return [replace(report, observation=replace(report.observation, failure=failure))]

    base = digest(make, world, reports=failed(FailureKind.UNAVAILABLE, "503 at 12:00"))
    assert digest(make, world, reports=failed(FailureKind.UNAVAILABLE, "503 at 12:01")) == base
    assert digest(make, world, reports=failed(FailureKind.RATE_LIMITED, "429")) != base


def test_time_passing_counts_only_when_an_action_turns(make, world):
    dark = {
        "reports": [make.report(connection_test="unknown")],
        "runtimes": {"paper": make.running("grid"), "live": {}},
    }

    def after(minutes):
        return make.plan(world, **dark, since={"main": make.now - timedelta(minutes=minutes)})

    assert after(1).actions != after(14).actions
    assert after(1).digest == after(14).digest
    assert after(14).digest != after(16).digest


def test_targets_and_runtimes_count(make, world):
    base = digest(make, world)
    assert digest(make, world, targets=("grid",)) != base
    assert digest(make, world, runtimes={"paper": make.running("grid"), "live": {}}) != base


def test_every_field_takes_part_unless_it_is_named(make):
    """A field that somebody adds to the model later is reviewed without anybody remembering to."""
    strategy = make.strategy()
    assert plain(strategy).keys() == {f.name for f in fields(strategy)} - {"mark", "marks"}
    connection = make.connection("main")
    assert plain(connection).keys() == {f.name for f in fields(connection)} - {"mark", "marks", "credentials"}


def test_a_value_without_an_agreed_spelling_is_refused():
    with pytest.raises(TypeError, match="bytes"):
        plain({"a": b"raw"})
    with pytest.raises(TypeError, match="object"):
        parameters({"a": object()})


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("1000", "1000"),
        ("1000.0", "1000"),
        ("0.10", "0.1"),
        ("1E+3", "1000"),
        ("1" * 18 + "." + "1" * 18, None),
    ],
)
def test_equal_amounts_have_one_spelling_and_lose_no_digit(written, spelt):
    assert plain(Decimal(written)) == (spelt or written)
    assert plain(limit(written)) == {"amount": spelt or written, "currency": "USDT"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"pairs": ["a", "b"]}, {"pairs": ("b", "a")}, True),
        ({"settings": {"pairs": ["a", "b"]}}, {"settings": {"pairs": ["b", "a"]}}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ({"b": 1, "a": {"d": 1, "c": 2}}, {"a": {"c": 2, "d": 1}, "b": 1}, True),
    ],
)
def test_parameters_are_the_same_when_a_runtime_would_do_the_same(one, other, same):
    assert same_parameters(one, other) is same
    assert same_parameters(other, one) is same


def test_no_text_is_nan():
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps(float("nan"))
