"""The notes of a run over live keys: its findings, what its plan cannot do, and what apply could not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.model.finding import Finding, Verdict
from reconciler.model.plan import ActionKind, OutcomeState
from reconciler.model.report import Report
from reconciler.output.findings import foldable
from reconciler.output.note import Level, Note

_CHECK: Final = "A check of an API key, or of what uses it. What it asks, its usual cause and its fix:"
_STRATEGY: Final = "A strategy that does not run as the files say, and why."

_ACTIONS: Final = {
    ActionKind.BLOCKED: ("strategy-blocked", Level.ERROR),
    ActionKind.UNKNOWN: ("strategy-unknown", Level.ERROR),
    ActionKind.HOLD: ("strategy-held", Level.WARNING),
    ActionKind.UNMANAGED: ("strategy-unmanaged", Level.WARNING),
}

_OUTCOMES: Final = {
    OutcomeState.DONE: ("apply-done", Level.PASS),
    OutcomeState.FAILED: ("apply-failed", Level.ERROR),
    OutcomeState.UNKNOWN: ("apply-unknown", Level.ERROR),
    OutcomeState.NOT_TRIED: ("apply-not-tried", Level.WARNING),
}


def report_notes(report: Report) -> Iterator[Note]:
    """Findings by connection id, then those about no connection, then strategies."""
    yield from finding_notes(report)
    yield from _actions(report)
    yield from _outcomes(report)


def finding_notes(report: Report) -> Iterator[Note]:
    """The findings alone, in the same order."""
    for item in sorted(report.connections, key=lambda one: one.connection.id):
        yield from _findings(item.findings, was_read=item.observation.report is not None)
    yield from _findings(report.findings, was_read=True)


def _findings(findings: Sequence[Finding], *, was_read: bool) -> Iterator[Note]:
    folded = foldable(findings, was_read=was_read)
    for finding in findings:
        yield Note(
            rule=finding.check,
            level=_level(finding, folded=finding in folded),
            subject=f"{finding.subject.value} {finding.subject_id}",
            about=f"{_CHECK} reconcile explain {finding.check}",
            message=f"{finding.kind}: {finding.evidence}" if finding.kind else finding.evidence,
            cause=finding.cause,
            fix=finding.fix,
            mark=finding.mark,
            unknown=finding.verdict is Verdict.UNKNOWN,
            accepted_by=finding.waived_by or finding.attested_by or "",
            detail=finding.kind or "",
        )


def _level(finding: Finding, *, folded: bool) -> Level:
    """What blocks is an error, advice a warning, what was answered for or asks nothing a notice."""
    if finding.verdict is Verdict.PASS:
        return Level.NOTICE if finding.attested_by else Level.PASS
    if finding.waived_by is not None or folded:
        return Level.NOTICE
    return Level.ERROR if finding.blocks else Level.WARNING


def _actions(report: Report) -> Iterator[Note]:
    marks = {strategy.id: strategy.mark for strategy in report.strategies}
    for action in report.plan.actions if report.plan else ():
        if action.kind in _ACTIONS:
            rule, level = _ACTIONS[action.kind]
            yield Note(
                rule=rule,
                level=level,
                subject=f"strategy {action.strategy}",
                about=_STRATEGY,
                message=action.reason,
                cause=", ".join(check for check in action.checks if check not in action.reason),
                mark=marks.get(action.strategy),
                unknown=action.kind in (ActionKind.UNKNOWN, ActionKind.HOLD),
            )


def _outcomes(report: Report) -> Iterator[Note]:
    marks = {strategy.id: strategy.mark for strategy in report.strategies}
    for outcome in report.outcomes:
        rule, level = _OUTCOMES[outcome.state]
        yield Note(
            rule=rule,
            level=level,
            subject=f"strategy {outcome.action.strategy}",
            about=_STRATEGY,
            message=f"{outcome.action.kind.value}: {outcome.detail or outcome.state.value.replace('_', ' ')}",
            mark=marks.get(outcome.action.strategy),
            unknown=outcome.state is OutcomeState.UNKNOWN,
            detail=outcome.action.kind.value,
        )
