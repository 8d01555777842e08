"""From a report to its exit code, by the one table of DESIGN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.checks import GUARD_CHECKS
from reconciler.model.desired import EMPTY
from reconciler.model.errors import ExitCode, SecretsError, most_urgent
from reconciler.model.finding import Finding, Verdict
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.model.report import Report


def exit_code(
    report: Report,
    secrets: Sequence[SecretsError] = (),
    *,
    detailed: bool = False,
    lost: bool = False,
    recovered: Sequence[Outcome] = (),
    resting: Mapping[str, Verdict] = EMPTY,
) -> ExitCode:
    """The most urgent code of all that hold.

    ``detailed`` lets existing changes count; ``lost`` says that the lease was lost on the way.
    ``recovered`` is what became of actions that an earlier pass began. The plan was made after it,
    so only one of which still nobody knows weighs. ``resting`` are connections whose turn it was not: of
    them what is remembered weighs, and not that nothing new is known.
    """
    lock = (ExitCode.LOCK,) if lost else ()
    open_ = (ExitCode.FAILED,) if any(one.state is OutcomeState.UNKNOWN for one in recovered) else ()
    planned = (*_of_plan(report, resting, detailed=detailed), *_of_memory(resting))
    return most_urgent((*lock, *open_, *_of_secrets(secrets), *_of_findings(report), *planned))


def _of_memory(resting: Mapping[str, Verdict]) -> Iterator[ExitCode]:
    codes = {Verdict.FAIL: ExitCode.BLOCKED, Verdict.UNKNOWN: ExitCode.FAILED}
    return (codes[verdict] for verdict in resting.values() if verdict in codes)


def _of_secrets(secrets: Sequence[SecretsError]) -> Iterator[ExitCode]:
    return (error.exit_code for error in secrets)


def _of_findings(report: Report) -> Iterator[ExitCode]:
    return (_code(finding) for finding in report.all_findings() if finding.blocks)


def _code(finding: Finding) -> ExitCode:
    """A guard has an exit code of its own; of any other check a fail outranks an unknown."""
    if finding.check in GUARD_CHECKS:
        return GUARD_CHECKS[finding.check].exit_code
    return ExitCode.BLOCKED if finding.verdict is Verdict.FAIL else ExitCode.FAILED


def _of_plan(report: Report, resting: Mapping[str, Verdict], *, detailed: bool) -> Iterator[ExitCode]:
    """What planning and applying add: changes, unreadable runtimes, failed actions."""
    if report.plan is None:
        return
    if detailed and report.plan.changes:
        yield ExitCode.CHANGES
    if any(_unsettled(action, resting) for action in report.plan.actions):
        yield ExitCode.FAILED
    states = {outcome.state for outcome in report.outcomes}
    if states - {OutcomeState.DONE}:
        yield ExitCode.PARTLY_APPLIED if OutcomeState.DONE in states else ExitCode.FAILED


def _unsettled(action: Action, resting: Mapping[str, Verdict]) -> bool:
    """Whether it leaves undone what git wants, and no finding says so: unknown, or not checks block it."""
    if action.checks and action.connection in resting:
        return False
    if GUARD_CHECKS.keys() & set(action.checks):
        return False
    blocked = action.kind is ActionKind.BLOCKED and not action.checks
    return blocked or action.kind in (ActionKind.UNKNOWN, ActionKind.HOLD)
