"""A run over live keys as a comment: what stops it, what would be done, and how the keys stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from reconciler.model.errors import ExitCode
from reconciler.model.finding import Verdict
from reconciler.model.live import Permission
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.model.report import ConnectionReport, Report
from reconciler.output.closing import summary
from reconciler.output.comment import Comment, Section, folded_if_many, row, table
from reconciler.output.markdown import code, inline
from reconciler.output.markdown_parts import brief, foot, kind, named, notes_section, pressing, status, values
from reconciler.output.note import Level, Note
from reconciler.output.options import Options
from reconciler.output.report_notes import finding_notes
from reconciler.output.words import differences, iso

_OUTCOMES: Final = {
    OutcomeState.DONE: "✓ done",
    OutcomeState.FAILED: "✗ failed",
    OutcomeState.NOT_TRIED: ". not tried",
    OutcomeState.UNKNOWN: "? unknown",
}


def report_comment(report: Report, marker: str, options: Options) -> Comment:
    """Counts, what blocks, the plan and its outcomes, the keys; one line where all is as it should be."""
    found = list(finding_notes(report))
    fails = report.exit_code not in (ExitCode.DONE, ExitCode.CHANGES)
    advice = pressing(found, Level.WARNING)
    symbol = status(fails=fails, warns=bool(advice or pressing(found, Level.ERROR)))
    title = f"reconcile {report.mode.value}".replace("-", " ")
    counts = summary(report).partition(": ")[2].partition(" (digest ")[0]
    if not fails and not advice and not _moves(report):
        digest = f" · digest {code(report.plan.digest)}" if report.plan else ""
        return Comment(marker=marker, title=f"{symbol} **{title}**: no changes; {counts}{digest}")
    return Comment(
        marker=marker,
        title=f"### {symbol} {title}: {report.exit_code.meaning}\n\n{counts}",
        sections=_sections(report, found, options),
        foot=_foot(report),
    )


def _moves(report: Report) -> bool:
    """Whether anything is or was to be done, or kept from being done."""
    kinds = {action.kind for action in report.plan.actions} if report.plan else set()
    return bool(report.outcomes or kinds - {ActionKind.NONE})


def _sections(report: Report, found: list[Note], options: Options) -> tuple[Section, ...]:
    names = {strategy.id: strategy.name for strategy in report.strategies}
    actions = [one for one in (report.plan.actions if report.plan else ()) if one.kind is not ActionKind.NONE]
    notices = pressing(found, Level.NOTICE)
    return (
        notes_section("Blocks", pressing(found, Level.ERROR), options),
        Section(
            title="Applied",
            head=table("", "strategy", "detail"),
            rows=tuple(_outcome(one, names) for one in report.outcomes),
        ),
        Section(
            title="Strategies",
            head=table("", "strategy", "where", "why"),
            rows=tuple(_action(one, names) for one in actions),
        ),
        folded_if_many(Section(title="Settings that change", rows=tuple(_settings(actions)))),
        Section(
            title="Connections",
            head=table("", "connection", "exchange", "the key may", "findings"),
            rows=tuple(map(_connection, sorted(report.connections, key=lambda one: one.connection.id))),
        ),
        notes_section("Advice", pressing(found, Level.WARNING), options, folded=True),
        notes_section("Accepted", [note for note in notices if note.accepted_by], options, folded=True),
        notes_section("Not answered", [one for one in notices if not one.accepted_by], options, folded=True),
    )


def _strategy(id_: str, names: dict[str, str]) -> str:
    return f"{inline(names[id_])} {code(id_)}" if names.get(id_) else code(id_)


def _action(action: Action, names: dict[str, str]) -> str:
    on = f"{code(action.connection)} in " if action.connection else ""
    checks = [check for check in action.checks if check not in action.reason]
    why = f"{brief(action.reason)} {named(checks)}".strip()
    does = kind(f"{action.kind.symbol} {action.kind.value}")
    return row(does, _strategy(action.strategy, names), f"{on}{code(action.runtime)}", why)


def _outcome(outcome: Outcome, names: dict[str, str]) -> str:
    did = f"{outcome.action.kind.value} {_strategy(outcome.action.strategy, names)}"
    return row(kind(_OUTCOMES[outcome.state]), did, brief(outcome.detail))


def _settings(actions: list[Action]) -> Iterator[str]:
    for action in actions:
        if action.before is not None:
            for path, old, new in differences(action.before, action.after or {}):
                yield f"- {code(action.strategy)} {code(path)}: {values(old, new)}"


def _connection(item: ConnectionReport) -> str:
    connection, report = item.connection, item.observation.report
    granted = [one for one, given in report.permissions.items() if given] if report else []
    may = ", ".join(f"**{one.value}**" if one is Permission.WITHDRAW else one.value for one in granted)
    return row(
        f"**{item.status.shown}**",
        f"{inline(connection.name)} {code(connection.id)}",
        f"{inline(connection.exchange)} {connection.market.value}",
        may or ("nothing that is told" if report else "not read"),
        _verdicts(item),
    )


def _verdicts(item: ConnectionReport) -> str:
    found = Counter(finding.verdict for finding in item.findings)
    return ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Verdict if found[verdict])


def _foot(report: Report) -> str:
    targets = report.plan.targets if report.plan else ()
    return foot(
        report.exit_code,
        f"only {named(targets)}" if targets else "",
        f"from {named(report.files)}" if report.files else "",
        iso(report.started_at),
        f"reconciler {inline(report.version)}",
        digest=report.plan.digest if report.plan else "",
    )
