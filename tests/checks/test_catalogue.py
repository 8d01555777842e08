from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.checks import (
    BOT_CHECKS,
    CATALOGUE,
    ENTRIES,
    GUARD_CHECKS,
    MARKET_CHECKS,
    RUNTIME_CHECKS,
    STRATEGY_CHECKS,
    TAKING_CHECKS,
    evaluate,
    explain,
)
from reconciler.checks.docs import render
from reconciler.model.doubts import DOUBTS
from reconciler.model.errors import ExitCode, UsageError
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import FailureKind
from reconciler.model.report import Weight

BLOCKING = {
    "connection-test", "credentials-unreadable", "secret-plaintext", "balance-unreadable",
    "orders-unreadable",
    "withdraw-enabled", "permission-read-missing", "permission-trade-missing", "permission-margin-missing",
    "permission-futures-missing", "permission-options-missing", "permission-transfer-missing",
    "permission-forbidden", "ip-whitelist-missing", "ip-whitelist-lacks-egress", "ip-whitelist-wide",
    "account-differs", "key-expired", "key-disabled", "key-shared",
}  # fmt: skip
ADVISORY = {
    "clock-skew", "exchange-status", "permission-excess", "transfer-enabled", "ip-whitelist-extra",
    "egress-missing", "two-factor-unattested", "key-expires-soon", "key-too-old", "connection-shared",
    "connection-unused", "name-unclear", "name-duplicate", "waiver-expired", "waiver-void",
}  # fmt: skip
GUARDS = {
    "threshold-enable": Severity.BLOCKING, "threshold-disable": Severity.BLOCKING,
    "approval-expired": Severity.ADVISORY, "suspended": Severity.ADVISORY,
    "suspension-expired": Severity.BLOCKING, "maintenance-window": Severity.ADVISORY,
    "settling": Severity.ADVISORY, "lockdown": Severity.BLOCKING, "open-positions": Severity.ADVISORY,
}  # fmt: skip
NEVER_WAIVED = {
    "connection-test", "credentials-unreadable", "secret-plaintext", "withdraw-enabled", "account-differs",
    "key-expired", "key-disabled",
}  # fmt: skip


def test_the_catalogue_holds_every_check_with_its_default_severity():
    by_severity = {severity: set() for severity in Severity}
    for check in CATALOGUE.values():
        by_severity[check.severity].add(check.id)
    assert by_severity == {Severity.BLOCKING: BLOCKING, Severity.ADVISORY: ADVISORY}


def test_what_can_never_be_waived():
    assert {check.id for check in CATALOGUE.values() if not check.waivable} == NEVER_WAIVED


def test_the_checks_whose_weight_policy_and_files_decide():
    varying = {check.id for check in CATALOGUE.values() if check.varies}
    assert varying == {"ip-whitelist-missing", "ip-whitelist-wide", "transfer-enabled"}


def test_the_rules_of_policy_stand_apart_block_and_are_never_waived():
    """A connection is never asked them: what ``permits`` requires is of connections alone."""
    assert set(STRATEGY_CHECKS) == {"policy-margin-limit", "policy-averaging", "policy-quotes"}
    stand_apart = (STRATEGY_CHECKS, TAKING_CHECKS, MARKET_CHECKS, BOT_CHECKS, RUNTIME_CHECKS, GUARD_CHECKS)
    assert list(ENTRIES) == [*CATALOGUE, *(id_ for checks in stand_apart for id_ in checks)]
    for check in STRATEGY_CHECKS.values():
        assert (check.severity, check.waivable, check.varies) == (Severity.BLOCKING, False, False)


def test_what_a_strategy_finds_on_its_connection_never_blocks():
    assert set(MARKET_CHECKS) == {"strategy-margin-balance", "strategy-pair-listed"}
    for check in MARKET_CHECKS.values():
        assert (check.severity, check.waivable, check.varies) == (Severity.ADVISORY, False, False)


def test_guards_are_no_checks_of_a_connection_and_are_never_waived():
    assert {id_: check.severity for id_, check in GUARD_CHECKS.items()} == GUARDS
    for check in GUARD_CHECKS.values():
        assert not check.waivable
        assert (check.exit_code is ExitCode.DONE) is (check.severity is Severity.ADVISORY)


@pytest.mark.parametrize("check", ENTRIES.values(), ids=lambda check: check.id)
def test_every_check_says_what_it_asks_and_how_to_mend_it(check):
    assert check.asks.endswith("?")
    for text in (check.cause, check.fix, check.explanation):
        assert text.endswith(".")
        assert "  " not in text
    assert not check.title.endswith(".")


@pytest.mark.parametrize("check", ENTRIES)
def test_explain_prints_a_check(check):
    text = explain(check)
    assert text.startswith(f"{check}: ")
    for word in ("asks:", "cause:", "fix:", ENTRIES[check].severity.value):
        assert word in text
    assert all(len(line) <= 88 for line in text.splitlines())


@pytest.mark.parametrize("kind", FailureKind)
def test_explain_prints_a_failure_kind(kind):
    text = explain(kind.value)
    assert text.startswith(f"{kind.value}: ")
    assert "cause:" in text
    assert "fix:" in text
    assert ("does not help" in text) == (
        kind.value not in {"clock_skew", "rate_limited", "unavailable", "maintenance"}
    )


def test_explain_suggests_what_is_near():
    with pytest.raises(UsageError, match="withdraw-enable'") as caught:
        explain("withdraw-enable")
    assert "withdraw-enabled" in caught.value.hint


def test_explain_of_nonsense_says_where_the_list_is():
    with pytest.raises(UsageError) as caught:
        explain("zzzzzzzz")
    assert "reconcile explain" in caught.value.hint


def test_a_healthy_connection_is_told_everything_once_in_the_order_of_the_catalogue(make):
    findings = evaluate(make.case())
    assert [finding.check for finding in findings] == list(CATALOGUE)
    assert {f.check for f in findings if f.verdict is not Verdict.PASS} == {"two-factor-unattested"}


def test_passes_carry_no_cause_and_no_fix_and_others_carry_both(make):
    for case in (make.case(), make.unread(), make.case(failure=make.failure(FailureKind.INVALID_KEY))):
        for finding in evaluate(case):
            told = finding.verdict is Verdict.PASS
            assert bool(finding.cause) is not told, finding.check
            assert bool(finding.fix) is not told, finding.check
            assert finding.evidence, finding.check
            assert finding.mark is not None


def test_the_page_is_the_one_in_the_repository():
    page = Path(__file__).parents[2] / "docs" / "checks.md"
    assert page.read_text(encoding="utf-8") == render(), "python -m reconciler.checks.docs > docs/checks.md"


def test_every_link_of_the_page_has_its_heading():
    page = render()
    for id_ in (*ENTRIES, *(kind.value for kind in FailureKind)):
        assert f"](#{id_})" in page
        assert f"# {id_}\n" in page


def test_every_doubt_of_a_review_is_explained_and_on_its_page():
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
    for code, doubt in DOUBTS.items():
        assert code == doubt.code
        assert f"`{code}`" in page
        told = " ".join(explain(code).split())
        assert told.startswith(f"{code}: {doubt.title} ")
        assert all(sentence in told for sentence in (doubt.cause, doubt.fix))
        assert ("exit code 4" in told) is (doubt.weight is Weight.FAILS)
