"""Decrypt, observe and judge: from desired connections to one report for each."""

from __future__ import annotations

import asyncio
import secrets as entropy
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.checks import Case, evaluate, status
from reconciler.engine.settings import Settings
from reconciler.engine.validate import needed_fields
from reconciler.exchanges import registry
from reconciler.model.desired import Connection, Desired, Strategy
from reconciler.model.errors import SecretsError
from reconciler.model.live import Observation
from reconciler.model.report import ConnectionReport
from reconciler.model.secret import Credentials, fingerprint
from reconciler.secrets.credentials import inspect_all
from reconciler.secrets.keyring import Keyring, Opened
from reconciler.secrets.sops import find_sops

if TYPE_CHECKING:
    from reconciler.live.observe import ObserveOptions, Target


#: Seconds after which a single look no longer waits for a list of markets. A loop never does: the next
#: pass has it.
PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One look at every connection, and why the credentials of some could not be had.

    ``resting`` were to be looked at and have no new reading: it is not their turn, or they are slow.
    """

    reports: tuple[ConnectionReport, ...]
    secrets_errors: tuple[SecretsError, ...]
    resting: tuple[str, ...] = ()


Surveyor: TypeAlias = Callable[[Desired, Sequence[Connection], Settings], Awaitable[Survey]]
"""How a pass looks at connections: :func:`survey`, which reads each now, or what a loop keeps reading."""


async def survey(
    desired: Desired,
    connections: Sequence[Connection],
    settings: Settings,
    keyring: Keyring | None = None,
    *,
    lists: bool = True,
) -> Survey:
    """Read every one of ``connections`` live and judge it. One's trouble never hides another's.

    With ``lists`` the exchanges' lists of markets are read beside the keys. All of the files' credentials
    are opened even where few connections are looked at: a key that two share is found only by comparing
    all. With ``keyring`` only those whose files changed since it saw them.
    """
    everybody = tuple(desired.connections.values())
    keyring = keyring or Keyring(needed_fields, learn=settings.redactor.add)
    opened = await _open(desired, everybody if connections else (), settings, keyring)
    observations = await _observe(desired, connections, opened, settings, lists=lists)
    return judged(desired, connections, observations, opened, now=settings.now)


def judged(
    desired: Desired,
    connections: Sequence[Connection],
    observations: Mapping[str, Observation],
    opened: Opened,
    *,
    now: Callable[[], datetime],
) -> Survey:
    """What ``observations`` mean; every one of ``connections`` without any is told as resting.

    ``opened`` has the credentials of all connections in the files, as far as they are known: a key that
    two share is found only by comparing all.
    """
    peers = _peers(desired.connections.values(), opened)
    closed = tuple(name for name in desired.connections if not isinstance(opened.get(name), Credentials))
    seen = [connection for connection in connections if connection.id in observations]
    cases = (
        Case(
            desired=desired,
            connection=connection,
            observation=observations[connection.id],
            strategies=desired.strategies_of(connection.id),
            peers=peers.get(connection.id, ()),
            closed=closed,
            secrets_error=_error(opened[connection.id]),
            attestable=registry.get(connection.exchange).attestable,
            now=now(),
        )
        for connection in seen
    )
    reports = tuple(map(_judge, cases))
    errors = tuple(error for connection in seen if (error := _error(opened[connection.id])))
    resting = tuple(connection.id for connection in connections if connection.id not in observations)
    return Survey(reports=reports, secrets_errors=errors, resting=resting)


async def _open(
    desired: Desired, connections: Sequence[Connection], settings: Settings, keyring: Keyring
) -> Opened:
    """Decrypt what ``keyring`` does not hold, beside the slow import of ccxt."""
    held = keyring.recall(connections, policy=desired.policy)
    closed = [one for one in connections if one.id not in held]
    if not closed:
        return held
    try:
        sops = find_sops(settings.sops, settings.environ)
    except SecretsError as error:  # nothing can start, but what is to stop waits for no key
        return {**held, **without_sops(closed, desired, error)}
    cancel = Event()
    decrypting = asyncio.to_thread(keyring.open, closed, sops=sops, policy=desired.policy, cancel=cancel)
    try:
        opened, _ = await asyncio.gather(decrypting, asyncio.to_thread(_import_live))
    finally:
        cancel.set()  # else a run that ends early would wait for every sops to end by itself
    return {**held, **opened}


def without_sops(connections: Sequence[Connection], desired: Desired, error: SecretsError) -> Opened:
    """Why there are no credentials: what is wrong with each file in itself, else that there is no sops."""
    inspected = inspect_all(connections, fields_of=needed_fields, policy=desired.policy)
    return {name: next(iter(objections), error) for name, objections in inspected.items()}


def _import_live() -> None:
    import reconciler.live.observe  # noqa: F401, PLC0415 - brings ccxt, which `validate` never needs


async def _observe(
    desired: Desired,
    connections: Sequence[Connection],
    opened: Opened,
    settings: Settings,
    *,
    lists: bool,
) -> Mapping[str, Observation]:
    from reconciler.live.observe import observe  # noqa: PLC0415 - brings ccxt

    targets = [target_of(desired, item, opened[item.id], lists=lists) for item in connections]
    options = options_of(settings, patience=PATIENCE)
    return await observe(targets, options=options, progress=settings.progress)


def options_of(settings: Settings, *, patience: float = 0.0) -> ObserveOptions:
    """How to read, as the operator chose; ``patience`` is for lists of markets, in seconds."""
    from reconciler.live.observe import ObserveOptions  # noqa: PLC0415 - brings ccxt

    return ObserveOptions(
        endpoints=settings.endpoints,
        timeout=settings.timeout,
        max_parallel=settings.max_parallel,
        now=settings.now,
        patience=patience,
    )


def target_of(
    desired: Desired, connection: Connection, opened: Credentials | SecretsError, *, lists: bool = True
) -> Target:
    """What is to be read of one connection, with what could be had of its credentials.

    With ``lists`` also whether the pairs of strategies that should run are open for trading.
    """
    from reconciler.live.observe import Target  # noqa: PLC0415 - brings ccxt

    failed, strategies = isinstance(opened, SecretsError), desired.strategies_of(connection.id)
    return Target(
        connection=connection,
        credentials=None if isinstance(opened, SecretsError) else opened,
        unread="its credentials could not be read" if failed else None,
        egress=desired.egress.get(connection.egress) if connection.egress else None,
        pairs=_pairs(strategies),
        listed=_pairs(one for one in strategies if one.enabled and lists),
    )


def _pairs(strategies: Iterable[Strategy]) -> tuple[str, ...]:
    """Every pair that ``strategies`` trade, once, in order."""
    return tuple(sorted({pair for strategy in strategies for pair in strategy.pairs}))


def _peers(connections: Iterable[Connection], opened: Opened) -> Mapping[str, tuple[str, ...]]:
    """For each connection the others that use the same key, on whatever exchange the files say.

    Some companies run one exchange under several ids (``okx``, ``myokx``).
    The fingerprint's key lives for this pass only: nothing that is kept can be guessed from.
    """
    key = entropy.token_bytes(32)
    groups: dict[str, list[str]] = defaultdict(list)
    for connection in connections:
        credentials = opened.get(connection.id)
        if isinstance(credentials, Credentials):
            groups[fingerprint(credentials.api_key, key)].append(connection.id)
    return {
        member: tuple(other for other in sorted(members) if other != member)
        for members in groups.values()
        for member in members
    }


def _error(credentials: Credentials | SecretsError) -> SecretsError | None:
    return credentials if isinstance(credentials, SecretsError) else None


def _judge(case: Case) -> ConnectionReport:
    findings = evaluate(case)
    return ConnectionReport(
        connection=case.connection,
        observation=case.observation,
        status=status(case.observation, findings),
        findings=findings,
    )
