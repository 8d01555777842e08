"""Who else uses the key: other connections, several strategies, nobody."""

from __future__ import annotations

from reconciler.checks.check import Answer, Case, Check, days, failed, few, passed, unknown
from reconciler.model.finding import Severity


def key_shared(case: Case) -> Answer:
    """Whether no other connection holds the same key."""
    if case.peers:
        return failed(
            f"the same key stands in {', '.join(sorted(case.peers))}", mark=case.place("credentials")
        )
    if not case.credentials_held:
        return unknown("the credentials were not read, so they could not be compared")
    closed = sorted(set(case.closed) - {case.connection.id})
    told = f"; not compared, as they could not be opened here: {few(closed)}" if closed else ""
    return passed(f"no other connection holds this key{told}")


def connection_shared(case: Case) -> Answer:
    """Whether at most one enabled strategy uses the connection."""
    names = sorted(strategy.id for strategy in case.used_by)
    if len(names) > 1:
        return failed(f"{len(names)} enabled strategies use it: {', '.join(names)}")
    return passed("at most one enabled strategy uses it")


def connection_unused(case: Case) -> Answer:
    """Whether an enabled strategy uses the connection."""
    if case.used_by:
        return passed("an enabled strategy uses it")
    return failed(f"no enabled strategy uses it{_age(case)}")


def _age(case: Case) -> str:
    created = case.report.created_at if case.report else None
    return "" if created is None else f"; the key is {days((case.now - created).days)} old"


CHECKS = (
    Check(
        id="key-shared",
        title="One key, one connection",
        asks="Is this key used by no other connection?",
        cause="One key was put into several secret files.",
        fix="Create a key of its own for each connection at the exchange.",
        explanation=(
            "A key in several connections cannot be replaced, limited or blamed on its own, and its rate "
            "limit is shared. Keys are compared by a keyed fingerprint that lives for one run; the key "
            "is never shown. One that cannot be opened here is not compared, and is named: nothing starts on "
            "it, so that one broken file does not stop the strategies of all others."
        ),
        rule=key_shared,
    ),
    Check(
        id="connection-shared",
        title="One strategy per connection",
        asks="Does at most one enabled strategy use the connection?",
        cause="Several strategies trade on one account with one key.",
        fix="Give each strategy a sub-account and a connection of its own where they trade the same funds.",
        explanation=(
            "Strategies on one account spend the same balance and can close each other's positions. That "
            "may be meant, so the check advises."
        ),
        rule=connection_shared,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="connection-unused",
        title="The connection is used",
        asks="Does an enabled strategy use the connection?",
        cause="The strategies of this connection were removed or disabled, and its key stayed.",
        fix="Delete the key at the exchange and the connection from the files, or enable its strategy.",
        explanation="A key that nobody uses can only be misused, and nobody would notice.",
        rule=connection_unused,
        severity=Severity.ADVISORY,
    ),
)
