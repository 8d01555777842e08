from __future__ import annotations

import pytest

from reconciler.model import errors
from reconciler.model.finding import Severity, Verdict
from reconciler.model.kinds import KINDS
from reconciler.model.live import REFUSALS, FailureKind, Health, Proof

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
ELSEWHERE = "198.51.100.99"
READING = ("balance-unreadable", "balance"), ("orders-unreadable", "orders")


def test_an_answer_of_the_exchange_passes(make):
    assert make.ask(make.case(), "connection-test").verdict is PASS


@pytest.mark.parametrize("kind", FailureKind)
def test_each_kind_is_judged_and_explained_by_its_own_texts(make, kind):
    finding = make.ask(make.case(failure=make.failure(kind, caller_ip=make.exit)), "connection-test")
    assert finding.verdict is (FAIL if kind in REFUSALS else UNKNOWN)
    assert finding.kind == kind.value
    assert (finding.cause, finding.fix) == (KINDS[kind].cause, KINDS[kind].fix)


def test_a_key_that_was_not_tried_is_unknown_and_says_why(make):
    finding = make.ask(make.unread("no egress could be opened"), "connection-test")
    assert finding.verdict is UNKNOWN
    assert "no egress could be opened" in finding.evidence
    assert finding.kind is None


def test_an_ambiguous_answer_lists_its_candidates_and_never_guesses(make):
    candidates = (FailureKind.INVALID_KEY, FailureKind.IP_NOT_ALLOWED)
    failure = make.failure(FailureKind.AMBIGUOUS_AUTH, candidates=candidates, caller_ip=make.exit)
    finding = make.ask(make.case(failure=failure), "connection-test")
    assert finding.verdict is UNKNOWN
    assert "one of: invalid_key, ip_not_allowed" in finding.evidence


@pytest.mark.parametrize("kind", sorted(REFUSALS))
def test_a_refusal_from_the_wrong_place_proves_nothing_and_names_both_addresses(make, kind):
    finding = make.ask(make.case(failure=make.failure(kind, caller_ip=ELSEWHERE)), "connection-test")
    assert finding.verdict is UNKNOWN
    assert "checked from the wrong place" in finding.evidence
    assert ELSEWHERE in finding.evidence
    assert make.exit in finding.evidence


def test_an_outage_keeps_its_own_cause_wherever_it_was_seen(make):
    failure = make.failure(FailureKind.UNAVAILABLE, caller_ip=ELSEWHERE)
    finding = make.ask(make.case(failure=failure), "connection-test")
    assert finding.verdict is UNKNOWN
    assert finding.cause == KINDS[FailureKind.UNAVAILABLE].cause


@pytest.mark.parametrize(
    ("caller", "seen", "source", "verdict"),
    [
        ("203.0.113.10", None, None, FAIL),
        (" 203.0.113.10 ", None, None, FAIL),
        (None, "203.0.113.10", "exchange", FAIL),
        (None, "203.0.113.10", "operator", UNKNOWN),
        (None, "198.51.100.99", "exchange", UNKNOWN),
        ("203.0.113.10", "198.51.100.99", "exchange", FAIL),
        ("::ffff:203.0.113.10", None, None, FAIL),
        ("2001:db8::1", None, None, UNKNOWN),
        ("203.**.113.10", None, None, UNKNOWN),
        (None, None, None, UNKNOWN),
    ],
)
def test_ip_not_allowed_fails_only_from_the_bots_own_address(make, caller, seen, source, verdict):
    case = make.case(
        failure=make.failure(FailureKind.IP_NOT_ALLOWED, caller_ip=caller),
        observation={"caller_ip": seen, "caller_ip_source": source},
    )
    finding = make.ask(case, "connection-test")
    assert finding.verdict is verdict
    assert finding.kind == "ip_not_allowed"


def test_ip_not_allowed_without_an_egress_asks_for_one(make):
    case = make.case(
        failure=make.failure(FailureKind.IP_NOT_ALLOWED, caller_ip=make.exit), connection={"egress": None}
    )
    finding = make.ask(case, "connection-test")
    assert finding.verdict is UNKNOWN
    assert "no egress is named" in finding.evidence
    assert "Name an egress" in finding.fix


def test_a_bad_key_is_bad_from_an_undeclared_place(make):
    case = make.case(
        failure=make.failure(FailureKind.INVALID_KEY, caller_ip=ELSEWHERE), connection={"egress": None}
    )
    assert make.ask(case, "connection-test").verdict is FAIL


