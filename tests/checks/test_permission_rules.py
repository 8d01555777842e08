from __future__ import annotations

from datetime import date

import pytest

from reconciler.model.desired import Market
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import FailureKind, Permission, Proof

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
READINGS = [(True, PASS), (False, FAIL), (None, UNKNOWN)]
MISSING = {
    "permission-read-missing": Permission.READ,
    "permission-trade-missing": Permission.SPOT,
    "permission-margin-missing": Permission.MARGIN,
    "permission-futures-missing": Permission.FUTURES,
    "permission-options-missing": Permission.OPTIONS,
    "permission-transfer-missing": Permission.TRANSFER,
}


def needed(make, **case):
    """The permissions that the rules need, seen through the only door: an all-denying key fails them."""
    report = make.report(read=False, spot=False)
    asked = make.case(report=report, **case)
    return {
        permission.value for check, permission in MISSING.items() if make.ask(asked, check).verdict is FAIL
    }


@pytest.mark.parametrize(("granted", "verdict"), [(False, PASS), (True, FAIL), (None, UNKNOWN)])
def test_withdraw(make, granted, verdict):
    finding = make.ask(make.case(report=make.report(withdraw=granted)), "withdraw-enabled")
    assert finding.verdict is verdict
    assert finding.severity is Severity.BLOCKING


@pytest.mark.parametrize(
    ("on", "verdict", "word"),
    [
        (date(2026, 11, 22), PASS, "attested by ada on 2026-11-22"),
        (date(2026, 8, 24), PASS, "attested by ada"),
        (date(2026, 8, 23), UNKNOWN, "older than 90 days"),
        (date(2026, 11, 23), UNKNOWN, "lies in the future"),
    ],
)
def test_an_attestation_answers_a_silence_while_it_is_fresh(make, on, verdict, word):
    case = make.case(
        report=make.report(withdraw=None),
        connection={"attestations": make.attestation("withdraw_disabled", on)},
    )
    finding = make.ask(case, "withdraw-enabled")
    assert finding.verdict is verdict
    assert finding.attested_by == ("ada" if verdict is PASS else None)
    assert word in finding.evidence
    assert finding.mark.line == 9


def test_an_attestation_never_outvotes_the_exchange(make):
    word = {"connection": {"attestations": make.attestation("withdraw_disabled")}}
    able = make.ask(make.case(report=make.report(withdraw=True), **word), "withdraw-enabled")
    assert (able.verdict, able.attested_by) == (FAIL, None)
    unable = make.ask(make.case(report=make.report(withdraw=False), **word), "withdraw-enabled")
    assert (unable.verdict, unable.attested_by) == (PASS, None)


def test_an_attestation_says_nothing_of_a_key_that_was_not_read(make):
    word = {"attestations": make.attestation("withdraw_disabled")}
    for case in (
        make.unread(connection=word),
        make.case(failure=make.failure(FailureKind.UNAVAILABLE), connection=word),
    ):
        assert make.ask(case, "withdraw-enabled").verdict is UNKNOWN


def test_words_that_we_do_not_know_are_no_silence(make):
    report = make.report(withdraw=None, unknown_words=("PAYOUT_V2",))
    case = make.case(report=report, connection={"attestations": make.attestation("withdraw_disabled")})
    finding = make.ask(case, "withdraw-enabled")
    assert finding.verdict is UNKNOWN
    assert "PAYOUT_V2" in finding.evidence


def test_an_attestation_does_not_count_where_the_exchange_always_tells(make):
    """An answer without the value is then broken, changed or forged, and no silence."""
    case = make.case(
        report=make.report(withdraw=None),
        connection={"attestations": make.attestation("withdraw_disabled")},
        attestable=frozenset({"ip_whitelist"}),
    )
    finding = make.ask(case, "withdraw-enabled")
    assert (finding.verdict, finding.attested_by) == (UNKNOWN, None)
    assert "does not count" in finding.evidence
    assert "attest" not in finding.fix


def test_an_answer_without_a_single_permission_is_no_silence(make):
    nothing = dict.fromkeys((permission.value for permission in Permission), None)
    case = make.case(
        report=make.report(**nothing),
        connection={"attestations": make.attestation("withdraw_disabled")},
    )
    assert make.ask(case, "withdraw-enabled").verdict is UNKNOWN


def test_an_attestation_of_something_else_does_not_count(make):
    word = {"attestations": make.attestation("ip_whitelist")}
    assert (
        make.ask(make.case(report=make.report(withdraw=None), connection=word), "withdraw-enabled").verdict
        is UNKNOWN
    )


@pytest.mark.parametrize(
    ("market", "needs"),
    [
        (Market.SPOT, {"read", "spot"}),
        (Market.MARGIN, {"read", "spot", "margin"}),
        (Market.FUTURES, {"read", "futures"}),
    ],
)
def test_a_market_needs_its_permissions_once_a_strategy_is_enabled(make, market, needs):
    case = {"connection": {"market": market}, "observation": {"proofs": {}}}
    assert needed(make, **case) == needs
    assert needed(make, **case, strategies=(make.strategy(enabled=False),)) == {"read"}
    assert needed(make, **case, strategies=()) == {"read"}


def test_the_files_can_drop_the_usual_but_not_the_core(make):
    narrow = {"market": Market.MARGIN, "permissions": {Permission.SPOT: False}}
    assert needed(make, connection=narrow) == {"read", "margin"}
    absurd = {"market": Market.MARGIN, "permissions": {Permission.MARGIN: False}}
    assert needed(make, connection=absurd) == {"read", "spot", "margin"}


