"""What strategies find on their connections: judged from what was read of these anyway."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from reconciler.checks import MARKET_CHECKS, MarketCase, evaluate_market
from reconciler.checks.market import balance_read
from reconciler.exchanges import registry
from reconciler.model.desired import Desired, Strategy
from reconciler.model.finding import Finding, Subject, Verdict
from reconciler.model.report import ConnectionReport
from reconciler.planning.drift import Key


def market_findings(
    desired: Desired, reports: Iterable[ConnectionReport], targets: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Those of each strategy that should run on a connection that was read; with ``targets`` only theirs."""
    read = _by_id(reports)
    return tuple(
        finding
        for one in _wanted(desired)
        if one.connection in read and (not targets or {one.id, one.connection} & set(targets))
        for finding in evaluate_market(_case(desired, one, read[one.connection]))
    )


def unanswered(
    desired: Desired, reports: Iterable[ConnectionReport], findings: Iterable[Finding]
) -> frozenset[Key]:
    """What nobody could answer in this pass: of connections that rest or told nothing, and the unknown."""
    read, told = _by_id(reports), {(one.subject_id, one.check): one.verdict for one in findings}
    return frozenset(
        (Subject.STRATEGY, one.id, check)
        for one in _wanted(desired)
        for check in MARKET_CHECKS
        if told.get((one.id, check), _silence(read.get(one.connection))) is Verdict.UNKNOWN
    )


def _silence(report: ConnectionReport | None) -> Verdict | None:
    """What it means that a check of a strategy on this connection said nothing."""
    return None if report is not None and balance_read(report.observation) else Verdict.UNKNOWN


def _wanted(desired: Desired) -> Iterator[Strategy]:
    yield from sorted((one for one in desired.strategies.values() if one.enabled), key=lambda one: one.id)


def _by_id(reports: Iterable[ConnectionReport]) -> Mapping[str, ConnectionReport]:
    return {report.connection.id: report for report in reports}


def _case(desired: Desired, strategy: Strategy, report: ConnectionReport) -> MarketCase:
    connection = report.connection
    return MarketCase(
        connection=connection,
        strategy=strategy,
        together=tuple(one for one in desired.strategies_of(connection.id) if one.enabled),
        observation=report.observation,
        tells_wallet=connection.market in registry.get(connection.exchange).wallets,
    )
