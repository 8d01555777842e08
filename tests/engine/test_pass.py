"""A whole pass on a machine where no key can be read: what must happen all the same, and what must not."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.engine import pass_
from reconciler.engine.files import read
from reconciler.engine.settings import Settings
from reconciler.engine.validate import validate
from reconciler.engine.verdict import exit_code
from reconciler.model.errors import ExitCode, ReconcilerError, StalePlan
from reconciler.model.finding import Subject
from reconciler.model.live import Status
from reconciler.model.plan import Action, ActionKind, OutcomeState, Plan
from reconciler.planning.file import PlanFile
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PARAMETERS = {
    "pairs": ["BTC/USDT"],
    "risk_level": "conservative",
    "margin_limit": {"amount": "500", "currency": "USDT"},
}


class Desk:
    """One connection whose secret file nobody here can open, and a state to put strategies into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = START
        shutil.copytree(folder("examples") / "secrets", root / "secrets")
        self.document = {
            "version": 1,
            "connections": {
                "mexc-spot-main": {
                    "name": "MEXC Spot Grid",
                    "exchange": "mexc",
                    "market": "spot",
                    "credentials": "secrets/mexc-spot-main.sops.yaml",
                }
            },
            "runtimes": {"paper": {"type": "ledger"}},
            "strategies": {},
        }

    @property
    def settings(self) -> Settings:
        (self.root / "connections.yaml").write_text(json.dumps(self.document))
        return Settings(
            files=(str(self.root / "connections.yaml"),),
            state=str(self.root / "state.db"),
            sops=str(self.root / "no-sops"),
            environ={},
            now=lambda: self.now,
        )

    def want(self, *ids: str, enabled: bool = True, runtime: str = "paper") -> None:
        for id_ in ids:
            self.document["strategies"][id_] = {
                "name": id_,
                "connection": "mexc-spot-main",
                "runtime": runtime,
                "enabled": enabled,
                **PARAMETERS,
            }

    def approve(self, allow: str = "disable", count: int = 9, until: str = "2026-11-22") -> None:
        """Have somebody approve that so many are enabled, or disabled, at once."""
        approval = {"allow": allow, "count": count, "reason": "r", "approved_by": "b", "until": until}
        self.document.setdefault("approvals", []).append(approval)

    def run(self, *ids: str, runtime: str = "paper") -> None:
        """Have strategies running that this tool did not start."""
        with open_for_writing(self.settings.state) as store, store.lease(clock=lambda: self.now) as lease:
            for id_ in ids:
                store.ledger_enable(runtime, id_, PARAMETERS, connection="mexc-spot-main", token=lease.token)

    def stop(self, *ids: str, runtime: str = "paper") -> None:
        """Stop strategies as somebody else would, past this tool."""
        with open_for_writing(self.settings.state) as store, store.lease(clock=lambda: self.now) as lease:
            for id_ in ids:
                store.ledger_disable(runtime, id_, token=lease.token)

    def own(self, *ids: str, runtime: str = "paper") -> None:
        """Have strategies running that this tool did start."""
        with open_for_writing(self.settings.state) as store, store.lease(clock=lambda: self.now) as lease:
            for id_ in ids:
                self._intend(store, lease, id_, runtime, finished=True)

    def cut_off(self, id_: str, runtime: str = "paper", *, acted: bool = True) -> None:
        """Have an enabling that a kill cut off before its outcome was recorded."""
        with open_for_writing(self.settings.state) as store, store.lease(clock=lambda: self.now) as lease:
            self._intend(store, lease, id_, runtime, finished=False, acted=acted)

    def _intend(self, store, lease, id_, runtime, *, finished, acted=True):
        from reconciler.model.plan import InventoryItem, Outcome  # noqa: PLC0415

        action = Action(
            kind=ActionKind.ENABLE,
            strategy=id_,
            runtime=runtime,
            reason="",
            connection="mexc-spot-main",
            after=PARAMETERS,
        )
        intent = store.intend(action, token=lease.token, at=self.now)
        if acted:
            store.ledger_enable(runtime, id_, PARAMETERS, connection="mexc-spot-main", token=lease.token)
        if finished:
            item = InventoryItem(
                strategy=id_, runtime=runtime, connection="mexc-spot-main", enabled_at=self.now
            )
            outcome = Outcome(action=action, state=OutcomeState.DONE)
            store.conclude(intent, outcome, token=lease.token, at=self.now, keep=item)

    async def converge(self, **options):
        return await pass_.converge(replace(self.settings, **options))

    async def converge_reviewed(self, reviewed: PlanFile):
        return await pass_.converge(self.settings, reviewed=reviewed)

    @property
    def state(self):
        return open_for_reading(self.settings.state)

    def running(self, runtime: str = "paper") -> set[str]:
        return {id_ for id_, held in self.state.ledger_rows(runtime).items() if held.enabled}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def kinds(report):
    return {action.strategy: action.kind.value for action in report.plan.actions}


