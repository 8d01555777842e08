"""What a runtime says of the bot behind a strategy. ``None`` always means that it does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from reconciler.model.desired import Market, Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What the bot may tie up: ``most`` of ``currency`` in all its trades; infinite where it has no limit."""

    currency: str
    most: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The runtime's own entry for an account at an exchange: its ``id``, and its ``name`` there.

    ``trouble`` is why nothing can be traded on it, in words, where the runtime says so.
    """

    id: str
    name: str
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaging:
    """How the bot may add to a position against which the price moves.

    At most ``additions`` times, 0 for never and ``None`` for no limit; after a move of at least ``step``
    percent, each at most ``multiplier`` times the last, and ``None`` where the runtime tells neither.
    """

    additions: int | None
    step: Decimal | None = None
    multiplier: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """What really runs, or would run once it is enabled.

    ``exchange`` is an id of ccxt; ``account_mode`` the runtime's own word, such as ``isolated``;
    ``pairs`` are ccxt symbols; ``strategy`` is the runtime's own name of it; ``open_positions`` are the
    pairs in which the bot holds something, one entry each. ``heartbeat`` is when it last did its work.
    """

    version: str | None = None
    exchange: str | None = None
    money: Money | None = None
    market: Market | None = None
    account: Account | None = None
    account_mode: str | None = None
    pairs: tuple[str, ...] | None = None
    stake: Stake | None = None
    averaging: Averaging | None = None
    strategy: str | None = None
    open_positions: tuple[str, ...] | None = None
    heartbeat: datetime | None = None
