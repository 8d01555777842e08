"""How a screen ends: digest, meaning of the exit code, what to type next, and one greppable line."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Final

from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.plan import ActionKind, OutcomeState, Plan
from reconciler.model.report import Mode, Report
from reconciler.output.document import Line, Role, Span, labelled, text_line
from reconciler.output.words import short_digest

#: More files than this are not repeated in a command to type.
_FEW_FILES: Final = 3

#: How many failed checks are offered for an explanation.
_EXPLAINED: Final = 3

_PAST: Final = {ActionKind.ENABLE: "enabled", ActionKind.CHANGE: "changed", ActionKind.DISABLE: "disabled"}


def closing_lines(report: Report) -> Iterator[Line]:
    """Digest, exit code, commands to type next; the last line is :func:`summary`."""
    if report.plan:
        yield labelled("digest", Span(report.plan.digest, Role.MUTED), indent=0)
    role = Role.PLAIN if report.exit_code == 0 else Role.WARN
    yield labelled("exit", Span(f"{int(report.exit_code)}: {report.exit_code.meaning}", role), indent=0)
    for index, (command, purpose) in enumerate(_next_steps(report)):
        label = "" if index else "next"
        yield labelled(
            label, Span(command, Role.COMMAND, whole=True), Span(f" # {purpose}", Role.MUTED), indent=0
        )
    yield Line()
    yield text_line(Span(summary(report), Role.TITLE, whole=True))


def summary(report: Report) -> str:
    """One line of fixed shape, for people and for grep.

    ``check: 2 online, …`` · ``reconcile: 1 to enable, …`` (dry run) · ``reconcile: 1 enabled, …`` (apply).
    """
    if report.plan is None:
        found = Counter(item.status for item in report.connections)
        counts = ", ".join(f"{found[status]} {status.shown.lower()}" for status in Status)
        return f"{'check' if report.mode is Mode.CHECK else 'reconcile'}: {counts}"
    acted = _done(report, report.plan) if report.mode is Mode.APPLY else _to_do(report.plan)
    return f"reconcile: {acted}, {_kept(report)} (digest {short_digest(report.plan.digest)})"


def _to_do(plan: Plan) -> str:
    counts = plan.counts()
    return ", ".join(f"{counts[kind]} to {kind.value}" for kind in _PAST)


def _done(report: Report, plan: Plan) -> str:
    """What was done. An action of the plan without an outcome was not tried."""
    done = Counter(o.action.kind for o in report.outcomes if o.state is OutcomeState.DONE)
    states = Counter(outcome.state for outcome in report.outcomes)
    tried = len(report.outcomes) - states[OutcomeState.NOT_TRIED]
    acted = [f"{done[kind]} {word}" for kind, word in _PAST.items()]
    not_tried = max(len(plan.changes) - tried, states[OutcomeState.NOT_TRIED])
    return ", ".join([*acted, f"{states[OutcomeState.FAILED]} failed", f"{not_tried} not tried"])


def _kept(report: Report) -> str:
    """What is not acted on, by its word; unknown counts outcomes that nobody could read, too."""
    counts = report.plan.counts() if report.plan else Counter[ActionKind]()
    unknown = counts[ActionKind.UNKNOWN] + sum(one.state is OutcomeState.UNKNOWN for one in report.outcomes)
    blocked, held, unchanged = (
        counts[kind] for kind in (ActionKind.BLOCKED, ActionKind.HOLD, ActionKind.NONE)
    )
    return f"{blocked} blocked, {unknown} unknown, {held} held, {unchanged} unchanged"


def _next_steps(report: Report) -> Iterator[tuple[str, str]]:
    files = _file_options(report)
    if report.mode is Mode.DRY_RUN and report.plan and report.plan.changes:
        targets = "".join(f" --target {shlex.quote(target)}" for target in report.plan.targets)
        yield f"reconcile{files}{targets}", "apply this"
    if any(outcome.state is not OutcomeState.DONE for outcome in report.outcomes):
        yield f"reconcile{files} --dry-run", "see what is left to do"
    blocking = _blocking(report)[:_EXPLAINED]
    if blocking:
        likewise = f" (likewise {', '.join(blocking[1:])})" if blocking[1:] else ""
        yield f"reconcile explain {blocking[0]}", f"why, and what to do{likewise}"
    unread = [item.connection.id for item in report.connections if item.status is Status.UNREACHABLE]
    if unread and report.mode is not Mode.CHECK:
        yield f"reconcile check{files} {unread[0]}", "ask again, this key alone"


def _file_options(report: Report) -> str:
    """What names the files: where they come from, and ``-f`` for each.

    No ``-f`` where there are so many that a person would name a folder.
    """
    files = report.files if len(report.files) <= _FEW_FILES else ()
    named = (*report.repository, *(word for file in files for word in ("-f", file)))
    return "".join(f" {shlex.quote(word)}" for word in named)


def _blocking(report: Report) -> list[str]:
    """What failed and blocks, the most frequent first: the kind of failure, else the check."""
    failed = (f for f in report.all_findings() if f.blocks and f.verdict is Verdict.FAIL)
    counts = Counter(finding.kind or finding.check for finding in failed)
    return sorted(counts, key=lambda check: (-counts[check], check))
