"""The Kubernetes driver against a server of the published API. Its time passes where the driver waits."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import kubernetes_validate
import pytest
import yaml
from compliance import CANARY, CONNECTION, NOW, RUNTIME, STRATEGY, Wire, WireCompliance
from kubernetes_fake import EVERYTHING, GRANTED, NAMESPACE, FakeApi

from reconciler.model.desired import OnDisable, RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.plan import InventoryItem
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes import kubernetes
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.kubeconfig import Kubeconfig
from reconciler.runtimes.registry import open_runtime

MARK = Mark(file="connections.yaml", line=9)
VERSIONS = ("1.29", "1.37")


def parameters(workload):
    return {"pairs": ("BTC/USDT",), "settings": {"workload": workload}}


def strategy(id_, workload):
    return Strategy(
        id=id_, name=id_, connection=CONNECTION, runtime=RUNTIME, enabled=True, pairs=("BTC/USDT",),
        parameters=parameters(workload), mark=MARK,
    )  # fmt: skip


def item(id_, workload, connection=CONNECTION):
    return InventoryItem(
        strategy=id_,
        runtime=RUNTIME,
        connection=connection,
        enabled_at=NOW,
        parameters=parameters(workload),
    )


class Desk:
    """A server with one workload, the wire to it, and drivers for it whose waits move its time on."""

    def __init__(self, api: FakeApi, wire: Wire, folder, workload: str) -> None:
        self.api, self.wire, self._folder = api, wire, folder
        self.workload = workload
        self.bot = api.add(workload.replace("/bot", "s"), "bot")
        self.parameters = parameters(self.workload)
        self.options = {"namespace": NAMESPACE}
        self.wanted = {STRATEGY: strategy(STRATEGY, self.workload)}
        self.enabled = {}
        self.waits: list[float] = []
        self.learnt = []
        self.opened = []

    def open(self, store=None, *, secret=CANARY):
        async def sleep(seconds):
            self.waits.append(seconds)
            self.api.tick()

        opening = Opening(
            spec=RuntimeSpec(id=RUNTIME, type="kubernetes", mark=MARK, options=self.options),
            state=store,
            wanted=self.wanted,
            enabled=self.enabled,
            timeout=0.1 if self.wire.trouble == "slow" else 60.0,
            sleep=sleep,
            kubeconfig=Kubeconfig(path=str(self._kubeconfig(secret))),
            learn=self.learnt.extend,
        )
        self.opened.append(open_runtime(opening))
        return self.opened[-1]

    def _kubeconfig(self, token):
        path = self._folder / f"kubeconfig-{len(self.opened)}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": self.wire.url}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def start_by_hand(self) -> None:
        self.bot.settle(1)

    def stop_by_hand(self) -> None:
        self.bot.settle(0)

    def acts(self) -> int:
        return len(self.api.acts)


@pytest.fixture
def workload():
    return "deployment/bot"


@pytest.fixture
async def stand(serve, tmp_path, workload):
    api = FakeApi(CANARY)
    async with Wire(api.handle).running(serve) as wire:
        desk = Desk(api, wire, tmp_path, workload)
        yield desk
        for one in desk.opened:
            await one.close()


@pytest.fixture
def wire(stand):
    return stand.wire


@pytest.fixture
def api(stand):
    return stand.api


@pytest.fixture
def bot(stand):
    return stand.bot


async def enable(runtime, stand, id_=STRATEGY, workload=None):
    given = parameters(workload or stand.workload)
    await runtime.enable(id_, given, connection=CONNECTION, token=1)


async def failure(call):
    with pytest.raises(RuntimeFailed) as caught:
        await call
    assert caught.value.hint
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


async def told(runtime):
    return {name: one.enabled for name, one in (await runtime.read()).items()}


class TestDeployment(WireCompliance):
    """The suite, where all reads are allowed."""


class TestStatefulSet(WireCompliance):
    """The same for the other kind, whose count holds pods until they are gone."""

    @pytest.fixture
    def workload(self):
        return "statefulset/bot"


class TestLeastRights(WireCompliance):
    """The suite with the scale alone."""

    @pytest.fixture
    def stand(self, stand):
        stand.api.granted = GRANTED
        return stand


async def test_every_answer_of_the_server_has_a_published_shape(stand, api):
    api.autoscaled = [("Deployment", "other")]
    runtime = stand.open()
    await runtime.read()
    await enable(runtime, stand)
    await runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)
    del api.workloads["deployments", "bot"]
    api.add("statefulsets", "bot", replicas=1)
    stand.wanted = {"two": strategy("two", "statefulset/bot"), STRATEGY: stand.wanted[STRATEGY]}
    await stand.open().read()
    await stand.open()._api.details(kubernetes.Workload("statefulset", "bot"))
    await failure(stand.open(secret="other").read())
    shown = {one["kind"] for one in api.answers}
    assert shown == {"Scale", "Deployment", "StatefulSet", "HorizontalPodAutoscalerList", "Status"}
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / "v1.37.0-local-strict"
    status = json.loads((folder / "status-meta-v1.json").read_text())
    for one in {json.dumps(one, sort_keys=True): one for one in api.answers}.values():
        if one["kind"] == "Status":
            assert one.keys() <= status["properties"].keys()
            continue
        for version in VERSIONS if "terminatingReplicas" not in one.get("status", {}) else VERSIONS[1:]:
            kubernetes_validate.validate(one, version, strict=True)


class TestReading:
    async def test_one_that_is_scaled_up_runs_whether_or_not_its_pod_is_ready(self, stand, bot):
        bot.put(1)
        assert await told(stand.open()) == {STRATEGY: True}

    async def test_pods_that_are_left_run_whatever_it_is_scaled_to(self, stand, bot):
        bot.settle(1)
        bot.put(0)
        assert await told(stand.open()) == {STRATEGY: True}

    async def test_one_that_is_not_there_is_told_as_nothing(self, stand, api):
        api.workloads.clear()
        assert await told(stand.open()) == {}

    async def test_only_workloads_that_somebody_named_are_asked_for(self, stand, api):
        api.add("deployments", "somebody-elses", replicas=1)
        await stand.open().read()
        assert api.asked == [f"GET /apis/apps/v1/namespaces/{NAMESPACE}/deployments/bot/scale"]

    async def test_one_that_may_not_be_read_hides_none_of_the_others(self, stand, api):
        api.add("deployments", "two").settle(1)
        stand.wanted = {**stand.wanted, "two": strategy("two", "deployment/two")}
        api.forbidden = {"bot"}
        runtime = stand.open()
        assert await told(runtime) == {STRATEGY: None, "two": True}
        held = await runtime.read()
        assert "deployments/bot/scale was answered 403" in held[STRATEGY].silence
        assert "Grant get and patch on deployments/scale" in held[STRATEGY].silence
        assert held["two"].silence == ""
        await runtime.disable("two", token=1, how=OnDisable.STOP)
        assert api.acts == [("two", 0)]

    async def test_of_two_workloads_one_that_may_not_be_scaled_does_not_keep_the_other_on(self, stand, api):
        """git moved the strategy to another workload, which somebody started past this tool."""
        api.add("deployments", "two").settle(1)
        stand.enabled = {STRATEGY: item(STRATEGY, stand.workload)}
        stand.wanted = {STRATEGY: strategy(STRATEGY, "deployment/two")}
        api.forbidden = {"bot"}
        failed = await failure(stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP))
        assert (failed.status, failed.untouched) == (403, False)
        assert api.acts == [("two", 0)]

    async def test_where_none_may_be_read_the_error_says_what_to_grant(self, stand, api):
        api.granted = frozenset()
        failed = await failure(stand.open().read())
        assert (failed.kind, failed.status) == (Kind.UNAUTHORISED, 403)
        assert "deployments/scale" in failed.hint

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "Deployment"},
            {"metadata": {"name": "other", "namespace": NAMESPACE}},
            {"status": None},
            {"spec": {"replicas": "1"}},
            {"spec": {"replicas": -1}},
            {"spec": {"replicas": 0.5}},
            {"spec": {"replicas": True}},
        ],
    )
    async def test_what_is_no_scale_of_it_is_never_guessed(self, stand, bot, change):
        shown = bot.scale
        bot.scale = lambda: shown() | change
        assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    async def test_a_404_that_is_not_about_the_workload_is_not_taken_for_its_absence(self, stand, api):
        stand.options = {"namespace": "elsewhere"}
        assert await told(stand.open()) == {}
        api._refuse = lambda code, kind, _: FakeApi._refuse(api, code, kind, "")
        assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    async def test_each_token_is_known_to_the_redactor_before_it_is_used(self, stand):
        await stand.open().read()
        assert {one.reveal() for one in stand.learnt} == {CANARY}


class TestEnabling:
    async def test_it_counts_once_a_pod_is_ready(self, stand, bot):
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert (bot.ready, stand.waits) == (1, [kubernetes.PAUSE] * 2)

    async def test_without_the_right_to_read_it_a_pod_is_enough(self, stand, api, bot):
        api.granted = GRANTED
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert (bot.pods, len(stand.waits)) == (1, 1)

    async def test_a_pod_that_never_comes_leaves_open_what_became_of_it(self, stand, bot):
        bot.starts = False
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched, len(stand.waits)) == (Kind.REFUSED, False, kubernetes.LOOKS)
        assert "no pod of it became ready" in str(failed)

    async def test_a_change_meanwhile_is_a_conflict_that_is_looked_at_anew(self, stand, api, bot):
        api.before_patch = [bot.tick]
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert api.acts == [("bot", 1)]
        assert sum(one.get("code") == 409 for one in api.answers) == 1

    async def test_what_changes_without_end_is_not_fought_over(self, stand, api, bot):
        api.before_patch = [bot.tick] * 99
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched, api.acts) == (Kind.REFUSED, True, [])

    async def test_somebody_who_was_faster_is_not_repeated(self, stand, api, bot):
        api.before_patch = [lambda: bot.settle(1)]
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert api.acts == []

    async def test_one_that_is_not_there_is_not_the_bot_that_was_expected(self, stand, api):
        api.workloads.clear()
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched) == (Kind.WRONG_BOT, True)

    async def test_one_that_took_its_place_since_it_was_read_is_not_started(self, stand, api, bot):
        runtime = stand.open()
        await runtime.read()
        bot.uid = "7d0e6c0a-0000-4000-8000-000000000002"
        await runtime.read()  # the plan was made from the first reading
        assert (await failure(enable(runtime, stand))).kind is Kind.WRONG_BOT
        assert api.acts == []

    async def test_one_that_nobody_read_in_this_pass_is_not_started(self, stand, api):
        assert (await failure(enable(stand.open(), stand))).kind is Kind.WRONG_BOT
        assert api.acts == []

    @pytest.mark.parametrize("manager", ["kustomize-controller", "helm-controller", "argocd-controller"])
    async def test_one_whose_replicas_git_sets_is_politely_refused(self, stand, api, bot, manager):
        bot.manager = manager
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched, api.acts) == (Kind.REFUSED, True, [])
        assert "from git" in str(failed)

    @pytest.mark.parametrize("way", ["option", "annotation", "rights"])
    async def test_unless_git_was_told_to_leave_it_alone_or_nobody_may_look(self, stand, api, bot, way):
        bot.manager = "kustomize-controller"
        if way == "option":
            stand.options["replicas_in_git"] = "ignore"
        elif way == "annotation":
            bot.annotations = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
        else:
            api.granted = EVERYTHING - {("get", "workload")}
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert api.acts == [("bot", 1)]

    async def test_one_that_an_autoscaler_scales_is_refused_where_that_may_be_read(self, stand, api):
        api.autoscaled = [("Deployment", "bot")]
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched, api.acts) == (Kind.REFUSED, True, [])
        api.granted = GRANTED
        await enable(runtime, stand)
        assert api.acts == [("bot", 1)]

    @pytest.mark.parametrize("target", [("StatefulSet", "bot"), ("Deployment", "other")])
    async def test_an_autoscaler_of_another_is_none_of_its_own(self, stand, api, target):
        api.autoscaled = [target]
        runtime = stand.open()
        await runtime.read()
        await enable(runtime, stand)
        assert api.acts == [("bot", 1)]

    @pytest.mark.parametrize("left", [{"pods": 1}, {"stopping": 1}])
    async def test_while_pods_of_it_still_stop_no_other_is_started(self, stand, api, bot, left):
        runtime = stand.open()
        await runtime.read()
        bot.__dict__.update(left)
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched, api.acts) == (Kind.REFUSED, True, [])

    async def test_one_that_is_scaled_back_at_once_is_told(self, stand, api, bot):
        api.after_patch = [lambda: bot.put(0)]
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, stand))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)
        assert "scaled back at once" in str(failed)

    async def test_a_strategy_that_names_no_workload_is_not_started(self, stand):
        runtime = stand.open()
        await runtime.read()
        failed = await failure(runtime.enable(STRATEGY, {}, connection=CONNECTION, token=1))
        assert failed.kind is Kind.WRONG_BOT


class TestDisabling:
    @pytest.mark.parametrize("workload", ["deployment/bot", "statefulset/bot"])
    async def test_it_counts_once_no_pod_is_left(self, stand, bot):
        bot.settle(1)
        await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
        assert (bot.replicas, bot.pods, bot.stopping, len(stand.waits)) == (0, 0, 0, 2)

    async def test_all_replicas_of_it_stop(self, stand, api, bot):
        bot.settle(3)
        await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
        assert api.acts == [("bot", 0)]

    async def test_pods_that_do_not_stop_leave_open_what_becomes_of_them(self, stand, bot):
        bot.settle(1)
        bot.stops = False
        failed = await failure(stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)
        assert "did not stop" in str(failed)

    @pytest.mark.parametrize("way", ["git", "autoscaler"])
    async def test_it_waits_for_nobody_who_sets_the_replicas(self, stand, api, bot, way):
        bot.settle(1)
        if way == "git":
            bot.manager = "argocd-controller"
        else:
            api.autoscaled = [("Deployment", "bot")]
        await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
        assert api.acts == [("bot", 0)]

    async def test_it_wins_over_a_change_meanwhile(self, stand, api, bot):
        bot.settle(1)
        api.before_patch = [bot.tick]
        await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
        assert api.acts == [("bot", 0)]

    async def test_one_that_is_scaled_back_at_once_is_told(self, stand, api, bot):
        bot.settle(1)
        api.after_patch = [lambda: bot.settle(1)]
        failed = await failure(stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)
        assert "scaled back at once" in str(failed)

    @pytest.mark.parametrize("when", ["before", "between", "after"])
    async def test_one_that_is_gone_does_not_run(self, stand, api, bot, when):
        bot.settle(1)
        if when == "before":
            api.workloads.clear()
        elif when == "between":
            api.before_patch = [api.workloads.clear]
        else:
            api.after_patch = [api.workloads.clear]
        await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)

    async def test_one_that_nobody_can_name_any_more_is_not_called_stopped(self, stand):
        failed = await failure(stand.open().disable("forgotten", token=1, how=OnDisable.STOP))
        assert (failed.kind, failed.untouched) == (Kind.WRONG_BOT, True)


class TestWhichWorkload:
    async def test_one_that_git_no_longer_has_is_found_by_what_it_was_started_with(self, stand, api, bot):
        bot.settle(1)
        stand.wanted, stand.enabled = {}, {"old": item("old", stand.workload)}
        runtime = stand.open()
        assert await told(runtime) == {"old": True}
        await runtime.disable("old", token=1, how=OnDisable.STOP)
        assert api.acts == [("bot", 0)]

    async def test_one_that_was_renamed_stops_under_its_old_id_and_starts_under_the_new(self, stand, bot):
        bot.settle(1)
        stand.wanted = {"new": strategy("new", stand.workload)}
        stand.enabled = {"old": item("old", stand.workload)}
        runtime = stand.open()
        assert await told(runtime) == {"old": True}
        await runtime.disable("old", token=1, how=OnDisable.STOP)
        assert await told(runtime) == {"old": False}
        await enable(runtime, stand, "new")
        assert await told(runtime) == {"new": True}

    async def test_one_that_git_moved_runs_as_long_as_the_old_workload_does(self, stand, api, bot):
        bot.settle(1)
        new = api.add("statefulsets", "new")
        stand.wanted = {STRATEGY: strategy(STRATEGY, "statefulset/new")}
        stand.enabled = {STRATEGY: item(STRATEGY, stand.workload)}
        runtime = stand.open()
        assert await told(runtime) == {STRATEGY: True}
        moved = parameters("statefulset/new")
        failed = await failure(runtime.change(STRATEGY, moved, connection=CONNECTION, token=1))
        assert (failed.kind, failed.untouched, new.replicas) == (Kind.REFUSED, True, 0)
        await runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)
        await enable(runtime, stand, workload="statefulset/new")
        assert (bot.replicas, new.replicas) == (0, 1)

    async def test_a_move_to_another_key_is_refused_and_other_parameters_are_noted(self, stand, api):
        stand.enabled = {STRATEGY: replace(item(STRATEGY, stand.workload), connection="other")}
        change = {"connection": CONNECTION, "token": 1}
        failed = await failure(stand.open().change(STRATEGY, parameters(stand.workload), **change))
        assert "enabled: false" in str(failed)
        stand.enabled = {STRATEGY: item(STRATEGY, stand.workload)}
        noted = parameters(stand.workload) | {"risk_level": "balanced"}
        await stand.open().change(STRATEGY, noted, **change)
        stand.enabled = {}
        await stand.open().change(STRATEGY, noted, **change)
        assert api.acts == []

    @pytest.mark.parametrize(
        "text",
        ["bot", "pod/bot", "deployment/", "deployment/Bot", "deployment/../x", "deployment/a/b", "job/bot", 7,
         None, "deployment/bot\n", "deployment/bot?x=1", "deployment/a%2fb", "deployment/" + "a" * 254],
    )  # fmt: skip
    def test_what_names_no_workload(self, text):
        assert kubernetes.Workload.of(text) is None

    @pytest.mark.parametrize("text", ["deployment/bot", "statefulset/a", "deployment/bot.v2-x"])
    def test_what_names_one(self, text):
        assert str(kubernetes.Workload.of(text)) == text
