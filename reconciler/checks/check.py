"""What a check is: the case it judges, the answer it gives, and the texts that explain it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Final, TypeAlias

from reconciler.model.desired import Connection, Desired, Egress, Strategy
from reconciler.model.errors import Mark, SecretsError
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import FailureKind, KeyReport, Observation

#: Up to so many names are told one by one.
_FEW: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that the checks of one connection may look at.

    ``strategies`` are those in git that refer to the connection; ``peers`` are the ids of other
    connections whose key has the same fingerprint, and ``closed`` of those whose key is not known here, so
    that it could not be compared; ``secrets_error`` is why the credentials could
    not be read, where they could not; ``attestable`` are the subjects of attestations that the
    exchange can leave open; ``now`` is aware and in UTC.
    """

    desired: Desired
    connection: Connection
    observation: Observation
    now: datetime
    strategies: tuple[Strategy, ...] = ()
    peers: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    secrets_error: SecretsError | None = None
    attestable: frozenset[str] = frozenset()

    @property
    def report(self) -> KeyReport | None:
        """What the exchange said of the key, ``None`` when the read failed or was not tried."""
        observed = self.observation
        return None if observed.failure or observed.unread is not None else observed.report

    @property
    def used_by(self) -> tuple[Strategy, ...]:
        """The strategies that should run on this connection."""
        return tuple(strategy for strategy in self.strategies if strategy.enabled)

    @property
    def egress(self) -> Egress | None:
        """The network exit that the connection names, ``None`` when it names none."""
        name = self.connection.egress
        return None if name is None else self.desired.egress.get(name)

    @property
    def credentials_held(self) -> bool:
        """Whether the credentials were really there for this read."""
        return self.secrets_error is None and self.observation.unread is None

    def place(self, field: str) -> Mark:
        """Where ``field`` of the connection was written, else where the connection starts."""
        return self.connection.marks.get(field, self.connection.mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one check found. Empty ``cause`` and ``fix`` mean those of the check itself."""

    verdict: Verdict
    evidence: str
    cause: str = ""
    fix: str = ""
    mark: Mark | None = None
    kind: FailureKind | None = None
    attested_by: str | None = None


Rule: TypeAlias = Callable[[Case], Answer]
ReportRule: TypeAlias = Callable[[Case, KeyReport], Answer]
Weigh: TypeAlias = Callable[[Case], Severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What explains a check, whatever it is about.

    ``asks`` is the question whose *yes* is a pass. ``severity`` is the default one. ``waivable``
    says whether a waiver in git can keep it from blocking.
    """

    id: str
    title: str
    asks: str
    cause: str
    fix: str
    explanation: str
    severity: Severity = Severity.BLOCKING
    waivable: bool = True

    @property
    def varies(self) -> bool:
        """Whether policy or the files choose the severity."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Entry):
    """A named rule about a connection, and its texts.

    ``weigh`` chooses the severity where policy or the files have a say, whatever the answer.
    """

    rule: Rule
    weigh: Weigh | None = None

    @property
    def varies(self) -> bool:
        """Whether policy or the files choose the severity."""
        return self.weigh is not None

    @property
    def may_block(self) -> bool:
        """Whether this check can ever keep a strategy from running."""
        return self.severity is Severity.BLOCKING or self.varies


def passed(evidence: str) -> Answer:
    """A pass on ``evidence``."""
    return Answer(verdict=Verdict.PASS, evidence=evidence)


def failed(evidence: str, *, cause: str = "", fix: str = "", mark: Mark | None = None) -> Answer:
    """A fail on ``evidence``."""
    return Answer(verdict=Verdict.FAIL, evidence=evidence, cause=cause, fix=fix, mark=mark)


def unknown(evidence: str, *, cause: str = "", fix: str = "", mark: Mark | None = None) -> Answer:
    """An unknown, with ``evidence`` for why it cannot be told."""
    return Answer(verdict=Verdict.UNKNOWN, evidence=evidence, cause=cause, fix=fix, mark=mark)


def on_report(rule: ReportRule) -> Rule:
    """A rule over the key report, which answers unknown as long as there is none."""

    @wraps(rule)
    def judge(case: Case) -> Answer:
        if case.report is None:
            return unknown(
                "the key was not read",
                cause="Nothing is known of a key that could not be read.",
                fix="Solve connection-test first; this check then answers by itself.",
            )
        return rule(case, case.report)

    return judge


def few(names: Sequence[str]) -> str:
    """``a, b, c and 6 more``."""
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if names[_FEW:] else "")


def days(count: int) -> str:
    """``1 day``, ``14 days``."""
    return f"{count} day" if count == 1 else f"{count} days"
