"""What is known in an emergency, of whatever can still be read: sound parts of the files, and the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from reconciler.engine.files import read_sound
from reconciler.engine.settings import Settings
from reconciler.exchanges import registry
from reconciler.model.desired import EMPTY, Connection, Desired
from reconciler.model.emergency import KeyAtRisk
from reconciler.model.errors import ReconcilerError, StateError
from reconciler.model.memory import May, Permit, Remembered
from reconciler.model.plan import ActionKind, InventoryItem

if TYPE_CHECKING:
    from reconciler.state.records import Intent
    from reconciler.state.view import ReadState

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A strategy in a runtime for which this tool answers, and the keys that it may be using there.

    ``surely``: this tool enabled it, or may have. ``likely``: git wants it to run. ``begun``: an apply had
    begun to start or change it, and nobody knows what came of that.
    """

    strategy: str
    runtime: str
    enabled_on: str | None = None
    wanted_on: str | None = None
    begun_on: tuple[str, ...] = ()
    surely: bool = False
    likely: bool = False
    begun: bool = False

    def connections(self, told: str | None = None) -> frozenset[str]:
        """The keys that it may be using; ``told`` is what its runtime says. Empty where nobody knows."""
        used = told or self.enabled_on or self.wanted_on
        return frozenset(name for name in (used, *self.begun_on) if name)


@dataclass(frozen=True, kw_only=True)
class Known:
    """All of it. ``whole``: nothing is missing from the files; ``remembers``: nor from the state.

    ``blank``: nothing was ever applied with this state. ``token`` is the newest that was issued.
    """

    desired: Desired
    whole: bool
    inventory: Mapping[str, InventoryItem] = field(default_factory=lambda: EMPTY)
    unfinished: tuple[Intent, ...] = ()
    permits: Mapping[str, Permit] = field(default_factory=lambda: EMPTY)
    readings: Mapping[str, Remembered] = field(default_factory=lambda: EMPTY)
    blank: bool = False
    token: int = 0
    remembers: bool = True
    troubles: tuple[str, ...] = ()

    def exchange_of(self, connection: str) -> str | None:
        """The exchange of a connection: by the files, else as it was last read."""
        named, remembered = self.desired.connections.get(connection), self.readings.get(connection)
        return named.exchange if named else remembered.reading.exchange if remembered else None

    def connections(self) -> tuple[str, ...]:
        """Every connection that files or state name, by id."""
        claimed = {name for claim in self.claims for name in claim.connections()}
        return tuple(sorted({*self.desired.connections, *self.readings, *claimed}))

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Every strategy for which this tool answers, by runtime and id.

        Of the strategies in git, those of the last pass count too where the files cannot all be read.
        """
        places = {(item.runtime, item.strategy) for item in self.inventory.values()}
        places |= {(one.action.runtime, one.action.strategy) for one in self.unfinished}
        places |= {(one.runtime, one.id) for one in self.desired.strategies.values()}
        places |= {(one.runtime, one.strategy) for one in self._remembered.values()}
        return tuple(self._claim(runtime, strategy) for runtime, strategy in sorted(places))

    def key(self, connection: str) -> KeyAtRisk:
        """What is known of the key of a connection, for who has to replace it."""
        named, remembered = self.desired.connections.get(connection), self.readings.get(connection)
        exchange = self.exchange_of(connection)
        told = registry.get(exchange) if exchange and registry.known(exchange) else None
        uses = self._uses.get(connection, ())
        return KeyAtRisk(
            connection=connection,
            name=named.name if named else None,
            exchange=exchange,
            exchange_name=told.name if told else None,
            page=told.key_page or None if told else None,
            secret_file=named.credentials.file if named else None,
            addresses=self._addresses(named) if named else (),
            read_at=remembered.reading.at if remembered and remembered.reading.key is not None else None,
            key=remembered.reading.key if remembered else None,
            strategies=tuple(sorted(uses)),
        )

    def _claim(self, runtime: str, strategy: str) -> Claim:
        mine, wanted = self.inventory.get(strategy), self.desired.strategies.get(strategy)
        ours = mine is not None and mine.runtime == runtime
        of_git = wanted if wanted is not None and wanted.runtime == runtime else None
        permit = self._remembered.get(strategy)
        permit = permit if permit is not None and permit.runtime == runtime else None
        begun = [
            one.action
            for one in self.unfinished
            if (one.action.runtime, one.action.strategy) == (runtime, strategy)
        ]
        return Claim(
            strategy=strategy,
            runtime=runtime,
            enabled_on=mine.connection if mine is not None and ours else None,
            wanted_on=of_git.connection if of_git else permit.connection if permit else None,
            begun_on=tuple(sorted({action.connection for action in begun if action.connection})),
            surely=ours or bool(begun),
            likely=of_git.enabled if of_git else permit is not None and permit.may is not May.STOP,
            begun=any(action.kind is not ActionKind.DISABLE for action in begun),
        )

    @cached_property
    def _remembered(self) -> Mapping[str, Permit]:
        """Strategies that git had at the last pass, where the files do not tell any more."""
        known = {} if self.whole else self.permits
        return {name: one for name, one in known.items() if name not in self.desired.strategies}

    @cached_property
    def _uses(self) -> Mapping[str, set[str]]:
        """The strategies of each connection."""
        uses: dict[str, set[str]] = {}
        for claim in self.claims:
            for connection in claim.connections():
                uses.setdefault(connection, set()).add(claim.strategy)
        return uses

    def _addresses(self, connection: Connection) -> tuple[str, ...]:
        egress = self.desired.egress.get(connection.egress or "")
        return tuple(map(_short, map(str, egress.addresses))) if egress else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What is sound in the files, and what is wrong with the rest, in a sentence."""

    desired: Desired
    trouble: str = ""


