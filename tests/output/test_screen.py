"""The screen for people: snapshots of whole screens, and the promises behind them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.errors import ExitCode
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import Account, Failure, FailureKind, IpWhitelist, KeyReport, Status
from reconciler.model.plan import ActionKind, Outcome, OutcomeState, Plan
from reconciler.model.report import Mode
from reconciler.output import terminal, text
from reconciler.output.clean import cells
from reconciler.output.options import Options
from reconciler.output.registry import render

ANSI = re.compile(r"\x1b\[[0-9;]*m")
DRY = re.compile(
    r"reconcile: \d+ to enable, \d+ to change, \d+ to disable, "
    r"\d+ blocked, \d+ unknown, \d+ held, \d+ unchanged \(digest [0-9a-f]{8}\)"
)
APPLIED = re.compile(
    r"reconcile: \d+ enabled, \d+ changed, \d+ disabled, \d+ failed, \d+ not tried, "
    r"\d+ blocked, \d+ unknown, \d+ held, \d+ unchanged \(digest [0-9a-f]{8}\)"
)
CHECK = re.compile(r"check: \d+ online, \d+ degraded, \d+ rejected, \d+ unreachable, \d+ unchecked")


def last(screen: str) -> str:
    return screen.splitlines()[-1]


def only(report, *items):
    return replace(report, connections=items, findings=())


def key_line(dry_run, item, **fields):
    """The row about the key of ``item`` when its report has these fields."""
    report = replace(KeyReport(), **fields)
    seen = replace(item, observation=replace(item.observation, report=report, failure=None), findings=())
    screen = text.render(only(dry_run, seen), width=400)
    return next(row for row in screen.splitlines() if row.startswith("    key is"))


@pytest.mark.parametrize("name", ["dry_run", "applied", "checked"])
def test_plain_screen(name, request, snapshot):
    assert text.render(request.getfixturevalue(name)) == snapshot


def test_verbose_screen_shows_what_passed_and_what_stays(dry_run, snapshot):
    assert text.render(dry_run, verbose=True) == snapshot


def test_narrow_screen(checked, snapshot):
    assert text.render(checked, width=60) == snapshot


def test_coloured_screen(dry_run, snapshot):
    assert render(dry_run, "text", Options(colour=True)) == snapshot


@pytest.mark.parametrize("width", [40, 72, 100])
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", ["dry_run", "applied", "checked"])
def test_colour_adds_nothing_and_takes_nothing(name, verbose, width, request):
    report = request.getfixturevalue(name)
    styled = terminal.render(report, verbose=verbose, width=width)
    assert ANSI.search(styled)
    assert ANSI.sub("", styled) == text.render(report, verbose=verbose, width=width)


@pytest.mark.parametrize("width", [72, 80, 100])
def test_rows_fit_but_for_words_that_cannot_be_broken(dry_run, width):
    wide = [row for row in text.render(dry_run, width=width).splitlines() if cells(row) > width]
    assert all(row.startswith(("reconcile: ", "digest ")) or "reconcile " in row for row in wide)


@pytest.mark.parametrize(("name", "shape"), [("dry_run", DRY), ("applied", APPLIED), ("checked", CHECK)])
@pytest.mark.parametrize("width", [40, 100])
def test_last_line_has_its_shape_at_any_width(name, shape, width, request):
    assert shape.fullmatch(last(text.render(request.getfixturevalue(name), width=width)))


def test_last_line_counts(dry_run, applied, checked):
    assert last(text.render(dry_run)) == (
        "reconcile: 1 to enable, 1 to change, 1 to disable, "
        "1 blocked, 1 unknown, 1 held, 1 unchanged (digest ab12cd34)"
    )
    assert last(text.render(applied)) == (
        "reconcile: 0 enabled, 0 changed, 1 disabled, 1 failed, 1 not tried, "
        "1 blocked, 1 unknown, 1 held, 1 unchanged (digest ab12cd34)"
    )
    assert last(text.render(checked)) == (
        "check: 1 online, 1 degraded, 1 rejected, 1 unreachable, 1 unchecked"
    )


def test_an_apply_that_stopped_before_its_first_action_says_that_none_was_tried(applied):
    assert "0 disabled, 0 failed, 3 not tried" in last(text.render(replace(applied, outcomes=())))


def test_an_outcome_that_nobody_could_read_back_is_unknown(applied):
    lost = Outcome(action=applied.plan.changes[0], state=OutcomeState.UNKNOWN)
    line = last(text.render(replace(applied, outcomes=(lost,))))
    assert "0 failed, 2 not tried, 1 blocked, 2 unknown, 1 held" in line


def test_a_dry_run_that_made_no_plan_counts_connections(dry_run):
    line = last(text.render(replace(dry_run, plan=None)))
    assert line == "reconcile: 1 online, 1 degraded, 1 rejected, 1 unreachable, 1 unchecked"


def test_a_digest_with_its_algorithm_is_shortened_behind_it(dry_run):
    named = replace(dry_run, plan=replace(dry_run.plan, digest="sha256:feedc0de" + "0" * 56))
    assert last(text.render(named)).endswith("(digest feedc0de)")


def test_blocks_are_sorted_by_name_whatever_the_order_of_the_files(dry_run):
    backwards = replace(dry_run, connections=dry_run.connections[::-1])
    assert text.render(backwards) == text.render(dry_run)


def test_blocking_findings_come_before_advice(dry_run):
    screen = text.render(dry_run)
    assert screen.index("withdraw-enabled · ") < screen.index("key-expires-soon")


def test_advice_is_brief_and_tells_its_cause_on_request(dry_run):
    cause = "Keys of MEXC without a whitelist last ninety days."
    assert cause not in text.render(dry_run)
    assert cause in text.render(dry_run, verbose=True)
    assert "Whoever holds this key can empty the" in text.render(dry_run), "what blocks always does"


def test_checks_that_the_reason_names_are_not_repeated(dry_run):
    (blocked,) = (action for action in dry_run.plan.actions if action.kind is ActionKind.BLOCKED)
    named = replace(blocked, reason="recovery-pro fails withdraw-enabled")
    for action, shown in ((blocked, True), (named, False)):
        screen = text.render(replace(dry_run, plan=replace(dry_run.plan, actions=(action,))))
        assert ("    checks     withdraw-enabled" in screen) is shown


def test_what_follows_from_an_unread_key_is_one_line(dry_run):
    rejected = dry_run.connections[2]
    screen = text.render(only(dry_run, rejected), width=200)
    assert "2 checks could not be answered, because the key was not read: permission-read" in screen
    assert "the key was not read\n" not in screen
    assert screen.count("the key was not read") == 1


def test_many_checks_are_counted_and_named_on_request(dry_run):
    rejected = dry_run.connections[2]
    test, unknown, _ = rejected.findings
    many = tuple(replace(unknown, check=f"check-{number}") for number in range(20))
    report = only(dry_run, replace(rejected, findings=(test, *many)))
    assert "20 checks could not be answered, because the key was not read (-v tells which)" in text.render(
        report
    )
    assert "check-7 (blocks until known)" in text.render(report, verbose=True)


def test_nothing_is_folded_when_no_finding_says_why_the_key_was_not_read(dry_run):
    rejected = dry_run.connections[2]
    bare = replace(rejected, findings=rejected.findings[1:])
    screen = text.render(only(dry_run, bare), width=200)
    assert screen.count("(blocks until known)") == 2
    assert "KuCoin answered 400006" in screen, "the failure is told by the connection itself"


def test_a_waiver_that_covers_an_unknown_is_never_folded_away(dry_run):
    rejected = dry_run.connections[2]
    waived = tuple(
        replace(f, waived_by="bob") if f.check == "withdraw-enabled" else f for f in rejected.findings
    )
    assert "w waived   withdraw-enabled" in text.render(only(dry_run, replace(rejected, findings=waived)))


def test_passes_are_told_on_request_and_somebodys_word_always(dry_run):
    assert "✓ pass" not in text.render(dry_run)
    assert "a attested ip-whitelist-lacks-egress" in text.render(dry_run)
    assert "✓ pass     connection-test" in text.render(dry_run, verbose=True)


def test_an_exchange_that_answers_with_a_page_is_quoted_in_part(dry_run):
    online = dry_run.connections[0]
    page = replace(online.findings[2], evidence="<html> " * 500)
    screen = text.render(only(dry_run, replace(online, findings=(page,))))
    assert screen.count("<html>") < 100
    assert "…" in screen


def test_a_changed_setting_shows_old_and_new(dry_run):
    rows = [row.strip() for row in text.render(dry_run).splitlines() if " → " in row]
    assert rows == [
        "set        averaging.max_additions: 3 → 5",
        "set        risk_level: conservative → balanced",
        "set        settings.x: none → true",
    ]


def test_unchanged_strategies_are_shown_on_request_alone(dry_run):
    assert "= unchanged" not in text.render(dry_run)
    assert "= unchanged    dca" in text.render(dry_run, verbose=True)


def test_a_plan_without_work_says_so(dry_run):
    still = tuple(action for action in dry_run.plan.actions if action.kind is ActionKind.NONE)
    screen = text.render(replace(dry_run, plan=Plan(actions=still, digest="0" * 64), exit_code=ExitCode.DONE))
    assert "✓ nothing      to do: everything is as the files say" in screen
    assert "# apply this" not in screen


def test_a_targeted_run_says_so_and_repeats_its_targets(dry_run):
    screen = text.render(replace(dry_run, plan=replace(dry_run.plan, targets=("a b", "dca"))))
    assert "only a b, dca: everything else is left as it is" in screen
    assert "reconcile -f examples/connections.yaml --target 'a b' --target dca" in screen


def test_many_files_are_not_repeated_in_commands(dry_run):
    many = replace(dry_run, files=("a.yaml", "b.yaml", "c.yaml", "d.yaml"))
    assert "next           reconcile # apply this" in text.render(many)


def test_commands_name_the_repository_that_the_files_come_from(dry_run):
    followed = replace(dry_run, repository=("--git", "file:///srv/a b", "--ref", "main"))
    named = "reconcile --git 'file:///srv/a b' --ref main"
    screen = " ".join(text.render(followed).split())  # long lines are broken
    assert f"{named} -f examples/connections.yaml # apply this" in screen
    many = replace(followed, files=("a.yaml", "b.yaml", "c.yaml", "d.yaml"))
    assert f"{named} # apply this" in " ".join(text.render(many).split())


def test_no_files_and_no_connections_still_make_a_screen(dry_run):
    screen = text.render(replace(dry_run, files=(), connections=(), strategies=(), findings=(), plan=None))
    assert "from no files · 0 connections · 0 strategies" in screen
    assert "none in these files" in screen


def test_the_exit_code_is_explained(dry_run):
    assert "exit           5: a blocking check failed\n" in text.render(dry_run)


def test_what_to_type_next(dry_run, applied, checked):
    assert "reconcile -f examples/connections.yaml # apply this" in text.render(dry_run)
    assert "reconcile -f examples/connections.yaml --dry-run # see what is left" in text.render(applied)
    assert "reconcile explain credentials-unreadable" in text.render(checked)
    assert "reconcile check" not in text.render(checked)
    healthy = only(checked, checked.connections[0])
    assert "next" not in text.render(replace(healthy, exit_code=ExitCode.DONE))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "bound to addresses or not, which is not told · of an account not told"),
        ({"ip_whitelist": IpWhitelist(restricted=False)}, "usable from any address"),
        ({"ip_whitelist": IpWhitelist(restricted=True)}, "bound to addresses that are not told"),
        ({"ip_whitelist": IpWhitelist(restricted=True, addresses=())}, "bound to no address"),
        (
            {"ip_whitelist": IpWhitelist(restricted=True, addresses=("::1/128", "203.0.113.0/24"))},
            "::1/128, 203",
        ),
        ({"account": Account(uid="9", is_sub=True, parent_uid="1")}, "of sub-account 9 of 1"),
        ({"account": Account(uid="9", is_sub=True)}, "of sub-account 9"),
        ({"disabled": True}, "disabled"),
        (
            {"unknown_words": ("Earn", "\x1b[2J")},
            r"described in words unknown to us: Earn, \x1b[2J",
        ),
    ],
)
def test_what_a_key_is(dry_run, fields, told):
    assert told in key_line(dry_run, dry_run.connections[0], **fields)


def test_the_ends_of_a_keys_life(dry_run):
    now = dry_run.started_at
    line = key_line(
        dry_run,
        dry_run.connections[0],
        created_at=now,
        trade_expires_at=now - timedelta(days=1),
        expires_at=now + timedelta(days=90),
        expiry_rule="90 days without a whitelist",
    )
    assert "made 2026-11-22 (today)" in line
    assert "allowed to trade until 2026-11-21 (1 day ago)" in line
    assert "valid until 2027-02-20 (in 90 days)" in line
    assert "which is estimated by the rule 90 days without a whitelist" in line


def test_granted_denied_and_untold_permissions_are_told_apart(dry_run):
    screen = text.render(dry_run)
    assert "key may    read, spot, withdraw · not margin, futures, transfer · not told: options" in screen


def test_a_connection_that_nobody_asked_says_why(dry_run):
    unchecked = dry_run.connections[4]
    assert "not asked: its credentials could not be decrypted" in text.render(dry_run)
    silent = replace(unchecked, observation=replace(unchecked.observation, unread=None))
    assert "not asked: no reason was given" in text.render(only(dry_run, silent))


def test_an_ambiguous_answer_lists_what_it_may_mean(dry_run):
    assert "ambiguous_auth, which may mean invalid_key or wrong_environment" in text.render(dry_run)


def test_untrusted_text_cannot_forge_a_line_or_style_itself(dry_run):
    forged = "x\nreconcile: 9 to enable\x1b[2J [bold red]::error::\u202e" + " y" * 200
    online = dry_run.connections[0]
    failure = Failure(kind=FailureKind.UNAVAILABLE, message=forged)
    hostile = replace(
        online,
        status=Status.UNREACHABLE,
        connection=replace(online.connection, name=forged),
        observation=replace(online.observation, report=None, failure=failure),
        findings=tuple(
            replace(
                online.findings[0],
                verdict=Verdict.FAIL,
                severity=severity,
                evidence=forged,
                cause=forged,
                fix=forged,
            )
            for severity in Severity
        ),
    )
    report = only(replace(dry_run, files=(forged,), mode=Mode.CHECK, plan=None), hostile)
    for screen in (text.render(report), ANSI.sub("", terminal.render(report))):
        assert not [row for row in screen.splitlines() if row.startswith(("reconcile:", "::", "\x1b"))]
        assert not [row for row in screen.splitlines() if not row.isprintable()]
        assert "[bold red]" in screen
        assert CHECK.fullmatch(last(screen))