@pytest.mark.parametrize("permission", ["spot", "margin", "futures", "options", "transfer"])
def test_the_files_can_demand_more(make, permission):
    wish = {"permissions": {Permission(permission): True}}
    assert needed(make, connection=wish, strategies=()) == {"read", permission}


@pytest.mark.parametrize("check", MISSING)
@pytest.mark.parametrize(("granted", "verdict"), READINGS)
def test_a_needed_permission_must_be_granted(make, check, granted, verdict):
    permission = MISSING[check]
    case = make.case(
        report=make.report(**{permission.value: granted}),
        connection={"permissions": {permission: True}},
        observation={"proofs": {}},
    )
    assert make.ask(case, check).verdict is verdict


def test_where_the_exchange_cannot_tell_the_fix_is_a_waiver(make):
    answer = make.ask(make.case(report=make.report(spot=None)), "permission-trade-missing")
    assert "check: permission-trade-missing" in answer.fix
    strange = make.report(spot=None, unknown_words=("superTrade",))
    assert "waive" not in make.ask(make.case(report=strange), "permission-trade-missing").fix


def test_a_balance_that_was_read_proves_reading_where_the_exchange_has_no_word_for_it(make):
    silent = make.report(read=None)
    assert make.ask(make.case(report=silent), "permission-read-missing").verdict is PASS
    broken = {"proofs": {"balance": Proof(name="balance", failure=make.failure(FailureKind.UNAVAILABLE))}}
    assert (
        make.ask(make.case(report=silent, observation=broken), "permission-read-missing").verdict is UNKNOWN
    )
    denied = make.report(read=False)
    assert make.ask(make.case(report=denied), "permission-read-missing").verdict is FAIL


@pytest.mark.parametrize("permission", ["read", "spot", "margin", "futures", "options"])
@pytest.mark.parametrize(("granted", "verdict"), [(False, PASS), (True, FAIL), (None, UNKNOWN)])
def test_a_forbidden_permission_must_be_off(make, permission, granted, verdict):
    case = make.case(
        report=make.report(**{permission: granted}),
        connection={"permissions": {Permission(permission): False}},
    )
    finding = make.ask(case, "permission-forbidden")
    assert finding.verdict is verdict
    assert finding.severity is Severity.BLOCKING
    if verdict is not PASS:
        assert permission in finding.evidence


def test_a_granted_forbidden_permission_outweighs_an_unknown_one(make):
    wishes = {Permission.FUTURES: False, Permission.MARGIN: False}
    case = make.case(report=make.report(futures=True, margin=None), connection={"permissions": wishes})
    assert make.ask(case, "permission-forbidden").verdict is FAIL


@pytest.mark.parametrize(
    ("market", "granted", "verdict"),
    [
        (Market.SPOT, {"futures": True}, FAIL),
        (Market.SPOT, {"margin": True}, FAIL),
        (Market.SPOT, {"options": True}, FAIL),
        (Market.SPOT, {"options": None}, UNKNOWN),
        (Market.SPOT, {}, PASS),
        (Market.MARGIN, {"margin": True}, PASS),
        (Market.FUTURES, {"futures": True, "spot": False}, PASS),
        (Market.FUTURES, {"futures": True, "spot": True}, FAIL),
    ],
)
def test_permissions_beyond_need_are_told(make, market, granted, verdict):
    case = make.case(report=make.report(**granted), connection={"market": market})
    finding = make.ask(case, "permission-excess")
    assert finding.verdict is verdict
    assert finding.severity is Severity.ADVISORY


def test_futures_are_too_much_as_soon_as_no_strategy_uses_them(make):
    case = make.case(
        report=make.report(futures=True, spot=False),
        connection={"market": Market.FUTURES},
        strategies=(make.strategy(enabled=False),),
    )
    assert make.ask(case, "permission-excess").verdict is FAIL


def test_an_unused_spot_key_is_not_called_excessive(make):
    assert make.ask(make.case(strategies=()), "permission-excess").verdict is PASS


def test_what_the_files_speak_of_is_no_excess(make):
    report = make.report(futures=True)
    for wanted in (True, False):
        case = make.case(report=report, connection={"permissions": {Permission.FUTURES: wanted}})
        assert make.ask(case, "permission-excess").verdict is PASS


@pytest.mark.parametrize(("granted", "verdict"), [(False, PASS), (True, FAIL), (None, UNKNOWN)])
@pytest.mark.parametrize(
    ("wishes", "severity"), [({}, Severity.ADVISORY), ({Permission.TRANSFER: False}, Severity.BLOCKING)]
)
def test_transfers_advise_and_block_where_the_files_forbid_them(make, granted, verdict, wishes, severity):
    case = make.case(report=make.report(transfer=granted), connection={"permissions": wishes})
    finding = make.ask(case, "transfer-enabled")
    assert (finding.verdict, finding.severity) == (verdict, severity)


def test_transfers_that_the_files_ask_for_are_not_told(make):
    case = make.case(
        report=make.report(transfer=True), connection={"permissions": {Permission.TRANSFER: True}}
    )
    assert make.ask(case, "transfer-enabled").verdict is PASS


def test_forbidden_transfers_of_an_unread_key_block(make):
    """A rule that varies must not fall back to its mild default when it cannot be answered."""
    case = make.unread(connection={"permissions": {Permission.TRANSFER: False}})
    finding = make.ask(case, "transfer-enabled")
    assert (finding.verdict, finding.severity) == (UNKNOWN, Severity.BLOCKING)
