"""What an account holds, from the rows of a balance.

Nothing here raises. One row that is not as documented makes the whole wallet unknown: a sum that lacks
a part looks as if the account held less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from reconciler.exchanges import parse
from reconciler.exchanges.interface import Json
from reconciler.model.live import Wallet

_AMOUNT: Final = re.compile(r"-?\d{1,30}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?")
_MAX_CURRENCY: Final = 32


def wallet(rows: Json, *, currency: str, parts: Iterable[str], whole: bool = True) -> Wallet | None:
    """The wallet in a list of ``rows``: of each ``currency`` field the sum of its ``parts`` fields.

    ``whole`` says whether a currency without a row is one of which the account has nothing.
    """
    if not isinstance(rows, list):
        return None
    held: dict[str, Decimal] = {}
    wanted = tuple(parts)
    for row in rows:
        name, amount = _currency(row, currency), _sum(row, wanted)
        if name is None or amount is None:
            return None
        held[name] = held.get(name, Decimal(0)) + amount
    return Wallet(held=held, whole=whole)


def only(row: Json, *, currency: str, part: str) -> Wallet | None:
    """The part of a wallet that a single ``row`` tells: of the other currencies nothing is known."""
    return wallet([row], currency=currency, parts=(part,), whole=False)


def amount(value: Json) -> Decimal | None:
    """An amount from its text or a JSON number; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    shown = value.strip() if isinstance(value, str) else repr(value)
    return Decimal(shown) if _AMOUNT.fullmatch(shown) else None


def _currency(row: Json, field: str) -> str | None:
    name = parse.text(parse.fields(row).get(field))
    return name.upper() if name is not None and len(name) <= _MAX_CURRENCY else None


def _sum(row: Mapping[str, Json], parts: tuple[str, ...]) -> Decimal | None:
    found = [amount(parse.fields(row).get(part)) for part in parts]
    return None if None in found else sum((one for one in found if one is not None), Decimal(0))
