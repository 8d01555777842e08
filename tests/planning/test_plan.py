from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.checks import CATALOGUE, permits
from reconciler.model.desired import Policy
from reconciler.model.errors import UsageError
from reconciler.model.plan import ActionKind, RunningStrategy
from reconciler.planning.file import to_json
from reconciler.planning.gate import ROOTS, gate
from reconciler.planning.plan import ended
from reconciler.planning.reader import from_json

FAILS = {"ip_whitelist_missing": "fail"}
UNKNOWN = {"connection_test": "unknown"}


def kinds(plan):
    return [(action.kind.value, action.strategy, action.runtime) for action in plan.actions]


def only(plan):
    (action,) = plan.actions
    return action


@pytest.mark.parametrize(
    ("verdicts", "held", "kind"),
    [
        ({}, {}, "enable"),
        ({}, {"enabled": False}, "enable"),
        ({}, {"enabled": True}, "none"),
        ({}, {"enabled": None}, "unknown"),
        ({}, {"enabled": True, "risk_level": "aggressive"}, "change"),
        ({"name_unclear": "fail"}, {}, "enable"),
        (FAILS, {}, "blocked"),
        (FAILS, {"enabled": False}, "blocked"),
        (FAILS, {"enabled": True}, "disable"),
        (FAILS, {"enabled": None}, "disable"),
        (FAILS, {"enabled": True, "risk_level": "aggressive"}, "disable"),
        ({"withdraw_enabled": "fail"}, {"enabled": True}, "disable"),
        (FAILS | UNKNOWN, {"enabled": True}, "disable"),
        (UNKNOWN, {}, "unknown"),
        (UNKNOWN, {"enabled": False}, "unknown"),
        (UNKNOWN, {"enabled": True}, "hold"),
        (UNKNOWN, {"enabled": True, "risk_level": "aggressive"}, "hold"),
        (UNKNOWN, {"enabled": None}, "hold"),
    ],
)
def test_an_enabled_strategy(make, verdicts, held, kind):
    running = {"paper": make.running("grid", **held) if held else {}, "live": {}}
    plan = make.plan(make.desired(make.strategy()), reports=[make.report(**verdicts)], runtimes=running)
    assert kinds(plan) == [(kind, "grid", "paper")]
    action = only(plan)
    assert action.reason
    assert action.connection == "main"
    # The reason names every check behind it, and only the checks that weigh.
    for check in action.checks:
        assert check in action.reason
    assert set(action.checks) <= {name.replace("_", "-") for name in verdicts} - {"name-unclear"}
    assert (action.after is not None) == (kind in {"enable", "change"})
    assert (action.before is not None) == (kind == "change")


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ({}, "blocked"),
        ({"enabled": False}, "blocked"),
        ({"enabled": True}, "disable"),
        ({"enabled": None}, "disable"),
        ({"enabled": True, "risk_level": "aggressive"}, "disable"),
    ],
)
@pytest.mark.parametrize(
    ("verdicts", "why"),
    [
        ({}, "it breaks policy-quotes itself"),
        (UNKNOWN, "it breaks policy-quotes itself"),
        (FAILS, "main fails ip-whitelist-missing, and it breaks policy-quotes itself"),
    ],
    ids=["pass", "unknown", "fail"],
)
def test_a_strategy_that_breaks_policy_stops_like_one_whose_key_fails(make, held, kind, verdicts, why):
    plan = make.plan(
        make.desired(make.strategy(), policy=Policy(allowed_quotes=("EUR",))),
        reports=[make.report(**verdicts)],
        runtimes={"paper": make.running("grid", **held) if held else {}, "live": {}},
    )
    action = only(plan)
    assert (action.kind.value, action.reason) == (kind, why)
    assert action.checks == (*(("ip-whitelist-missing",) if verdicts is FAILS else ()), "policy-quotes")
    assert (action.before, action.after) == (None, None)


@pytest.mark.parametrize(("enabled", "kind"), [(True, "disable"), (None, "disable"), (False, "none")])
@pytest.mark.parametrize("verdicts", [{}, FAILS, UNKNOWN])
def test_a_strategy_that_git_disables_waits_for_no_check(make, enabled, kind, verdicts):
    plan = make.plan(
        make.desired(make.strategy(enabled=False)),
        reports=[make.report(**verdicts)],
        runtimes={"paper": make.running("grid", enabled=enabled), "live": {}},
    )
    assert only(plan).kind.value == kind


