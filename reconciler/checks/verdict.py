"""From a case to its findings, from findings to a permit and a status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from reconciler.checks.bot import BotCase
from reconciler.checks.catalogue import (
    BOT_CHECKS,
    CATALOGUE,
    MARKET_CHECKS,
    RUNTIME_CHECKS,
    STRATEGY_CHECKS,
    TAKING_CHECKS,
)
from reconciler.checks.check import Answer, Case, Check, Entry, passed
from reconciler.checks.market import MarketCase
from reconciler.checks.taking import TakingCase, taken
from reconciler.checks.waivers import waiver_for
from reconciler.model.desired import Policy, RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import Observation, Status
from reconciler.model.runtime_kinds import RUNTIME_KINDS, RuntimeFailureKind

#: What a runtime said clearly; all else says nothing of it.
_REFUSALS = frozenset({RuntimeFailureKind.UNAUTHORISED, RuntimeFailureKind.WRONG_VERSION})

#: The checks of which each must have answered before anything may run.
REQUIRED = frozenset(check.id for check in CATALOGUE.values() if check.may_block)


def evaluate(case: Case) -> tuple[Finding, ...]:
    """Exactly one finding for every check of the catalogue, in its order, passes included."""
    return tuple(_finding(case, check) for check in CATALOGUE.values())


def evaluate_strategy(policy: Policy, strategy: Strategy) -> tuple[Finding, ...]:
    """One finding for every rule that ``policy`` sets, passes included; none where git has it off."""
    if not strategy.enabled:
        return ()
    answers = ((check, check.rule(policy, strategy)) for check in STRATEGY_CHECKS.values())
    return tuple(
        _told(check, answer, Subject.STRATEGY, strategy.id, strategy.mark)
        for check, answer in answers
        if answer is not None
    )


def evaluate_taking(case: TakingCase) -> Finding:
    """Whether the runtime takes all that the strategy states, be it on or off; a pass where it does."""
    check, strategy = TAKING_CHECKS["strategy-settings-taken"], case.strategy
    return _told(check, taken(case), Subject.STRATEGY, strategy.id, strategy.mark)


def evaluate_bot(case: BotCase) -> tuple[Finding, ...]:
    """One finding for every check of a bot that can be answered, passes included."""
    answers = ((check, check.rule(case)) for check in BOT_CHECKS.values())
    return tuple(
        _told(check, answer, Subject.STRATEGY, case.strategy.id, case.strategy.mark)
        for check, answer in answers
        if answer is not None
    )


def evaluate_market(case: MarketCase) -> tuple[Finding, ...]:
    """One finding for every check of what a strategy finds that is asked, passes included; none blocks."""
    answers = ((check, check.rule(case)) for check in MARKET_CHECKS.values())
    return tuple(
        _told(check, answer, Subject.STRATEGY, case.strategy.id, case.strategy.mark)
        for check, answer in answers
        if answer is not None
    )


def judge_runtime(spec: RuntimeSpec, failure: RuntimeFailed | None, *, read: bool) -> Finding:
    """Whether a runtime could be ``read``; a fail where it refused, unknown where it told nothing."""
    kind = failure.kind if failure else None
    told = f"{spec.id} was read" if read else str(failure or f"{spec.id} could not be read")
    answer = passed(told)
    if not read:
        verdict = Verdict.FAIL if kind in _REFUSALS else Verdict.UNKNOWN
        texts = RUNTIME_KINDS[kind] if kind else None
        fix = failure.hint if failure and failure.hint else texts.fix if texts else ""
        answer = Answer(verdict=verdict, evidence=told, cause=texts.cause if texts else "", fix=fix)
    finding = _told(RUNTIME_CHECKS["runtime-test"], answer, Subject.RUNTIME, spec.id, spec.mark)
    return replace(finding, kind=kind.value if kind else None)


def permits(findings: Iterable[Finding]) -> bool:
    """Whether a strategy may run on the one connection that ``findings`` are about.

    True only if every check that can block answered exactly once and none of them blocks. What a
    finding claims of its own severity or waiver counts only as far as the catalogue allows it.
    """
    held = tuple(findings)
    answered = Counter(finding.check for finding in held)
    complete = all(answered[check] == 1 for check in REQUIRED)
    one_subject = len({(finding.subject, finding.subject_id) for finding in held}) == 1
    return complete and one_subject and not any(_blocks(finding) for finding in held)


def status(observation: Observation, findings: Iterable[Finding]) -> Status:
    """The status of a connection: connected only where a strategy may run."""
    held = tuple(findings)
    if observation.unread is not None:
        return Status.UNCHECKED
    test = next((f.verdict for f in held if f.check == "connection-test"), Verdict.UNKNOWN)
    if test is Verdict.FAIL:
        return Status.REJECTED
    if test is Verdict.UNKNOWN:
        return Status.UNREACHABLE if observation.failure else Status.UNCHECKED
    return Status.CONNECTED if permits(held) else Status.DEGRADED


def _finding(case: Case, check: Check) -> Finding:
    answer, connection = check.rule(case), case.connection
    waiver = waiver_for(case, check.id) if check.waivable and answer.verdict is not Verdict.PASS else None
    return replace(
        _told(check, answer, Subject.CONNECTION, connection.id, connection.mark),
        severity=check.weigh(case) if check.weigh else check.severity,
        waived_by=waiver.approved_by if waiver else None,
    )


def _told(check: Entry, answer: Answer, subject: Subject, subject_id: str, mark: Mark) -> Finding:
    """The finding of an answer, with the check's own severity; ``mark`` is where nothing nearer is known."""
    good = answer.verdict is Verdict.PASS
    return Finding(
        check=check.id,
        verdict=answer.verdict,
        severity=check.severity,
        subject=subject,
        subject_id=subject_id,
        mark=answer.mark or mark,
        evidence=answer.evidence,
        cause="" if good else answer.cause or check.cause,
        fix="" if good else answer.fix or check.fix,
        kind=answer.kind.value if answer.kind else None,
        attested_by=answer.attested_by,
    )


def _blocks(finding: Finding) -> bool:
    check = CATALOGUE.get(finding.check)
    if check is None or finding.verdict is Verdict.PASS:
        return False
    severity = finding.severity if check.varies else check.severity
    waived = check.waivable and finding.waived_by is not None
    return severity is Severity.BLOCKING and not waived
