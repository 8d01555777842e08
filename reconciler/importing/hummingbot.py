"""A folder of Hummingbot as connections and strategies that are off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from reconciler.exchanges.naming import in_words
from reconciler.importing.found import BASE_LENGTH, Found, Item, Keys, Left, amount, is_placeholder, slug
from reconciler.importing.hummingbot_connectors import Connector, connector
from reconciler.importing.hummingbot_folder import Folder
from reconciler.importing.hummingbot_markets import Traded, quote, symbol, traded
from reconciler.importing.keystore import NotAKeystore, WrongPassword, decrypt
from reconciler.importing.node import Node, Unreadable
from reconciler.importing.reading import read_text
from reconciler.importing.yaml_text import read_yaml
from reconciler.model.errors import ConfigError, Mark, Problem
from reconciler.model.secret import Secret
from reconciler.secrets.judging import flaw

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,60}")
_SECRET_NAME: Final = re.compile(r"(?i).*(?:password|secret|token|api_key|passphrase|private_key)")
_LEDGER: Final = (
    "A ledger starts and stops nothing: have the bot ask `reconcile gate` (docs/operate.md), or give the "
    "strategies a runtime that acts."
)
_STAYS: Final = "how it trades stays in this file of Hummingbot's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user decides about an import, where it is not the usual.

    ``connections`` are ids of connections that the files have already, by connector; ``there`` are all ids
    that they have. ``runtime`` is one of theirs, ``bot`` a container's name, ``egress`` one of theirs.
    ``files`` are the options that name the files, for commands that are told.
    """

    id: str | None = None
    connections: Mapping[str, str] = field(default_factory=dict)
    there: frozenset[str] = frozenset()
    runtime: str | None = None
    bot: str | None = None
    egress: str | None = None
    files: str = ""


def read(folder: Folder, wishes: Wishes, *, password: Secret | None) -> Found:
    """Everything that the folder says; without ``password`` no key, and no connection but known ones.

    Raise :class:`ConfigError` with everything that cannot be read, and for a wrong password.
    """
    return _Import(folder, wishes, password).found()


