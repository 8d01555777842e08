"""Does the key grant what its strategies need, and nothing that it must not?"""

from __future__ import annotations

from reconciler.checks.attest import attested
from reconciler.checks.check import Answer, Case, Check, failed, on_report, passed, unknown
from reconciler.checks.needs import needs
from reconciler.model.desired import Market
from reconciler.model.finding import Severity
from reconciler.model.live import KeyReport, Permission

WITHDRAW_ENABLED = "withdraw-enabled"

_ATTEST = (
    "Look it up at the exchange and attest it in the files: "
    "`attestations: {withdraw_disabled: {by: ..., on: ...}}`."
)
_UNREADABLE = (
    "Look for the named words on the exchange's page of this key: take them from the key, or use a "
    "version of this tool that knows them."
)
_ASK_AGAIN = (
    "This exchange tells it of every key, so its answer was not complete: check again, and look the key "
    "up at the exchange when it stays so."
)

_SILENT = "Nobody but the exchange knows whether the bot could do its work with this key."
_WAIVE = (
    "Look it up at the exchange; where it cannot tell this tool, waive the check in the files for a time: "
    "`waivers: [{{check: {}, ...}}]`."
)

_TRADING = (Permission.SPOT, Permission.MARGIN, Permission.FUTURES, Permission.OPTIONS)


@on_report
def withdraw_enabled(case: Case, report: KeyReport) -> Answer:
    """Whether the key is known not to withdraw."""
    granted = report.permissions.withdraw
    if granted is None:
        silence = unknown(
            f"the exchange does not tell whether the key may withdraw{_words(report)}",
            cause="Without an answer nobody knows what a thief of this key could do.",
            fix=_silence_fix(case, report),
        )
        # Words that we cannot read are something told, and an answer without a single permission is
        # none: nobody's word stands above either.
        hollow = all(report.permissions[permission] is None for permission in Permission)
        return silence if report.unknown_words or hollow else attested(case, "withdraw_disabled", silence)
    if granted:
        return failed("the exchange says that this key may withdraw")
    return passed("the exchange says that this key cannot withdraw")


def _silence_fix(case: Case, report: KeyReport) -> str:
    if report.unknown_words:
        return _UNREADABLE
    return _ATTEST if "withdraw_disabled" in case.attestable else _ASK_AGAIN


@on_report
def transfer_enabled(case: Case, report: KeyReport) -> Answer:
    """Whether the key keeps its hands off transfers, unless the files want them."""
    if case.connection.permissions.get(Permission.TRANSFER):
        return passed("the files ask for transfers")
    granted = report.permissions.transfer
    mark = case.place("permissions")
    if granted is None:
        return unknown(f"the exchange does not tell whether transfers are granted{_words(report)}", mark=mark)
    return failed("transfers are granted", mark=mark) if granted else passed("transfers are not granted")


def transfer_weight(case: Case) -> Severity:
    """Blocking once the files forbid transfers."""
    forbidden = case.connection.permissions.get(Permission.TRANSFER) is False
    return Severity.BLOCKING if forbidden else Severity.ADVISORY


@on_report
def permission_forbidden(case: Case, report: KeyReport) -> Answer:
    """Whether the key lacks everything that ``permissions: {x: false}`` forbids.

    Transfers and withdrawals have checks of their own.
    """
    own_checks = (Permission.TRANSFER, Permission.WITHDRAW)
    wishes = case.connection.permissions.items()
    forbidden = [permission for permission, wanted in wishes if not wanted and permission not in own_checks]
    return _none_granted(case, report, forbidden, "forbidden in the files")


@on_report
def permission_excess(case: Case, report: KeyReport) -> Answer:
    """Whether the key can trade only where a strategy needs it to."""
    wishes = case.connection.permissions
    # A spot key without a strategy yet is connection-unused, not a key that can do too much.
    expected = needs(case) | ({Permission.SPOT} if case.connection.market is not Market.FUTURES else set())
    spare = [p for p in _TRADING if p not in expected and wishes.get(p) is not False]
    return _none_granted(case, report, spare, "needed by no strategy")


def _none_granted(case: Case, report: KeyReport, permissions: list[Permission], why: str) -> Answer:
    granted = [p.value for p in permissions if report.permissions[p]]
    silent = [p.value for p in permissions if report.permissions[p] is None]
    mark = case.place("permissions")
    if granted:
        return failed(f"granted but {why}: {', '.join(granted)}", mark=mark)
    if silent:
        evidence = (
            f"the exchange does not tell whether these are granted, and they are {why}: {', '.join(silent)}"
        )
        return unknown(evidence + _words(report), mark=mark)
    return passed(f"nothing is granted that is {why}")


def _words(report: KeyReport) -> str:
    if not report.unknown_words:
        return ""
    return f" (it uses words that this tool does not know: {', '.join(report.unknown_words)})"


def _missing(permission: Permission, id_: str, cause: str, fix: str, explanation: str) -> Check:
    """The check that ``permission`` is granted where it is needed."""

    @on_report
    def rule(case: Case, report: KeyReport) -> Answer:
        if permission not in needs(case):
            return passed(f"{permission} is not needed")
        granted = report.permissions[permission]
        if granted is None and permission is Permission.READ and _read_proven(case):
            return passed("the balance was read with this key")
        if granted is None:
            evidence = f"the exchange does not tell whether {permission} is granted{_words(report)}"
            return unknown(
                evidence, cause=_SILENT, fix=_WAIVE.format(id_) if not report.unknown_words else ""
            )
        return passed(f"{permission} is granted") if granted else failed(f"{permission} is not granted")

    return Check(
        id=id_,
        title=f"Permission to {_VERBS[permission]}",
        asks=f"Is the key allowed to {_VERBS[permission]}, where it needs to?",
        cause=cause,
        fix=fix,
        explanation=explanation,
        rule=rule,
    )


