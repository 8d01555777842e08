"""A freqtrade configuration as a connection, a runtime and a strategy that is off.

The fields are those of ``freqtrade/configuration/config_schema.py`` (2024.10 and 2026.9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any, Final

from reconciler.exchanges import registry
from reconciler.exchanges.naming import in_words
from reconciler.importing.found import BASE_LENGTH, Found, Item, Keys, Left, amount, slug
from reconciler.importing.freqtrade_files import load
from reconciler.importing.freqtrade_keys import exchange_keys, in_clear, login
from reconciler.importing.freqtrade_pairs import pairs_of
from reconciler.importing.freqtrade_rest import WHY, rest
from reconciler.importing.node import Node
from reconciler.model.errors import ConfigError, Mark, Problem

#: freqtrade's names of exchanges that are another one's here.
_SAME: Final = {"gateio": "gate", "huobi": "htx", "okex": "okx"}
_MARKETS: Final = {"": "spot", "spot": "spot", "margin": "margin", "futures": "futures"}
_CLASS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_CURRENCY: Final = re.compile(r"[A-Z0-9]{1,20}")
_VARIABLE: Final = re.compile(r"FREQTRADE__[A-Z0-9_]{1,80}")
_EXAMPLE: Final = "SuperSecurePassword"
_PORT: Final = 8080
_PORTS: Final = range(1, 65536)
_KEYLESS: Final = "in a dry run freqtrade needs no key; a connection does: its key is what is checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user decides about an import, where it is not the usual.

    ``connection`` and ``runtime`` are ids of entries that the files have already; ``url`` is where the bot's
    API is reached; ``egress`` is one of the files' own. ``files`` are the options that name the files, for
    commands that are told.
    """

    id: str | None = None
    connection: str | None = None
    runtime: str | None = None
    url: str | None = None
    egress: str | None = None
    files: str = ""


def read(files: Sequence[str], wishes: Wishes, *, variables: Iterable[str] = ()) -> Found:
    """Everything that the files of one bot say.

    ``variables`` are the names of this environment's. Raise :class:`ConfigError` with every reason why no
    connection can be made of these files.
    """
    config, names = load(files)
    return _Import(config, wishes).found(names, sorted(variables))


