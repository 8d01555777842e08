"""The documents of ``lockdown --output json``, under ``lockdown.schema.json``."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.emergency import Emergency, InForce, KeyAtRisk, Lifted, Wanted
from reconciler.model.errors import ExitCode
from reconciler.model.memory import Lockdown
from reconciler.model.plan import Outcome
from reconciler.output.json import Object, dumps, head, moment, tail
from reconciler.output.rotation import by_hand, steps


def render(told: Emergency) -> str:
    """What was declared, what stopped, and the keys to replace."""
    document: Object = {
        **head(told.version),
        "mode": "declare",
        "at": moment(told.at),
        "recorded": told.lockdown is not None,
        "declared_before": told.declared_before,
        "wanted": _wanted(told.wanted),
        "lockdown": lockdown(told.lockdown) if told.lockdown else None,
        "troubles": list(told.troubles),
        "strategies": [_outcome(one) for one in told.outcomes],
        "not_ours": [
            {"strategy": one.strategy, "runtime": one.runtime, "connection": one.connection}
            for one in told.foreign
        ],
        "unreadable_runtimes": list(told.unreadable),
        "by_hand": list(by_hand(told)),
        "keys": [_key(one) for one in told.keys],
        "steps": list(steps(told.lockdown.id if told.lockdown else None)) if told.keys else [],
        **tail(told.exit_code),
    }
    return dumps(document)


def render_list(told: InForce) -> str:
    """Every lockdown in force."""
    document: Object = {
        **head(told.version),
        "mode": "list",
        "at": moment(told.at),
        "lockdowns": _lockdowns(told.lockdowns),
        **tail(ExitCode.DONE),
    }
    return dumps(document)


def render_lift(told: Lifted) -> str:
    """The lockdown that was ended, and what may start because of that."""
    document: Object = {
        **head(told.version),
        "mode": "lift",
        "at": moment(told.at),
        "by": told.by,
        "lifted": lockdown(told.lockdown),
        "may_start": list(told.may_start),
        "lockdowns": _lockdowns(told.still),
        "troubles": list(told.troubles),
        **tail(ExitCode.DONE),
    }
    return dumps(document)


def _wanted(one: Wanted) -> Object:
    return {"scope": one.scope.value, "scope_id": one.scope_id or None, "reason": one.reason}


def _lockdowns(these: Iterable[Lockdown]) -> list[Object]:
    return [lockdown(one) for one in these]


def lockdown(one: Lockdown) -> Object:
    """A lockdown in force, as every document has it."""
    return {
        "id": one.id,
        "scope": one.scope.value,
        "scope_id": one.scope_id or None,
        "since": moment(one.since),
        "by": one.by,
        "reason": one.reason,
    }


def _outcome(one: Outcome) -> Object:
    return {
        "strategy": one.action.strategy,
        "runtime": one.action.runtime,
        "connection": one.action.connection,
        "state": one.state.value,
        "detail": one.detail,
    }


def _key(one: KeyAtRisk) -> Object:
    told = one.key or {}
    return {
        "connection": one.connection,
        "name": one.name,
        "exchange": one.exchange,
        "exchange_name": one.exchange_name,
        "key_page": one.page,
        "secret_file": one.secret_file,
        "addresses": list(one.addresses),
        "strategies": list(one.strategies),
        "read_at": moment(one.read_at),
        "permissions": told.get("permissions"),
        "ip_whitelist": told.get("ip_whitelist"),
        "account": told.get("account", {}).get("uid"),
        "may_withdraw": one.withdraws,
    }
