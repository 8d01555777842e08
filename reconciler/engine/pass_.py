"""One pass: validate → decrypt → observe → check → plan → apply → verify → record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.checks import evaluate_strategy, permits
from reconciler.engine.choose import chosen_connections, named_connections
from reconciler.engine.files import read
from reconciler.engine.guards import guard_findings
from reconciler.engine.lock import held
from reconciler.engine.policy import policy_findings
from reconciler.engine.settings import Settings
from reconciler.engine.survey import Survey, survey
from reconciler.engine.verdict import exit_code, unknown_connections
from reconciler.model.desired import Desired, RuntimeSpec
from reconciler.model.errors import ExitCode, Mark, ReconcilerError, StateError, most_urgent
from reconciler.model.plan import InventoryItem, Outcome, Plan, RunningStrategy
from reconciler.model.report import Mode, Report
from reconciler.planning.file import PlanFile
from reconciler.planning.plan import ended, make_plan, require_targets

if TYPE_CHECKING:
    from reconciler.runtimes.interface import Runtime
    from reconciler.state.lease import Lease
    from reconciler.state.store import ReadState, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a pass knows before it acts."""

    desired: Desired
    survey: Survey
    runtimes: Mapping[str, Runtime]
    plan: Plan
    at: datetime
    ended: tuple[InventoryItem, ...]


async def check(settings: Settings, connections: Sequence[str] = ()) -> Report:
    """Read and judge the named connections, or all of them; strategies and state aside.

    Raise ``ConfigError`` for wrong files and ``UsageError`` for a name that is not in them.
    """
    started = settings.now()
    desired = read(settings.files)
    seen = await survey(desired, named_connections(desired, connections), settings)
    report = Report(
        version=__version__,
        mode=Mode.CHECK,
        started_at=started,
        files=desired.files,
        connections=seen.reports,
    )
    return replace(report, exit_code=exit_code(report, seen.secrets_errors))


