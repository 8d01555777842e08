"""Attestations: a person's word in git, heard only where the exchange cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Final

from reconciler.checks.check import Answer, Case, days
from reconciler.model.desired import Attestation
from reconciler.model.finding import Verdict

_TOLD_ELSEWHERE: Final = (
    "an attestation does not count, as this exchange tells it of every key: its answer was not complete"
)


def objection(case: Case, attestation: Attestation) -> str | None:
    """Why ``attestation`` does not count today, ``None`` when it does. Days are UTC."""
    age = (case.now.astimezone(UTC).date() - attestation.on).days
    if age < 0:
        return f"the attestation of {attestation.on} by {attestation.by} lies in the future"
    if age > case.desired.policy.attestation_max_age.days:
        limit = days(case.desired.policy.attestation_max_age.days)
        return f"the attestation of {attestation.on} by {attestation.by} is older than {limit}"
    return None


def attested(case: Case, subject: str, silence: Answer) -> Answer:
    """``silence``, the answer where the exchange tells nothing, or a pass on somebody's word.

    Only ever called for a key that was read and a value that its report leaves unknown: an
    attestation answers a silence of the exchange, it never outvotes it. Where the exchange always
    tells, an answer without the value is broken, changed or forged, and no silence.
    """
    attestation = case.connection.attestations.get(subject)
    if attestation is None:
        return silence
    why_not = objection(case, attestation) if subject in case.attestable else _TOLD_ELSEWHERE
    if why_not is not None:
        return replace(silence, evidence=f"{silence.evidence}; {why_not}", mark=attestation.mark)
    return Answer(
        verdict=Verdict.PASS,
        evidence=f"attested by {attestation.by} on {attestation.on}, as the exchange does not tell",
        mark=attestation.mark,
        attested_by=attestation.by,
    )