@pytest.mark.parametrize(
    ("minutes", "kind"),
    [(None, "hold"), (0, "hold"), (15, "hold"), (15.1, "disable"), (600, "disable"), (-5, "hold")],
)
def test_unknown_stops_a_running_strategy_only_after_its_grace(make, minutes, kind):
    since = {} if minutes is None else {"main": make.now - timedelta(minutes=minutes)}
    plan = make.plan(
        make.desired(make.strategy()),
        reports=[make.report(**UNKNOWN)],
        runtimes={"paper": make.running("grid"), "live": {}},
        since=since,
    )
    action = only(plan)
    assert action.kind.value == kind
    assert "15 min" in action.reason
    assert "connection-test" in action.reason


@pytest.mark.parametrize(("minutes", "words"), [(1, "60 s"), (16, "16 min"), (119, "119 min"), (300, "5 h")])
def test_the_reason_says_how_long_nothing_was_known(make, minutes, words):
    plan = make.plan(
        make.desired(make.strategy()),
        reports=[make.report(**UNKNOWN)],
        runtimes={"paper": make.running("grid"), "live": {}},
        since={"main": make.now - timedelta(minutes=minutes)},
    )
    assert f"for {words}" in only(plan).reason


def test_a_fail_has_no_grace(make):
    plan = make.plan(
        make.desired(make.strategy()),
        reports=[make.report(withdraw_enabled="fail")],
        runtimes={"paper": make.running("grid"), "live": {}},
        since={"main": make.now},
    )
    assert only(plan).kind is ActionKind.DISABLE


def test_a_connection_that_was_not_looked_at_is_unknown(make):
    plan = make.plan(make.desired(make.strategy()), reports=())
    assert only(plan).kind is ActionKind.UNKNOWN


def test_what_is_in_git_is_ours_whoever_enabled_it(make):
    plan = make.plan(
        make.desired(make.strategy()),
        reports=[make.report(**FAILS)],
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=(),
    )
    assert only(plan).kind is ActionKind.DISABLE


def test_an_unreadable_runtime_leaves_everything_unknown(make):
    plan = make.plan(
        make.desired(make.strategy(), make.strategy("off", enabled=False)),
        runtimes={"paper": None, "live": {}},
        inventory=[make.item("old")],
    )
    assert {action.kind for action in plan.actions} == {ActionKind.UNKNOWN}
    assert {action.strategy for action in plan.actions} == {"grid", "off", "old"}
    assert "could not be read" in plan.actions[0].reason


def test_what_left_git_is_disabled_when_this_tool_had_enabled_it(make):
    running = {"paper": make.running("ours", "theirs") | make.running("stopped", enabled=False), "live": {}}
    plan = make.plan(
        make.unguarded(make.desired()),
        reports=[make.report(**UNKNOWN)],
        runtimes=running,
        inventory=[make.item("ours"), make.item("stopped")],
    )
    assert kinds(plan) == [("disable", "ours", "paper"), ("unmanaged", "theirs", "paper")]
    assert "no longer in git" in plan.actions[0].reason


def test_why_a_runtime_does_not_tell_is_told_where_it_says_so(make):
    silent = make.running("grid", enabled=None)
    for silence, told in [
        ("", "does not tell whether it runs"),
        ("403", "does not tell whether it runs: 403"),
    ]:
        held = {"grid": replace(silent["grid"], silence=silence)}
        plan = make.plan(make.desired(make.strategy("grid")), runtimes={"paper": held})
        assert kinds(plan) == [("unknown", "grid", "paper")]
        assert plan.actions[0].reason == f"runtime paper {told}"


def test_what_somebody_else_runs_is_told_and_what_they_stopped_is_not(make):
    running = {"paper": make.running("theirs", enabled=None) | make.running("stopped", enabled=False)}
    assert kinds(make.plan(make.desired(), runtimes=running)) == [("unmanaged", "theirs", "paper")]


def test_an_inventory_of_another_runtime_makes_nothing_ours(make):
    plan = make.plan(
        make.desired(),
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=[make.item("grid", "live")],
    )
    assert kinds(plan) == [("unmanaged", "grid", "paper")]


