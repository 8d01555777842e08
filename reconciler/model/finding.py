"""Verdicts of checks and the findings that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.errors import Mark


class Verdict(StrEnum):
    """``UNKNOWN`` is a verdict of its own: never a pass, never a fail."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """A blocking check that does not pass keeps strategies disabled; an advisory one is only told."""

    BLOCKING = "blocking"
    ADVISORY = "advisory"


class Subject(StrEnum):
    """What a finding is about."""

    CONNECTION = "connection"
    STRATEGY = "strategy"
    RUNTIME = "runtime"
    EGRESS = "egress"
    POLICY = "policy"
    SINK = "sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict with subject, place, evidence, cause and fix.

    ``check`` is an id of the catalogue; ``kind`` is the failure kind where the check is
    ``connection-test``, ``balance-unreadable``, ``orders-unreadable`` or ``runtime-test``, else ``None``.
    ``evidence`` is what was seen, in one sentence without secrets. ``waived_by`` and
    ``attested_by`` say who answered for it where a waiver or an attestation in git did: a waived
    finding keeps its verdict but no longer blocks.
    """

    check: str
    verdict: Verdict
    severity: Severity
    subject: Subject
    subject_id: str
    mark: Mark | None = None
    evidence: str = ""
    cause: str = ""
    fix: str = ""
    kind: str | None = None
    waived_by: str | None = None
    attested_by: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether this finding alone keeps a strategy from being enabled."""
        return (
            self.severity is Severity.BLOCKING and self.verdict is not Verdict.PASS and self.waived_by is None
        )
