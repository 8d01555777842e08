"""The main job's screen: plan, ask, apply, tell."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli import screen
from reconciler.cli.run import run_async, settings_from
from reconciler.cli.sources import Chosen, beginning, chosen_of, files_of
from reconciler.engine import pass_
from reconciler.engine.settings import Settings
from reconciler.model.errors import Declined, ExitCode, ReconcilerError, UsageError
from reconciler.model.plan import ActionKind
from reconciler.model.report import Report
from reconciler.planning.file import PlanFile, to_json
from reconciler.planning.reader import from_json

if TYPE_CHECKING:
    from reconciler.cli.aftermath import Aftermath

#: Bytes; a strategy takes about one thousand. An endless device must not fill the memory.
_PLAN_LIMIT: Final = 50_000_000
#: Seconds within which a loop reads each key again, unless told otherwise.
INTERVAL: Final = 60.0


def run(
    *,
    files: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    watch: bool,
    interval: float | None,
    listen: str | None,
    out: str | None,
    plan: str | None,
    targets: tuple[str, ...],
    detailed_exitcode: bool,
    verbose: bool,
    no_color: bool,
    output: str,
    output_files: tuple[str, ...],
    notify_file: str | None,
    metrics_file: str | None,
    **chosen: Any,  # noqa: ANN401 - the options that become Settings
) -> int:
    """Do the main job and give the exit code."""
    if watch:
        _sensible_watch(dry_run=dry_run, yes=yes, once=out or plan or detailed_exitcode)
    elif interval or listen:
        raise UsageError("--interval and --listen are for a loop", hint="add --watch")
    asks = not (dry_run or yes or plan)
    _sensible(dry_run=dry_run, yes=yes, out=out, plan=plan, detailed_exitcode=detailed_exitcode)
    if asks and not (sys.stdin.isatty() and output == "text"):
        raise UsageError(
            "nothing was done: there is nobody to ask",
            hint="give --dry-run to look, --yes to apply, or --plan FILE to apply a reviewed plan",
        )
    source = chosen_of(chosen)
    show = screen.Screen(
        output=output,
        output_files=output_files,
        verbose=verbose,
        no_color=no_color,
        from_top=source.git is not None,
    )
    if plan and targets:
        raise UsageError(
            "--plan applies the whole of what was reviewed, so --target does not go with it",
            hint="review a plan of the targets alone: --dry-run --target ID --out FILE",
        )
    reviewed = _read_plan(plan) if plan else None
    if watch:
        chosen |= {"targets": targets, "verbose": verbose}
        every = interval or INTERVAL
        chosen |= {"notify_file": notify_file, "metrics_file": metrics_file}
        return _watch(files, source, show, interval=every, listen=listen, audit=dry_run, **chosen)
    with (
        files_of(files, source, keep=not dry_run) as given,
        settings_from(verbose=verbose, targets=targets, **given.settings(), **chosen) as settings,
    ):
        if dry_run:
            return _dry_run(settings, show, out=out, detailed=detailed_exitcode)
        from reconciler.cli.aftermath import Aftermath  # noqa: PLC0415 - a dry run has none

        after = Aftermath(settings, notify_file=notify_file, metrics_file=metrics_file)
        if reviewed:
            return _apply_reviewed(settings, show, after, reviewed)
        if yes:
            return _apply(settings, show, after)
        return _ask_then_apply(settings, show, after)


def _sensible(
    *, dry_run: bool, yes: bool, out: str | None, plan: str | None, detailed_exitcode: bool
) -> None:
    """Refuse what contradicts itself before anything is read."""
    if dry_run and (yes or plan):
        raise UsageError("--dry-run changes nothing, so --yes and --plan do not go with it")
    if out and not dry_run:
        raise UsageError("--out writes the plan of a dry run", hint="add --dry-run")
    if detailed_exitcode and not dry_run:
        raise UsageError("--detailed-exitcode goes with --dry-run", hint="add --dry-run")


def _sensible_watch(*, dry_run: bool, yes: bool, once: object) -> None:
    """Refuse what makes no sense again and again."""
    if not (dry_run or yes):
        raise UsageError(
            "--watch goes on when nobody is there to ask",
            hint="give --yes to apply again and again, or --dry-run to audit and change nothing",
        )
    if once:
        raise UsageError(
            "--plan, --out and --detailed-exitcode are for one run, so --watch does not go with them"
        )


def _watch(
    files: tuple[str, ...],
    where: Chosen,
    show: screen.Screen,
    *,
    interval: float,
    listen: str | None,
    audit: bool,
    notify_file: str | None,
    metrics_file: str | None,
    **chosen: Any,  # noqa: ANN401 - the options that become Settings
) -> ExitCode:
    from reconciler.cli.aftermath import Aftermath  # noqa: PLC0415 - brings aiohttp
    from reconciler.cli.watch import watch  # noqa: PLC0415 - brings a server, which one run has no use for
    from reconciler.web.server import parse_listen  # noqa: PLC0415 - the same

    address = parse_listen(listen) if listen else None
    with (
        beginning(files, where, keep=not audit) as (following, given),
        settings_from(**given.settings(), **chosen) as settings,
    ):
        after = Aftermath(settings, notify_file=None if audit else notify_file, metrics_file=metrics_file)
        return watch(
            settings, show, interval=interval, listen=address, audit=audit, following=following, after=after
        )


def _read_plan(path: str) -> PlanFile:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_PLAN_LIMIT + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"cannot read the plan file {path}", hint="write one with --dry-run --out") from None
    if len(content) > _PLAN_LIMIT:
        raise UsageError(f"{path} is too large to be a plan", hint="write one with --dry-run --out")
    return from_json(text)


def _dry_run(settings: Settings, show: screen.Screen, *, out: str | None, detailed: bool) -> int:
    report = run_async(pass_.dry_run(settings, detailed=detailed))
    if out and report.plan:
        screen.write_file(Path(out), to_json(report.plan, report))
    return _finish(show, report)


def _ask_then_apply(settings: Settings, show: screen.Screen, after: Aftermath) -> int:
    """Plan, show it, ask, and apply exactly what was shown."""
    report = run_async(pass_.dry_run(settings))
    show.report(report)
    plan = report.plan
    if plan is None or not plan.changes:
        if plan and plan.counts()[ActionKind.HOLD]:
            # Remembers since when nothing is known: grace ends one day.
            _apply(settings, None, after)
        return report.exit_code
    count = len(plan.changes)
    if not click.confirm(f"Apply {count} change{'s' if count != 1 else ''}?", err=True):
        raise Declined("declined; nothing was changed")
    shown = PlanFile(
        tool_version=report.version,
        created_at=report.started_at,
        digest=plan.digest,
        targets=plan.targets,
        actions=plan.actions,
    )
    return _apply_reviewed(settings, show, after, shown)


def _apply_reviewed(
    settings: Settings, show: screen.Screen, after: Aftermath, reviewed: PlanFile
) -> ExitCode:
    """Apply what was reviewed, over the targets that it was made for."""
    return _apply(replace(settings, targets=reviewed.targets), show, after, reviewed)


def _apply(
    settings: Settings, show: screen.Screen | None, after: Aftermath, reviewed: PlanFile | None = None
) -> ExitCode:
    """Apply and show it; then tell whoever is told, of a pass that an error ended as well."""
    after.begin()
    try:
        report = run_async(pass_.converge(settings, reviewed=reviewed))
    except ReconcilerError as error:
        after.end(error.exit_code)
        raise
    if show:
        show.report(report)
    after.end(report.exit_code)
    return report.exit_code


def _finish(show: screen.Screen, report: Report) -> ExitCode:
    show.report(report)
    return report.exit_code
