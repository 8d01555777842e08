"""Sample reports, built from the model as a real run would build them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.model.desired import Connection, CredentialRef, Market, OnDisable, Strategy
from reconciler.model.errors import ExitCode, Mark
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import (
    Account,
    Failure,
    FailureKind,
    Health,
    IpWhitelist,
    KeyReport,
    Observation,
    Permissions,
    Status,
)
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState, Plan
from reconciler.model.report import Concern, ConnectionReport, Mode, Report, Validation, Weight
from reconciler.model.review import (
    Change,
    ChangeKind,
    Consequence,
    FieldChange,
    Leaf,
    Review,
    Revision,
    Risk,
    SecretChange,
    SecretState,
)

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
FILE = "examples/connections.yaml"
DIGEST = "ab12cd34" + "0f" * 28


def mark(line: int) -> Mark:
    return Mark(file=FILE, line=line, column=3)


def connection(id_: str, name: str, exchange: str, *, line: int, market: Market = Market.SPOT) -> Connection:
    secret = CredentialRef(file=f"examples/secrets/{id_}.sops.yaml", mark=mark(line + 4), root="examples")
    return Connection(
        id=id_,
        name=name,
        exchange=exchange,
        market=market,
        credentials=secret,
        mark=mark(line),
        egress="bot-eu",
    )


def finding(check: str, of: str, verdict: Verdict = Verdict.PASS, **fields: Any) -> Finding:
    known = {"severity": Severity.BLOCKING, "subject": Subject.CONNECTION, "mark": mark(12)}
    return Finding(check=check, verdict=verdict, subject_id=of, **(known | fields))


def key(*, withdraw: bool | None = False, addresses: tuple[str, ...] | None = ("203.0.113.10",)) -> KeyReport:
    return KeyReport(
        permissions=Permissions(
            read=True, spot=True, margin=False, futures=False, transfer=False, withdraw=withdraw
        ),
        ip_whitelist=IpWhitelist(restricted=True, addresses=addresses),
        account=Account(uid="209302839", is_sub=False),
        label="main bot",
        created_at=NOW - timedelta(days=324),
        expires_at=NOW + timedelta(days=39),
    )


def seen(of: Connection, **fields: Any) -> Observation:
    return Observation(connection=of.id, exchange=of.exchange, observed_at=NOW, **fields)


def online() -> ConnectionReport:
    mine = connection("mexc-spot-main", "MEXC Spot Main", "mexc", line=12)
    return ConnectionReport(
        connection=mine,
        observation=seen(
            mine, report=key(), health=Health.OPERATIONAL, clock_skew=0.02, caller_ip="203.0.113.10"
        ),
        status=Status.CONNECTED,
        findings=(
            finding("connection-test", mine.id, evidence="MEXC described the key"),
            finding("withdraw-enabled", mine.id, evidence="the key cannot withdraw"),
            finding(
                "ip-whitelist-extra",
                mine.id,
                Verdict.FAIL,
                evidence="198.51.100.9 is an address of nobody",
                cause="An address was left behind after a move.",
                fix="Remove 198.51.100.9 from the key's whitelist on MEXC.",
                waived_by="treasury: moving servers, until 2026-12-31",
            ),
            finding(
                "two-factor-unattested",
                mine.id,
                Verdict.UNKNOWN,
                severity=Severity.ADVISORY,
                evidence="no exchange tells whether two-factor login is on",
                fix="Write an attestation once you have looked.",
            ),
        ),
    )


def degraded() -> ConnectionReport:
    mine = connection("recovery-pro", "Recovery PRO Connection", "mexc", line=24)
    return ConnectionReport(
        connection=mine,
        observation=seen(mine, report=key(withdraw=True, addresses=None)),
        status=Status.DEGRADED,
        findings=(
            finding("connection-test", mine.id, evidence="MEXC described the key"),
            finding(
                "key-expires-soon",
                mine.id,
                Verdict.FAIL,
                severity=Severity.ADVISORY,
                evidence="the key expires on 2026-12-31, in 39 days",
                cause="Keys of MEXC without a whitelist last ninety days.",
                fix="Make a new key and rotate to it before that day.",
            ),
            finding(
                "withdraw-enabled",
                mine.id,
                Verdict.FAIL,
                evidence="the key may withdraw: MEXC lists SPOT_WITHDRAW_WRITE among its permissions",
                cause="Withdrawals were ticked when the key was made. Whoever holds this key can empty the "
                "account, and no trading bot ever needs that.",
                fix="On MEXC, under API Management, edit the key, untick Withdraw, save, check again.",
            ),
            finding(
                "ip-whitelist-lacks-egress",
                mine.id,
                attested_by="alice",
                evidence="attested by alice on 2026-11-01, as the exchange does not tell",
            ),
        ),
    )


def rejected() -> ConnectionReport:
    mine = connection(
        "kucoin-futures", "KuCoin Futures Conservative", "kucoin", line=36, market=Market.FUTURES
    )
    failure = Failure(
        kind=FailureKind.IP_NOT_ALLOWED,
        message="KuCoin answered 400006: the address 203.0.113.10 is not on the key's whitelist",
        caller_ip="203.0.113.10",
        code="400006",
        status=400,
    )
    return ConnectionReport(
        connection=mine,
        observation=seen(mine, failure=failure, caller_ip="203.0.113.10", caller_ip_source="failure"),
        status=Status.REJECTED,
        findings=(
            finding(
                "connection-test",
                mine.id,
                Verdict.FAIL,
                kind="ip_not_allowed",
                evidence=failure.message,
                cause="The key is bound to addresses, and the bot's is not among them.",
                fix="Add 203.0.113.10 to the key's whitelist on KuCoin.",
            ),
            finding("withdraw-enabled", mine.id, Verdict.UNKNOWN, evidence="the key was not read"),
            finding("permission-read-missing", mine.id, Verdict.UNKNOWN, evidence="the key was not read"),
        ),
    )


def unreachable() -> ConnectionReport:
    mine = connection("btc-eth-new", "BTC ETH New Groups", "kucoin", line=48)
    failure = Failure(
        kind=FailureKind.AMBIGUOUS_AUTH,
        message="KuCoin answered 400003 without saying which part is wrong",
        candidates=(FailureKind.INVALID_KEY, FailureKind.WRONG_ENVIRONMENT),
    )
    return ConnectionReport(
        connection=mine,
        observation=seen(mine, failure=failure),
        status=Status.UNREACHABLE,
        findings=(
            finding(
                "connection-test",
                mine.id,
                Verdict.UNKNOWN,
                kind="ambiguous_auth",
                evidence=failure.message,
                cause="invalid_key or wrong_environment",
                fix="Compare the key with the one on KuCoin.",
            ),
            finding("withdraw-enabled", mine.id, Verdict.UNKNOWN, evidence="the key was not read"),
        ),
    )


def unchecked() -> ConnectionReport:
    mine = connection("arbitrage", "Arbitrage", "mexc", line=60)
    return ConnectionReport(
        connection=mine,
        observation=seen(mine, unread="its credentials could not be decrypted"),
        status=Status.UNCHECKED,
        findings=(
            finding(
                "credentials-unreadable",
                mine.id,
                Verdict.FAIL,
                evidence="no private key here opens examples/secrets/arbitrage.sops.yaml",
                cause="The file is encrypted to other recipients.",
                fix="Ask a holder of the key to run sops updatekeys.",
            ),
            finding("withdraw-enabled", mine.id, Verdict.UNKNOWN, evidence="the key was not read"),
        ),
    )


def strategy(id_: str, name: str, of: str, line: int) -> Strategy:
    return Strategy(
        id=id_,
        name=name,
        connection=of,
        runtime="paper",
        enabled=True,
        pairs=("BTC/USDT", "ETH/USDT"),
        parameters={"pairs": ["BTC/USDT", "ETH/USDT"], "risk_level": "conservative"},
        mark=mark(line),
    )


def action(kind: ActionKind, id_: str, of: str | None, reason: str, **fields: Any) -> Action:
    return Action(kind=kind, strategy=id_, runtime="paper", connection=of, reason=reason, **fields)


def plan() -> Plan:
    old = {"risk_level": "conservative", "averaging": {"max_additions": 3, "step": "2%"}}
    new = {"risk_level": "balanced", "averaging": {"max_additions": 5, "step": "2%"}, "settings": {"x": True}}
    return Plan(
        digest=DIGEST,
        actions=(
            action(
                ActionKind.DISABLE,
                "old-grid",
                "mexc-spot-main",
                "it is no longer in the files",
                how=OnDisable.STOP_ENTRIES,
                open_positions=("BTC/USDT",),
            ),
            action(
                ActionKind.CHANGE,
                "eth-swing",
                "mexc-spot-main",
                "its settings changed",
                before=old,
                after=new,
            ),
            action(
                ActionKind.ENABLE,
                "btc-eth-recovery",
                "mexc-spot-main",
                "every blocking check of mexc-spot-main passed",
                after={"pairs": ["BTC/USDT", "ETH/USDT"], "margin_limit": {"amount": "500"}},
            ),
            action(
                ActionKind.BLOCKED,
                "recovery-pro",
                "recovery-pro",
                "a blocking check of recovery-pro failed",
                checks=("withdraw-enabled",),
            ),
            action(
                ActionKind.UNKNOWN,
                "new-groups",
                "btc-eth-new",
                "btc-eth-new could not be read",
                checks=("connection-test",),
            ),
            action(
                ActionKind.HOLD, "carry", "btc-eth-new", "btc-eth-new is unknown for 4 minutes of 15 allowed"
            ),
            action(ActionKind.UNMANAGED, "by-hand", None, "it runs, but nobody wrote it into the files"),
            action(ActionKind.NONE, "dca", "mexc-spot-main", "it runs as the files say"),
        ),
    )


@pytest.fixture
def dry_run() -> Report:
    names = {"btc-eth-recovery": "BTC ETH Recovery", "eth-swing": "ETH Swing", "recovery-pro": "Recovery PRO"}
    return Report(
        version="0.1.0",
        mode=Mode.DRY_RUN,
        started_at=NOW,
        files=(FILE,),
        connections=(online(), degraded(), rejected(), unreachable(), unchecked()),
        strategies=tuple(strategy(id_, name, "mexc-spot-main", 70) for id_, name in names.items()),
        findings=(
            finding(
                "egress-missing",
                "bot-us",
                Verdict.FAIL,
                severity=Severity.ADVISORY,
                subject=Subject.EGRESS,
                evidence="nothing leaves through bot-us",
                fix="Remove it, or use it.",
            ),
        ),
        plan=plan(),
        exit_code=ExitCode.BLOCKED,
    )


@pytest.fixture
def applied(dry_run: Report) -> Report:
    assert dry_run.plan
    disable, change, enable = dry_run.plan.changes
    return replace(
        dry_run,
        mode=Mode.APPLY,
        exit_code=ExitCode.PARTLY_APPLIED,
        outcomes=(
            Outcome(action=disable, state=OutcomeState.DONE, detail="read back as disabled", at=NOW),
            Outcome(action=change, state=OutcomeState.FAILED, detail="paper refused risk_level", at=NOW),
            Outcome(action=enable, state=OutcomeState.NOT_TRIED),
        ),
    )


@pytest.fixture
def checked(dry_run: Report) -> Report:
    return replace(dry_run, mode=Mode.CHECK, plan=None, strategies=(), findings=())


@pytest.fixture
def validated() -> Validation:
    secret = Mark(file="examples/secrets/recovery-pro.sops.yaml", line=4, column=1)
    return Validation(
        version="0.1.0",
        files=(FILE, "examples/strategies.yaml"),
        concerns=(
            Concern(
                code="duplicate-key",
                message="recovery-pro stands here twice, first on line 24",
                fix="Remove one of the two.",
                mark=mark(36),
            ),
            Concern(
                code="plaintext-secret",
                message="api_key stands in clear",
                fix="Make a new key on MEXC: this one was seen by everybody who can read the repository.",
                mark=secret,
                exit_code=ExitCode.SECRETS,
                commit="4f1d2c9e0b7a4f1d2c9e0b7a4f1d2c9e0b7a4f1d",
            ),
            Concern(
                code="recipients-differ",
                message="two of five secret files are encrypted to somebody else than the rest",
                fix="Run sops updatekeys on them, or say why in .sops.yaml.",
                weight=Weight.ADVICE,
            ),
        ),
    )


def changes() -> tuple[Change, ...]:
    return (
        Change(
            section="connections",
            id="btc-futures",
            name="BTC Futures",
            kind=ChangeKind.ADDED,
            leaves=(
                Leaf(path="exchange", old=None, new="bybit"),
                Leaf(path="market", old=None, new="futures", risk=Risk.UP, why="futures can lose more"),
            ),
            mark=mark(84),
        ),
        Change(section="connections", id="old-spot", kind=ChangeKind.REMOVED, name="Old Spot", mark=mark(60)),
        Change(
            section="egress",
            id="bot-eu",
            kind=ChangeKind.CHANGED,
            leaves=(
                Leaf(path="addresses", old=("198.51.100.7", "203.0.113.10"), new=("203.0.113.10", "::1")),
            ),
            mark=mark(3),
        ),
        Change(
            section="policy",
            id="policy",
            kind=ChangeKind.CHANGED,
            leaves=(
                Leaf(
                    path="ip_whitelist",
                    old="required",
                    new="recommended",
                    risk=Risk.UP,
                    why="a leaked key would work from anywhere",
                ),
                Leaf(path="max_key_age", old="365d", new="180d", risk=Risk.DOWN, why="keys live shorter"),
            ),
            mark=mark(6),
        ),
        Change(
            section="strategies",
            id="btc-eth-recovery",
            was="btc-recovery",
            name="BTC ETH Recovery",
            kind=ChangeKind.RENAMED,
            leaves=(
                Leaf(path="pairs", old=("BTC/USDT", "LTC/USDT"), new=("BTC/USDT", "ETH/USDT")),
                Leaf(
                    path="margin_limit.amount",
                    old="500",
                    new="5000",
                    risk=Risk.UP,
                    why="ten times as much can be lost",
                ),
                Leaf(path="settings", old={"x": True, "y": [1, 2]}, new=None),
            ),
            mark=mark(90),
        ),
        Change(
            section="strategies",
            id="grid",
            kind=ChangeKind.ADDED,
            name="Grid",
            risk=Risk.UP,
            why="a strategy that is new starts to trade",
            mark=mark(99),
        ),
        Change(section="waivers", id="a waiver", kind=ChangeKind.UNREADABLE, mark=mark(120)),
    )


def secrets() -> tuple[SecretChange, ...]:
    values = {"api_key": SecretState.UNCHANGED, "passphrase": SecretState.NEW, "secret": SecretState.CHANGED}
    alice, bob, carol = (f"age age1{name}" for name in ("alice", "bob", "carol"))
    unchanged = tuple(FieldChange(path=path, state=SecretState.UNCHANGED) for path in ("api_key", "secret"))
    return (
        SecretChange(
            file="secrets/arbitrage.sops.yaml",
            state=SecretState.REENCRYPTED,
            connections=("arbitrage",),
            fields=(),
            recipients=(alice, carol),
            added=(carol,),
            removed=(bob,),
            risk=Risk.UP,
            why="carol can read it",
        ),
        SecretChange(
            file="secrets/btc-futures.sops.yaml", state=SecretState.NEW, connections=("btc-futures",)
        ),
        SecretChange(
            file="secrets/mexc-spot-main.sops.yaml",
            state=SecretState.CHANGED,
            connections=("mexc-spot-main", "recovery-pro"),
            fields=tuple(FieldChange(path=path, state=state) for path, state in values.items()),
            recipients=(alice,),
            removed=(bob,),
            still_reads=(bob,),
            leaves=(
                Leaf(path="mac_only_encrypted", old=None, new=True, risk=Risk.UP, why="clear is unbound"),
            ),
            mark=mark(1),
        ),
        SecretChange(file="secrets/old-spot.sops.yaml", state=SecretState.REMOVED),
        SecretChange(
            file="secrets/renamed.sops.yaml",
            was="secrets/former.sops.yaml",
            state=SecretState.UNCHANGED,
            connections=("kucoin-futures",),
            fields=unchanged,
        ),
        SecretChange(
            file="secrets/torn.sops.yaml", state=SecretState.UNREADABLE, connections=("btc-eth-new",)
        ),
    )


def on_merge() -> tuple[Consequence, ...]:
    known = {"connection": "mexc-spot-main", "runtime": "paper"}
    return (
        Consequence(
            kind=ActionKind.DISABLE,
            strategy="btc-recovery",
            name="BTC Recovery",
            reason="it was renamed",
            **known,
        ),
        Consequence(
            kind=ActionKind.CHANGE, strategy="dca", name="DCA", reason="its settings changed", **known
        ),
        Consequence(kind=ActionKind.ENABLE, strategy="grid", name="Grid", reason="it is new", **known),
        Consequence(
            kind=ActionKind.NONE, strategy="swing", name="Swing", reason="its key is judged anew", **known
        ),
    )


@pytest.fixture
def reviewed() -> Review:
    return Review(
        version="0.1.0",
        started_at=NOW,
        base=Revision(name="origin/main", commit="0d" * 20),
        head=Revision(name="HEAD", commit=None),
        files=(FILE,),
        changes=changes(),
        secrets=secrets(),
        on_merge=on_merge(),
        concerns=(
            Concern(
                code="recipient-still-reads",
                message="age1bob was removed from secrets/mexc-spot-main.sops.yaml, and can still read it",
                fix="Run sops rotate -i on it, then make a new key on MEXC.",
                mark=Mark(file="secrets/mexc-spot-main.sops.yaml", line=14),
                exit_code=ExitCode.SECRETS,
            ),
            Concern(
                code="plaintext-secret",
                message="api_key stood in clear",
                fix="Make a new key: this one stays in the history.",
                mark=Mark(file="secrets/arbitrage.sops.yaml", line=2),
                exit_code=ExitCode.SECRETS,
                commit="4f1d2c9e0b7a4f1d2c9e0b7a4f1d2c9e0b7a4f1d",
            ),
            Concern(code="waiver-soon-over", message="a waiver ends soon", fix="", weight=Weight.ADVICE),
        ),
        digest=DIGEST,
        exit_code=ExitCode.SECRETS,
    )


@pytest.fixture
def unchanged(reviewed: Review) -> Review:
    return replace(
        reviewed, changes=(), secrets=(), on_merge=(), concerns=(), digest="", exit_code=ExitCode.DONE
    )