def test_a_strategy_that_moved_stops_where_it_was_before_it_starts_where_it_belongs(make):
    plan = make.plan(
        make.desired(make.strategy(runtime="live")),
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=[make.item("grid", "paper")],
    )
    assert kinds(plan) == [("disable", "grid", "paper"), ("enable", "grid", "live")]
    assert "moved it to runtime live" in plan.actions[0].reason


def test_a_strategy_that_moved_does_not_start_while_the_old_runtime_is_unreadable(make):
    plan = make.plan(
        make.desired(make.strategy(runtime="live")),
        runtimes={"paper": None, "live": {}},
        inventory=[make.item("grid", "paper")],
    )
    assert kinds(plan) == [("blocked", "grid", "live"), ("unknown", "grid", "paper")]
    assert "paper" in plan.actions[0].reason


def test_a_runtime_that_left_the_files_too_early_is_asked_back(make):
    plan = make.plan(
        make.desired(make.strategy(runtime="live")),
        runtimes={"live": {}},
        inventory=[make.item("grid", "paper")],
    )
    assert kinds(plan) == [("blocked", "grid", "live"), ("unknown", "grid", "paper")]
    assert "put the runtime back" in plan.actions[1].reason


@pytest.mark.parametrize("enabled", [True, None])
def test_nothing_starts_twice_where_a_stranger_runs_it_elsewhere(make, enabled):
    plan = make.plan(
        make.desired(make.strategy()), runtimes={"paper": {}, "live": make.running("grid", enabled=enabled)}
    )
    assert kinds(plan) == [("blocked", "grid", "paper"), ("unmanaged", "grid", "live")]
    assert "stop it there first" in plan.actions[0].reason


def test_an_unreadable_runtime_that_never_held_it_hinders_nothing(make):
    plan = make.plan(make.desired(make.strategy()), runtimes={"paper": {}, "live": None})
    assert kinds(plan) == [("enable", "grid", "paper")]


def test_a_runtime_that_orders_pairs_or_wraps_lists_otherwise_is_as_desired(make):
    held = make.running("grid", pairs=("ETH/USDT", "BTC/USDT"))
    plan = make.plan(make.desired(make.strategy()), runtimes={"paper": held, "live": {}})
    assert only(plan).kind is ActionKind.NONE


def test_the_order_of_other_lists_has_a_meaning(make):
    strategy = make.strategy(parameters={"settings": {"ladder": [1, 2]}})
    held = {"grid": RunningStrategy(id="grid", enabled=True, parameters={"settings": {"ladder": [2, 1]}})}
    plan = make.plan(make.desired(strategy), runtimes={"paper": held, "live": {}})
    action = only(plan)
    assert action.kind is ActionKind.CHANGE
    assert action.before == held["grid"].parameters
    assert action.after == strategy.parameters


def test_disables_come_first_then_changes_then_enables_each_by_id(make):
    wanted = [make.strategy(id_) for id_ in ("z-new", "b-new", "y-other", "c-other", "same")]
    wanted += [make.strategy("x-off", enabled=False), make.strategy("d-off", enabled=False)]
    held = make.running("x-off", "d-off", "same", "guest") | make.running(
        "y-other", "c-other", risk_level="balanced"
    )
    plan = make.plan(make.desired(*wanted), runtimes={"paper": held, "live": {}})
    assert [(kind, strategy) for kind, strategy, _ in kinds(plan)] == [
        ("disable", "d-off"),
        ("disable", "x-off"),
        ("change", "c-other"),
        ("change", "y-other"),
        ("enable", "b-new"),
        ("enable", "z-new"),
        ("unmanaged", "guest"),
        ("none", "same"),
    ]
    assert [action.strategy for action in plan.changes] == [
        "d-off", "x-off", "c-other", "y-other", "b-new", "z-new",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("targets", "seen"),
    [
        ((), {"one", "two", "gone", "guest"}),
        (("one",), {"one"}),
        (("main",), {"one", "gone"}),
        (("spare", "one"), {"one", "two"}),
        (("gone",), {"gone"}),
    ],
)
def test_targets_leave_everything_else_alone(make, targets, seen):
    plan = make.plan(
        make.desired(make.strategy("one"), make.strategy("two", connection="spare")),
        runtimes={"paper": make.running("gone", "guest"), "live": {}},
        inventory=[make.item("gone")],
        targets=targets,
    )
    assert {action.strategy for action in plan.actions} == seen
    assert plan.targets == tuple(sorted(targets))


