"""Which permissions a connection's key needs, from its strategies, its market and the files."""

from __future__ import annotations

from reconciler.checks.check import Case
from reconciler.model.desired import Market
from reconciler.model.live import Permission

#: What trading in a market cannot do without.
CORE = {
    Market.SPOT: Permission.SPOT,
    Market.MARGIN: Permission.MARGIN,
    Market.FUTURES: Permission.FUTURES,
}

#: What it usually takes besides; the files may do without it (``permissions: {spot: false}``).
USUAL = {Market.MARGIN: frozenset({Permission.SPOT})}


def needs(case: Case) -> frozenset[Permission]:
    """Read always; the market's permissions once a strategy is enabled; whatever the files demand.

    A permission that the files forbid is dropped, but never the core one of a market that a
    strategy trades in: that contradiction must fail, whichever way the key is set.
    """
    wishes = case.connection.permissions
    demanded = {permission for permission, wanted in wishes.items() if wanted}
    core: set[Permission] = {Permission.READ}
    usual: frozenset[Permission] = frozenset()
    if case.used_by:
        core.add(CORE[case.connection.market])
        usual = USUAL.get(case.connection.market, frozenset())
    forbidden = {permission for permission, wanted in wishes.items() if not wanted}
    return frozenset(core | demanded | (usual - forbidden)) - {Permission.WITHDRAW}