def states(report):
    return [(o.action.kind.value, o.action.strategy, o.state.value) for o in report.outcomes]


async def test_without_sops_what_is_to_stop_stops(desk):
    """Invariant 12: disabling waits for no check, so for no decryption either."""
    desk.run("switched-off")
    desk.own("gone")
    desk.want("switched-off", enabled=False)
    desk.want("new")
    report = await desk.converge()
    assert states(report) == [("disable", "gone", "done"), ("disable", "switched-off", "done")]
    assert kinds(report)["new"] == "unknown"
    assert report.exit_code is ExitCode.SECRETS
    assert desk.running() == set()


async def test_without_sops_a_key_is_unknown_and_what_runs_keeps_its_grace(desk):
    desk.want("grid")
    desk.run("grid")
    report = await desk.converge()
    assert [item.status for item in report.connections] == [Status.UNCHECKED]
    assert kinds(report) == {"grid": "hold"}
    desk.now += timedelta(minutes=15)
    assert kinds(await desk.converge()) == {"grid": "hold"}
    desk.now += timedelta(seconds=1)
    assert states(await desk.converge()) == [("disable", "grid", "done")]


async def test_what_breaks_policy_stops_although_no_key_can_be_read(desk):
    desk.document["policy"] = {"max_margin_limit": {"amount": "499", "currency": "USDT"}}
    desk.want("grid")
    desk.want("small")
    desk.document["strategies"]["small"]["margin_limit"] = {"amount": "400", "currency": "USDT"}
    desk.want("off", enabled=False)
    desk.run("grid", "small")
    report = await desk.converge()
    assert kinds(report) == {"grid": "disable", "small": "hold", "off": "none"}
    assert states(report) == [("disable", "grid", "done")]
    assert [(f.subject_id, f.verdict.value) for f in report.findings] == [("grid", "fail"), ("small", "pass")]
    assert report.exit_code is ExitCode.SECRETS
    assert (await pass_.check(desk.settings)).findings == ()


@pytest.mark.parametrize(
    ("targets", "judged"),
    [(("small",), ["small"]), (("mexc-spot-main",), ["grid", "small"]), ((), ["grid", "small"])],
)
async def test_a_targeted_run_judges_what_it_looks_at(desk, targets, judged):
    desk.document["policy"] = {"allowed_quotes": ["EUR"]}
    desk.want("small", "grid")
    report = await pass_.dry_run(replace(desk.settings, targets=targets))
    assert [finding.subject_id for finding in report.findings] == judged


async def test_without_sops_a_file_that_is_wrong_in_itself_still_fails(desk):
    (desk.root / "secrets" / "mexc-spot-main.sops.yaml").write_text("api_key: in-clear-0123456789\n")
    desk.want("grid")
    desk.run("grid")
    report = await desk.converge()
    assert states(report) == [("disable", "grid", "done")]
    assert report.exit_code is ExitCode.SECRETS


async def test_what_somebody_else_stopped_and_starts_again_after_it_left_git_is_theirs(desk):
    """Invariant 9: our claim ends with what we started."""
    desk.approve()
    desk.own("grid", "other")
    desk.stop("grid")
    assert kinds(await desk.converge()) == {"other": "disable"}
    assert desk.state.inventory() == {}
    desk.run("grid")
    assert kinds(await desk.converge()) == {"grid": "unmanaged"}
    assert desk.running() == {"grid"}


async def test_a_clock_set_back_prolongs_the_grace_by_no_more_than_one(desk):
    desk.want("grid")
    desk.run("grid")
    await desk.converge()
    desk.now -= timedelta(days=3)
    assert kinds(await desk.converge()) == {"grid": "hold"}
    desk.now += timedelta(minutes=15, seconds=1)
    assert states(await desk.converge()) == [("disable", "grid", "done")]


@pytest.mark.parametrize("silence", [ReconcilerError("gone"), OSError(), KeyError("x")], ids=repr)
async def test_a_runtime_that_breaks_in_any_way_is_unknown_and_hinders_no_other(desk, monkeypatch, silence):
    class Broken(Ledger):
        async def read(self):
            if self._runtime == "broken":
                raise silence
            return await super().read()

    monkeypatch.setattr(
        registry,
        "TYPES",
        {"ledger": RuntimeType(name="ledger", open=lambda one: Broken(one.spec.id, one.state))},
    )
    desk.document["runtimes"]["broken"] = {"type": "ledger"}
    desk.run("here")
    desk.run("there", runtime="broken")
    desk.want("here", enabled=False)
    desk.want("there", enabled=False, runtime="broken")
    report = await desk.converge()
    assert kinds(report) == {"here": "disable", "there": "unknown"}
    assert states(report) == [("disable", "here", "done")]