@dataclass(slots=True)
class _Import:
    config: Node
    wishes: Wishes
    left: list[Left] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)

    def found(self, files: tuple[str, ...], variables: Iterable[str]) -> Found:
        exchange, market = self._exchange(), self._market()
        connection = self._given("connections", self.wishes.connection, exchange=exchange, market=market)
        connection = connection or self._connection(exchange, market)
        runtime = self._given("runtimes", self.wishes.runtime) or self._runtime()
        if self.problems:
            keyless = {problem.code for problem in self.problems} == {"no-key"}
            raise ConfigError(self.problems, hint=_KEYLESS if keyless else "")
        self._strategy(connection, runtime, futures=market == "futures")
        self.left += rest(self.config)
        for name in variables:
            if name.startswith("FREQTRADE__"):
                what = name if _VARIABLE.fullmatch(name) else "a variable FREQTRADE__…"
                self.left.append(Left(mark=self.config.mark, what=what, why=WHY["environment"]))
        return Found(
            files=files,
            items=tuple(self.items),
            keys=tuple(self.keys),
            left=tuple(sorted(self.left)),
            plain=tuple(sorted(in_clear(self.config))),
            hints=tuple(self._hints()),
        )

    @property
    def base(self) -> str:
        return self.wishes.id or slug(self.config.text("bot_name"), limit=BASE_LENGTH) or "freqtrade"

    def _mark(self, *path: str) -> Mark:
        return (self.config.get(*path) or self.config.get(*path[:1]) or self.config).mark

    def _leave(self, what: str, why: str) -> None:
        self.left.append(Left(mark=self._mark(*what.split(".")), what=what, why=why))

    def _wrong(self, what: str, code: str, message: str, fix: str) -> None:
        self.problems.append(Problem(mark=self._mark(*what.split(".")), code=code, message=message, fix=fix))

    def _add(
        self, section: str, name: str, where: str, identity: tuple[str, ...], fields: dict[str, Any]
    ) -> str:
        mark = self._mark(*where.split("."))
        self.items.append(Item(section=section, id=name, fields=fields, identity=identity, mark=mark))
        return name

    def _given(self, section: str, name: str | None, **fields: str) -> str | None:
        """An entry of the files that the user named; it must have these fields."""
        if name:
            self._add(section, name, "exchange", tuple(fields), dict(fields))
            self.items[-1] = replace(self.items[-1], given=True)
        return name

    def _exchange(self) -> str:
        written = self.config.text("exchange", "name").lower()
        exchange = _SAME.get(written, written)
        if registry.known(exchange):
            return exchange
        if not written:
            message, fix = "`exchange.name` is missing", "name every file that freqtrade is started with"
        else:
            why = registry.refusal(exchange) or "neither this tool nor ccxt knows it"
            message, fix = (
                f"this exchange cannot be read: {why}",
                "`reconcile exchanges` lists those that can",
            )
        self._wrong("exchange.name", "unreadable-exchange", message, fix)
        return ""

    def _market(self) -> str:
        written = self.config.text("trading_mode").lower()
        if written not in _MARKETS:
            message, fix = "`trading_mode` is none that freqtrade has", "write spot, margin or futures"
            self._wrong("trading_mode", "unknown-market", message, fix)
        return _MARKETS.get(written, "spot")

    def _connection(self, exchange: str, market: str) -> str:
        if not exchange:
            return ""
        name = f"{self.base}-{exchange}-{market}"
        secrets, problems = exchange_keys(self.config, registry.get(exchange).credentials)
        options = f"{self.wishes.files} --exchange {exchange} --market {market} --id {name}"
        ask = f"`reconcile connect{options}` asks for it; "
        fix = f"{ask}then import with `--connection {name}`"
        self.problems += [replace(problem, fix=problem.fix or fix) for problem in problems]
        egress = {"egress": self.wishes.egress} if self.wishes.egress else {}
        fields = {"name": in_words(name, exchange), "exchange": exchange, "market": market, **egress}
        binding = {"connection": name, "exchange": exchange}
        self.keys.append(Keys(section="connections", id=name, binding=binding, secrets=secrets))
        for extra in ("uid", "account_id", "wallet_address", "private_key"):
            if self.config.text("exchange", extra):
                self._leave(f"exchange.{extra}", f"keys of {exchange} consist of other fields")
        if "passphrase" not in registry.get(exchange).credentials and self.config.text(
            "exchange", "password"
        ):
            self._leave("exchange.password", f"keys of {exchange} have no passphrase")
        return self._add("connections", name, "exchange", ("exchange", "market"), fields)

    def _runtime(self) -> str | None:
        secrets = login(self.config)
        if not secrets:
            self._leave("api_server", WHY["no-login"])
            return None
        fields: dict[str, Any] = {"type": "freqtrade", "url": self._url()}
        dry_run = self.config.get("dry_run")
        if dry_run is not None and isinstance(dry_run.value, bool):
            fields["mode"] = "dry_run" if dry_run.value else "live"
        else:
            self._leave("dry_run", WHY["no-mode"])
        enabled = self.config.get("api_server", "enabled")
        if enabled is None or enabled.value is not True:
            self._leave("api_server.enabled", WHY["api-off"])
        binding = {"runtime": self.base, "url": str(fields["url"])}
        self.keys.append(Keys(section="runtimes", id=self.base, binding=binding, secrets=secrets))
        return self._add("runtimes", self.base, "api_server", ("type", "url"), fields)

    def _url(self) -> str:
        if self.wishes.url:
            return self.wishes.url
        port = self.config.number("api_server", "listen_port")
        if not _is_loopback(self.config.text("api_server", "listen_ip_address") or "127.0.0.1"):
            self._leave("api_server.listen_ip_address", WHY["not-here"])
        return f"http://127.0.0.1:{int(port) if port is not None and port in _PORTS else _PORT}"

    def _strategy(self, connection: str, runtime: str | None, *, futures: bool) -> None:
        pairs, left = pairs_of(self.config, futures=futures)
        self.left += left
        if runtime is None or not pairs:
            self._leave("strategy", WHY["no-runtime" if runtime is None else "no-pairs"])
            return
        fields: dict[str, Any] = {
            "name": " ".join(word.capitalize() for word in self.base.split("-") if word),
            "connection": connection,
            "runtime": runtime,
            "enabled": False,
            "pairs": list(pairs),
        }
        if limit := self._margin_limit():
            fields["margin_limit"] = limit
        written = self.config.text("strategy")
        if _CLASS.fullmatch(written):
            fields["settings"] = {"strategy": written}
        else:
            self._leave("strategy", WHY["no-class"])
        self._add("strategies", self.base, "strategy", ("connection", "runtime"), fields)

    def _margin_limit(self) -> dict[str, str] | None:
        """The stake of one trade times the trades at once; ``None``, and why, where that is no limit."""
        stake, trades = self.config.number("stake_amount"), self.config.number("max_open_trades")
        currency = self.config.text("stake_currency")
        adds = self.config.get("position_adjustment_enable")
        if adds is not None and adds.value is not False:
            self._leave("position_adjustment_enable", WHY["adds"])
        elif stake is None or trades is None or stake <= 0 or trades <= 0:
            self._leave("stake_amount", WHY["unlimited"])
        elif (limit := amount(stake * trades)) is None or not _CURRENCY.fullmatch(currency):
            self._leave("stake_amount", WHY["amount"])
        else:
            return {"amount": limit, "currency": currency}
        return None

    def _hints(self) -> Iterator[str]:
        if self.config.text("api_server", "password") == _EXAMPLE:
            yield "The API has the password of freqtrade's examples: choose another, in both places."
        if self.config.text("initial_state") != "stopped":
            yield (
                "Write `initial_state: stopped` in the bot's configuration: otherwise a restart sets it "
                "trading before anything was checked (docs/runtimes/freqtrade.md)."
            )


def _is_loopback(where: str) -> bool:
    try:
        return ip_address(where).is_loopback
    except ValueError:
        return False
