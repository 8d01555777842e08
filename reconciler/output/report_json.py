"""The JSON of a run, under ``report.schema.json``, and of ``check``, under ``check.schema.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reconciler.model.desired import Strategy
from reconciler.model.finding import Finding
from reconciler.model.live import Failure, KeyReport, Status
from reconciler.model.plan import Action, ActionKind, Outcome, Plan
from reconciler.model.report import ConnectionReport, Report
from reconciler.output.json import Object, head, moment, place, plain, tail
from reconciler.output.words import iso


def check_document(report: Report) -> Object:
    """The document of ``reconcile check``."""
    return {
        **_head(report),
        "connections": [_connection(item) for item in _sorted(report)],
        "findings": [finding_object(finding) for finding in report.findings],
        **_tail(report, _statuses(report)),
    }


def report_document(report: Report) -> Object:
    """The document of a dry run or an apply."""
    counts = report.plan.counts() if report.plan else {}
    actions = {kind.value: counts.get(kind, 0) for kind in ActionKind}
    return {
        **_head(report),
        "connections": [_full_connection(item) for item in _sorted(report)],
        "strategies": [_strategy(one) for one in sorted(report.strategies, key=lambda one: one.id)],
        "findings": [finding_object(finding) for finding in report.findings],
        "plan": _plan(report.plan) if report.plan else None,
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
        **_tail(report, {"connections": _statuses(report), "actions": actions}),
    }


def finding_object(finding: Finding) -> Object:
    """One finding, as both documents hold it."""
    return {
        "check": finding.check,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "kind": finding.kind,
        "subject": finding.subject.value,
        "subject_id": finding.subject_id,
        **place(finding.mark),
        "evidence": finding.evidence,
        "cause": finding.cause,
        "fix": finding.fix,
        "waived_by": finding.waived_by,
        "attested_by": finding.attested_by,
    }


def _head(report: Report) -> Object:
    return {
        **head(report.version),
        "mode": report.mode.value,
        "started_at": iso(report.started_at),
        "files": list(report.files),
    }


def _tail(report: Report, summary: Object) -> Object:
    return {"summary": summary, **tail(report.exit_code)}


def _sorted(report: Report) -> Iterable[ConnectionReport]:
    return sorted(report.connections, key=lambda item: item.connection.id)


def _statuses(report: Report) -> Object:
    found = Counter(item.status for item in report.connections)
    return {status.value: found[status] for status in Status}


def _connection(item: ConnectionReport) -> Object:
    """One connection exactly as the contract of ``check`` has it."""
    seen = item.observation
    return {
        "id": item.connection.id,
        "exchange": item.connection.exchange,
        "status": item.status.value,
        "key": _key(seen.report) if seen.report else None,
        "failure": _failure(seen.failure) if seen.failure else None,
        "findings": [finding_object(finding) for finding in item.findings],
    }


def _full_connection(item: ConnectionReport) -> Object:
    """The same with what a report adds: where it was written and how it was read."""
    seen, connection = item.observation, item.connection
    return {
        **_connection(item),
        "key": _full_key(seen.report) if seen.report else None,
        "name": connection.name,
        "market": connection.market.value,
        "egress": connection.egress,
        **place(connection.mark),
        "observed_at": iso(seen.observed_at),
        "unread": seen.unread,
        "health": seen.health.value,
        "clock_skew": plain(seen.clock_skew),
        "caller_ip": seen.caller_ip,
        "caller_ip_source": seen.caller_ip_source,
    }


def _key(report: KeyReport) -> Object:
    whitelist, account = report.ip_whitelist, report.account
    addresses = None if whitelist.addresses is None else list(whitelist.addresses)
    return {
        "permissions": {permission.value: reading for permission, reading in report.permissions.items()},
        "ip_whitelist": {"restricted": whitelist.restricted, "addresses": addresses},
        "account": {"uid": account.uid, "is_sub": account.is_sub, "parent_uid": account.parent_uid},
        "label": report.label,
        "created_at": moment(report.created_at),
        "expires_at": moment(report.expires_at),
    }


def _full_key(report: KeyReport) -> Object:
    """The same with what a report adds: ends of other kinds, and what we could not interpret."""
    return {
        **_key(report),
        "trade_expires_at": moment(report.trade_expires_at),
        "expiry_rule": report.expiry_rule,
        "disabled": report.disabled,
        "unknown_words": list(report.unknown_words),
    }


def _failure(failure: Failure) -> Object:
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "caller_ip": failure.caller_ip,
        "retryable": failure.retryable,
        "candidates": [kind.value for kind in failure.candidates],
    }


def _strategy(strategy: Strategy) -> Object:
    return {
        "id": strategy.id,
        "name": strategy.name,
        "connection": strategy.connection,
        "runtime": strategy.runtime,
        "enabled": strategy.enabled,
        "pairs": list(strategy.pairs),
        **place(strategy.mark),
    }


def _plan(plan: Plan) -> Object:
    return {
        "digest": plan.digest,
        "targets": list(plan.targets),
        "actions": [_action(action) for action in plan.actions],
    }


def _action(action: Action) -> Object:
    return {
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "connection": action.connection,
        "reason": action.reason,
        "checks": list(action.checks),
        "before": action.before,
        "after": action.after,
        "how": action.how.value if action.how else None,
        "open_positions": None if action.open_positions is None else list(action.open_positions),
    }


def _outcome(outcome: Outcome) -> Object:
    return {
        "kind": outcome.action.kind.value,
        "strategy": outcome.action.strategy,
        "runtime": outcome.action.runtime,
        "state": outcome.state.value,
        "detail": outcome.detail,
        "at": moment(outcome.at),
    }