def _read_proven(case: Case) -> bool:
    proof = case.observation.proofs.get("balance")
    return proof is not None and proof.failure is None


_VERBS = {
    Permission.READ: "read the account",
    Permission.SPOT: "trade on spot",
    Permission.MARGIN: "trade on margin",
    Permission.FUTURES: "trade futures",
    Permission.OPTIONS: "trade options",
    Permission.TRANSFER: "transfer between own accounts",
}

_DEMANDED = "Asked only when the files demand it (`permissions: {{{}: true}}`); no market needs it by itself."

CHECKS = (
    Check(
        id=WITHDRAW_ENABLED,
        title="Withdrawals are off",
        asks="Does the exchange say that this key cannot withdraw?",
        cause="The key was created with the right to withdraw, or was given it later.",
        fix="Switch withdrawals off for this key at the exchange, or replace it by one without them.",
        explanation=(
            "Whoever steals a key that can withdraw empties the account. A key that can withdraw never "
            "carries a strategy: no waiver, flag or policy turns this check off. Where the exchange "
            "tells nothing at all, a dated attestation by a person in git answers for "
            "`policy.attestation_max_age`; where the exchange says anything, also in words that this "
            "tool does not know, no attestation is heard."
        ),
        rule=withdraw_enabled,
        waivable=False,
    ),
    _missing(
        Permission.READ,
        "permission-read-missing",
        "The key was created without the right to read.",
        "Grant the key its read permission at the exchange.",
        "Every bot and every other check needs to read. Where the exchange has no word for reading, a "
        "balance that was read with this key proves it.",
    ),
    _missing(
        Permission.SPOT,
        "permission-trade-missing",
        "The key may not place spot orders, but an enabled strategy trades on spot.",
        "Grant the key spot trading at the exchange, or disable the strategy.",
        "Needed as soon as an enabled strategy uses a spot connection, and usually beside margin trading; "
        "`permissions: {spot: false}` on a margin connection says that it is not.",
    ),
    _missing(
        Permission.MARGIN,
        "permission-margin-missing",
        "The key may not place margin orders, but an enabled strategy trades on margin.",
        "Grant the key margin trading at the exchange, or disable the strategy.",
        (
            "Needed only when an enabled strategy uses a margin connection. Some exchanges name it together "
            "with spot."
        ),
    ),
    _missing(
        Permission.FUTURES,
        "permission-futures-missing",
        "The key may not place futures orders, but an enabled strategy trades futures.",
        "Grant the key futures trading at the exchange, or disable the strategy.",
        "Needed only when an enabled strategy uses a futures connection. Some exchanges need the futures "
        "account to be opened before a key can get this right.",
    ),
    _missing(
        Permission.OPTIONS,
        "permission-options-missing",
        "The key may not place options orders, but the files demand it.",
        "Grant the key options trading at the exchange, or take the demand out of the files.",
        _DEMANDED.format("options"),
    ),
    _missing(
        Permission.TRANSFER,
        "permission-transfer-missing",
        "The key may not transfer, but the files demand it.",
        "Grant the key transfers between own accounts at the exchange, or take the demand out of the files.",
        _DEMANDED.format("transfer"),
    ),
    Check(
        id="permission-forbidden",
        title="Forbidden permissions are off",
        asks="Does the key lack every permission that the files forbid?",
        cause="The key grants what `permissions:` sets to false.",
        fix="Take the permission from the key at the exchange, or take the line out of the files.",
        explanation=(
            "`permissions: {futures: false}` is a promise to reviewers that this key cannot do it. The "
            "check holds the exchange to it; a permission of which the exchange does not tell keeps the "
            "promise unproven."
        ),
        rule=permission_forbidden,
    ),
    Check(
        id="permission-excess",
        title="No permission too many",
        asks="Can the key trade only where an enabled strategy needs it?",
        cause="The key was created with more permissions than its strategies use.",
        fix=(
            "Take the permission from the key at the exchange, or demand it in `permissions:` when it is "
            "meant."
        ),
        explanation=(
            "A stolen or misused key does as much harm as its permissions allow. Margin, futures and "
            "options without an enabled strategy that uses them are worth removing, as is spot on a "
            "futures connection."
        ),
        rule=permission_excess,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="transfer-enabled",
        title="Transfers are off",
        asks="Is the key unable to move funds between accounts, unless the files want it?",
        cause="The key may move funds between wallets or sub-accounts.",
        fix=(
            "Switch transfers off for this key at the exchange, or say `permissions: {transfer: true}` "
            "when a bot really moves funds."
        ),
        explanation=(
            "Transfers stay within one owner's accounts, but they can move funds out of the reach of a "
            "bot's limits. The check advises, and blocks when the files say `permissions: {transfer: "
            "false}`."
        ),
        rule=transfer_enabled,
        severity=Severity.ADVISORY,
        weigh=transfer_weight,
    ),
)