def test_a_target_that_names_nothing_is_refused(make):
    with pytest.raises(UsageError, match="'gird'") as caught:
        make.plan(make.desired(make.strategy()), targets=("gird",))
    assert "grid" in caught.value.hint


def test_the_gate_tells_why_it_is_shut(make):
    assert gate(make.report(), permits=permits).verdict.value == "pass"
    shut = gate(make.report(key_shared="fail", connection_test="unknown"), permits=permits)
    assert (shut.verdict.value, shut.checks) == ("fail", ("key-shared",))
    dark = gate(make.report(connection_test="unknown", name_unclear="fail"), permits=permits)
    assert (dark.verdict.value, dark.checks) == ("unknown", ("connection-test",))
    assert gate(None, permits=permits).verdict.value == "unknown"
    assert gate(make.report(), permits=lambda _: False).verdict.value == "unknown"


def test_what_somebody_else_stopped_after_it_left_git_is_no_longer_ours(make):
    held = make.running("on") | make.running("off", enabled=False) | make.running("silent", enabled=None)
    held |= make.running("wanted", enabled=False)
    items = [make.item(id_) for id_ in ("on", "off", "absent", "silent", "wanted")]
    items += [make.item("unread", "live"), make.item("nowhere", "gone"), make.item("moved", "paper")]
    over = ended(
        make.desired(make.strategy("wanted"), make.strategy("moved", runtime="live")),
        {"paper": held, "live": None},
        {item.strategy: item for item in items},
    )
    assert {item.strategy for item in over} == {"off", "absent", "moved"}


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_a_difference_like_any_other(make, odd):
    """A runtime may hold them; one such must not end the pass for all others."""
    desired = make.desired(make.strategy(), make.strategy("off", enabled=False))
    plan = make.plan(
        desired,
        runtimes={"paper": make.running("grid", settings={"stops": [odd, 1.5]}) | make.running("off")},
    )
    assert kinds(plan) == [("disable", "off", "paper"), ("change", "grid", "paper")]
    text = to_json(plan, make.run(desired, plan))
    from_json(text).require_same(plan)
    assert repr(odd) in text
    same = make.strategy(parameters=make.parameters | {"settings": {"stops": [odd, 1.5]}})
    again = make.plan(
        make.desired(same), runtimes={"paper": make.running("grid", settings={"stops": [odd, 1.5]})}
    )
    assert kinds(again) == [("none", "grid", "paper")]


@pytest.mark.parametrize(
    ("verdicts", "item", "expected"),
    [
        ({}, "spare", "change"),
        ({}, "main", "none"),
        ({}, None, "none"),
        (FAILS, "spare", "disable"),
        (UNKNOWN, "spare", "hold"),
    ],
)
def test_a_strategy_that_moved_to_another_connection_is_no_longer_as_git_says(make, verdicts, item, expected):
    """Else it would run on with the old key, which no check looks at once its connection is gone."""
    plan = make.plan(
        make.desired(make.strategy()),
        reports=[make.report(**verdicts)],
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=[make.item("grid", connection=item)],
    )
    action = only(plan)
    assert action.kind.value == expected
    if expected == "change":
        assert "from connection spare to main" in action.reason


@pytest.mark.parametrize(
    ("silent", "named"),
    [
        (("credentials_unreadable", "connection_test", "withdraw_enabled"), ("credentials-unreadable",)),
        (("connection_test", "withdraw_enabled", "key_shared"), ("connection-test",)),
        (("withdraw_enabled", "key_shared"), ("key-shared", "withdraw-enabled")),
        # A silence that only advises is no root of anything.
        (("withdraw_enabled", "clock_skew"), ("withdraw-enabled",)),
    ],
)
def test_of_many_silent_checks_the_one_behind_the_others_is_named(make, silent, named):
    shut = gate(make.report(**dict.fromkeys(silent, "unknown")), permits=permits)
    assert (shut.verdict.value, shut.checks) == ("unknown", named)


def test_a_root_that_is_silent_hides_no_check_that_failed(make):
    """Naming the root is for people; whether the gate is shut never hangs on it."""
    shut = gate(make.report(credentials_unreadable="unknown", secret_plaintext="fail"), permits=permits)
    assert (shut.verdict.value, shut.checks) == ("fail", ("secret-plaintext",))
    assert set(ROOTS) <= set(CATALOGUE)
    assert not any(CATALOGUE[root].waivable for root in ROOTS)
