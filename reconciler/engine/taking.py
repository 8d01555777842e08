"""What the files state and no runtime takes, for who reads only the files."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.checks import TakingCase, evaluate_taking
from reconciler.model.desired import Desired
from reconciler.model.finding import Verdict
from reconciler.model.report import Concern, Weight
from reconciler.runtimes.registry import TYPES


def taking_concerns(desired: Desired) -> Iterator[Concern]:
    """Advice for each strategy, on or off, of which the runtime does not take all that it states.

    The check's id is the code, so that ``reconcile explain`` takes it.
    """
    for strategy in desired.strategies.values():
        runtime = desired.runtimes[strategy.runtime]
        case = TakingCase(strategy=strategy, runtime=runtime, takes=TYPES[runtime.type].takes)
        finding = evaluate_taking(case)
        if finding.verdict is not Verdict.PASS:
            yield Concern(
                code=finding.check,
                message=finding.evidence,
                fix=finding.fix,
                mark=finding.mark,
                weight=Weight.FAILS if finding.blocks else Weight.ADVICE,
            )