@dataclass(slots=True)
class _Import:
    folder: Folder
    wishes: Wishes
    password: Secret | None
    files: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    plain: list[Left] = field(default_factory=list)
    #: Ids of connections by connector, and the connectors that are not taken over.
    connections: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    #: Each is decrypted once: what a key costs to open is chosen by whoever wrote the file.
    seen: set[str] = field(default_factory=set)

    def found(self) -> Found:
        self._verify()
        if self.problems:
            raise ConfigError(self.problems)
        for path in self.folder.connectors():
            if node := self._read(path):
                self._connector(node)
        for kind, path in self.folder.bots():
            if node := self._read(path):
                self._bot(kind, path, node)
        self._client()
        if self.problems:
            raise ConfigError(self.problems)
        return Found(
            files=tuple(self.files),
            items=tuple(self.items),
            keys=tuple(self.keys),
            left=tuple(sorted(self.left)),
            plain=tuple(sorted(self.plain)),
            hints=(_LEDGER,) if any(item.fields.get("type") == "ledger" for item in self.items) else (),
        )

    @property
    def base(self) -> str:
        account = self.folder.account
        usual = "" if account == "master_account" else slug(account, limit=BASE_LENGTH)
        return self.wishes.id or usual or "hummingbot"

    def _read(self, path: Path) -> Node | None:
        self.files.append(str(path))
        try:
            return read_yaml(path, root=self.folder.root)
        except Unreadable as error:
            self.problems.append(error.problem)
            return None

    def _wrong(self, mark: Mark, code: str, message: str, fix: str) -> None:
        self.problems.append(Problem(mark=mark, code=code, message=message, fix=fix))

    def _leave(self, mark: Mark, what: str, why: str) -> None:
        self.left.append(Left(mark=mark, what=what, why=why))

    def _verify(self) -> None:
        """Find out a wrong password by Hummingbot's own word, before any key is tried."""
        path = self.folder.verification()
        if self.password is None or path is None:
            return
        mark = Mark(file=str(path), line=1)
        try:
            decrypt(read_text(path, root=self.folder.root).strip(), self.password)
        except Unreadable as error:
            self.problems.append(error.problem)
        except (WrongPassword, NotAKeystore):
            self._wrong(mark, "wrong-password", "the password does not open Hummingbot's", "give it again")

    def _connector(self, node: Node) -> None:
        name = node.text("connector")
        shown = name if _NAME.fullmatch(name) else "a connector"
        known, mark = connector(name), (node.get("connector") or node).mark
        if known is None:
            self.refused.add(name)
            self._leave(mark, shown, "no exchange with API keys that this tool reads, or a testnet of one")
            return
        if name in self.seen:
            self._wrong(mark, "duplicate-connector", f"{shown} stands in two files", "remove one of them")
            return
        self.seen.add(name)
        given = self.wishes.connections.get(name)
        usual = f"{self.base}-{slug(name)}"
        if given or (self.password is None and usual in self.wishes.there):
            self.connections[name] = self._add_connection(given or usual, known, mark, given=True)
        elif self.password is None:
            options = f"{self.wishes.files} --exchange {known.exchange} --market {known.market} --id {usual}"
            ask = f"reconcile connect{options}"
            self._leave(
                mark,
                shown,
                f"no key without the password: give --password-file, or the key to `{ask}`, and import again",
            )
        elif secrets := self._secrets(node, known):
            self.connections[name] = self._add_connection(usual, known, mark, given=False)
            binding = {"connection": usual, "exchange": known.exchange}
            self.keys.append(Keys(section="connections", id=usual, binding=binding, secrets=secrets))
        for extra in sorted(set(node.value) - {"connector", *(theirs for _, theirs in known.fields)}):
            what = extra if extra.startswith(name) and _NAME.fullmatch(extra) else "a field that is not known"
            self._leave(node.value[extra].mark, what, f"keys of {known.exchange} consist of other fields")

    def _add_connection(self, name: str, known: Connector, mark: Mark, *, given: bool) -> str:
        fields = {"name": in_words(name, known.exchange), "exchange": known.exchange, "market": known.market}
        if self.wishes.egress:
            fields["egress"] = self.wishes.egress
        identity = ("exchange", "market")
        item = Item(section="connections", id=name, fields=fields, identity=identity, mark=mark, given=given)
        self.items.append(item)
        return name

    def _secrets(self, node: Node, known: Connector) -> dict[str, Secret]:
        """Every credential, decrypted; empty, and why, where one of them is none."""
        found: dict[str, Secret] = {}
        for ours, theirs in known.fields:
            mark = (node.get(theirs) or node).mark
            try:
                found[ours] = decrypt(node.text(theirs), self.password or Secret(""))
            except WrongPassword:
                fix = "change the key in Hummingbot (`connect`), which encrypts it anew, and import again"
                self._wrong(mark, "wrong-password", f"the password does not open `{theirs}`", fix)
            except NotAKeystore:
                message = f"`{theirs}` is missing, or not encrypted as Hummingbot does it"
                fix = "`connect` in Hummingbot writes it anew; a secret in clear is to be replaced"
                self._wrong(mark, "not-encrypted", message, fix)
            else:
                if wrong := flaw(ours, found[ours].reveal()):
                    self._wrong(mark, "bad-key", f"`{theirs}` {wrong}", "enter it in Hummingbot once more")
        return found if len(found) == len(known.fields) else {}

    def _bot(self, kind: str, path: Path, node: Node) -> None:
        what = f"{kind}: {path.name}" if _FILE.fullmatch(path.name) else f"a file in {kind}"
        if kind == "scripts" and node.get("controllers_config"):
            self._leave(node.mark, what, "it runs controllers, and each of those is taken by itself")
            return
        why = self._strategy(kind, path, node, traded(node))
        if why:
            self._leave(node.mark, what, why)

    def _strategy(self, kind: str, path: Path, node: Node, found: tuple[Traded, ...]) -> str:
        """Add a strategy, or say why there is none."""
        names = {one.connector for one in found}
        pairs = tuple(dict.fromkeys(pair for one in found for pair in one.pairs))
        if not names:
            return "it names no connector, so nobody can tell on which key it trades"
        if len(names) > 1:
            return "it trades on more than one connection, and a strategy has one"
        if not all(one.pairs for one in found) or not _FILE.fullmatch(path.name):
            return "not every pair that it trades is named beside its connector"
        (name,) = names
        if name not in self.connections and name in self.wishes.connections and (known := connector(name)):
            self.connections[name] = self._add_connection(
                self.wishes.connections[name], known, node.mark, given=True
            )
        taken, known = self.connections.get(name), connector(name)
        if taken is None or known is None:
            shown = name if _NAME.fullmatch(name) else "its connector"
            return f"there is no connection for {shown}"
        futures = known.market == "futures"
        self._add_strategy(kind, path, node, taken, tuple(symbol(pair, futures=futures) for pair in pairs))
        if limit := self._limit(kind, node, {quote(pair) for pair in pairs}):
            item = self.items[-1]
            self.items[-1] = replace(item, fields=_with_limit(item.fields, limit))
        self._leave(node.mark, f"{kind}: {path.name}", _STAYS)
        return ""

    def _add_strategy(self, kind: str, path: Path, node: Node, taken: str, pairs: tuple[str, ...]) -> None:
        short = slug(path.stem.removeprefix("conf_"))
        name = self._free(f"{self.base}-{short or kind}"[:60])
        settings = {"bot": self.wishes.bot} if self.wishes.bot else {}
        if kind == "controllers":
            settings["controller"] = path.stem
        elif not self.wishes.bot:
            settings["file"] = path.stem
        fields: dict[str, Any] = {
            "name": " ".join(word.capitalize() for word in name.split("-") if word)[:80].strip(),
            "connection": taken,
            "runtime": self._runtime(node.mark),
            "enabled": False,
            "pairs": list(pairs),
            "settings": settings,
        }
        identity = ("connection", "runtime")
        self.items.append(
            Item(section="strategies", id=name, fields=fields, identity=identity, mark=node.mark)
        )

    def _runtime(self, mark: Mark) -> str:
        """The one that was named, else a ledger for all of them, added once."""
        given = self.wishes.runtime
        if not any(item.section == "runtimes" for item in self.items):
            fields = {} if given else {"type": "ledger"}
            item = Item(
                section="runtimes", id=given or self.base, fields=fields, identity=tuple(fields), mark=mark
            )
            self.items.append(replace(item, given=given is not None))
        return given or self.base

    def _free(self, name: str) -> str:
        used = {item.id for item in self.items if item.section == "strategies"}
        return next(one for one in _numbered(name) if one not in used)

    def _limit(self, kind: str, node: Node, quotes: Iterable[str]) -> dict[str, str] | None:
        total, currencies = node.get("total_amount_quote"), tuple(quotes)
        mark = (total or node).mark
        try:
            value = Decimal(node.text("total_amount_quote") or "0")
        except InvalidOperation:
            value = Decimal(0)
        if total is None or not value.is_finite() or value <= 0 or (limit := amount(value)) is None:
            why = "nothing in the file bounds what it ties up in its quote: write margin_limit yourself"
            self._leave(mark, f"{kind}: total_amount_quote", why)
        elif len(currencies) != 1:
            why = "its pairs have more than one quote, so it is no amount of one currency"
            self._leave(mark, f"{kind}: total_amount_quote", why)
        else:
            return {"amount": limit, "currency": currencies[0]}
        return None

    def _client(self) -> None:
        """The client's own settings: named, and looked at for secrets in clear."""
        for path in self.folder.client():
            if node := self._read(path):
                self._leave(node.mark, path.name, "settings of the client itself stay Hummingbot's")
                for way, leaf in node.leaves():
                    named = bool(way) and _SECRET_NAME.fullmatch(way[-1])
                    if named and isinstance(leaf.value, str) and not is_placeholder(leaf.value):
                        self.plain.append(
                            Left(mark=leaf.mark, what="a field that is named as a secret", why="")
                        )


def _with_limit(fields: Mapping[str, Any], limit: Mapping[str, str]) -> dict[str, Any]:
    """Before the settings, as the files are read."""
    rest = {name: value for name, value in fields.items() if name != "settings"}
    return {**rest, "margin_limit": dict(limit), "settings": fields["settings"]}


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
