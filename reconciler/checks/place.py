"""What a failed read proves, given the place that it was made from."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from reconciler.checks.check import Answer, Case, failed, unknown
from reconciler.checks.networks import outside, parse, show
from reconciler.model.desired import Address
from reconciler.model.kinds import KINDS
from reconciler.model.live import REFUSALS, RETRYABLE, Failure, FailureKind

_WRONG_PLACE_CAUSE = (
    "The call left from an address that this connection's egress does not list, "
    "so its failure proves nothing about the key."
)
_WRONG_PLACE_FIX = (
    "Run the check from the bot's own network, or give the egress a proxy that leaves from there."
)
_NO_PLACE_FIX = "Name an egress with the bot's public addresses for this connection, and check from there."


def judge(case: Case, failure: Failure) -> Answer:
    """Fail when the exchange refused the key from where the bot calls, else unknown."""
    texts = KINDS[failure.kind]
    answer = unknown(_evidence(failure), cause=texts.cause, fix=texts.fix)
    if failure.kind not in RETRYABLE and _from_elsewhere(case, failure):
        answer = _wrong_place(case, failure)
    elif failure.kind is FailureKind.IP_NOT_ALLOWED and not _place_known(case, failure):
        answer = replace(answer, evidence=_unplaced(answer, case), fix=_unplaced_fix(case, texts.fix))
    elif failure.kind in REFUSALS:
        answer = failed(_evidence(failure), cause=texts.cause, fix=texts.fix)
    return replace(answer, kind=failure.kind)


def refused_as(case: Case, kind: FailureKind) -> Answer | None:
    """The answer to a failed read of exactly ``kind``, ``None`` for any other outcome."""
    failure = case.observation.failure
    return judge(case, failure) if failure and failure.kind is kind else None


def caller(case: Case, failure: Failure) -> str | None:
    """The address that the exchange saw, ``None`` unless the exchange itself told it.

    The operator's word for it is no proof: a pipeline on another network would repeat it.
    """
    told = failure.caller_ip
    if told is None and case.observation.caller_ip_source != "operator":
        told = case.observation.caller_ip
    if told is None:
        return None
    try:
        return str(ip_address(told.strip()))
    except ValueError:
        return None


def _exits(case: Case) -> tuple[Address, ...]:
    return case.egress.addresses if case.egress else ()


def _place_known(case: Case, failure: Failure) -> bool:
    return bool(_exits(case)) and caller(case, failure) is not None


def _from_elsewhere(case: Case, failure: Failure) -> bool:
    address = caller(case, failure)
    if address is None or not _exits(case):
        return False
    return bool(outside(parse([address])[0], _exits(case)))


def _wrong_place(case: Case, failure: Failure) -> Answer:
    exits = show(_exits(case))
    return unknown(
        f"checked from the wrong place: the call left from {caller(case, failure)}, "
        f"egress {case.connection.egress} leaves from {exits}; {_evidence(failure)}",
        cause=_WRONG_PLACE_CAUSE,
        fix=_WRONG_PLACE_FIX,
    )


def _unplaced(answer: Answer, case: Case) -> str:
    missing = "nobody told which address the call left from" if _exits(case) else "no egress is named"
    return f"{answer.evidence}; {missing}, so this proves nothing about the bot's own address"


def _unplaced_fix(case: Case, fix: str) -> str:
    return fix if _exits(case) else _NO_PLACE_FIX


def _evidence(failure: Failure) -> str:
    if not failure.candidates:
        return failure.message
    named = ", ".join(kind.value for kind in failure.candidates)
    return f"{failure.message} (one of: {named})"
