"""This machine's clock against exchanges', without any key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from reconciler.exchanges import registry
from reconciler.live.client import prototype
from reconciler.live.egress import Exits
from reconciler.live.observe import ObserveOptions
from reconciler.live.station import Station
from reconciler.model.live import CallFailed


async def measure(exchanges: Sequence[str], *, options: ObserveOptions) -> Mapping[str, float | None]:
    """For each exchange this machine's clock minus the exchange's in seconds; ``None`` if it did not tell.

    Asked directly, not through an egress: it is this machine's clock that signs.
    """
    async with Exits(limit=len(exchanges) or 1) as exits:
        way_out = await exits.get(None)

        async def ask(name: str) -> float | None:
            exchange = registry.get(name)
            station = Station(
                exchange=exchange,
                made=prototype(exchange, options.endpoints),
                way_out=way_out,
                timeout=options.timeout,
                max_parallel=1,
                clock=lambda: options.now().timestamp(),
            )
            try:
                return await station.measure_skew()
            except CallFailed:
                return None
            finally:
                await station.close()

        skews = await asyncio.gather(*map(ask, exchanges))
    return dict(zip(exchanges, skews, strict=True))
