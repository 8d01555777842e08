"""Where the secrets of a freqtrade configuration are: those that are taken, and those that stay in clear.

``Exchange._init_ccxt`` (``freqtrade/exchange/exchange.py``, 2026.9) says which field signs; what stands in
``ccxt_config`` goes to ccxt over all of them. ``config_secrets.py`` lists what freqtrade itself hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reconciler.importing.found import Left, is_placeholder
from reconciler.importing.node import Node
from reconciler.model.errors import Problem
from reconciler.model.secret import Secret
from reconciler.secrets.judging import flaw

#: Our field, and freqtrade's in the order in which it looks.
_SOURCES: Final = {
    "api_key": ("api_key", "apiKey", "key"),
    "secret": ("secret",),
    "passphrase": ("password",),
}
_CCXT: Final = ("ccxt_config", "ccxt_sync_config", "ccxt_async_config")
_SIGNS: Final = frozenset({"apiKey", "secret", "password", "uid", "privateKey", "walletAddress"})

#: A field with such a name holds a secret, wherever it stands.
_SECRET_NAME: Final = re.compile(
    r"(?i)key|uid|account_?id|chat_id"
    r"|(?:.*[_-])?(?:(?:api|secret|private)_?key|secret|password|passphrase|token|wallet_?address|webhook_?url)"
)
_LOGIN_IN_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/\s@]*:[^/\s@]+@")
#: So are these, whatever their last word.
_SECRET_PLACES: Final = frozenset({("webhook", "url"), ("discord", "webhook_url")})
_PRODUCER: Final = ("external_message_consumer", "producers", "ws_token")
#: Places that this import knows, so that they are named; of others only the place is told.
_KNOWN: Final = frozenset(
    {("exchange", name) for names in _SOURCES.values() for name in names}
    | {("exchange", name) for name in ("uid", "account_id", "wallet_address", "private_key")}
    | {("api_server", name) for name in ("password", "jwt_secret_key", "ws_token")}
    | {("telegram", "token"), ("telegram", "chat_id"), ("db_url",), _PRODUCER}
    | _SECRET_PLACES
)


def exchange_keys(config: Node, fields: tuple[str, ...]) -> tuple[dict[str, Secret], list[Problem]]:
    """The credentials that the exchange needs, and why any of them cannot be had."""
    found: dict[str, Secret] = {}
    problems = list(_elsewhere(config))
    for name in fields:
        node = next((n for n in (config.get("exchange", one) for one in _SOURCES[name]) if n), None)
        where = f"exchange.{_SOURCES[name][-1]}"
        mark = (node or config.get("exchange") or config).mark
        if node is None or (isinstance(node.value, str) and is_placeholder(node.value)):
            message = f"`{where}` holds no key: it is missing, empty, a placeholder or a variable"
            problems.append(Problem(mark=mark, code="no-key", message=message, fix=""))
        elif wrong := flaw(name, node.value):
            message, fix = f"`{where}` {wrong}", "write it as the exchange showed it"
            problems.append(Problem(mark=mark, code="bad-key", message=message, fix=fix))
        else:
            found[name] = Secret(str(node.value))
    return found, problems


def _elsewhere(config: Node) -> Iterator[Problem]:
    """Keys that ccxt is given over those of ``exchange``: the bot signs with them, and not with these."""
    for name in _CCXT:
        node = config.get("exchange", name)
        for key in sorted(_SIGNS & set(node.value)) if node and isinstance(node.value, dict) else ():
            yield Problem(
                mark=node.value[key].mark if node else config.mark,
                code="key-elsewhere",
                message=f"`exchange.{name}.{key}` goes to ccxt over the keys of `exchange`, and is logged",
                fix="move it to exchange.key, exchange.secret or exchange.password, and replace the key",
            )


def login(config: Node) -> dict[str, Secret]:
    """User and password of the REST API; empty where one of them is missing or no secret."""
    nodes = {name: config.get("api_server", name) for name in ("username", "password")}
    given = {name: node.value for name, node in nodes.items() if node and not flaw(name, node.value)}
    usable = len(given) == len(nodes) and not any(map(is_placeholder, given.values()))
    return {name: Secret(text) for name, text in given.items()} if usable else {}


def in_clear(config: Node) -> Iterator[Left]:
    """Every place where a secret stands in the files. Names only what is known: a key may stand as a name."""
    for path, node in config.leaves():
        if not isinstance(node.value, str) or is_placeholder(node.value) or not path:
            continue
        if what := _secret(path, node.value):
            yield Left(mark=node.mark, what=".".join(path) if path in _KNOWN else what, why="")


def _secret(path: tuple[str, ...], text: str) -> str:
    """What secret it is in general words; empty for none. A proxy's url has a password, too."""
    if path in _SECRET_PLACES or _SECRET_NAME.fullmatch(path[-1]):
        return "a field that is named as a secret"
    in_url = _LOGIN_IN_URL.match(text) or (path == ("db_url",) and "@" in text)
    return "a url with a password" if in_url else ""
