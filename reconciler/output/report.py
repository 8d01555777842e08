"""The screen of one run over live keys: the main job's and that of ``check``."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.report import Mode, Report
from reconciler.output.actions import action_lines, outcome_lines
from reconciler.output.closing import closing_lines
from reconciler.output.connections import connection_lines
from reconciler.output.document import BLANK, Line, Role, Span, heading, labelled, text_line
from reconciler.output.findings import finding_lines
from reconciler.output.words import counted, iso

_MODES = {
    Mode.DRY_RUN: "dry run: nothing will be changed",
    Mode.APPLY: "apply",
    Mode.CHECK: "check: keys are read, nothing will be changed",
}


def report_lines(report: Report, *, verbose: bool = False) -> Iterator[Line]:
    """Every line of the screen for ``report``; ``verbose`` shows what passed and what stays too."""
    yield from _header(report)
    yield BLANK
    yield from heading("CONNECTIONS")
    yield from connection_lines(report.connections, report.started_at, verbose=verbose)
    if not report.connections:
        yield from (text_line("none in these files"), BLANK)
    yield from _general(report, verbose=verbose)
    yield from _plan(report, verbose=verbose)
    yield from closing_lines(report)


def _header(report: Report) -> Iterator[Line]:
    mode = _MODES[report.mode]
    yield text_line(Span(f"reconciler {report.version}", Role.TITLE), f" · {mode}")
    counts = counted(len(report.connections), "connection")
    if report.mode is not Mode.CHECK:
        counts += f" · {counted(len(report.strategies), 'strategy')}"
    files = ", ".join(report.files) or "no files"
    yield text_line(Span(f"from {files} · {counts} · {iso(report.started_at)}", Role.MUTED))
    if report.plan and report.plan.targets:
        targets = ", ".join(report.plan.targets)
        yield text_line(Span(f"only {targets}: everything else is left as it is", Role.WARN))


def _general(report: Report, *, verbose: bool) -> Iterator[Line]:
    lines = tuple(finding_lines(report.findings, was_read=True, verbose=verbose))
    if lines:
        yield text_line(Span("OTHER FINDINGS", Role.TITLE))
        yield from lines
        yield BLANK


def _plan(report: Report, *, verbose: bool) -> Iterator[Line]:
    if report.plan is None:
        return
    yield from heading("STRATEGIES")
    lines = tuple(action_lines(report.plan, report.strategies, verbose=verbose))
    yield from lines or (labelled("✓ nothing", "to do: everything is as the files say", indent=0), BLANK)
    if report.outcomes:
        yield from heading("APPLIED")
        yield from outcome_lines(report.outcomes, report.strategies)
