"""``reconcile lockdown``: declared first, then enforced, then told with what is left to do by hand."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler import __version__
from reconciler.engine.emergency_known import Claim, Known, Sound, know, read_files
from reconciler.engine.lock import held
from reconciler.engine.record import who
from reconciler.engine.settings import Settings
from reconciler.model.emergency import Emergency, KeyAtRisk, Wanted
from reconciler.model.errors import LockHeld, SopsHung, StateError, UsageError
from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Subject
from reconciler.model.memory import Lockdown, Scope
from reconciler.model.plan import Outcome, OutcomeState
from reconciler.planning.lockdown import covering
from reconciler.runtimes.bounded import LIMITS, Limits

if TYPE_CHECKING:
    from reconciler.engine.emergency_stop import Halt
    from reconciler.engine.runtimes import Unlocked
    from reconciler.state.lease import Lease
    from reconciler.state.store import Store
    from reconciler.state.view import ReadState

#: Seconds until the lock is taken by force: enough for an apply to end what it is just doing.
PATIENCE: Final = 3.0
#: How often the rest is tried again when another emergency stop took the lock meanwhile.
_ROUNDS: Final = 4

_BLANK: Final = (
    "nothing was ever applied with this state, so it does not know what runs: if --state is not the one that "
    "your applies use, name that one and run this again"
)


def preview(settings: Settings, wanted: Wanted) -> tuple[Claim, ...]:
    """The strategies that may be running and that it would stop. Changes nothing.

    Raise ``UsageError`` for a connection or an exchange that files and state, both sound, do not know.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    known = know(read_files(settings), open_for_reading(settings.state))
    _require_known(wanted, known)
    covers = covers_of(_imagined(wanted, settings), known)
    return tuple(
        claim
        for claim in known.claims
        if (claim.surely or claim.likely) and any(map(covers, claim.connections() or (None,)))
    )


def declare(settings: Settings, wanted: Wanted, opened: ExitStack) -> Declared:
    """Have it in force, as far as the state can be written: from now on nothing that it covers is started."""
    from reconciler.state.store import open_for_writing  # noqa: PLC0415 - sqlalchemy is slow to import

    if wanted.scope is not Scope.ALL:
        preview(settings, wanted)  # a misspelt name would be a stop that stops nothing
    try:
        store = opened.enter_context(open_for_writing(settings.state))
    except StateError as error:
        return Declared(settings, wanted, trouble=_not_recorded(error))
    now, by = settings.now(), who()
    before = {one.id for one in _in_force(store)}
    try:
        lockdown = store.declare(
            scope=wanted.scope,
            scope_id=wanted.scope_id,
            reason=wanted.reason,
            by=by,
            at=now,
            event=event_of(
                EventKind.LOCKDOWN, wanted, f"lockdown of {wanted}: {wanted.reason}", settings, by
            ),
        )
    except StateError as error:
        return Declared(settings, wanted, store=store, trouble=_not_recorded(error))
    if settings.notice:
        settings.notice(f"{lockdown} is in force: nothing that it covers is started from now on")
    return Declared(settings, wanted, store=store, lockdown=lockdown, known_before=lockdown.id in before)


class Declared:
    """A lockdown after it was declared, or could not be; :meth:`enforce` stops what it covers."""

    def __init__(
        self,
        settings: Settings,
        wanted: Wanted,
        *,
        store: Store | None = None,
        lockdown: Lockdown | None = None,
        known_before: bool = False,
        trouble: str = "",
    ) -> None:
        self._settings = settings
        self._wanted = wanted
        self._store = store
        self._lockdown = lockdown
        self._before = known_before
        self._troubles = [trouble] if trouble else []

    def __str__(self) -> str:
        return f"{self._lockdown} is in force" if self._lockdown else "the lockdown is not recorded"

    async def enforce(self, *, limits: Limits = LIMITS) -> Emergency:
        """Stop everything that it covers, and tell how that went."""
        from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

        state = self._store or open_for_reading(self._settings.state)
        files = read_files(self._settings)
        unlocked = await self._unlocked(files, limits)
        found, known = await self._rounds(files, state, unlocked, limits)
        doubts = (*((_BLANK,) if known.blank else ()), *_doubts(self._wanted, known))
        return Emergency(
            version=__version__,
            wanted=self._wanted,
            at=self._settings.now(),
            lockdown=self._lockdown,
            declared_before=self._before,
            troubles=tuple(dict.fromkeys((*self._troubles, *doubts, *known.troubles))),
            outcomes=found.outcomes,
            foreign=found.foreign,
            unreadable=found.unreadable,
            blank=known.blank or not known.remembers,
            keys=_keys(self._wanted, known, self._covers(known)),
        )

    async def _unlocked(self, files: Sound, limits: Limits) -> Unlocked:
        """The credentials of runtimes. A sops that hangs delays nobody for long."""
        from reconciler.engine.runtimes import runtime_owners, unlock  # noqa: PLC0415 - sqlalchemy is slow

        try:
            async with asyncio.timeout(limits.call):
                return await unlock(files.desired, self._settings)
        except TimeoutError:
            late = SopsHung("sops did not end in time", hint="stop what it runs by hand")
            return {owner.id: late for owner in runtime_owners(files.desired)}

    async def _rounds(
        self, files: Sound, state: ReadState, unlocked: Unlocked, limits: Limits
    ) -> tuple[Halt, Known]:
        """Stop, and go on where the lock was lost on the way: another emergency may have taken it."""
        from reconciler.engine.emergency_stop import Order, halt  # noqa: PLC0415 - sqlalchemy is slow to import

        done: Halt | None = None
        for _ in range(_ROUNDS):
            async with self._right() as lease:
                known = know(files, state)  # under the lease: an apply may have started more until then
                order = Order(
                    covers=self._covers(known),
                    reason=self._reason(),
                    origin=Origin(by=who()),
                    settings=self._settings,
                    unlocked=unlocked,
                    limits=limits,
                )
                now = await halt(known, order, state=state, store=self._store, lease=lease)
            done = now if done is None else _continued(done, now)
            if lease is None or not lease.lost:
                break
        assert done is not None  # noqa: S101 - there is a first round
        return done, known

    @asynccontextmanager
    async def _right(self) -> AsyncIterator[Lease | None]:
        """The lease, by force after a moment; ``None`` where the state gives none to anybody."""
        async with AsyncExitStack() as stack:
            lease = None
            if self._store is not None and self._lockdown is not None:
                settings = replace(self._settings, lock_timeout=PATIENCE)
                try:
                    lease = await stack.enter_async_context(held(self._store, settings, by_force=True))
                except (StateError, LockHeld) as error:
                    self._troubles.append(f"the lock could not be taken: {error}")
            yield lease

    def _covers(self, known: Known) -> Callable[[str | None], bool]:
        return covers_of(self._lockdown or _imagined(self._wanted, self._settings), known)

    def _reason(self) -> str:
        what = str(self._lockdown) if self._lockdown else f"a lockdown of {self._wanted} that is not recorded"
        return f"{what}: {self._wanted.reason}"