def read_files(settings: Settings) -> Sound:
    """What can be read of the files. Raises for nothing that may be wrong with them.

    Enough to stop by, never to start by: a part that is missing here may be what forbids it.
    """
    try:
        loaded = read_sound(settings.files)
    except (ReconcilerError, OSError) as error:
        return Sound(desired=Desired(files=settings.files), trouble=f"the files cannot be read: {error}")
    problems = loaded.problems
    return Sound(desired=loaded.desired, trouble=_broken(len(problems), str(problems[0])) if problems else "")


def know(files: Sound, state: ReadState) -> Known:
    """Everything that can be known now. What cannot be is told in ``troubles``; it raises for none of it."""
    troubles = [files.trouble] if files.trouble else []
    broken: list[str] = []

    def ask(read: Callable[[], T], otherwise: T) -> T:
        if gone:
            return otherwise
        try:
            return read()
        except StateError as error:
            broken.append(f"the state cannot be read: {error}")
            return otherwise

    gone = False
    record = ask(state.lease_record, None)
    gone = bool(broken)  # a server that does not answer is not waited for again and again
    return Known(
        desired=files.desired,
        whole=not files.trouble,
        inventory=ask(state.inventory, EMPTY),
        unfinished=ask(state.unfinished, ()),
        permits=ask(state.permits, EMPTY),
        readings=ask(state.readings, EMPTY),
        blank=ask(lambda: not state.passes(limit=1), otherwise=False),
        token=record.token if record else 0,
        remembers=not broken,
        troubles=tuple(dict.fromkeys((*troubles, *broken))),
    )


def _broken(count: int, first: str) -> str:
    place = first.partition("\n")[0]
    more = f", and {count - 1} more (reconcile validate)" if count > 1 else ""
    return f"the files are not sound, so the state fills in what they do not tell: {place}{more}"


def _short(address: str) -> str:
    """``203.0.113.10`` for ``203.0.113.10/32``."""
    return address.removesuffix("/32").removesuffix("/128")
