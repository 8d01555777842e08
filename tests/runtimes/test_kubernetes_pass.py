"""Whole passes over a cluster, from the operator's option to the workload; and the emergency stop."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml
from kubernetes_fake import NAMESPACE, FakeApi

from reconciler.engine import lockdown, pass_
from reconciler.engine.settings import Settings
from reconciler.model.emergency import Wanted
from reconciler.model.finding import Subject
from reconciler.model.memory import Scope
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.resources import folder
from reconciler.runtimes import kubernetes
from reconciler.runtimes.kubeconfig import parse_kubeconfigs
from reconciler.state.store import open_for_writing

CANARY = "canary-7fK2-do-not-show"
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CONNECTION = "mexc-spot-main"


class Desk:
    """A key that nobody here can open, a cluster, and strategies in it."""

    def __init__(self, root, api, url) -> None:
        self.root, self.api = root, api
        shutil.copytree(folder("examples") / "secrets", root / "secrets")
        self.strategies = {}
        config = {
            "current-context": "ctx",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": CANARY}}],
            "contexts": [{"name": "ctx", "context": {"cluster": "c", "user": "u"}}],
        }
        (root / "kubeconfig").write_text(yaml.safe_dump(config))

    def want(self, id_, *, enabled):
        self.strategies[id_] = {
            "name": id_,
            "connection": CONNECTION,
            "runtime": "k8s",
            "enabled": enabled,
            "pairs": ["BTC/USDT"],
            "settings": {"workload": f"deployment/{id_}"},
        }

    @property
    def settings(self):
        connection = {
            "name": "MEXC Spot Grid",
            "exchange": "mexc",
            "market": "spot",
            "credentials": f"secrets/{CONNECTION}.sops.yaml",
        }
        document = {
            "version": 1,
            "connections": {CONNECTION: connection},
            "runtimes": {"k8s": {"type": "kubernetes", "namespace": NAMESPACE}},
            "strategies": self.strategies,
        }
        (self.root / "connections.yaml").write_text(json.dumps(document))

        async def sleep(_):
            self.api.tick()

        return Settings(
            files=(str(self.root / "connections.yaml"),),
            state=str(self.root / "state.db"),
            sops=str(self.root / "no-sops"),
            kubeconfigs=parse_kubeconfigs([f"k8s={self.root}/kubeconfig:ctx"]),
            environ={},
            now=lambda: START,
            sleep=sleep,
        )

    def own(self, id_):
        """Have it be one that this tool started."""
        parameters = {"pairs": ["BTC/USDT"], "settings": {"workload": f"deployment/{id_}"}}
        place = {"strategy": id_, "runtime": "k8s", "connection": CONNECTION}
        action = Action(kind=ActionKind.ENABLE, reason="", after=parameters, **place)
        item = InventoryItem(enabled_at=START, parameters=parameters, **place)
        with (
            open_for_writing(self.settings.state) as store,
            store.lease(clock=lambda: START) as lease,
        ):
            intent = store.intend(action, token=lease.token, at=START)
            done = Outcome(action=action, state=OutcomeState.DONE)
            store.conclude(intent, done, token=lease.token, at=START, keep=item)


async def stop_everything(settings):
    with ExitStack() as opened:
        wanted = Wanted(scope=Scope.ALL, scope_id="", reason="leak")
        return await lockdown.declare(settings, wanted, opened).enforce()


@pytest.fixture
async def desk(serve, tmp_path):
    api = FakeApi(CANARY)
    return Desk(tmp_path, api, await serve(api.handle))


def kinds(report):
    return {action.strategy: action.kind for action in report.plan.actions}


async def test_a_dry_run_only_reads(desk):
    desk.want("bot", enabled=False)
    desk.api.add("deployments", "bot").settle(1)
    report = await pass_.dry_run(desk.settings)
    assert kinds(report) == {"bot": ActionKind.DISABLE}
    assert {one.split()[0] for one in desk.api.asked} == {"GET"}
    assert CANARY not in repr(report)


async def test_what_git_switched_off_is_scaled_to_nothing_and_then_nothing_is_left_to_do(desk):
    desk.want("bot", enabled=False)
    bot = desk.api.add("deployments", "bot")
    bot.settle(1)
    await pass_.converge(desk.settings)
    assert (bot.replicas, bot.pods, bot.stopping) == (0, 0, 0)
    assert kinds(await pass_.dry_run(desk.settings)) == {"bot": ActionKind.NONE}


async def test_nothing_is_scaled_up_on_a_key_that_nobody_read(desk):
    desk.want("bot", enabled=True)
    desk.api.add("deployments", "bot")
    await pass_.converge(desk.settings)
    assert desk.api.acts == []


async def test_one_that_left_git_is_stopped_by_what_it_was_started_with(desk):
    desk.want("other", enabled=False)
    desk.api.add("deployments", "other")
    gone = desk.api.add("deployments", "gone")
    gone.settle(1)
    desk.own("gone")
    await pass_.converge(desk.settings)
    assert gone.replicas == 0


async def test_a_token_that_is_refused_is_told_and_shown_nowhere(desk):
    desk.want("bot", enabled=True)
    desk.api.add("deployments", "bot").settle(1)
    desk.api.token = "another"
    report = await pass_.dry_run(desk.settings)
    (finding,) = [one for one in report.findings if one.subject is Subject.RUNTIME]
    assert finding.kind == "runtime_unauthorised"
    assert CANARY not in repr(report)


async def test_where_no_cluster_was_named_nothing_is_known_of_it(desk):
    desk.want("bot", enabled=False)
    desk.api.add("deployments", "bot").settle(1)
    report = await pass_.converge(replace(desk.settings, kubeconfigs={}))
    (finding,) = [one for one in report.findings if one.subject is Subject.RUNTIME]
    assert (finding.kind, desk.api.asked) == ("runtime_locked", [])
    assert "--kubeconfig" in finding.fix


@pytest.mark.parametrize("run", [pass_.converge, stop_everything], ids=["apply", "lockdown"])
async def test_no_stop_waits_for_pods_of_another(desk, run):
    """Pods that take their time to end, until the last workload was told."""
    names = ["bot-1", "bot-2"]
    for name in names:
        desk.want(name, enabled=False)
        desk.api.add("deployments", name).settle(1)
        desk.own(name)
    bots = desk.api.workloads.values()
    for bot in bots:
        bot.stops = False

    def told():
        for bot in bots:
            bot.stops = not any(one.replicas for one in bots)

    desk.api.after_patch = [told] * len(names)
    waits = []
    tick = desk.api.tick
    desk.api.tick = lambda: waits.append(tick())
    await run(desk.settings)
    assert len(waits) < kubernetes.LOOKS
    assert {(bot.replicas, bot.pods, bot.stopping) for bot in bots} == {(0, 0, 0)}
    assert kinds(await pass_.dry_run(desk.settings)) == dict.fromkeys(names, ActionKind.NONE)


async def test_the_emergency_stop_reaches_the_cluster(desk):
    desk.want("bot", enabled=True)
    bot = desk.api.add("deployments", "bot")
    bot.settle(1)
    desk.own("bot")
    told = await stop_everything(desk.settings)
    assert (told.exit_code, bot.replicas, bot.pods) == (0, 0, 0)
    assert CANARY not in repr(told)
