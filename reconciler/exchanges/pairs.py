"""What kind of market a pair is: exchanges list each kind at a place of its own."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model.desired import Market


class PairKind(StrEnum):
    """Spot, margin, and futures by what they settle in and whether they end on a day."""

    SPOT = "spot"
    MARGIN = "margin"
    LINEAR = "linear"
    INVERSE = "inverse"
    LINEAR_DATED = "linear-dated"
    INVERSE_DATED = "inverse-dated"


def kind_of(market: Market, pair: str) -> PairKind:
    """The kind of a ccxt symbol in ``market``: ``BTC/USD:BTC-261225`` of futures is inverse and dated."""
    if market is not Market.FUTURES:
        return PairKind.MARGIN if market is Market.MARGIN else PairKind.SPOT
    settle, _, date = pair.partition(":")[2].partition("-")
    if settle == pair.partition("/")[0]:
        return PairKind.INVERSE_DATED if date else PairKind.INVERSE
    return PairKind.LINEAR_DATED if date else PairKind.LINEAR
