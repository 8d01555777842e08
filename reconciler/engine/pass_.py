"""One pass: validate → decrypt → observe → check → plan → apply → verify → record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.engine.choose import named_connections
from reconciler.engine.files import read
from reconciler.engine.lock import held
from reconciler.engine.look import Seen, look
from reconciler.engine.record import (
    Findings,
    configuration_events,
    ended_events,
    record_decisions,
    record_evidence,
    who,
)
from reconciler.engine.runtimes import opened, secrets_errors, stops_at_once, unlock
from reconciler.engine.settings import Settings
from reconciler.engine.survey import Surveyor, survey
from reconciler.engine.verdict import exit_code
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, LockHeld, ReconcilerError, SecretsError, StateError, most_urgent
from reconciler.model.event import Origin
from reconciler.model.plan import Outcome
from reconciler.model.report import Mode, Report
from reconciler.planning.file import PlanFile
from reconciler.secrets.ring import Ring

if TYPE_CHECKING:
    from reconciler.runtimes.interface import Runtime
    from reconciler.state.lease import Lease
    from reconciler.state.store import Store


async def check(settings: Settings, connections: Sequence[str] = ()) -> Report:
    """Read and judge the named connections, or all of them; strategies and state aside.

    Raise ``ConfigError`` for wrong files and ``UsageError`` for a name that is not in them.
    """
    started = settings.now()
    desired = read(settings.files, settings.top)
    seen = await survey(desired, named_connections(desired, connections), settings, lists=False)
    report = Report(
        version=__version__,
        mode=Mode.CHECK,
        started_at=started,
        files=desired.files,
        connections=seen.reports,
        repository=settings.repository,
    )
    return replace(report, exit_code=exit_code(report, seen.secrets_errors))


async def dry_run(
    settings: Settings,
    *,
    detailed: bool = False,
    desired: Desired | None = None,
    surveyor: Surveyor = survey,
    ring: Ring | None = None,
) -> Report:
    """The plan that an apply would follow now, with its findings. Changes nothing anywhere.

    With ``detailed`` the exit code tells that changes exist. ``desired``, ``surveyor`` and ``ring`` are
    those of :func:`converge`.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    started = settings.now()
    desired = read(settings.files, settings.top) if desired is None else desired
    state, unlocked = open_for_reading(settings.state), await unlock(desired, settings, ring)
    async with opened(desired, state, unlocked, settings) as runtimes:
        seen = await look(desired, state, runtimes, settings, surveyor=surveyor)
    return _report(Mode.DRY_RUN, seen, settings, started, detailed=detailed, locked=secrets_errors(unlocked))


def _never() -> bool:
    return False


async def converge(
    settings: Settings,
    *,
    reviewed: PlanFile | None = None,
    desired: Desired | None = None,
    surveyor: Surveyor = survey,
    ring: Ring | None = None,
    stop: Callable[[], bool] = _never,
) -> Report:
    """Apply: make the running strategies equal the files, as far as every check allows.

    With ``reviewed`` nothing is done unless the plan of this very moment is the same. ``desired`` is
    what the files want, for who has read them already; ``surveyor`` says how connections are looked at;
    ``ring`` remembers the credentials of runtimes; ``stop`` is asked between actions. Raise ``StalePlan``
    when the reviewed plan is not that of now, ``LockHeld`` when another process applies.
    """
    from reconciler.state.store import open_for_writing  # noqa: PLC0415 - sqlalchemy is slow to import

    started = settings.now()
    desired = read(settings.files, settings.top) if desired is None else desired
    commit = await asyncio.to_thread(settings.committed, desired)
    unlocked = await unlock(desired, settings, ring)
    with open_for_writing(settings.state) as store:
        async with held(store, settings) as lease:
            origin = _begun(store, started, commit, reviewed)
            with _ended_by_errors(store, origin, settings):
                async with opened(desired, store, unlocked, settings) as runtimes:
                    recovered = await _recover(runtimes, store, lease, settings, origin)
                async with opened(desired, store, unlocked, settings) as runtimes:  # by what was found out
                    seen = await look(desired, store, runtimes, settings, surveyor=surveyor)
                    if reviewed:
                        reviewed.require_same(seen.plan)
                    outcomes = await _apply(seen, store, lease, settings, origin=origin, stop=stop)
            report = _report(
                Mode.APPLY,
                seen,
                settings,
                started,
                recovered=recovered,
                outcomes=outcomes,
                lost=lease.lost,
                locked=secrets_errors(unlocked),
            )
            return _recorded(report, seen, store, settings, token=lease.token, origin=origin)


