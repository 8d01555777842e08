"""May a strategy run on this connection now: yes, no, or nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reconciler.model.desired import Policy, Strategy
from reconciler.model.finding import Finding, Severity, Verdict
from reconciler.model.report import ConnectionReport

Permits: TypeAlias = Callable[[Sequence[Finding]], bool]
"""``reconciler.checks.permits``: the rooms stand beside each other, so it is handed in."""

Judge: TypeAlias = Callable[[Policy, Strategy], Sequence[Finding]]
"""``reconciler.checks.evaluate_strategy``, handed in for the same reason."""

#: The one check whose failure no waiver outweighs.
NEVER_WAIVED = "withdraw-enabled"

#: Without an answer to these no check of what the key may do can have one.
ROOTS = ("credentials-unreadable", "connection-test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``PASS`` lets strategies run, ``FAIL`` stops them, ``UNKNOWN`` starts none and stops none at once.

    ``checks`` names what keeps it shut, and is empty for a pass.
    """

    verdict: Verdict
    checks: tuple[str, ...] = ()


def gate(report: ConnectionReport | None, *, permits: Permits) -> Gate:
    """The gate of one connection; unknown for one that was not looked at in this pass."""
    if report is None:
        return Gate(verdict=Verdict.UNKNOWN, checks=("connection-test",))
    failed = _shut(report, Verdict.FAIL)
    if failed:
        return Gate(verdict=Verdict.FAIL, checks=failed)
    unknown = _shut(report, Verdict.UNKNOWN)
    if unknown or not permits(report.findings):
        return Gate(verdict=Verdict.UNKNOWN, checks=_roots(unknown))
    return Gate(verdict=Verdict.PASS)


def _shut(report: ConnectionReport, verdict: Verdict) -> tuple[str, ...]:
    return tuple(sorted({f.check for f in report.findings if f.verdict is verdict and _weighs(f)}))


def _roots(checks: tuple[str, ...]) -> tuple[str, ...]:
    """The check for whose silence all the others are silent, where there is one; else all.

    Never nothing: where findings are missing, what was to give them is named.
    """
    return next(((root,) for root in ROOTS if root in checks), checks or ROOTS[1:])


def _weighs(finding: Finding) -> bool:
    return finding.severity is Severity.BLOCKING and (
        finding.waived_by is None or finding.check == NEVER_WAIVED
    )
