"""What ``connect`` asks a person: each answer judged at once, and asked again until it can be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click

from reconciler.engine import connect_answers as judge
from reconciler.engine.connect import Answers
from reconciler.engine.place import Place
from reconciler.exchanges.naming import in_words
from reconciler.model.desired import Market
from reconciler.model.errors import UsageError

Objection = Callable[[str], str | None]

_MARKETS: Final = tuple(market.value for market in Market)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The answers that the command line brought; ``None`` or empty for those that it did not."""

    exchange: str | None
    market: str | None
    id: str | None
    name: str | None
    egress: str | None
    addresses: tuple[str, ...]
    age: tuple[str, ...]


class Questions:
    """Asks at a terminal for what was not given; elsewhere takes the defaults."""

    def __init__(self, place: Place, given: Given, *, terminal: bool) -> None:
        self._desired = place.desired
        self._place = place
        self._given = given
        self._terminal = terminal

    def answers(self) -> Answers:
        """Every answer. Raise ``UsageError`` for one that was given and cannot be right, or is missing."""
        given = self._given
        if self._terminal and given.exchange is None:
            click.echo(f"Exchanges: {judge.exchanges()}", err=True)
        exchange = self._ask("Exchange", "--exchange", given.exchange, None, judge.exchange)
        market = Market(
            self._ask(f"Market ({', '.join(_MARKETS)})", "--market", given.market, "spot", judge.market)
        )
        default = judge.default_id(exchange, market, self._desired)
        name = self._ask("Id", "--id", given.id, default, lambda value: judge.new_id(value, self._desired))
        called = self._ask(
            "Name",
            "--name",
            given.name,
            in_words(name, exchange),
            lambda value: judge.new_name(value, self._desired),
        )
        egress, addresses = self._egress()
        return Answers(
            exchange=exchange,
            market=market,
            id=name,
            name=called,
            egress=egress,
            addresses=addresses,
            age=self._recipients(name),
        )

    def _ask(
        self, label: str, flag: str, given: str | None, default: str | None, objection: Objection
    ) -> str:
        if given is None and self._terminal:
            return _until_right(label, default, objection)
        value = default if given is None else given
        if value is None:
            raise UsageError(f"{flag} is missing, and nobody can be asked", hint="reconcile connect --help")
        if wrong := objection(value):
            raise UsageError(f"{flag}: {wrong}", hint="reconcile connect --help")
        return value

    def _egress(self) -> tuple[str | None, tuple[str, ...]]:
        """The egress, and its addresses where the files do not know it yet; nothing where none is wanted."""
        known = self._desired.egress
        if self._given.egress is None and not known:
            addresses = self._addresses(
                "Addresses that the bot's calls leave from (empty: name them later)", ""
            )
            return ("bot", addresses) if addresses else (None, ())
        if self._terminal and self._given.egress is None:
            for item in known.values():
                click.echo(f"  {item.id}: {', '.join(judge.shown(item))}", err=True)
        default = judge.default_egress(self._desired)
        label = "Egress (one of these, or a new id)"
        chosen = self._ask(label, "--egress", self._given.egress, default, judge.any_id)
        if chosen not in known:
            return chosen, self._addresses(f"Addresses of {chosen}, which the files do not know yet", None)
        if self._given.addresses:
            raise UsageError(
                f"--address: the files already give the addresses of {chosen}", hint="leave it out"
            )
        return chosen, ()

    def _addresses(self, label: str, default: str | None) -> tuple[str, ...]:
        given = ",".join(self._given.addresses) or None
        optional = default is not None
        text = self._ask(
            label, "--address", given, default, lambda value: judge.addresses(value, optional=optional)
        )
        return judge.split(text)

    def _recipients(self, name: str) -> tuple[str, ...]:
        """Whom to encrypt for, where neither a flag nor a ``.sops.yaml`` says so."""
        given = ",".join(self._given.age)
        if not given and judge.has_rules(self._place, name):
            return ()
        if not given and self._terminal:
            click.echo("No .sops.yaml stands above the secret file to say who can open it.", err=True)
        return judge.split(
            self._ask("age recipients (age1…)", "--age", given or None, None, judge.recipients)
        )


def _until_right(label: str, default: str | None, objection: Objection) -> str:
    while True:
        value: str = click.prompt(label, default=default, show_default=bool(default), err=True)
        value = value.strip()
        wrong = objection(value)
        if wrong is None:
            return value
        click.echo(f"  {wrong}", err=True)
