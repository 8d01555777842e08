"""Is it the right account, and is its login protected?"""

from __future__ import annotations

from reconciler.checks.attest import objection
from reconciler.checks.check import Answer, Case, Check, failed, on_report, passed, unknown
from reconciler.model.finding import Severity
from reconciler.model.live import KeyReport


@on_report
def account_differs(case: Case, report: KeyReport) -> Answer:
    """Whether the key belongs to the account that the files pin."""
    pin = case.connection.account
    if pin is None:
        return passed("no account is pinned")
    uid = report.account.uid
    if uid is None:
        return unknown(f"the exchange does not tell whose key it is; {pin.uid} is pinned", mark=pin.mark)
    if uid != pin.uid:
        return failed(f"the key belongs to account {uid}, {pin.uid} is pinned", mark=pin.mark)
    return passed(f"the key belongs to account {uid}")


def two_factor_unattested(case: Case) -> Answer:
    """Whether somebody attested lately that the account's login has a second factor."""
    attestation = case.connection.attestations.get("two_factor")
    if attestation is None:
        return failed("nobody attested that the account's login has a second factor")
    why_not = objection(case, attestation)
    if why_not is not None:
        return failed(why_not, mark=attestation.mark)
    return passed(f"attested by {attestation.by} on {attestation.on}")


CHECKS = (
    Check(
        id="account-differs",
        title="The pinned account",
        asks="Does the key belong to the account that the files pin?",
        cause="The key was created on another account, or secret files were swapped.",
        fix="Create the key on the pinned account, or correct `account.uid` in a reviewed change.",
        explanation=(
            "`account: {uid: ...}` binds a connection to one exchange account, so that a swapped key "
            "cannot make a strategy trade somebody else's funds. Without a pin there is nothing to "
            "compare and the check passes; with one, an exchange that does not tell the account leaves "
            "it unknown."
        ),
        rule=account_differs,
        waivable=False,
    ),
    Check(
        id="two-factor-unattested",
        title="Two-factor login is attested",
        asks="Did a person attest lately that the account's login has a second factor?",
        cause="No exchange tells whether two-factor login is on, so only a person can.",
        fix="Look at the account's security page and add `attestations: {two_factor: {by: ..., on: ...}}`.",
        explanation=(
            "Whoever can log in can create a key that withdraws. The check is a reminder, renewed after "
            "`policy.attestation_max_age`."
        ),
        rule=two_factor_unattested,
        severity=Severity.ADVISORY,
    ),
)
