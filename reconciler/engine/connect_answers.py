"""Whether an answer about a new connection can be right, and what is usual.

Each judge gives a sentence for people, or ``None`` for an answer that holds. None quotes the answer:
a secret may have been pasted at the wrong question.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Final

from reconciler.desired import schema
from reconciler.desired.text import FORBIDDEN
from reconciler.desired.values import BadValue, address
from reconciler.engine.place import Place, secret_file
from reconciler.exchanges import registry
from reconciler.model.desired import Desired, Egress, Market
from reconciler.model.secret import Credentials
from reconciler.secrets.creation_rules import find_rules

_RECIPIENT: Final = re.compile(r"age1[a-z0-9]{50,}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]+( .*)?")


def exchanges() -> str:
    """The ids of every exchange with a reader of its own, for people."""
    return ", ".join(registry.ids())


def exchange(value: str) -> str | None:
    """Whether it can be read."""
    if registry.known(value):
        return None
    if why := registry.refusal(value):
        return f"this exchange cannot be read: {why}"
    others = f"or one of {len(registry.others())} more (`reconcile exchanges`)"
    return f"expected the id of an exchange: {exchanges()}, {others}"


def market(value: str) -> str | None:
    """Whether it is one."""
    return None if value in set(Market) else f"expected {', '.join(Market)}"


def any_id(value: str) -> str | None:
    """Whether it can be an id at all."""
    wanted = schema.expected("id", value)
    return f"expected {wanted}" if wanted else None


def new_id(value: str, desired: Desired) -> str | None:
    """Whether a new connection can have it."""
    taken = desired.connections.get(value)
    if taken is None:
        return any_id(value)
    how = f"`sops edit {taken.credentials.file}`"
    return f"this id is taken in {taken.mark}; to give that connection another key, use {how}"


def new_name(value: str, desired: Desired) -> str | None:
    """Whether a new connection can have this name."""
    wanted = schema.expected("name", value)
    if wanted:
        return f"expected {wanted}"
    if FORBIDDEN.search(value) or not value.isprintable():
        return "a name holds no invisible characters"
    twin = next((one for one in desired.connections.values() if _folded(one.name) == _folded(value)), None)
    return f"this is already the name of {twin.id}" if twin else None


def addresses(value: str, *, optional: bool) -> str | None:
    """Whether it is a list of addresses or networks of one family; empty only where ``optional``."""
    items = split(value)
    if not items:
        return None if optional else "expected one or more IP addresses, with commas between them"
    family = "ipv6" if ":" in items[0] else "ipv4"
    for number, item in enumerate(items, 1):
        try:
            address(item, family)
        except BadValue as bad:
            return f"address {number} is {bad.message}: {bad.fix}"
    return "an address stands there twice" if len(set(items)) != len(items) else None


def recipients(value: str) -> str | None:
    """Whether it is a list of age recipients."""
    items = split(value)
    if items and all(map(_RECIPIENT.fullmatch, items)):
        return None
    private = any("SECRET-KEY" in item.upper() for item in items)
    told = "this is a private key, which opens files; " if private else ""
    return f"{told}expected public keys such as age1…, with commas between them"


def unusable(exchange: str, credentials: Credentials) -> str | None:
    """Why no request to ``exchange`` can be signed with these, as far as that shows at once."""
    failure = registry.get(exchange).unusable(credentials)
    return failure.message if failure else None


def split(value: str) -> tuple[str, ...]:
    """The items of a list with commas."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def shown(egress: Egress) -> tuple[str, ...]:
    """Its addresses as people write them, a single one without its prefix length."""
    return tuple(
        str(network.network_address if network.num_addresses == 1 else network)
        for network in egress.addresses
    )


def has_rules(place: Place, name: str) -> bool:
    """Whether a ``.sops.yaml`` stands above the secret file that ``name`` would get."""
    return find_rules(secret_file(place, name).absolute().parent) is not None


def default_id(exchange: str, market: Market, desired: Desired) -> str:
    """``mexc-spot``, or the first of ``mexc-spot-2``, … that is free."""
    usual = f"{exchange}-{market.value}"
    numbered = (f"{usual}-{number}" for number in count(2))
    return (
        usual
        if usual not in desired.connections
        else next(n for n in numbered if n not in desired.connections)
    )


def default_egress(desired: Desired) -> str | None:
    """The egress of the connection written last, else the only one there is."""
    used = [connection.egress for connection in desired.connections.values() if connection.egress]
    if used:
        return used[-1]
    return next(iter(desired.egress)) if len(desired.egress) == 1 else None


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
