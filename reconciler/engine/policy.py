"""What the files alone say of strategies against policy: for a run, and for who reads only the files."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.checks import evaluate_strategy
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode
from reconciler.model.finding import Finding
from reconciler.model.report import Concern


def policy_findings(desired: Desired, targets: Collection[str] = ()) -> tuple[Finding, ...]:
    """Every answer of policy's rules, passes included, by strategy.

    With ``targets``, ids of strategies or connections, only of the strategies that those name.
    """
    strategies = sorted(desired.strategies.values(), key=lambda strategy: strategy.id)
    chosen = (one for one in strategies if not targets or {one.id, one.connection} & set(targets))
    return tuple(finding for one in chosen for finding in evaluate_strategy(desired.policy, one))


def policy_concerns(desired: Desired) -> tuple[Concern, ...]:
    """What ``desired`` itself holds against its policy, as concerns that fail with ``BLOCKED``.

    A check's id is the code, so that ``reconcile explain`` takes it.
    """
    return tuple(
        Concern(
            code=finding.check,
            message=finding.evidence,
            fix=finding.fix,
            mark=finding.mark,
            exit_code=ExitCode.BLOCKED,
        )
        for finding in policy_findings(desired)
        if finding.blocks
    )
