"""A plan on disk: what was reviewed, so that exactly this is applied or nothing; policy tools read it too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.model.desired import Strategy
from reconciler.model.errors import StalePlan
from reconciler.model.finding import Finding, Verdict
from reconciler.model.plan import Action, Plan
from reconciler.model.report import ConnectionReport, Report
from reconciler.planning.canonical import Json, dumps, parameters

#: Minor versions add fields, major ones break.
FORMAT_VERSION: Final = "1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that was written down; ``created_at`` is in UTC."""

    tool_version: str
    created_at: datetime
    digest: str
    targets: tuple[str, ...]
    actions: tuple[Action, ...]

    def require_same(self, plan: Plan) -> None:
        """Return when ``plan`` is what was reviewed.

        Raises:
            StalePlan: anything reviewed changed since; the message names the actions that did.
        """
        changed = sorted(_acting(self.actions) ^ _acting(plan.actions))
        if self.digest == plan.digest and not changed and set(self.targets) == set(plan.targets):
            return
        what = "; ".join(dict.fromkeys(f"{kind} {strategy}" for kind, strategy, *_ in changed))
        detail = f"these actions differ: {what}" if what else "files, live keys or findings changed since"
        raise StalePlan(
            f"the reviewed plan {self.digest[:8]} is not the plan of now, {plan.digest[:8]}: {detail}",
            hint="review a new plan: reconcile --dry-run --out FILE",
        )


def to_json(plan: Plan, run: Report) -> str:
    """The text of a plan file, for ``schemas/plan.schema.json``; ``run`` is of the run that made ``plan``.

    Nothing that an exchange wrote enters it: of keys it holds verdicts alone.
    """
    connections = {report.connection.id: report for report in run.connections}
    strategies = {(strategy.id, strategy.runtime): strategy for strategy in run.strategies}
    document = {
        "format_version": FORMAT_VERSION,
        "tool_version": run.version,
        "created_at": run.started_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "digest": plan.digest,
        "targets": list(plan.targets),
        "files": list(run.files),
        "summary": {kind.value: count for kind, count in plan.counts().items()},
        "actions": [
            _planned(action)
            | _wanted(strategies.get((action.strategy, action.runtime)))
            | _connected(connections.get(action.connection or ""))
            for action in plan.actions
        ],
        "findings": _findings(run.all_findings()),
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _acting(actions: tuple[Action, ...]) -> set[tuple[str, str, str, str, str]]:
    return {
        (
            action.kind.value,
            action.strategy,
            action.runtime,
            dumps(parameters(action.after)),
            action.how or "",
        )
        for action in actions
        if action.kind.acts
    }


def _planned(action: Action) -> dict[str, Json]:
    return {
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "connection": action.connection,
        "reason": action.reason,
        "checks": list(action.checks),
        "before": _settings(action.before),
        "after": _settings(action.after),
        "how": action.how.value if action.how else None,
        "open_positions": None if action.open_positions is None else list(action.open_positions),
    }


def _wanted(strategy: Strategy | None) -> dict[str, Json]:
    """What git wants of the strategy in this runtime, whatever the action does about it."""
    if strategy is None:
        return {"enabled": None, "desired": None}
    return {"enabled": strategy.enabled, "desired": _settings(strategy.parameters)}


def _connected(report: ConnectionReport | None) -> dict[str, Json]:
    """The connection, and who answers in git for checks that do not pass; nulls for one not looked at."""
    if report is None:
        return {"exchange": None, "market": None, "waived": []}
    waived = ((f.check, f.waived_by) for f in report.findings if f.waived_by is not None)
    return {
        "exchange": report.connection.exchange,
        "market": report.connection.market.value,
        "waived": [{"check": check, "by": by} for check, by in sorted(waived)],
    }


def _findings(findings: Iterable[Finding]) -> list[Json]:
    """What does not pass, without evidence, in which an exchange may have its say."""
    open_ = [finding for finding in findings if finding.verdict is not Verdict.PASS]
    return [
        {
            "check": finding.check,
            "verdict": finding.verdict.value,
            "severity": finding.severity.value,
            "subject": finding.subject.value,
            "subject_id": finding.subject_id,
            "waived_by": finding.waived_by,
        }
        for finding in sorted(open_, key=lambda one: (one.subject, one.subject_id, one.check))
    ]


def _settings(held: Mapping[str, Any] | None) -> Json:
    return None if held is None else parameters(held)