def _begun(store: Store, started: datetime, commit: str | None, reviewed: PlanFile | None) -> Origin:
    """Record that a pass began, and whether the files are those of another commit than before."""
    by = who()
    before = next((one.commit for one in store.passes(limit=20) if one.commit is not None), None)
    digest = reviewed.digest if reviewed else None
    number = store.begin_pass(mode=Mode.APPLY.value, started_at=started, digest=digest, by=by, commit=commit)
    origin = Origin(by=by, commit=commit, pass_id=number)
    store.record_events(configuration_events(before, at=started, origin=origin))
    return origin


async def _recover(
    runtimes: Mapping[str, Runtime], store: Store, lease: Lease, settings: Settings, origin: Origin
) -> tuple[Outcome, ...]:
    """What became of actions whose pass was killed, found out before anything new is planned."""
    from reconciler.engine.apply import recover  # noqa: PLC0415 - sqlalchemy is slow to import

    return await recover(runtimes=runtimes, store=store, lease=lease, clock=settings.now, origin=origin)


async def _apply(
    seen: Seen,
    store: Store,
    lease: Lease,
    settings: Settings,
    *,
    origin: Origin,
    stop: Callable[[], bool],
) -> tuple[Outcome, ...]:
    from reconciler.engine.apply import apply  # noqa: PLC0415 - sqlalchemy is slow to import

    kept = {*seen.desired.connections, *(item.connection or "" for item in store.inventory().values())}
    record_evidence(store, seen.survey.reports, token=lease.token, keep=kept, origin=origin)
    store.forget(
        seen.ended, token=lease.token, events=ended_events(seen.ended, at=settings.now(), origin=origin)
    )
    return await apply(
        seen.plan,
        runtimes=seen.runtimes,
        store=store,
        lease=lease,
        clock=settings.now,
        origin=origin,
        lockdowns=frozenset(one.id for one in seen.guards.lockdowns),
        stops_at_once=stops_at_once(seen.desired.runtimes),
        stop=stop,
    )


def _recorded(
    report: Report, seen: Seen, store: Store, settings: Settings, *, token: int, origin: Origin
) -> Report:
    """``report``, kept as the end of this pass. What was done is told even where that cannot be kept."""
    findings = Findings(
        desired=seen.desired,
        reports=seen.survey.reports,
        findings=seen.findings,
        plan=seen.plan,
        permits=seen.permits,
        unreadable=seen.unreadable,
    )
    try:
        with suppress(LockHeld):  # whoever took the lease decides now
            record_decisions(store, findings, token=token, at=settings.now(), origin=origin)
        _finish(store, origin, settings, report.exit_code, _summary(report))
    except StateError as error:
        if settings.notice:
            settings.notice(f"the end of this pass could not be recorded: {error}")
        return replace(report, exit_code=most_urgent((report.exit_code, ExitCode.FAILED)))
    return report


@contextmanager
def _ended_by_errors(store: Store, origin: Origin, settings: Settings) -> Iterator[None]:
    """Record how a pass ended that ends early, such as by a stale plan: it was no crash."""
    try:
        yield
    except ReconcilerError as error:
        with suppress(StateError):  # what ended it may be that nothing can be recorded
            _finish(store, origin, settings, error.exit_code, {})
        raise


def _finish(
    store: Store, origin: Origin, settings: Settings, code: ExitCode, summary: Mapping[str, int]
) -> None:
    assert origin.pass_id is not None  # noqa: S101 - a pass that began has a number
    store.finish_pass(origin.pass_id, finished_at=settings.now(), exit_code=code, summary=summary)


def _report(
    mode: Mode,
    seen: Seen,
    settings: Settings,
    started: datetime,
    *,
    recovered: tuple[Outcome, ...] = (),
    outcomes: tuple[Outcome, ...] = (),
    detailed: bool = False,
    lost: bool = False,
    locked: tuple[SecretsError, ...] = (),
) -> Report:
    report = Report(
        version=__version__,
        mode=mode,
        started_at=started,
        files=seen.desired.files,
        connections=seen.survey.reports,
        strategies=tuple(sorted(seen.desired.strategies.values(), key=lambda strategy: strategy.id)),
        findings=seen.findings,
        plan=seen.plan,
        outcomes=outcomes,
        repository=settings.repository,
    )
    code = exit_code(
        report,
        (*seen.survey.secrets_errors, *locked),
        detailed=detailed,
        lost=lost,
        recovered=recovered,
        resting=seen.resting,
    )
    return replace(report, outcomes=(*recovered, *outcomes), exit_code=code)


def _summary(report: Report) -> dict[str, int]:
    """What ``history`` will show of a pass: counts alone."""
    counts = report.plan.counts() if report.plan else {}
    return {kind.value: count for kind, count in counts.items() if count}
