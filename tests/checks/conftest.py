"""A healthy connection, to be made ill one symptom at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.checks import Case, evaluate
from reconciler.model.desired import (
    AccountPin,
    Attestation,
    Connection,
    CredentialRef,
    Desired,
    Egress,
    Market,
    Policy,
    Requirement,
    Strategy,
    Waiver,
)
from reconciler.model.errors import Mark
from reconciler.model.finding import Finding
from reconciler.model.live import (
    Account,
    Failure,
    FailureKind,
    IpWhitelist,
    KeyReport,
    Observation,
    Permission,
    Permissions,
    Proof,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EXIT = "203.0.113.10"
MARK = Mark(file="connections.yaml", line=7)


def _strategy(id_: str = "grid", *, enabled: bool = True) -> Strategy:
    return Strategy(
        id=id_,
        name=id_.title(),
        connection="main",
        runtime="paper",
        enabled=enabled,
        pairs=("BTC/USDT",),
        parameters={"pairs": ["BTC/USDT"]},
        mark=MARK,
    )


def _connection(id_: str = "main", **changes: Any) -> Connection:
    base = Connection(
        id=id_,
        name="MEXC Spot Main",
        exchange="mexc",
        market=Market.SPOT,
        credentials=CredentialRef(file=f"secrets/{id_}.sops.yaml", mark=MARK, root="."),
        mark=MARK,
        egress="bot-eu",
    )
    return replace(base, **changes)


def _report(**changes: Any) -> KeyReport:
    """A key that may read and trade on spot from one address; changes to permissions go by name."""
    permissions = dict.fromkeys((p.value for p in Permission), False) | {"read": True, "spot": True}
    permissions |= {name: changes.pop(name) for name in tuple(changes) if name in permissions}
    base = KeyReport(
        permissions=Permissions(**permissions),
        ip_whitelist=IpWhitelist(restricted=True, addresses=(EXIT,)),
        account=Account(uid="209302839", is_sub=False),
        label="bot",
        created_at=NOW - timedelta(days=30),
        disabled=False,
    )
    return replace(base, **changes)


def _failure(kind: FailureKind, **changes: Any) -> Failure:
    return Failure(kind=kind, message=f"the exchange said {kind.value}", call="key", **changes)


def _observation(report: KeyReport | None, failure: Failure | None, **changes: Any) -> Observation:
    healthy = {"balance": Proof(name="balance"), "orders": Proof(name="orders")}
    base = Observation(
        connection="main",
        exchange="mexc",
        observed_at=NOW,
        report=report,
        failure=failure,
        proofs=healthy if report else {},
        clock_skew=0.1,
    )
    return replace(base, **changes)


def _case(
    *,
    report: KeyReport | None = None,
    failure: Failure | None = None,
    connection: Mapping[str, Any] | None = None,
    observation: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    waivers: tuple[Waiver, ...] = (),
    others: tuple[Connection, ...] = (),
    exits: tuple[str, ...] = (EXIT,),
    **changes: Any,
) -> Case:
    mine = _connection(**(connection or {}))
    egress = Egress(id="bot-eu", addresses=tuple(ip_network(text) for text in exits), mark=MARK)
    desired = Desired(
        files=("connections.yaml",),
        policy=replace(Policy(), **(policy or {})),
        egress={"bot-eu": egress},
        connections={item.id: item for item in (mine, *others)},
        waivers=waivers,
    )
    seen = _observation(None if failure else report or _report(), failure)
    base = Case(
        desired=desired,
        connection=mine,
        observation=replace(seen, **(observation or {})),
        strategies=(_strategy(),),
        attestable=frozenset({"withdraw_disabled", "ip_whitelist"}),
        now=NOW,
    )
    return replace(base, **changes)


def _unread(reason: str = "its credentials could not be read", **changes: Any) -> Case:
    return _case(observation={"report": None, "unread": reason, "proofs": {}, "clock_skew": None}, **changes)


def _ask(case: Case, check: str) -> Finding:
    (found,) = (finding for finding in evaluate(case) if finding.check == check)
    return found


def _waiver(check: str, until: date = date(2026, 12, 31), **changes: Any) -> Waiver:
    base = Waiver(
        check=check, connection="main", reason="moving", approved_by="treasury", until=until, mark=MARK
    )
    return replace(base, **changes)


def _attestation(subject: str, on: date = date(2026, 11, 1)) -> dict[str, Attestation]:
    return {
        subject: Attestation(subject=subject, by="ada", on=on, mark=Mark(file="connections.yaml", line=9))
    }


_TOOLS = SimpleNamespace(
    now=NOW,
    exit=EXIT,
    mark=MARK,
    ask=_ask,
    attestation=_attestation,
    case=_case,
    connection=_connection,
    failure=_failure,
    observation=_observation,
    pin=lambda uid: AccountPin(uid=uid, mark=MARK),
    recommended={"ip_whitelist": Requirement.RECOMMENDED},
    report=_report,
    strategy=_strategy,
    unread=_unread,
    waiver=_waiver,
)


@pytest.fixture(scope="session")
def make() -> Callable[..., Any] | SimpleNamespace:
    """Builders of everything that a case is made of."""
    return _TOOLS
