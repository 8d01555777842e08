"""Can the key be read and used at all: credentials, the connection test, balances, orders, clock."""

from __future__ import annotations

from reconciler.checks.check import Answer, Case, Check, Rule, failed, passed, unknown
from reconciler.checks.place import judge
from reconciler.model.errors import (
    BindingMismatch,
    IntegrityFailed,
    NotASecretFile,
    PlaintextSecret,
    UnsafeRecipient,
)
from reconciler.model.finding import Severity
from reconciler.model.live import Health

#: More than this and exchanges start to refuse signed calls; their windows are 1 to 5 seconds.
MAX_CLOCK_SKEW = 1.0

#: Errors that say that the secret file itself is wrong; the others only say that it was not read here.
_WRONG_FILE = (BindingMismatch, IntegrityFailed, NotASecretFile, PlaintextSecret, UnsafeRecipient)


def connection_test(case: Case) -> Answer:
    """Whether the exchange answered for this key."""
    if case.observation.failure is not None:
        return judge(case, case.observation.failure)
    if case.report is None:
        reason = case.observation.unread or "the key was not read"
        return unknown(
            reason,
            cause="No call was made with this key, so nothing is known of it.",
            fix="Remove what kept it from being read, then check again.",
        )
    return passed("the exchange accepted the key and described it")


def credentials_unreadable(case: Case) -> Answer:
    """Whether the credentials were decrypted and belong to this connection."""
    error = case.secrets_error
    if error is not None:
        answer = failed if isinstance(error, _WRONG_FILE) else unknown
        return answer(error.message, fix=error.hint, mark=error.mark or case.place("credentials"))
    if not case.credentials_held:
        return unknown(case.observation.unread or "the credentials were not read")
    return passed("the credentials were decrypted")


def secret_plaintext(case: Case) -> Answer:
    """Whether every secret of the connection is stored encrypted."""
    error = case.secrets_error
    if isinstance(error, PlaintextSecret):
        return failed(error.message, fix=error.hint, mark=error.mark or case.place("credentials"))
    if not case.credentials_held:
        return unknown("the credentials were not read", mark=case.place("credentials"))
    return passed("every secret is stored encrypted")


def _proof(name: str, what: str) -> Rule:
    def rule(case: Case) -> Answer:
        proof = case.observation.proofs.get(name)
        if proof is None:
            return unknown(f"{what} were not asked for", fix="Solve connection-test first.")
        if proof.failure is not None:
            return judge(case, proof.failure)
        return passed(f"{what} were read")

    return rule


def clock_skew(case: Case) -> Answer:
    """Whether this machine's clock agrees with the exchange's."""
    skew = case.observation.clock_skew
    if skew is None:
        return unknown("the exchange's clock was not read")
    word = "ahead of" if skew > 0 else "behind"
    evidence = f"this machine's clock is {abs(skew):.1f} s {word} the exchange's"
    return failed(evidence) if abs(skew) > MAX_CLOCK_SKEW else passed(evidence)


def exchange_status(case: Case) -> Answer:
    """Whether the exchange announces maintenance; one that announces nothing passes."""
    if case.observation.health is Health.MAINTENANCE:
        return failed(f"{case.connection.exchange} says that it is in maintenance")
    return passed("no maintenance is announced")


CHECKS = (
    Check(
        id="connection-test",
        title="Connection test",
        asks="Does the exchange accept this key and describe it?",
        cause="The exchange refused the key, or could not be asked.",
        fix="Follow the cause that the finding names; each failure kind has its own page below.",
        explanation=(
            "One signed, read-only call asks the exchange what it knows of the key. A refusal fails; an "
            "outage, a rate limit, an ambiguous answer, or a call from a place that the connection's "
            "egress does not list is unknown. Every other check on the key stands on this one, so "
            "nothing can waive it."
        ),
        rule=connection_test,
        waivable=False,
    ),
    Check(
        id="credentials-unreadable",
        title="Credentials can be read",
        asks="Were the credentials decrypted, and do they belong to this connection?",
        cause="The secret file is missing, altered, bound to another connection, or no key here opens it.",
        fix="Encrypt the file again with sops for this connection, or give this machine a key that opens it.",
        explanation=(
            "A secret file that is wrong in itself (altered, in clear, bound to another connection, not "
            "a SOPS file) fails. Where only this machine cannot open it (no sops, no private key) the "
            "answer is unknown: that says nothing about the key, and a running strategy keeps its grace "
            "period."
        ),
        rule=credentials_unreadable,
        waivable=False,
    ),
    Check(
        id="secret-plaintext",
        title="Secrets are encrypted",
        asks="Is every secret of the connection stored encrypted?",
        cause="A secret stands in clear in a file, or its ciphertext was tampered with.",
        fix=(
            "Revoke the key at the exchange, create a new one, and store it with `sops`; git keeps the "
            "old one."
        ),
        explanation=(
            "A secret that was ever committed in clear is known to everybody who can read the "
            "repository, its forks and its backups. Encrypting it afterwards does not make it secret "
            "again: the key must be replaced."
        ),
        rule=secret_plaintext,
        waivable=False,
    ),
    Check(
        id="balance-unreadable",
        title="Balances can be read",
        asks="Does reading the balance succeed with this key?",
        cause="The key may not read balances in this market, or the exchange did not answer.",
        fix="Grant the key its read permission for this market, or wait until the exchange answers.",
        explanation=(
            "A bot that cannot see its balance sizes orders blindly. The check reads the balance once, "
            "in the market of the connection; no amount is shown or stored."
        ),
        rule=_proof("balance", "balances"),
    ),
    Check(
        id="orders-unreadable",
        title="Open orders can be read",
        asks="Does reading the open orders succeed with this key?",
        cause="The key may not read orders in this market, or the exchange did not answer.",
        fix="Grant the key its read permission for this market, or wait until the exchange answers.",
        explanation=(
            "A bot that cannot see its open orders places them twice and cannot cancel them. The check "
            "reads the open orders once; nothing of them is shown or stored."
        ),
        rule=_proof("orders", "open orders"),
    ),
    Check(
        id="clock-skew",
        title="Clocks agree",
        asks="Is this machine's clock within one second of the exchange's?",
        cause="The clock of this machine drifts.",
        fix="Synchronise the clock (chrony, systemd-timesyncd or the cloud's time service).",
        explanation=(
            "Signed calls carry a timestamp, and exchanges refuse those outside a window of a few "
            "seconds. This check warns before that happens; a refusal itself shows as connection-test."
        ),
        rule=clock_skew,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="exchange-status",
        title="Exchange status",
        asks="Is the exchange free of announced maintenance?",
        cause="The exchange announces maintenance of its own.",
        fix="Wait for its end; unknown findings of this connection then resolve by themselves.",
        explanation=(
            "Where an exchange has a status endpoint it is asked once per run. An announcement explains "
            "unknown findings of its connections and blocks nothing by itself; an exchange without "
            "announcements passes."
        ),
        rule=exchange_status,
        severity=Severity.ADVISORY,
    ),
)