def test_the_egress_may_be_a_network(make):
    failure = make.failure(FailureKind.IP_NOT_ALLOWED, caller_ip="203.0.113.77")
    case = make.case(failure=failure, exits=("203.0.113.0/25", "2001:db8::/64"))
    assert make.ask(case, "connection-test").verdict is FAIL


SECRETS = [
    (errors.BindingMismatch, FAIL, UNKNOWN),
    (errors.IntegrityFailed, FAIL, UNKNOWN),
    (errors.NotASecretFile, FAIL, UNKNOWN),
    (errors.PlaintextSecret, FAIL, FAIL),
    (errors.UnsafeRecipient, FAIL, UNKNOWN),
    (errors.KeyUnavailable, UNKNOWN, UNKNOWN),
    (errors.SopsMissing, UNKNOWN, UNKNOWN),
    (errors.SopsFailed, UNKNOWN, UNKNOWN),
    (errors.SecretsError, UNKNOWN, UNKNOWN),
]


@pytest.mark.parametrize(("error", "unreadable", "plaintext"), SECRETS)
def test_what_is_wrong_with_the_file_fails_and_what_is_wrong_here_is_unknown(
    make, error, unreadable, plaintext
):
    case = make.unread(secrets_error=error("the file cannot be used", hint="Encrypt it again."))
    finding = make.ask(case, "credentials-unreadable")
    assert finding.verdict is unreadable
    assert finding.evidence == "the file cannot be used"
    assert finding.fix == "Encrypt it again."
    assert make.ask(case, "secret-plaintext").verdict is plaintext
    assert make.ask(case, "key-shared").verdict is UNKNOWN


def test_a_secrets_error_points_at_its_own_place(make):
    mark = errors.Mark(file="secrets/main.sops.yaml", line=3)
    case = make.unread(secrets_error=errors.PlaintextSecret("in clear", mark=mark))
    assert make.ask(case, "credentials-unreadable").mark == mark
    assert make.ask(case, "secret-plaintext").mark == mark


def test_credentials_that_were_never_tried_are_unknown(make):
    case = make.unread("the time was up")
    assert make.ask(case, "credentials-unreadable").verdict is UNKNOWN
    assert make.ask(case, "secret-plaintext").verdict is UNKNOWN


def test_credentials_that_signed_a_refused_call_were_readable(make):
    case = make.case(failure=make.failure(FailureKind.INVALID_KEY))
    assert make.ask(case, "credentials-unreadable").verdict is PASS
    assert make.ask(case, "secret-plaintext").verdict is PASS


@pytest.mark.parametrize(("check", "proof"), READING)
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (None, PASS),
        (FailureKind.PERMISSION_DENIED, FAIL),
        (FailureKind.WRONG_ACCOUNT_MODE, FAIL),
        (FailureKind.UNAVAILABLE, UNKNOWN),
        (FailureKind.IP_NOT_ALLOWED, UNKNOWN),
    ],
)
def test_what_a_bot_reads_must_be_readable(make, check, proof, kind, verdict):
    failure = None if kind is None else make.failure(kind)
    finding = make.ask(make.case(observation={"proofs": {proof: Proof(name=proof, failure=failure)}}), check)
    assert finding.verdict is verdict
    assert finding.kind == (None if kind is None else kind.value)


@pytest.mark.parametrize(("check", "proof"), READING)
def test_what_was_not_asked_for_is_unknown(make, check, proof):
    del proof
    assert make.ask(make.case(observation={"proofs": {}}), check).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("skew", "verdict", "word"),
    [
        (0.0, PASS, "0.0 s"), (1.0, PASS, "1.0 s"), (-1.0, PASS, "behind"), (1.01, FAIL, "ahead"),
        (-30.0, FAIL, "30.0 s behind"), (None, UNKNOWN, "not read"),
    ],
)  # fmt: skip
def test_clock_skew(make, skew, verdict, word):
    finding = make.ask(make.case(observation={"clock_skew": skew}), "clock-skew")
    assert finding.verdict is verdict
    assert finding.severity is Severity.ADVISORY
    assert word in finding.evidence


@pytest.mark.parametrize(
    ("health", "verdict"),
    [(Health.OPERATIONAL, PASS), (Health.UNKNOWN, PASS), (Health.MAINTENANCE, FAIL)],
)
def test_exchange_status(make, health, verdict):
    assert make.ask(make.case(observation={"health": health}), "exchange-status").verdict is verdict