async def dry_run(settings: Settings, *, detailed: bool = False) -> Report:
    """The plan that an apply would follow now, with its findings. Changes nothing anywhere.

    With ``detailed`` the exit code tells that changes exist.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    started = settings.now()
    desired = read(settings.files)
    seen = await _look(desired, open_for_reading(settings.state), settings)
    return _report(Mode.DRY_RUN, seen, started, detailed=detailed)


async def converge(settings: Settings, *, reviewed: PlanFile | None = None) -> Report:
    """Apply: make the running strategies equal the files, as far as every check allows.

    With ``reviewed`` nothing is done unless the plan of this very moment is the same. Raise
    ``StalePlan`` when it is not, ``LockHeld`` when another process applies.
    """
    from reconciler.state.store import open_for_writing  # noqa: PLC0415 - sqlalchemy is slow to import

    started = settings.now()
    desired = read(settings.files)
    with open_for_writing(settings.state) as store:
        async with held(store, settings) as lease:
            number = store.begin_pass(
                mode=Mode.APPLY.value, started_at=started, digest=reviewed.digest if reviewed else None
            )
            with _ended_by_errors(store, number, settings):
                recovered = await _recover(desired, store, lease, settings)
                seen = await _look(desired, store, settings)
                if reviewed:
                    reviewed.require_same(seen.plan)
                outcomes = await _apply(seen, store, lease, settings, number)
        report = _report(Mode.APPLY, seen, started, recovered=recovered, outcomes=outcomes, lost=lease.lost)
        return _recorded(report, store, number, settings)


async def _look(desired: Desired, state: ReadState, settings: Settings) -> _Seen:
    """Observe, check and plan; reads only."""
    runtimes, inventory = _open_runtimes(desired, state), state.inventory()
    require_targets(settings.targets, desired, inventory)
    connections = chosen_connections(desired, settings.targets, inventory)
    seen, running = await asyncio.gather(survey(desired, connections, settings), _read_all(runtimes))
    now = settings.now()
    plan = make_plan(
        desired,
        seen.reports,
        running,
        inventory,
        state.unknown_since(),
        now=now,
        permits=permits,
        judge=evaluate_strategy,
        targets=settings.targets,
    )
    over = ended(desired, running, inventory)
    return _Seen(desired=desired, survey=seen, runtimes=runtimes, plan=plan, at=now, ended=over)


def _open_runtimes(desired: Desired, state: ReadState) -> Mapping[str, Runtime]:
    """Every runtime of the files, and the embedded ones that only inventory or journal still remember."""
    from reconciler.runtimes.registry import open_runtime  # noqa: PLC0415 - sqlalchemy is slow to import

    specs = dict(desired.runtimes)
    claims = {(item.runtime, item.strategy) for item in state.inventory().values()}
    claims |= {(intent.action.runtime, intent.action.strategy) for intent in state.unfinished()}
    for runtime, strategy in sorted(claims):
        if runtime not in specs and strategy in state.ledger_rows(runtime):
            specs[runtime] = RuntimeSpec(id=runtime, type="ledger", mark=Mark(file=desired.files[0], line=1))
    return {name: open_runtime(spec, state=state) for name, spec in specs.items()}


async def _read_all(runtimes: Mapping[str, Runtime]) -> Mapping[str, Mapping[str, RunningStrategy] | None]:
    """What each runtime holds; ``None`` for one that cannot be read, which never means empty."""

    async def read(runtime: Runtime) -> Mapping[str, RunningStrategy] | None:
        try:
            return await runtime.read()
        except Exception:  # noqa: BLE001 - a runtime may raise anything; that it is unreadable is the answer
            return None

    results = await asyncio.gather(*(read(runtime) for runtime in runtimes.values()))
    return dict(zip(runtimes, results, strict=True))


async def _recover(desired: Desired, store: Store, lease: Lease, settings: Settings) -> tuple[Outcome, ...]:
    """What became of actions whose pass was killed, found out before anything new is planned."""
    from reconciler.engine.apply import recover  # noqa: PLC0415 - sqlalchemy is slow to import

    runtimes = _open_runtimes(desired, store)
    return await recover(runtimes=runtimes, store=store, lease=lease, clock=settings.now)


async def _apply(
    seen: _Seen, store: Store, lease: Lease, settings: Settings, number: int
) -> tuple[Outcome, ...]:
    from reconciler.engine.apply import apply  # noqa: PLC0415 - sqlalchemy is slow to import

    unknown = unknown_connections(seen.survey.reports)
    known = {report.connection.id for report in seen.survey.reports} - unknown
    store.record_evidence(known=known, unknown=unknown, at=settings.now(), token=lease.token)
    store.forget(seen.ended, token=lease.token)
    return await apply(
        seen.plan, runtimes=seen.runtimes, store=store, lease=lease, clock=settings.now, pass_id=number
    )


def _recorded(report: Report, store: Store, number: int, settings: Settings) -> Report:
    """``report``, kept as the end of this pass. What was done is told even where that cannot be kept."""
    try:
        store.finish_pass(
            number, finished_at=settings.now(), exit_code=report.exit_code, summary=_summary(report)
        )
    except StateError as error:
        if settings.notice:
            settings.notice(f"the end of this pass could not be recorded: {error}")
        return replace(report, exit_code=most_urgent((report.exit_code, ExitCode.FAILED)))
    return report


@contextmanager
def _ended_by_errors(store: Store, number: int, settings: Settings) -> Iterator[None]:
    """Record how a pass ended that ends early, such as by a stale plan: it was no crash."""
    try:
        yield
    except ReconcilerError as error:
        with suppress(StateError):  # what ended it may be that nothing can be recorded
            store.finish_pass(number, finished_at=settings.now(), exit_code=error.exit_code, summary={})
        raise


def _report(
    mode: Mode,
    seen: _Seen,
    started: datetime,
    *,
    recovered: tuple[Outcome, ...] = (),
    outcomes: tuple[Outcome, ...] = (),
    detailed: bool = False,
    lost: bool = False,
) -> Report:
    report = Report(
        version=__version__,
        mode=mode,
        started_at=started,
        files=seen.desired.files,
        connections=seen.survey.reports,
        strategies=tuple(sorted(seen.desired.strategies.values(), key=lambda strategy: strategy.id)),
        findings=(
            *policy_findings(seen.desired, seen.plan.targets),
            *guard_findings(seen.desired, seen.plan, seen.at),
        ),
        plan=seen.plan,
        outcomes=outcomes,
    )
    code = exit_code(report, seen.survey.secrets_errors, detailed=detailed, lost=lost, recovered=recovered)
    return replace(report, outcomes=(*recovered, *outcomes), exit_code=code)


def _summary(report: Report) -> dict[str, int]:
    """What ``history`` will show of a pass: counts alone."""
    counts = report.plan.counts() if report.plan else {}
    return {kind.value: count for kind, count in counts.items() if count}
