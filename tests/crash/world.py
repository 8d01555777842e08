"""Generated worlds: what git says now, what it said before, what keys are like, and who else acts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from exchange import ADDRESS, NAMES, STATES

#: Embedded runtimes, whose acts are rows of the state, and others, whose acts lie outside of it.
LEDGERS = ("paper", "demo")
BOTS = ("bot-a", "bot-b")
RUNTIMES = (*LEDGERS, *BOTS)
STRATEGIES = tuple("abcdefgh")
FOREIGN = ("theirs-1", "theirs-2")
LONG = "2999-12-31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What somebody does past this tool: starts or stops a strategy in a runtime."""

    start: bool
    runtime: str
    strategy: str
    connection: str = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one pass meets. ``hours`` is when, against now; ``killed`` says whether it is cut off.

    Of the runtimes in ``unreadable`` nothing can be learnt; those in ``mute`` do what they are told and
    never answer.
    """

    document: dict[str, Any]
    keys: dict[str, str]
    hours: float = 0.0
    killed: bool = False
    hands: tuple[Hand, ...] = ()
    unreadable: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()

    @property
    def strategies(self) -> dict[str, Any]:
        return self.document["strategies"]

    @property
    def hidden(self) -> frozenset[str]:
        """The runtimes into which nobody can look: what others run there nobody can know.

        An embedded one can be looked into though it left the files.
        """
        return self.unreadable | (frozenset(BOTS) - frozenset(self.document["runtimes"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The stages before, in order, and the one whose pass is killed again and again."""

    seed: str
    past: tuple[Stage, ...] = field(default=())
    now: Stage


def generate(seed: str) -> World:
    """The world of ``seed``, always the same."""
    draw = random.Random(seed)  # noqa: S311 - a seed is to give the same world again
    past = []
    if draw.random() < 0.8:
        past.append(_stage(draw, hours=-6, careless=True))
        if draw.random() < 0.5:
            past.append(_stage(draw, hours=-3, killed=True, before=past[-1]))
    now = _stage(draw, hours=0, before=past[-1] if past else None)
    if past and draw.random() < 0.3:  # the keys have been as they are now for longer than the grace
        past.append(Stage(document=past[-1].document, keys=now.keys, hours=-2))
    return World(seed=seed, past=tuple(past), now=now)


def _stage(
    draw: random.Random,
    *,
    hours: float,
    killed: bool = False,
    careless: bool = False,
    before: Stage | None = None,
) -> Stage:
    runtimes = [one for one in RUNTIMES if draw.random() < 0.85] or ["paper"]
    strategies = {
        name: _strategy(draw, name, runtimes, before.strategies.get(name) if before else None)
        for name in STRATEGIES
        if draw.random() < 0.75
    }
    document: dict[str, Any] = {
        "version": 1,
        "egress": {"bot": {"addresses": [ADDRESS]}},
        "policy": {"unknown_grace": "1h", **({} if careless else _limits(draw))},
        "runtimes": {one: {"type": "ledger"} for one in runtimes},
        "strategies": strategies,
    }
    if draw.random() < 0.15:
        document["approvals"] = [_approval(draw)]
    if draw.random() < 0.15:
        _suspend(draw, document)
    return Stage(
        document=document,
        keys={name: _key(draw, 0.9 if careless else 0.7) for name in NAMES},
        hours=hours,
        killed=killed,
        hands=tuple(_hand(draw) for _ in range(draw.choice((0, 0, 1, 2, 3)))),
        unreadable=frozenset(one for one in BOTS if not careless and draw.random() < 0.2),
        mute=frozenset(one for one in BOTS if draw.random() < 0.15),
    )


def _strategy(
    draw: random.Random, name: str, runtimes: list[str], before: dict[str, Any] | None
) -> dict[str, Any]:
    """A strategy; often as it was before, or with one thing of it changed."""
    fresh = {
        "name": name,
        "connection": draw.choice(NAMES),
        "runtime": draw.choice(runtimes),
        "enabled": draw.random() < 0.75,
        "pairs": draw.choice((["BTC/USDT"], ["BTC/USDT", "ETH/USDT"])),
        "risk_level": draw.choice(("conservative", "balanced")),
        "margin_limit": {"amount": draw.choice(("100", "500")), "currency": "USDT"},
    }
    if before is None or draw.random() < 0.2:
        return fresh
    changed = draw.choice((None, "connection", "runtime", "runtime", "enabled", "pairs"))
    kept = {**before, **({changed: fresh[changed]} if changed else {})}
    return kept if kept["runtime"] in runtimes else {**kept, "runtime": fresh["runtime"]}


def _key(draw: random.Random, well: float) -> str:
    return "good" if draw.random() < well else draw.choice(tuple(STATES)[1:])


def _limits(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {"thresholds": {"disable": {"count": 20, "percent": "100%"}}}
    limits: dict[str, Any] = {
        side: draw.choice(({"count": 0}, {"count": 1}, {"count": 3}, {"percent": "50%"}, {"percent": "30%"}))
        for side in ("enable", "disable")
        if draw.random() < 0.4
    }
    return {"thresholds": limits} if limits else {}


def _approval(draw: random.Random) -> dict[str, Any]:
    what = {"allow": draw.choice(("enable", "disable")), "count": draw.choice((1, 3, 8))}
    return {**what, "reason": "generated", "approved_by": "somebody", "until": LONG}


def _suspend(draw: random.Random, document: dict[str, Any]) -> None:
    suspension = {"reason": "generated", "until": LONG}
    kind = draw.choice(("runtimes", "strategies", "all"))
    if kind == "all" or not document[kind]:
        document["suspend"] = suspension
    else:
        document[kind][draw.choice(sorted(document[kind]))]["suspend"] = suspension


def _hand(draw: random.Random) -> Hand:
    return Hand(
        start=draw.random() < 0.7,
        runtime=draw.choice(RUNTIMES),
        strategy=draw.choice((*STRATEGIES, *FOREIGN, *FOREIGN, *FOREIGN)),
        connection=draw.choice(NAMES),
    )
