"""Is the key alive, and for how long: expiry, age, switched off."""

from __future__ import annotations

from datetime import datetime

from reconciler.checks.check import Answer, Case, Check, days, failed, on_report, passed, unknown
from reconciler.checks.place import refused_as
from reconciler.model.finding import Severity
from reconciler.model.live import FailureKind, KeyReport


def key_expired(case: Case) -> Answer:
    """Whether the key still holds, and its right to trade where a strategy needs it."""
    return refused_as(case, FailureKind.KEY_EXPIRED) or _end_passed(case)


@on_report
def _end_passed(case: Case, report: KeyReport) -> Answer:
    past = [(what, when) for what, when in _given_ends(case, report) if when <= case.now]
    if past:
        what, when = past[0]
        return failed(f"{what} ended on {when:%Y-%m-%d}")
    return passed("the exchange accepted the key")


@on_report
def key_expires_soon(case: Case, report: KeyReport) -> Answer:
    """Whether the next end that is known lies beyond the policy's warning time."""
    ends = list(_given_ends(case, report))
    if report.expires_at is not None and report.expiry_rule is not None:
        ends.append((f"the key, by the exchange's rule ({report.expiry_rule}),", report.expires_at))
    if not ends:
        return passed("the exchange names no end")
    what, when = min(ends, key=lambda end: end[1])
    warning = case.desired.policy.expiry_warning
    left = when - case.now
    evidence = f"{what} ends on {when:%Y-%m-%d}, {_left(left.days)}"
    return failed(evidence) if left <= warning else passed(evidence)


@on_report
def key_too_old(case: Case, report: KeyReport) -> Answer:
    """Whether the key is younger than the policy's limit."""
    limit = case.desired.policy.max_key_age
    if limit is None:
        return passed("policy sets no limit")
    if report.created_at is None:
        return unknown("the exchange does not tell when the key was created")
    age = case.now - report.created_at
    evidence = f"the key is {days(age.days)} old, policy allows {days(limit.days)}"
    return failed(evidence) if age > limit else passed(evidence)


def key_disabled(case: Case) -> Answer:
    """Whether the key is switched on."""
    return refused_as(case, FailureKind.KEY_DISABLED) or _switched_off(case)


@on_report
def _switched_off(case: Case, report: KeyReport) -> Answer:
    del case
    if report.disabled:
        return failed("the exchange says that the key is disabled")
    return passed("the exchange accepted the key")


def _given_ends(case: Case, report: KeyReport) -> tuple[tuple[str, datetime], ...]:
    """The ends that the exchange itself dated; an estimate never outvotes an accepted call."""
    given = report.expires_at if report.expiry_rule is None else None
    trade = report.trade_expires_at if case.used_by else None
    ends = (("the key", given), ("its right to trade", trade))
    return tuple((what, when) for what, when in ends if when is not None)


def _left(left: int) -> str:
    return f"in {days(left)}" if left >= 0 else "which has passed"


CHECKS = (
    Check(
        id="key-expired",
        title="The key has not expired",
        asks="Is the key, and its right to trade, still within its time?",
        cause="The key's time is over.",
        fix="Create a new key at the exchange and replace the old one in the secret file.",
        explanation=(
            "Fails when the exchange refuses the key as expired, or dates its end in the past. Where "
            "only the right to trade ends, it fails as soon as an enabled strategy needs it. An end that "
            "is only estimated from a documented rule warns, and does not outvote an exchange that still "
            "accepts the key."
        ),
        rule=key_expired,
        waivable=False,
    ),
    Check(
        id="key-expires-soon",
        title="The key does not expire soon",
        asks="Is the next known end of the key further away than the policy's warning time?",
        cause="Exchanges end keys after a fixed time, after idle weeks, or when no whitelist protects them.",
        fix=(
            "Renew the key at the exchange, bind it to addresses where that lifts the limit, or plan its "
            "replacement."
        ),
        explanation=(
            "A key that expires over night leaves open positions without their bot. The warning starts "
            "`policy.expiry_warning` (14 days by default) ahead."
        ),
        rule=key_expires_soon,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="key-too-old",
        title="The key is not too old",
        asks="Is the key younger than `policy.max_key_age`?",
        cause="The key has been in use for longer than the team allows.",
        fix="Create a new key, put it into the secret file, and delete the old one at the exchange.",
        explanation=(
            "Every backup, laptop and log that a key ever passed through may still hold it. Replacing "
            "keys in time bounds what an old leak is worth. Without a limit in the policy the check "
            "passes."
        ),
        rule=key_too_old,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="key-disabled",
        title="The key is switched on",
        asks="Does the exchange treat the key as enabled?",
        cause="The key was frozen, deleted or switched off at the exchange.",
        fix="Find out who switched it off and why before creating a new one.",
        explanation=(
            "Exchanges freeze keys after suspicious use or a change of the account's security settings."
        ),
        rule=key_disabled,
        waivable=False,
    ),
)
