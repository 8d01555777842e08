"""The runtimes of one pass: their credentials, opening them, and reading all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.engine.settings import Settings
from reconciler.model.desired import Desired, RuntimeSpec
from reconciler.model.errors import Mark, RuntimeFailed, SecretsError
from reconciler.model.plan import InventoryItem, RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.model.secret import Secret
from reconciler.planning.disabling import Abilities, Can
from reconciler.runtimes.bounded import Closed
from reconciler.runtimes.interface import READ_SECONDS, Opening, Runtime
from reconciler.runtimes.registry import TYPES, open_runtime
from reconciler.secrets.owned import inspect_owners
from reconciler.secrets.owner import Owner, of_runtime
from reconciler.secrets.ring import Ring
from reconciler.secrets.sops import find_sops

if TYPE_CHECKING:
    from reconciler.state.view import ReadState

Unlocked: TypeAlias = Mapping[str, Mapping[str, Secret] | SecretsError]
"""The credentials of each runtime that has some, by its id, or why they could not be had."""

Claims: TypeAlias = Mapping[str, Mapping[str, InventoryItem]]
"""What this tool enabled, or began to, by runtime and strategy."""


ABILITIES: Final[Abilities] = {
    name: Can(disables=one.disables, tells_positions=one.tells_positions) for name, one in TYPES.items()
}
"""What each type of runtime can do."""


def stops_at_once(specs: Mapping[str, RuntimeSpec]) -> Mapping[str, int]:
    """How many stops may be under way in each runtime, by its id."""
    return {name: TYPES[spec.type].stops_at_once for name, spec in specs.items() if spec.type in TYPES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What every runtime holds, by its id; ``None`` for one that could not be read, never meaning empty.

    ``failures`` say why, where the runtime's driver knows.
    """

    held: Mapping[str, Mapping[str, RunningStrategy] | None]
    failures: Mapping[str, RuntimeFailed] = field(default_factory=dict)


def runtime_owners(desired: Desired) -> tuple[Owner, ...]:
    """Each runtime that has a secret file, as what its file must belong to."""
    return tuple(
        of_runtime(spec, spec.credentials, TYPES[spec.type].credentials)
        for spec in desired.runtimes.values()
        if spec.credentials is not None
    )


async def unlock(desired: Desired, settings: Settings, ring: Ring | None = None) -> Unlocked:
    """Decrypt the credentials of every runtime. One's trouble never hides another's.

    With ``ring`` only those whose files changed since it saw them.
    """
    ring, owners = ring or Ring(settings.redactor.add), runtime_owners(desired)
    ring.keep_only({owner.id for owner in owners})
    held = ring.recall(owners, policy=desired.policy)
    missing = [owner for owner in owners if owner.id not in held]
    return {**held, **(await _opened_anew(missing, desired, settings, ring))}


async def _opened_anew(owners: Sequence[Owner], desired: Desired, settings: Settings, ring: Ring) -> Unlocked:
    if not owners:
        return {}
    try:
        sops = find_sops(settings.sops, settings.environ)
    except SecretsError as error:
        inspected = inspect_owners(owners, policy=desired.policy)
        return {name: next(iter(objections), error) for name, objections in inspected.items()}
    cancel = Event()
    try:
        return await asyncio.to_thread(ring.open, owners, sops=sops, policy=desired.policy, cancel=cancel)
    finally:
        cancel.set()  # else a run that ends early would wait for every sops to end by itself


def secrets_errors(unlocked: Unlocked) -> tuple[SecretsError, ...]:
    """Why the credentials of some runtimes could not be had."""
    return tuple(one for one in unlocked.values() if isinstance(one, SecretsError))


@asynccontextmanager
async def opened(
    desired: Desired, state: ReadState, unlocked: Unlocked, settings: Settings
) -> AsyncIterator[Mapping[str, Runtime]]:
    """Every runtime of the files, and the embedded ones of which only the state still knows, then closed."""
    specs = dict(desired.runtimes)
    for name in state.ledgers():
        if name not in specs:
            specs[name] = RuntimeSpec(id=name, type="ledger", mark=Mark(file=desired.files[0], line=1))
    claims = claims_of(state)
    runtimes = {
        name: open_one(opening_of(spec, desired, state, claims, settings), unlocked)
        for name, spec in specs.items()
    }
    try:
        yield runtimes
    finally:
        await close_all(runtimes)


def opening_of(
    spec: RuntimeSpec, desired: Desired, state: ReadState, claims: Claims, settings: Settings
) -> Opening:
    """What the runtime of ``spec`` is opened with, but for its credentials."""
    return Opening(
        spec=spec,
        state=state,
        wanted={one.id: one for one in desired.strategies.values() if one.runtime == spec.id},
        enabled=claims.get(spec.id, {}),
        timeout=settings.timeout,
        sleep=settings.sleep,
        allow_commands=settings.allow_commands,
        kubeconfig=settings.kubeconfigs.get(spec.id, settings.kubeconfigs.get("")),
        environ=settings.environ,
        learn=settings.redactor.add,
    )


def open_one(opening: Opening, unlocked: Unlocked) -> Runtime:
    """The runtime, or a stand-in that cannot be asked where its credentials could not be had.

    Raise :class:`ConfigError` for a type that this release does not know.
    """
    credentials = unlocked.get(opening.spec.id, {})
    if isinstance(credentials, SecretsError):
        return Closed(_locked(opening.spec.id, credentials))
    return open_runtime(replace(opening, credentials=credentials))


def _locked(runtime: str, error: SecretsError) -> RuntimeFailed:
    return RuntimeFailed(
        f"{runtime} was not asked: {error}",
        kind=RuntimeFailureKind.LOCKED,
        untouched=True,
        hint=error.hint,
    )


async def close_all(runtimes: Mapping[str, Runtime]) -> None:
    """Let go of every one, whatever becomes of the others."""
    await asyncio.gather(*(runtime.close() for runtime in runtimes.values()), return_exceptions=True)


async def read_all(runtimes: Mapping[str, Runtime]) -> Holdings:
    """What each runtime holds, all asked at once, each for a limited time."""
    failures: dict[str, RuntimeFailed] = {}

    async def read(name: str, runtime: Runtime) -> Mapping[str, RunningStrategy] | None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await runtime.read()
        except RuntimeFailed as failed:
            failures[name] = failed
            return None
        except Exception:  # noqa: BLE001 - a runtime may raise anything; that it is unreadable is the answer
            return None

    results = await asyncio.gather(*(read(name, runtime) for name, runtime in runtimes.items()))
    return Holdings(held=dict(zip(runtimes, results, strict=True)), failures=failures)


def claims_of(state: ReadState) -> Claims:
    """What this tool enabled, or began to, by runtime and strategy."""
    found: dict[str, dict[str, InventoryItem]] = {}
    for intent in state.unfinished():
        action = intent.action
        found.setdefault(action.runtime, {})[action.strategy] = InventoryItem(
            strategy=action.strategy,
            runtime=action.runtime,
            connection=action.connection,
            enabled_at=intent.intended_at,
            parameters=action.after or {},
        )
    for item in state.inventory().values():  # what is known to have been enabled outranks what was begun
        found.setdefault(item.runtime, {})[item.strategy] = item
    return found
