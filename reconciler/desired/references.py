"""What items say of each other: references, pairs against markets, waivers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.desired.merge import Item, Merged
from reconciler.desired.wording import suggestion, where
from reconciler.model.desired import Desired, Market
from reconciler.model.errors import Problem

#: The check that nothing turns off: a key that can withdraw never carries a strategy.
NEVER_WAIVED: Final = "withdraw-enabled"


def check(merged: Merged, desired: Desired) -> Iterator[Problem]:
    """Every reference to something that does not exist, and every pair of another market.

    Nothing is said of what a reference leads to when a file could not be read to its end: the
    missing part may stand there.
    """
    for waiver in merged.waivers:
        if waiver.value["check"] == NEVER_WAIVED:
            yield waiver.at("check").problem(
                "not-waivable",
                f"{where(waiver.path)}: {NEVER_WAIVED} cannot be waived: such a key never carries a strategy",
                "remove the waiver, and take the right to withdraw from the key at the exchange",
            )
    for strategy in merged.sections.get("strategies", {}).values():
        yield from _pairs(strategy, desired)
    if merged.complete:
        yield from _dangling(merged)


def _dangling(merged: Merged) -> Iterator[Problem]:
    known = merged.known
    for item in merged.sections.get("connections", {}).values():
        yield from _refer(item.get("egress"), "egress", known)
    for item in merged.sections.get("strategies", {}).values():
        yield from _refer(item.at("connection"), "connections", known)
        yield from _refer(item.at("runtime"), "runtimes", known)
    for item in merged.waivers:
        yield from _refer(item.at("connection"), "connections", known)


def _refer(item: Item | None, section: str, known: Mapping[str, Mapping[str, Item]]) -> Iterator[Problem]:
    """A problem when ``item`` names nothing in ``section``."""
    ids = known.get(section, {})
    if item is not None and item.value not in ids:
        close = suggestion(item.value, ids)
        yield item.problem(
            "dangling-reference",
            f"{where(item.path)}: no such id under `{section}`{close}",
            f"define it under `{section}`, or name one that is defined there",
        )


def _pairs(strategy: Item, desired: Desired) -> Iterator[Problem]:
    """A problem for each pair that is not of the connection's market."""
    connection = desired.connections.get(strategy.value["connection"])
    if connection is None:
        return
    futures = connection.market is Market.FUTURES
    for pair in strategy.each("pairs"):
        if (":" in pair.value) != futures:
            wanted = "BTC/USDT:USDT" if futures else "BTC/USDT"
            yield pair.problem(
                "wrong-market",
                f"{where(pair.path)}: not a pair of {connection.market}, the market of its connection",
                f"write {connection.market} pairs such as {wanted}, or use another connection",
            )