async def test_what_a_kill_left_running_is_found_though_strategy_and_runtime_left_the_files(desk):
    """Invariant 7: the journal alone remembers it, so its runtime is opened for that."""
    desk.approve()
    desk.cut_off("grid", runtime="former")
    report = await desk.converge()
    assert states(report) == [("enable", "grid", "done"), ("disable", "grid", "done")]
    assert desk.running("former") == set()
    assert (desk.state.unfinished(), desk.state.inventory()) == ((), {})


async def test_what_others_run_in_an_embedded_runtime_that_left_the_files_is_told_in_every_pass(
    desk,
):
    """Invariant 10: it was seen while something of ours ran beside it, and forgotten in the next pass."""
    desk.own("ours", runtime="former")
    desk.run("grid", runtime="former")
    desk.approve()
    desk.want("other")
    assert kinds(await desk.converge())["grid"] == "unmanaged"
    assert kinds(await desk.converge())["grid"] == "unmanaged"
    assert desk.running("former") == {"grid"}


async def test_a_pass_that_makes_up_for_a_killed_one_has_applied_nothing_partly(desk):
    desk.cut_off("grid", acted=False)
    desk.run("other")
    desk.want("other", enabled=False)
    report = await desk.converge()
    assert states(report) == [("enable", "grid", "failed"), ("disable", "other", "done")]
    assert report.exit_code is ExitCode.SECRETS


async def test_the_lease_is_renewed_for_as_long_as_a_pass_takes_and_no_longer(desk):
    def tasks() -> set[str]:
        return {task.get_coro().__qualname__ for task in asyncio.all_tasks()}

    during: list[set[str]] = []
    await desk.converge(progress=lambda _done, _all: during.append(tasks()))
    assert during
    assert all("Lease.keep" in seen for seen in during)
    assert "Lease.keep" not in tasks()


async def test_a_reviewed_plan_that_is_not_the_plan_of_now_does_nothing(desk):
    desk.run("grid")
    desk.want("grid", enabled=False)
    plan = (await pass_.dry_run(desk.settings)).plan
    reviewed = PlanFile(
        tool_version="1", created_at=START, digest=plan.digest, targets=(), actions=plan.actions
    )
    desk.run("other")
    desk.want("other", enabled=False)
    with pytest.raises(StalePlan, match="disable other"):
        await desk.converge_reviewed(reviewed)
    assert desk.running() == {"grid", "other"}
    del desk.document["strategies"]["other"]
    desk.stop("other")
    assert states(await desk.converge_reviewed(reviewed)) == [("disable", "grid", "done")]


class TestThresholds:
    async def test_files_that_lost_everything_stop_nothing_and_say_what_to_do(self, desk):
        desk.own("a", "b")
        for report in (await pass_.dry_run(desk.settings), await desk.converge()):
            assert kinds(report) == {"a": "hold", "b": "hold"}
            told = {finding.check: finding for finding in report.findings}
            assert "2 of 2 strategies would be disabled" in told["threshold-disable"].evidence
            assert "{allow: disable, count: 2, " in told["threshold-disable"].fix
            assert report.outcomes == ()
        assert desk.running() == {"a", "b"}
        assert set(desk.state.inventory()) == {"a", "b"}

    async def test_the_exit_code_is_6(self, desk):
        desk.document["connections"] = {}
        desk.own("a")
        for report in (await pass_.dry_run(desk.settings, detailed=True), await desk.converge()):
            assert report.exit_code is ExitCode.THRESHOLD
        desk.approve(count=1)
        report = await desk.converge()
        assert (states(report), report.exit_code) == ([("disable", "a", "done")], ExitCode.DONE)

    async def test_an_approval_that_is_over_is_told_and_allows_nothing(self, desk):
        desk.document["connections"] = {}
        desk.own("a")
        desk.approve(count=1)
        desk.now += timedelta(days=1)
        report = await desk.converge()
        assert report.exit_code is ExitCode.THRESHOLD
        told = {finding.check: finding for finding in report.findings}
        assert told["approval-expired"].evidence == "no longer approved: disable up to 1 (until 2026-11-22)"
        assert told["approval-expired"].mark.line == 1
        assert desk.running() == {"a"}

    async def test_a_reviewed_plan_passes_no_limit(self, desk):
        desk.document["connections"] = {}
        desk.own("a")
        seen = await pass_.dry_run(desk.settings)
        reviewed = PlanFile(
            tool_version="1",
            created_at=START,
            digest=seen.plan.digest,
            targets=(),
            actions=seen.plan.actions,
        )
        assert (await desk.converge_reviewed(reviewed)).exit_code is ExitCode.THRESHOLD
        assert desk.running() == {"a"}
        desk.approve(count=1)
        with pytest.raises(StalePlan):
            await desk.converge_reviewed(reviewed)

    async def test_what_breaks_policy_stops_while_the_files_are_in_doubt(self, desk):
        desk.document["policy"] = {
            "max_margin_limit": {"amount": "499", "currency": "USDT"},
            "thresholds": {"disable": {"count": 0}},
        }
        desk.want("bad")
        desk.own("bad", "gone")
        report = await desk.converge()
        assert states(report) == [("disable", "bad", "done")]
        assert kinds(report)["gone"] == "hold"
        assert desk.running() == {"gone"}