def _in_force(store: Store) -> tuple[Lockdown, ...]:
    try:
        return store.lockdowns()
    except StateError:
        return ()


def covers_of(lockdowns: Lockdown | Iterable[Lockdown], known: Known) -> Callable[[str | None], bool]:
    """Whether any of ``lockdowns`` is about a connection, as a function of its id."""
    these = (lockdowns,) if isinstance(lockdowns, Lockdown) else tuple(lockdowns)
    return lambda connection: covering(these, connection, known.exchange_of) is not None


def _imagined(wanted: Wanted, settings: Settings) -> Lockdown:
    """The lockdown as it would be."""
    return Lockdown(
        id=0, scope=wanted.scope, scope_id=wanted.scope_id, since=settings.now(), by="", reason=wanted.reason
    )


def _keys(wanted: Wanted, known: Known, covers: Callable[[str | None], bool]) -> tuple[KeyAtRisk, ...]:
    """Every covered key, the most dangerous first."""
    names = {name for name in known.connections() if covers(name)}
    names |= {wanted.scope_id} if wanted.scope is Scope.CONNECTION else set()
    return tuple(sorted(map(known.key, names), key=lambda key: key.urgency))


def _continued(before: Halt, now: Halt) -> Halt:
    """Both rounds as one: what no longer runs was stopped by whoever had the lock meanwhile."""
    again = {(one.action.strategy, one.action.runtime): one for one in now.outcomes}
    kept: dict[tuple[str, str], Outcome] = {}
    for one in before.outcomes:
        gone = one.state is not OutcomeState.DONE and one.action.runtime not in now.unreadable
        detail = "another process stopped it meanwhile"
        place = (one.action.strategy, one.action.runtime)
        kept[place] = replace(one, state=OutcomeState.DONE, detail=detail) if gone else one
    return replace(now, outcomes=tuple((kept | again).values()))


def _require_known(wanted: Wanted, known: Known) -> None:
    """Return unless the name surely names nothing."""
    names = _names(wanted, known)
    if wanted.scope_id in names or not (known.whole and known.remembers):
        return
    near = difflib.get_close_matches(wanted.scope_id, names, n=3, cutoff=0.5)
    meant = f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(names) or 'none'}"
    what = "connection has the id" if wanted.scope is Scope.CONNECTION else "connection is of the exchange"
    raise UsageError(
        f"nothing was stopped: no {what} {wanted.scope_id!r}", hint=f"{meant}; --all stops everything"
    )


def _doubts(wanted: Wanted, known: Known) -> Iterator[str]:
    if wanted.scope_id not in _names(wanted, known):
        yield f"nothing that can be read knows the {wanted}: make sure that it is spelt so"


def _names(wanted: Wanted, known: Known) -> tuple[str, ...]:
    """What could be meant by its name."""
    connections = known.connections()
    if wanted.scope is Scope.CONNECTION:
        return connections
    exchanges = {exchange for name in connections if (exchange := known.exchange_of(name))}
    return tuple(sorted(exchanges)) if wanted.scope is Scope.EXCHANGE else ("",)


def event_of(kind: EventKind, wanted: Wanted, summary: str, settings: Settings, by: str) -> Event:
    """What the audit log tells of a lockdown that begins or ends."""
    of_connection = wanted.scope is Scope.CONNECTION
    return Event(
        kind=kind,
        severity=EventSeverity.CRITICAL if kind is EventKind.LOCKDOWN else EventSeverity.WARNING,
        subject=Subject.CONNECTION if of_connection else Subject.POLICY,
        subject_id=wanted.scope_id if of_connection else str(wanted),
        summary=" ".join(summary.split()),
        at=settings.now(),
        origin=Origin(by=by),
    )


def _not_recorded(error: StateError) -> str:
    return (
        f"the lockdown could not be recorded, so nothing keeps an apply from starting things again: {error}"
    )
