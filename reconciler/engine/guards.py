"""What guards have to tell of a run: limits that it exceeds, and exceptions that are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.checks import GUARD_CHECKS
from reconciler.checks.waivers import EXPIRED as WAIVER_EXPIRED
from reconciler.checks.waivers import ended
from reconciler.model.desired import Desired, Guarded
from reconciler.model.errors import Mark
from reconciler.model.finding import Finding, Subject, Verdict
from reconciler.model.plan import Bound, Breach, Plan
from reconciler.model.report import Concern, Weight
from reconciler.planning import disabling, lockdown, settle
from reconciler.planning.guard import NO_GUARDS, THRESHOLD_CHECKS, Guards
from reconciler.planning.suspend import IN_FORCE, OVER, over
from reconciler.planning.thresholds import holds
from reconciler.planning.windows import CHECK, closed


def guard_findings(
    desired: Desired, plan: Plan, now: datetime, guards: Guards = NO_GUARDS
) -> tuple[Finding, ...]:
    """One finding for each limit that ``plan`` exceeds and each exception that is over; else none."""
    return (
        *map(_exceeded, plan.breaches),
        *_suspensions(desired, now),
        *_windows(desired, plan, now),
        *_settling(plan),
        *_positions(plan),
        *_lockdowns(guards),
        *_approvals(desired, now),
    )


def guard_concerns(desired: Desired, now: datetime) -> tuple[Concern, ...]:
    """What the files alone show to be over: a suspension fails, any other exception is advice."""
    told = (*_suspensions(desired, now), *_approvals(desired, now))
    found = (_concern(finding) for finding in told if finding.check != IN_FORCE)
    return (*found, *_waivers(desired, now))


def _exceeded(breach: Breach) -> Finding:
    """The numbers, and the line that would approve them."""
    word = f"{breach.guarded}d"
    share = f"{breach.count} of {breach.of}"
    if breach.guarded is Guarded.ENABLE:
        told = f"{share} strategies that git wants would be {word} at once"
    else:
        told = f"{share} strategies would be {word} at once because of the files alone"
    approved = f", and the approvals that run allow {breach.approved}" if breach.approved else ""
    kept = {
        Guarded.ENABLE: "none is enabled",
        Guarded.DISABLE: "none of them is disabled and nothing is enabled; stops for safety still happen",
    }
    line = f"{{allow: {breach.guarded}, count: {breach.count}, reason: …, approved_by: …, until: …}}"
    return _told(
        THRESHOLD_CHECKS[breach.guarded],
        f"{told}; {_rule(breach)}{approved}: {kept[breach.guarded]}",
        subject_id=f"thresholds.{breach.guarded}",
        fix=f"If it is meant, add to `approvals` in git: {line}. Else mend the files.",
    )


def _rule(breach: Breach) -> str:
    if breach.bound is Bound.EMPTIED:
        return "the files hold no strategy any more, which always needs an approval"
    return f"policy.thresholds.{breach.guarded}.{breach.bound} allows {breach.allowed}"


def _suspensions(desired: Desired, now: datetime) -> Iterator[Finding]:
    for one in desired.suspensions:
        kind, _, id_ = one.subject.partition(" ")
        reason = " ".join(one.reason.split())
        if over(one, now):
            check, told = OVER, f"the suspension of {one.subject} ended on {one.until}: {reason}"
        else:
            check, told = IN_FORCE, f"{one.subject} is suspended until {one.until}: {reason}"
        yield _told(
            check,
            told,
            subject=Subject(kind) if id_ else Subject.POLICY,
            subject_id=id_ or "suspend",
            mark=one.mark,
        )


def _windows(desired: Desired, plan: Plan, now: datetime) -> Iterator[Finding]:
    """Told only where something waits."""
    waiting = sorted({action.strategy for action in plan.actions if CHECK in action.checks})
    if waiting:
        evidence = f"{closed(desired.policy.windows, now)}: {', '.join(waiting)} wait"
        yield _told(CHECK, evidence, subject_id="windows")


def _settling(plan: Plan) -> Iterator[Finding]:
    """Told only where something waits."""
    waiting = sorted({action.strategy for action in plan.actions if settle.CHECK in action.checks})
    if waiting:
        evidence = f"{', '.join(waiting)} wait until the checks passed often enough"
        yield _told(settle.CHECK, evidence, subject_id="settle")


def _positions(plan: Plan) -> Iterator[Finding]:
    """Told only where something waits."""
    waiting = sorted({action.strategy for action in plan.actions if disabling.CHECK in action.checks})
    if waiting:
        evidence = f"{', '.join(waiting)} wait until what is open is closed by hand"
        yield _told(disabling.CHECK, evidence, subject_id="on_disable")


def _lockdowns(guards: Guards) -> Iterator[Finding]:
    for one in guards.lockdowns:
        reason = " ".join(one.reason.split())
        evidence = f"{one} is in force since {one.since:%Y-%m-%dT%H:%M:%SZ}, by {one.by}: {reason}"
        fix = f"Once all is well, end it: reconcile lockdown --lift {one.id}"
        yield _told(lockdown.CHECK, evidence, subject_id=f"lockdown {one.id}", fix=fix)


def _waivers(desired: Desired, now: datetime) -> Iterator[Concern]:
    """A run tells them beside their connection; where no key is read, the files do."""
    for waiver in desired.waivers:
        if ended(waiver, now):
            yield Concern(
                code=WAIVER_EXPIRED.id,
                message=f"{waiver.check} is no longer waived for {waiver.connection}, since {waiver.until}",
                fix=WAIVER_EXPIRED.fix,
                mark=waiver.mark,
                weight=Weight.ADVICE,
            )


def _concern(finding: Finding) -> Concern:
    return Concern(
        code=finding.check,
        message=finding.evidence,
        fix=finding.fix,
        mark=finding.mark,
        weight=Weight.FAILS if finding.blocks else Weight.ADVICE,
        exit_code=GUARD_CHECKS[finding.check].exit_code,
    )


def _approvals(desired: Desired, now: datetime) -> Iterator[Finding]:
    past = [approval for approval in desired.approvals if not holds(approval, now)]
    if past:
        named = ", ".join(f"{one.allow} up to {one.count} (until {one.until})" for one in past)
        yield _told(
            "approval-expired", f"no longer approved: {named}", subject_id="approvals", mark=past[0].mark
        )


def _told(
    check: str,
    evidence: str,
    *,
    subject_id: str,
    subject: Subject = Subject.POLICY,
    mark: Mark | None = None,
    fix: str = "",
) -> Finding:
    texts = GUARD_CHECKS[check]
    return Finding(
        check=check,
        verdict=Verdict.FAIL,
        severity=texts.severity,
        subject=subject,
        subject_id=subject_id,
        mark=mark,
        evidence=evidence,
        cause=texts.cause,
        fix=fix or texts.fix,
    )