class TestSuspension:
    def suspend(self, desk):
        desk.document["suspend"] = {"reason": "audit\nof the account", "until": "2026-11-22"}

    async def test_while_it_stands_it_is_told_and_fails_nothing(self, desk):
        desk.document["connections"] = {}
        self.suspend(desk)
        report = await desk.converge()
        (told,) = report.findings
        assert (told.check, told.subject, told.subject_id) == ("suspended", Subject.POLICY, "suspend")
        assert told.evidence == "everything is suspended until 2026-11-22: audit of the account"
        assert report.exit_code is ExitCode.DONE

    async def test_once_it_is_over_every_run_fails_and_nothing_resumes(self, desk):
        desk.document["runtimes"]["paper"]["suspend"] = {"reason": "r", "until": "2026-11-22"}
        desk.want("grid")
        desk.run("grid")
        desk.now += timedelta(hours=13, minutes=59)
        report = await pass_.dry_run(desk.settings)
        assert {finding.check for finding in report.findings} == {"suspended"}
        desk.now += timedelta(minutes=1)
        for report in (await pass_.dry_run(desk.settings), await desk.converge()):
            (told,) = report.findings
            assert (told.check, told.subject, told.subject_id) == (
                "suspension-expired",
                Subject.RUNTIME,
                "paper",
            )
            assert told.mark.file.endswith("connections.yaml")
            assert report.outcomes == ()
        assert exit_code(replace(report, connections=())) is ExitCode.BLOCKED
        assert desk.running() == {"grid"}

    async def test_a_stop_goes_through_it(self, desk):
        self.suspend(desk)
        desk.want("grid", enabled=False)
        desk.own("grid")
        assert states(await desk.converge()) == [("disable", "grid", "done")]


async def test_what_waits_for_a_window_is_told_and_fails_nothing(desk):
    from reconciler.engine.guards import guard_findings  # noqa: PLC0415

    window = {"kind": "deny", "days": ["sun"], "from": "09:30", "to": "10:30"}
    desk.document["policy"] = {"windows": [window]}
    desk.want("grid")
    desired = read(desk.settings.files)
    waits = Action(
        kind=ActionKind.BLOCKED, strategy="grid", runtime="paper", reason="", checks=("maintenance-window",)
    )
    (told,) = guard_findings(desired, Plan(actions=(waits,), digest=""), START)
    assert told.evidence == "policy.windows says deny sun 09:30-10:30 UTC: grid wait"
    report = await pass_.dry_run(desk.settings)
    plan = replace(report.plan, actions=(waits,))
    assert exit_code(replace(report, plan=plan, connections=(), findings=(told,))) is ExitCode.DONE
    assert guard_findings(desired, Plan(actions=(), digest=""), START) == ()


class TestValidateOffline:
    def told(self, desk, now=START):
        found = validate(desk.settings.files, now=lambda: now)
        return found.exit_code, [(one.code, one.weight.value) for one in found.concerns]

    def test_a_suspension_that_is_over_fails_and_one_that_is_not_is_fine(self, desk):
        desk.document["connections"]["mexc-spot-main"]["suspend"] = {"reason": "r", "until": "2026-11-22"}
        assert self.told(desk) == (ExitCode.DONE, [])
        assert self.told(desk, START + timedelta(days=1)) == (
            ExitCode.BLOCKED,
            [("suspension-expired", "fails")],
        )

    def test_approvals_and_waivers_that_are_over_are_advice(self, desk):
        desk.approve()
        waiver = {"check": "ip-whitelist-extra", "connection": "mexc-spot-main"}
        common = {"reason": "r", "approved_by": "b", "until": "2026-11-22"}
        desk.document["waivers"] = [waiver | common]
        assert self.told(desk) == (ExitCode.DONE, [])
        code, told = self.told(desk, START + timedelta(days=1))
        assert (code, sorted(told)) == (
            ExitCode.DONE,
            [("approval-expired", "advice"), ("waiver-expired", "advice")],
        )
