"""Stopping what a lockdown covers: every runtime by itself, so that none that fails or hangs delays another.

It acts through :mod:`reconciler.engine.apply` alone: an intent before, a look and an outcome after. Only
where the state takes no record any more it acts without one: a stop that is done twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.engine.apply import apply
from reconciler.engine.emergency_known import Claim, Known
from reconciler.engine.emergency_record import Unfailing, Unhindered
from reconciler.engine.runtimes import (
    ABILITIES,
    Claims,
    Unlocked,
    claims_of,
    close_all,
    open_one,
    opening_of,
    stops_at_once,
)
from reconciler.engine.settings import Settings
from reconciler.model.desired import RuntimeSpec
from reconciler.model.emergency import Running
from reconciler.model.errors import Mark, ReconcilerError, StateError
from reconciler.model.event import Origin
from reconciler.model.plan import Action, ActionKind, Outcome, Plan, RunningStrategy
from reconciler.planning.decide import is_off
from reconciler.planning.disabling import with_how
from reconciler.planning.lockdown import CHECK
from reconciler.runtimes.bounded import LIMITS, Bounded, Closed, Limits
from reconciler.runtimes.interface import Opening, Runtime

if TYPE_CHECKING:
    from reconciler.state.lease import Lease
    from reconciler.state.store import Store
    from reconciler.state.view import ReadState

Covers = Callable[[str | None], bool]
"""Whether a connection is covered; ``None`` for one that nobody can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """What became of one round; ``unreadable`` are runtimes in which nobody could look."""

    outcomes: tuple[Outcome, ...] = ()
    foreign: tuple[Running, ...] = ()
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be stopped, why, and by whom.

    ``unlocked`` are the credentials of runtimes, and ``limits`` bound the calls to these.
    """

    covers: Covers
    reason: str
    origin: Origin
    settings: Settings
    unlocked: Unlocked = field(default_factory=dict)
    limits: Limits = LIMITS


async def halt(
    known: Known, order: Order, *, state: ReadState, store: Store | None, lease: Lease | None
) -> Halt:
    """Stop whatever runs, or may, on a covered key, in all runtimes at once. Raises for none of them.

    Without ``store`` and ``lease`` nothing is recorded, and the embedded runtimes cannot be stopped.
    """
    runtimes = _opened(known, state, order, writable=store is not None)
    names = sorted({*runtimes, *(claim.runtime for claim in known.claims)})
    journal, right = Unfailing(store), Unhindered(lease, known.token)
    claims_of = {name: {one.strategy: one for one in known.claims if one.runtime == name} for name in names}

    async def one(name: str) -> Halt:
        runtime = runtimes.get(name)
        claims = claims_of[name]
        held = await _held(runtime) if runtime else None
        actions = tuple(_action(claim, known, order) for claim in _to_stop(claims, held, order.covers))
        done = await apply(
            Plan(actions=actions, digest=""),
            runtimes={name: runtime} if runtime else {},
            store=journal,
            lease=right,
            clock=order.settings.now,
            origin=order.origin,
            stops_at_once=stops_at_once(known.desired.runtimes),
        )
        foreign = tuple(_foreign(name, held or {}, claims, order.covers))
        return Halt(outcomes=done, foreign=foreign, unreadable=(name,) if held is None and runtime else ())

    try:
        rounds = await asyncio.gather(*map(one, names))
    finally:
        await close_all(runtimes)
    return Halt(
        outcomes=tuple(outcome for found in rounds for outcome in found.outcomes),
        foreign=tuple(running for found in rounds for running in found.foreign),
        unreadable=tuple(name for found in rounds for name in found.unreadable),
    )


def _to_stop(
    claims: Mapping[str, Claim], held: Mapping[str, RunningStrategy] | None, covers: Covers
) -> Iterable[Claim]:
    """What runs on a covered key. Where nobody can look: what may, too. What was just begun: in any case."""
    for claim in claims.values():
        running = held.get(claim.strategy) if held is not None else None
        may = claim.surely or claim.likely if held is None else not is_off(running)
        names = claim.connections(running.connection if running else None)
        if (may or claim.begun) and any(map(covers, names or (None,))):
            yield claim


def _foreign(
    runtime: str, held: Mapping[str, RunningStrategy], claims: Mapping[str, Claim], covers: Covers
) -> Iterable[Running]:
    for one in held.values():
        if one.id not in claims and not is_off(one) and covers(one.connection):
            yield Running(strategy=one.id, runtime=runtime, connection=one.connection)


def _action(claim: Claim, known: Known, order: Order) -> Action:
    action = Action(
        kind=ActionKind.DISABLE,
        strategy=claim.strategy,
        runtime=claim.runtime,
        connection=claim.enabled_on or claim.wanted_on or next(iter(claim.begun_on), None),
        reason=order.reason,
        checks=(CHECK,),
    )
    return with_how(action, known.desired, ABILITIES)


async def _held(runtime: Runtime) -> Mapping[str, RunningStrategy] | None:
    try:
        return await runtime.read()
    except Exception:  # noqa: BLE001 - a runtime may raise anything; that it is unreadable is the answer
        return None


def _opened(known: Known, state: ReadState, order: Order, *, writable: bool) -> Mapping[str, Runtime]:
    """Every runtime of the files, and the embedded ones that the state alone still knows."""
    specs = dict(known.desired.runtimes)
    for claim in known.claims:
        if claim.runtime not in specs and _embedded(state, claim):
            mark = Mark(file="state", line=1)
            specs[claim.runtime] = RuntimeSpec(id=claim.runtime, type="ledger", mark=mark)
    claims: Claims = {}
    with contextlib.suppress(StateError):
        claims = claims_of(state)
    openings = {
        name: opening_of(spec, known.desired, state, claims, order.settings) for name, spec in specs.items()
    }
    return {name: _open(opening, order, writable=writable) for name, opening in openings.items()}


def _embedded(state: ReadState, claim: Claim) -> bool:
    with contextlib.suppress(StateError):
        return claim.strategy in state.ledger_rows(claim.runtime)
    return False


def _open(opening: Opening, order: Order, *, writable: bool) -> Runtime:
    spec = opening.spec
    try:
        runtime = Bounded(open_one(opening, order.unlocked), order.limits)
    except ReconcilerError as error:
        return Closed(error)
    if spec.type == "ledger" and not writable:
        why = f"the runtime {spec.id} is part of the state, which cannot be written"
        return Closed(ReconcilerError(why), runtime)
    return runtime
