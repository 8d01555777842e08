"""Two connections, two runtimes, a few strategies, and every state that they can be in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from reconciler.checks import CATALOGUE, evaluate_strategy, permits, status
from reconciler.model.bot import Bot
from reconciler.model.desired import (
    WEEK,
    Approval,
    Connection,
    CredentialRef,
    Desired,
    Egress,
    Guarded,
    MarginLimit,
    Market,
    OnDisable,
    Policy,
    RuntimeSpec,
    Strategy,
    Suspension,
    Threshold,
    Thresholds,
    Window,
    WindowKind,
)
from reconciler.model.errors import Mark
from reconciler.model.finding import Finding, Subject, Verdict
from reconciler.model.live import Failure, FailureKind, KeyReport, Observation
from reconciler.model.plan import Action, ActionKind, InventoryItem, Plan, RunningStrategy
from reconciler.model.report import ConnectionReport, Mode, Report
from reconciler.planning.disabling import Can
from reconciler.planning.plan import make_plan

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MARK = Mark(file="connections.yaml", line=3)
#: Of the ledger nothing is known here: it stops, and tells no positions.
ABILITIES = {
    "bot": Can(disables=(OnDisable.STOP_ENTRIES, OnDisable.STOP), tells_positions=True),
    "blind": Can(disables=(OnDisable.STOP, OnDisable.STOP_ENTRIES)),
}
PARAMETERS = {"pairs": ["BTC/USDT", "ETH/USDT"], "risk_level": "conservative"}


def _connection(id_: str) -> Connection:
    reference = CredentialRef(file=f"secrets/{id_}.sops.yaml", mark=MARK, root=".")
    return Connection(
        id=id_, name=f"MEXC Spot {id_}", exchange="mexc", market=Market.SPOT, credentials=reference, mark=MARK
    )


def _strategy(id_: str = "grid", **changes: Any) -> Strategy:
    base = Strategy(
        id=id_,
        name=id_,
        connection="main",
        runtime="paper",
        enabled=True,
        pairs=("BTC/USDT", "ETH/USDT"),
        parameters=PARAMETERS,
        mark=MARK,
    )
    return replace(base, **changes)


def _runtime(id_: str, **changes: Any) -> RuntimeSpec:
    return replace(RuntimeSpec(id=id_, type="ledger", mark=MARK), **changes)


def _desired(*strategies: Strategy, **changes: Any) -> Desired:
    base = Desired(
        files=("connections.yaml",),
        egress={"bot": Egress(id="bot", addresses=(ip_network("203.0.113.10"),), mark=MARK)},
        connections={id_: _connection(id_) for id_ in ("main", "spare")},
        runtimes={id_: _runtime(id_) for id_ in ("paper", "live")},
        strategies={strategy.id: strategy for strategy in strategies},
    )
    return replace(base, **changes)


def _report(id_: str = "main", **verdicts: Verdict | str) -> ConnectionReport:
    """A connection whose checks all pass but the named ones (``withdraw_enabled="fail"``)."""
    told = {name.replace("_", "-"): Verdict(verdict) for name, verdict in verdicts.items()}
    findings = tuple(
        Finding(
            check=check.id,
            verdict=told.get(check.id, Verdict.PASS),
            severity=check.severity,
            subject=Subject.CONNECTION,
            subject_id=id_,
        )
        for check in CATALOGUE.values()
    )
    dead = told.get("connection-test", Verdict.PASS) is not Verdict.PASS
    failure = Failure(kind=FailureKind.UNAVAILABLE, message="no answer") if dead else None
    observation = Observation(
        connection=id_,
        exchange="mexc",
        observed_at=NOW,
        report=None if dead else KeyReport(),
        failure=failure,
    )
    return ConnectionReport(
        connection=_connection(id_),
        observation=observation,
        status=status(observation, findings),
        findings=findings,
    )


def _running(*ids: str, enabled: bool | None = True, **parameters: Any) -> dict[str, RunningStrategy]:
    return {id_: RunningStrategy(id=id_, enabled=enabled, parameters=PARAMETERS | parameters) for id_ in ids}


def _item(strategy: str, runtime: str = "paper", connection: str | None = "main") -> InventoryItem:
    return InventoryItem(strategy=strategy, runtime=runtime, connection=connection, enabled_at=NOW)


def _plan(desired: Desired, **changes: Any) -> Plan:
    reports = changes.pop("reports", tuple(_report(id_) for id_ in desired.connections))
    runtimes = changes.pop("runtimes", {"paper": {}, "live": {}})
    inventory = {item.strategy: item for item in changes.pop("inventory", ())}
    since = changes.pop("since", {})
    changes.setdefault("abilities", ABILITIES)
    return make_plan(
        desired,
        reports,
        runtimes,
        inventory,
        since,
        now=NOW,
        permits=permits,
        judge=evaluate_strategy,
        **changes,
    )


def _run(desired: Desired, plan: Plan, **changes: Any) -> Report:
    """The report of the dry run that made ``plan``."""
    base = Report(
        version="1.2.3",
        mode=Mode.DRY_RUN,
        started_at=NOW,
        files=desired.files,
        connections=tuple(_report(id_) for id_ in desired.connections),
        strategies=tuple(desired.strategies.values()),
        findings=tuple(
            finding
            for strategy in desired.strategies.values()
            for finding in evaluate_strategy(desired.policy, strategy)
        ),
        plan=plan,
    )
    return replace(base, **changes)


def _disabled(running: RunningStrategy, action: Action) -> RunningStrategy:
    """What a runtime leaves that is told to disable as ``action`` says."""
    closes_first = action.how is OnDisable.CLOSE_FIRST_MANUAL and action.open_positions != ()
    paused = closes_first or action.how is OnDisable.STOP_ENTRIES
    return replace(running, enabled=False, paused=paused)


def _apply(
    plan: Plan, runtimes: Mapping[str, Any], inventory: Iterable[InventoryItem]
) -> tuple[dict[str, Any], list[InventoryItem]]:
    """What a faithful applier leaves behind: the pure twin of ``engine/apply.py``."""
    held = {name: None if state is None else dict(state) for name, state in runtimes.items()}
    items = {item.strategy: item for item in inventory}
    for action in plan.changes:
        mine = items.get(action.strategy)
        ours = mine is not None and mine.runtime == action.runtime
        if action.kind is ActionKind.DISABLE:
            left = _disabled(held[action.runtime][action.strategy], action)
            held[action.runtime][action.strategy] = left
            waits = action.how is OnDisable.CLOSE_FIRST_MANUAL
            if ours and not (left.paused and (waits or action.checks)):
                del items[action.strategy]
        else:
            before = held[action.runtime].get(action.strategy)
            held[action.runtime][action.strategy] = RunningStrategy(
                id=action.strategy,
                enabled=True,
                connection=action.connection if before and before.connection else None,
                parameters=dict(action.after or {}),
                bot=before.bot if before else None,
            )
            if ours or action.kind is ActionKind.ENABLE:
                items[action.strategy] = _item(action.strategy, action.runtime, action.connection)
    return held, list(items.values())


_IDS = ("a", "b", "c", "foreign")
_VERDICTS = st.sampled_from(
    [
        {},
        {"ip_whitelist_missing": "fail"},
        {"withdraw_enabled": "fail"},
        {"withdraw_enabled": "unknown"},
        {"connection_test": "unknown", "withdraw_enabled": "unknown"},
        {"key_shared": "fail", "connection_test": "unknown"},
        {"name_unclear": "fail"},
    ]
)
#: Two ways to be within every policy below, and two to break one or another of them.
_PARAMETERS = st.sampled_from(
    [
        PARAMETERS,
        PARAMETERS | {"risk_level": "aggressive"},
        PARAMETERS | {"margin_limit": {"amount": "900", "currency": "USDT"}},
        PARAMETERS | {"averaging": {"max_additions": 4, "step": "2%", "multiplier": "2"}},
    ]
)
_POLICIES = st.sampled_from(
    [
        Policy(),
        Policy(),
        Policy(max_margin_limit=MarginLimit(amount=Decimal(500), currency="USDT")),
        Policy(max_averaging_factor=Decimal(8)),
        Policy(allowed_quotes=("USDC",)),
    ]
)
_SHUT = Window(kind=WindowKind.DENY, days=WEEK, start=time(), end=time())
_LIMITS = st.builds(
    Threshold,
    count=st.none() | st.integers(0, 3),
    percent=st.none() | st.sampled_from([Decimal(0), Decimal(1), Decimal(50), Decimal(100)]),
)
_THRESHOLDS = st.just(Thresholds()) | st.builds(Thresholds, enable=_LIMITS, disable=_LIMITS)
_ON_DISABLE = st.none() | st.sampled_from(OnDisable)
_BOTS = st.none() | st.builds(
    Bot, open_positions=st.none() | st.sampled_from([(), ("BTC/USDT",), ("A/X", "B/X")])
)
_RUNTIMES = st.fixed_dictionaries(
    {
        name: st.builds(
            _runtime,
            st.just(name),
            type=st.sampled_from(["ledger", "bot", "blind"]),
            options=st.just({}) | st.sampled_from([{"disable": "stop"}, {"disable": "stop_entries"}]),
        )
        for name in ("paper", "live")
    }
)
_STRATEGIES = st.dictionaries(
    st.sampled_from(_IDS[:3]),
    st.tuples(
        st.sampled_from(["main", "spare"]),
        st.sampled_from(["paper", "live"]),
        st.booleans(),
        _PARAMETERS,
        _ON_DISABLE,
    ),
)
_HELD = st.dictionaries(
    st.sampled_from(_IDS),
    st.tuples(st.sampled_from([True, False, None]), st.sampled_from(["conservative", "aggressive"])),
)
_SINCE = st.dictionaries(
    st.sampled_from(["main", "spare"]),
    st.integers(0, 60).map(lambda minutes: NOW - timedelta(minutes=minutes)),
)


@st.composite
def _worlds(draw: st.DrawFn) -> SimpleNamespace:
    """Any files, policy, thresholds, verdicts, runtimes (some unreadable) and inventory."""
    wanted = draw(_STRATEGIES)
    strategies = [
        _strategy(
            id_,
            connection=connection,
            runtime=runtime,
            enabled=enabled,
            parameters=parameters,
            on_disable=how,
        )
        for id_, (connection, runtime, enabled, parameters, how) in wanted.items()
    ]
    runtimes = {}
    for name in ("paper", "live"):
        held = draw(st.none() | _HELD)
        runtimes[name] = held and {
            id_: RunningStrategy(
                id=id_,
                enabled=on,
                connection=draw(st.sampled_from([None, None, "main", "spare"])),
                parameters=PARAMETERS | {"risk_level": risk},
                bot=draw(_BOTS),
                paused=on is False and draw(st.booleans()),
            )
            for id_, (on, risk) in held.items()
        }
    places = draw(st.dictionaries(st.sampled_from(_IDS), st.sampled_from(["paper", "live", "gone"])))
    desired = _desired(
        *strategies,
        policy=replace(
            draw(_POLICIES),
            thresholds=draw(_THRESHOLDS),
            windows=draw(st.sampled_from([(), (), (), (_SHUT,)])),
            on_disable=draw(_ON_DISABLE),
        ),
        runtimes=draw(_RUNTIMES),
        approvals=draw(st.sampled_from([(), (), (_approval(),), (_approval("enable", 2),)])),
    )
    return SimpleNamespace(
        desired=_suspend_some(desired, draw),
        reports=tuple(_report(id_, **draw(_VERDICTS)) for id_ in ("main", "spare")),
        runtimes=runtimes,
        inventory=[
            _item(id_, place, draw(st.sampled_from(["main", "main", "spare"])))
            for id_, place in places.items()
        ],
        since=draw(_SINCE),
    )


def _approval(allow: str = "disable", count: int = 99, **changes: Any) -> Approval:
    base = Approval(
        allow=Guarded(allow), count=count, reason="r", approved_by="b", until=NOW.date(), mark=MARK
    )
    return replace(base, **changes)


def _suspension(days: int = 0, subject: str = "everything") -> Suspension:
    """One that ends today, or so many days from now."""
    return Suspension(subject=subject, reason="r", until=NOW.date() + timedelta(days=days), mark=MARK)


def _approved(desired: Desired) -> Desired:
    """The same files where somebody approved any number."""
    return replace(desired, approvals=(_approval("enable"), _approval("disable")))


def _freed(section: Mapping[str, Any]) -> dict[str, Any]:
    return {id_: replace(one, suspend=None) for id_, one in section.items()}


def _unguarded(desired: Desired) -> Desired:
    """The same files with any number approved, at any time, and nothing suspended."""
    sections = {name: _freed(getattr(desired, name)) for name in _SECTIONS}
    policy = replace(desired.policy, windows=())
    return replace(_approved(desired), suspend=None, policy=policy, **sections)


def _suspend_some(desired: Desired, draw: st.DrawFn) -> Desired:
    """The same files with this and that suspended, for a time that may be over."""
    ends = st.none() | st.none() | st.sampled_from([_suspension(-1), _suspension(0), _suspension(9)])
    changed = {
        name: {id_: replace(one, suspend=draw(ends)) for id_, one in getattr(desired, name).items()}
        for name in draw(st.lists(st.sampled_from(_SECTIONS), max_size=2, unique=True))
    }
    return replace(desired, **changed, suspend=draw(ends) if draw(st.booleans()) else None)


_SECTIONS = ("egress", "connections", "runtimes", "strategies")


_TOOLS = SimpleNamespace(
    abilities=ABILITIES,
    now=NOW,
    approval=_approval,
    approved=_approved,
    suspension=_suspension,
    unguarded=_unguarded,
    mark=MARK,
    parameters=PARAMETERS,
    apply=_apply,
    connection=_connection,
    desired=_desired,
    item=_item,
    plan=_plan,
    permits=permits,
    policy=Policy(),
    report=_report,
    run=_run,
    running=_running,
    runtime=_runtime,
    strategy=_strategy,
    thresholds=lambda **counts: Thresholds(
        **{name: Threshold(count=count) for name, count in counts.items()}
    ),
    limits=_LIMITS,
    worlds=_worlds,
)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Builders of everything that a plan is made of."""
    return _TOOLS
