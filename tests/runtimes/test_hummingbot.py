"""The Hummingbot driver against a server of the published API. Its time passes where the driver waits."""

from __future__ import annotations

import asyncio
import copy
import re
from dataclasses import replace

import pytest
from compliance import CANARY, CONNECTION, NOW, RUNTIME, STRATEGY, Wire, WireCompliance
from hummingbot_fake import PMM, FakeBot, FakeHummingbot

from reconciler.model.desired import OnDisable, RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.plan import InventoryItem
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.resources import folder
from reconciler.runtimes import hummingbot
from reconciler.runtimes.interface import ACT_SECONDS, Opening
from reconciler.runtimes.registry import TYPES, open_runtime

MARK = Mark(file="connections.yaml", line=9)
SPEC = RuntimeSpec(id=RUNTIME, type="hummingbot", mark=MARK)


def parameters(**settings):
    return {"pairs": ("BTC/USDT",), "settings": settings}


def strategy(id_, **settings):
    return Strategy(
        id=id_, name=id_, connection=CONNECTION, runtime=RUNTIME, enabled=True, pairs=("BTC/USDT",),
        parameters=parameters(**settings), mark=MARK,
    )  # fmt: skip


def item(id_, connection=CONNECTION, **settings):
    return InventoryItem(
        strategy=id_,
        runtime=RUNTIME,
        connection=connection,
        enabled_at=NOW,
        parameters=parameters(**settings),
    )


class Desk:
    """A server with one bot, the wire to it, and drivers for it whose waits move its time on."""

    def __init__(self, api: FakeHummingbot, wire: Wire) -> None:
        self.api, self.wire = api, wire
        self.bot: FakeBot = api.add("mm-1", files={"pmm": copy.deepcopy(PMM)})
        self.name({"bot": "mm-1"})
        self.enabled = {}
        self.waited = 0.0
        self.stuck = False
        self.opened = []

    def name(self, settings):
        self.parameters = parameters(**settings)
        self.wanted = {STRATEGY: strategy(STRATEGY, **settings)}

    def open(self, store=None, *, secret=CANARY):
        async def sleep(seconds):
            if self.stuck:
                await asyncio.Event().wait()
            self.waited += seconds
            self.api.tick(seconds)

        opening = Opening(
            spec=replace(SPEC, url=self.wire.url),
            state=store,
            wanted=self.wanted,
            enabled=self.enabled,
            credentials={"username": Secret("hb"), "password": Secret(secret)},
            timeout=0.2 if self.wire.trouble == "slow" else 60.0,
            sleep=sleep,
        )
        self.opened.append(open_runtime(opening))
        return self.opened[-1]

    def start_by_hand(self) -> None:
        self.api.run(self.bot)

    def stop_by_hand(self) -> None:
        self.api.end(self.bot)

    def acts(self) -> int:
        return len(self.api.acts)


class ControllerDesk(Desk):
    """The same, where the strategy is one of two controllers of a bot that is up."""

    def __init__(self, api: FakeHummingbot, wire: Wire) -> None:
        super().__init__(api, wire)
        self.file = self.bot.files["pmm"]
        self.file["manual_kill_switch"] = True
        self.bot.files["other"] = {**PMM, "id": "other"}
        self.name({"bot": "mm-1", "controller": "pmm"})
        api.run(self.bot)

    def start_by_hand(self) -> None:
        self.file["manual_kill_switch"] = False

    def stop_by_hand(self) -> None:
        self.file["manual_kill_switch"] = True


async def standing(serve, kind):
    api = FakeHummingbot(password=CANARY)
    async with Wire(api.handle).running(serve) as wire:
        desk = kind(api, wire)
        yield desk
        for one in desk.opened:
            await one.close()


@pytest.fixture
async def stand(serve):
    async for desk in standing(serve, Desk):
        yield desk


@pytest.fixture
async def one_of_two(serve):
    async for desk in standing(serve, ControllerDesk):
        yield desk


@pytest.fixture
def wire(stand):
    return stand.wire


async def enable(runtime, desk):
    await runtime.enable(STRATEGY, desk.parameters, connection=CONNECTION, token=1)


async def disable(runtime, id_=STRATEGY):
    await runtime.disable(id_, token=1, how=OnDisable.STOP)


async def failure(call):
    with pytest.raises(RuntimeFailed) as caught:
        await call
    assert CANARY not in f"{caught.value} {caught.value.hint}"
    return caught.value


async def on(runtime, id_=STRATEGY):
    return (await runtime.read())[id_].enabled


class TestHummingbot(WireCompliance):
    """The suite, for a strategy that is a whole bot."""


class TestHummingbotController(WireCompliance):
    """The suite, for a strategy that is one controller of a bot."""

    @pytest.fixture
    def stand(self, one_of_two):
        return one_of_two


class TestReading:
    """What a bot is told as, and what is left open."""

    @pytest.fixture(autouse=True)
    def _stand(self, stand):
        self.stand, self.api, self.bot = stand, stand.api, stand.bot

    async def test_a_bot_that_boots_is_unknown_although_the_api_calls_it_stopped(self):
        self.bot.boot = 20
        self.api.run(self.bot)
        runtime = self.stand.open()
        assert await on(runtime) is None
        self.api.tick(20)
        assert await on(runtime) is True

    async def test_one_whose_exchange_refuses_its_key_is_unknown_for_ever(self):
        self.bot.starts = False  # connectors that are never ready: no figures
        self.api.run(self.bot)
        self.api.tick(600)
        assert await on(self.stand.open()) is None

    async def test_its_last_word_is_believed_though_the_api_calls_it_running(self):
        self.api.run(self.bot)
        self.api.wind_down(self.bot)
        self.api.tick(1)
        assert self.api._status("mm-1")["status"] == "running"
        assert await on(self.stand.open()) is False

    async def test_one_that_went_silent_is_unknown(self):
        self.api.run(self.bot)
        self.bot.talks = False
        self.api.tick(60)
        assert self.api._status("mm-1")["status"] == "idle"
        assert await on(self.stand.open()) is None

    async def test_while_the_broker_is_down_nothing_is_known(self):
        self.api.run(self.bot)
        self.api.broker = False
        self.api.restart()
        self.api.tick(40)
        assert await on(self.stand.open()) is None

    async def test_a_script_that_sends_no_figures_runs_while_its_container_does(self):
        self.bot.files = None
        assert await on(self.stand.open()) is False
        self.api.run(self.bot)
        assert await on(self.stand.open()) is True

    async def test_what_is_not_there_is_not_told(self):
        self.stand.name({"bot": "gone"})
        assert STRATEGY not in await self.stand.open().read()

    async def test_a_container_that_is_no_bot_is_not_there_and_not_touched(self):
        self.api.add("emqx", files=None, image="emqx:5", container="running", talks=False)
        self.stand.name({"bot": "emqx"})
        runtime = self.stand.open()
        assert set(await runtime.read()) == set()
        assert (await failure(enable(runtime, self.stand))).kind is Kind.WRONG_BOT
        await disable(runtime)
        assert self.api.acts == []

    @pytest.mark.parametrize("files", [{"pmm": PMM}, None])
    async def test_a_bot_whose_image_lost_its_tag_is_one_by_its_files_or_its_messages(self, files):
        self.bot.image, self.bot.files = "sha256:0123", files
        self.api.run(self.bot)
        assert await on(self.stand.open()) is True
        self.api.end(self.bot)
        self.api.tick(60)
        told = await self.stand.open().read()
        assert {id_: one.enabled for id_, one in told.items()} == ({STRATEGY: False} if files else {})

    async def test_one_that_git_and_this_tool_have_under_two_names_goes_by_that_it_was_started_under(self):
        self.stand.enabled = {"old": item("old", bot="mm-1")}
        self.api.run(self.bot)
        assert set(await self.stand.open().read()) == {"old"}

    @pytest.mark.parametrize("status", [500, 403])
    async def test_a_bot_of_which_the_server_cannot_tell_hides_no_other(self, status):
        self.stand.wanted["two"] = strategy("two", bot="mm-2")
        for name in ("mm-2", "foreign"):
            self.api.run(self.api.add(name, files={"x": {**PMM, "id": "x"}}))
        self.api.run(self.bot)
        for name in ("mm-2", "foreign"):
            self.api.broken[f"GET /bot-orchestration/{name}/status"] = status
        runtime = self.stand.open()
        told = {id_: one.enabled for id_, one in (await runtime.read()).items()}
        assert told == {STRATEGY: True, "two": None, f"{RUNTIME}/foreign": None}
        self.api.broken.clear()
        await disable(runtime, "two")
        assert self.api.bots["mm-2"].container == "exited"

    async def test_one_that_could_not_be_looked_at_is_not_started(self):
        self.stand.wanted["two"] = strategy("two", bot="mm-2")
        self.api.add("mm-2", files={"x": PMM})
        self.api.broken["GET /bot-orchestration/mm-2/status"] = 500
        runtime = self.stand.open()
        assert await on(runtime, "two") is False  # its container has ended
        self.api.broken.clear()
        act = runtime.enable("two", parameters(bot="mm-2"), connection=CONNECTION, token=1)
        assert (await failure(act)).kind is Kind.WRONG_BOT
        assert self.api.acts == []

    async def test_where_it_can_tell_of_none_of_ours_it_was_not_read(self):
        self.api.run(self.api.add("foreign", files={"x": PMM}))
        self.api.broken["GET /bot-orchestration/mm-1/status"] = 500
        assert (await failure(self.stand.open().read())).kind is Kind.REFUSED

    async def test_other_bots_are_reported_and_left_alone(self):
        for name in ("foreign", "asleep"):
            self.api.add(name, files={"x": PMM})
        self.api.run(self.api.bots["foreign"])
        self.api.add("od d\x1b", container=None, elsewhere=True)
        told = {id_: one.enabled for id_, one in (await self.stand.open().read()).items()}
        assert told == {STRATEGY: False, f"{RUNTIME}/foreign": True, f"{RUNTIME}/od?d?": None}
        assert self.api.acts == []

    async def test_one_started_here_and_gone_from_git_is_found_under_its_name(self):
        self.stand.wanted, self.stand.enabled = {}, {"old": item("old", bot="mm-1")}
        self.api.run(self.bot)
        runtime = self.stand.open()
        assert await on(runtime, "old") is True
        await disable(runtime, "old")
        assert self.bot.container == "exited"

    @pytest.mark.parametrize("new", ["mm-0", "mm-2"])
    async def test_one_that_git_moved_to_another_bot_counts_where_it_runs(self, new):
        self.api.add(new, files={"pmm": {**PMM, "trading_pair": "ETH-USDT"}})
        self.stand.enabled = {STRATEGY: item(STRATEGY, bot="mm-1")}
        self.stand.name({"bot": new})
        self.api.run(self.bot)
        runtime = self.stand.open()
        held = (await runtime.read())[STRATEGY]
        assert (held.enabled, held.bot.pairs) == (True, ("ETH/USDT",)), "judged by what it is to become"
        await disable(runtime)
        assert self.bot.container == "exited"

    @pytest.mark.parametrize("version", ["0.9.3", "unknown"])
    async def test_another_version(self, version):
        self.api.version = version
        assert (await failure(self.stand.open().read())).kind is Kind.WRONG_VERSION

    async def test_something_else_than_a_hummingbot_api(self):
        self.api.name = "Grafana"
        assert (await failure(self.stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    @pytest.mark.parametrize("path", ["/docker/exited-containers", "/bot-orchestration/mqtt"])
    async def test_a_call_that_it_does_not_know_is_another_version(self, path):
        self.api.broken[f"GET {path}"] = 404
        assert (await failure(self.stand.open().read())).kind is Kind.WRONG_VERSION

    async def test_a_server_without_its_docker_is_told_as_that(self):
        self.api.docker = "Error while fetching server API version"
        assert (await failure(self.stand.open().read())).kind is Kind.REFUSED

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/bot-orchestration/mqtt", {"data": {"active_bots": [1]}}),
            ("/bot-orchestration/mqtt", {"data": None}),
            ("/docker/active-containers", {"id": 1}),
            ("/docker/active-containers", [{"id": "x", "name": "y"}]),
            ("/bot-orchestration/mm-1/status", {"status": "success"}),
            ("/bot-orchestration/mm-1/status", {"data": {"status": "running", "performance": []}}),
            ("/controllers/bots/mm-1/configs", ["x"]),
        ],
    )
    async def test_another_shape_is_never_guessed_at(self, path, answer):
        self.api.override[f"GET {path}"] = answer
        assert (await failure(self.stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    async def test_figures_of_another_shape_count_as_some(self):
        self.api.run(self.bot)
        told = {
            "status": "running",
            "recently_active": True,
            "performance": {"pmm-btc": {"performance": None}},
        }
        self.api.override["GET /bot-orchestration/mm-1/status"] = {"data": told}
        assert await on(self.stand.open()) is True

    @pytest.mark.parametrize("how", ["500", "no name", "strange pair"])
    async def test_files_that_cannot_be_read_keep_from_starting_and_not_from_stopping(self, how):
        match how:
            case "500":
                self.api.broken["GET /controllers/bots/mm-1/configs"] = 500
            case "no name":
                self.bot.files["pmm"]["controller_name"] = None
            case "strange pair":
                self.bot.files["pmm"]["trading_pair"] = "\x1b[2J"
        runtime = self.stand.open()
        assert await on(runtime) is False
        assert "cannot be read" in (await failure(enable(runtime, self.stand))).message
        self.api.run(self.bot)
        await disable(runtime)
        assert self.bot.container == "exited"


class TestEnabling:
    """Starting a whole bot."""

    @pytest.fixture(autouse=True)
    async def _stand(self, stand):
        self.stand, self.api, self.bot = stand, stand.api, stand.bot

    async def test_it_waits_for_figures(self):
        self.bot.boot = 25
        runtime = self.stand.open()
        await runtime.read()
        await enable(runtime, self.stand)
        assert (self.bot.on, self.api.acts) == (True, ["/docker/start-container/mm-1"])
        assert 25 <= self.stand.waited < 30

    async def test_a_strategy_that_never_sends_any_is_in_doubt(self):
        self.bot.starts = False
        runtime = self.stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, self.stand))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)
        assert self.stand.waited < ACT_SECONDS
        assert await on(runtime) is None

    async def test_a_script_counts_as_started_once_it_was_heard(self):
        self.bot.files, self.bot.boot = None, 25
        runtime = self.stand.open()
        await runtime.read()
        await enable(runtime, self.stand)
        assert 25 <= self.stand.waited < 30

    async def test_a_container_that_ends_at_once_is_told(self):
        self.bot.dies = True
        runtime = self.stand.open()
        await runtime.read()
        assert "ended again" in (await failure(enable(runtime, self.stand))).message

    async def test_a_strategy_that_ended_in_a_process_that_did_not_gets_a_new_one(self):
        self.api.run(self.bot)
        self.api.wind_down(self.bot)
        self.api.tick(60)
        runtime = self.stand.open()
        await runtime.read()
        await enable(runtime, self.stand)
        assert self.api.acts == ["/docker/stop-container/mm-1", "/docker/start-container/mm-1"]
        assert (self.bot.on, self.bot.left) == (True, False)

    async def test_old_figures_are_not_taken_for_those_of_the_new_process(self):
        self.api.run(self.bot)
        self.api.end(self.bot)
        self.bot.starts = False
        runtime = self.stand.open()
        assert await on(runtime) is False
        assert not (await failure(enable(runtime, self.stand))).untouched

    async def test_a_second_bot_of_the_same_name_is_noticed(self):
        self.bot.elsewhere = self.bot.on = True
        runtime = self.stand.open()
        await runtime.read()
        failed = await failure(enable(runtime, self.stand))
        assert ("two must not trade" in failed.message, failed.untouched) == (True, True)
        assert self.api.acts == []

    async def test_one_that_is_up_and_tells_nothing_is_not_started_twice(self):
        self.bot.boot = 600
        self.api.run(self.bot)
        runtime = self.stand.open()
        await runtime.read()
        assert "tells nothing" in (await failure(enable(runtime, self.stand))).message
        assert self.api.acts == []

    async def test_one_that_runs_elsewhere_cannot_be_started_from_here(self):
        self.bot.container, self.bot.elsewhere = None, True
        runtime = self.stand.open()
        assert await on(runtime) is None
        assert "no container of this server" in (await failure(enable(runtime, self.stand))).message

    @pytest.mark.parametrize("change", ["container", "pair", "amount", "connector", "gone"])
    async def test_another_bot_than_was_judged_is_not_started(self, change):
        runtime = self.stand.open()
        await runtime.read()
        match change:
            case "container":
                self.bot.id = "another"
            case "gone":
                del self.api.bots["mm-1"]
            case _:
                values = {"pair": "DOGE-USDT", "amount": 10_000, "connector": "kraken"}
                names = {
                    "pair": "trading_pair",
                    "amount": "total_amount_quote",
                    "connector": "connector_name",
                }
                self.bot.files["pmm"][names[change]] = values[change]
        assert (await failure(enable(runtime, self.stand))).kind is Kind.WRONG_BOT
        assert self.api.acts == []

    async def test_docker_s_trouble_comes_with_200_and_is_seen(self):
        runtime = self.stand.open()
        await runtime.read()
        self.api.override["POST /docker/start-container/mm-1"] = "409 Client Error: Conflict"
        failed = await failure(enable(runtime, self.stand))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)
        assert "would not start the container" in failed.message

    async def test_a_bot_that_is_a_strategy_and_has_another_in_it_is_started_for_neither(self):
        self.stand.wanted["part"] = strategy("part", bot="mm-1", controller="pmm")
        runtime = self.stand.open()
        await runtime.read()
        assert "name only controllers" in (await failure(enable(runtime, self.stand))).message
        self.api.run(self.bot)
        await disable(runtime)
        assert self.bot.container == "exited"

    async def test_it_moves_to_no_other_key_or_bot_while_it_runs(self):
        self.stand.enabled = {STRATEGY: item(STRATEGY, bot="mm-1")}
        runtime = self.stand.open()
        change = runtime.change
        await change(STRATEGY, self.stand.parameters, connection=CONNECTION, token=1)
        assert (
            "to the key of other"
            in (await failure(change(STRATEGY, self.stand.parameters, connection="other", token=1))).message
        )
        assert (
            "to the bot mm-2"
            in (
                await failure(change(STRATEGY, parameters(bot="mm-2"), connection=CONNECTION, token=1))
            ).message
        )
        assert self.api.asked == []


class TestDisabling:
    """Stopping a whole bot: by its own means first, then for sure."""

    @pytest.fixture(autouse=True)
    async def _stand(self, stand):
        self.stand, self.api, self.bot = stand, stand.api, stand.bot
        self.api.run(self.bot)
        self.runtime = stand.open()

    async def test_it_winds_down_and_its_orders_are_cancelled_before_the_container_ends(self):
        self.bot.winds = 28
        await disable(self.runtime)
        assert self.api.acts == ["/bot-orchestration/stop-bot", "/docker/stop-container/mm-1"]
        assert self.api.bodies[0] == {
            "bot_name": "mm-1", "skip_order_cancellation": False, "async_backend": True,
        }  # fmt: skip
        assert (self.bot.container, self.bot.left) == ("exited", False)
        assert await on(self.runtime) is False

    async def test_one_that_does_not_follow_is_ended_all_the_same_and_soon(self):
        self.bot.obeys = False
        await disable(self.runtime)
        assert (self.bot.container, self.bot.left) == ("exited", True)
        assert self.stand.waited <= 10

    async def test_one_that_hears_nothing_is_ended_all_the_same(self):
        self.bot.talks = False
        self.api.tick(60)
        await disable(self.runtime)
        assert self.bot.container == "exited"
        assert self.stand.waited <= 10

    async def test_one_whose_strategy_has_ended_is_not_told_to_stop_again(self):
        self.api.wind_down(self.bot)
        self.api.tick(30)
        await disable(self.runtime)
        assert self.api.acts == ["/docker/stop-container/mm-1"]
        assert self.stand.waited == 0

    async def test_while_the_broker_is_down_the_container_is_ended(self):
        self.api.broker = False
        await disable(self.runtime)
        assert self.api.acts == 3 * ["/bot-orchestration/stop-bot"] + ["/docker/stop-container/mm-1"]
        assert self.bot.container == "exited"

    async def test_a_script_that_never_says_that_it_stopped_gets_its_time(self):
        self.bot.files = None
        await disable(self.runtime)
        assert (self.bot.container, self.stand.waited < ACT_SECONDS) == ("exited", True)

    async def test_the_longest_stop_is_within_the_time_of_an_act(self):
        self.bot.winds = 48
        await disable(self.runtime)
        assert (self.bot.left, self.stand.waited < ACT_SECONDS - 30) == (False, True)

    async def test_however_slowly_the_server_answers_the_container_is_ended_in_time(self, monkeypatch):
        assert hummingbot.WIND_SECONDS < ACT_SECONDS - 30
        monkeypatch.setattr(hummingbot, "WIND_SECONDS", 0.05)
        self.stand.stuck = True
        await disable(self.runtime)
        assert self.bot.container == "exited"

    async def test_of_two_bots_one_that_cannot_be_stopped_does_not_keep_the_other_on(self):
        """git moved the strategy to another bot, which somebody started past this tool."""
        other = self.api.add("mm-2", files={"x": PMM})
        self.api.run(other)
        self.stand.name({"bot": "mm-2"})
        self.stand.enabled = {STRATEGY: item(STRATEGY, bot="mm-1")}
        self.bot.sturdy = True
        failed = await failure(disable(self.stand.open()))
        assert ("mm-1 did not end" in failed.message, failed.untouched) == (True, False)
        assert other.container == "exited"

    async def test_several_wind_down_at_once_and_their_containers_end_one_after_the_other(self):
        names = ("mm-1", "mm-2", "mm-3")
        for name in names[1:]:
            self.api.run(self.api.add(name, files={"x": PMM}))
        self.stand.wanted = {name: strategy(name, bot=name) for name in names}
        runtime = self.stand.open()
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(runtime.disable(name, token=1, how=OnDisable.STOP))
        assert self.api.acts[:3] == 3 * ["/bot-orchestration/stop-bot"]
        assert {(bot.container, bot.left) for bot in self.api.bots.values()} == {("exited", False)}
        assert self.api.most_ending == 1

    async def test_answers_that_are_lost_are_looked_after(self):
        self.stand.wire.trouble = "lost"
        await disable(self.runtime)
        assert (self.bot.container, self.bot.left) == ("exited", False)
        assert self.api.acts == ["/bot-orchestration/stop-bot", "/docker/stop-container/mm-1"]

    @pytest.mark.parametrize("status", [403, 404, 500])
    @pytest.mark.parametrize(
        "call", ["POST /bot-orchestration/stop-bot", "GET /bot-orchestration/mm-1/status"]
    )
    async def test_no_trouble_with_winding_down_keeps_the_container_from_ending(self, call, status):
        before = self.api.act

        def act(path):
            self.api.broken[call] = status  # from now on
            before(path)

        if call.startswith("POST"):
            self.api.broken[call] = status
        else:
            self.api.act = act
        await disable(self.runtime)
        assert self.bot.container == "exited"

    async def test_a_container_that_does_not_end_is_in_doubt(self):
        self.bot.sturdy = True
        failed = await failure(disable(self.runtime))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)

    async def test_docker_s_refusal_is_no_stop(self):
        self.api.override["POST /docker/stop-container/mm-1"] = "500 Server Error"
        failed = await failure(disable(self.runtime))
        assert ("would not stop the container" in failed.message, failed.untouched) == (True, False)

    @pytest.mark.parametrize("obeys", [True, False])
    async def test_one_that_runs_elsewhere_is_told_and_its_word_awaited(self, obeys):
        self.bot.container, self.bot.elsewhere, self.bot.obeys = None, True, obeys
        if obeys:
            await disable(self.runtime)
            assert await on(self.runtime) is False
        else:
            assert "nothing else can end it" in (await failure(disable(self.runtime))).message
        assert self.api.acts == ["/bot-orchestration/stop-bot"]

    async def test_one_that_nobody_knows_is_an_error(self):
        assert (await failure(disable(self.runtime, "other"))).kind is Kind.WRONG_BOT


class TestController:
    """A strategy that is one controller of a bot."""

    @pytest.fixture(autouse=True)
    async def _stand(self, one_of_two):
        self.stand, self.api, self.bot = one_of_two, one_of_two.api, one_of_two.bot
        self.runtime = self.stand.open()

    async def test_only_its_kill_switch_is_written_and_the_bot_has_read_it_by_then(self):
        await self.runtime.read()
        await enable(self.runtime, self.stand)
        assert self.bot.active == {"pmm", "other"}
        await disable(self.runtime)
        assert self.bot.active == {"other"}
        assert self.api.acts == 2 * ["/controllers/bots/mm-1/pmm/config"]
        assert self.api.bodies == [{"manual_kill_switch": False}, {"manual_kill_switch": True}]

    async def test_other_controllers_of_the_bot_are_reported(self):
        assert (await self.runtime.read())[f"{RUNTIME}/mm-1/other"].enabled is True

    async def test_it_is_off_while_its_bot_is(self):
        self.stand.start_by_hand()
        self.api.end(self.bot)
        assert await on(self.runtime) is False
        assert "does not run" in (await failure(enable(self.runtime, self.stand))).message
        await disable(self.runtime)
        assert self.api.acts == []

    async def test_it_is_unknown_while_its_bot_is_but_a_kill_switch_holds(self):
        self.bot.talks = False
        self.api.restart()
        assert await on(self.runtime) is False
        self.stand.start_by_hand()
        assert await on(self.runtime) is None
        self.api.broken["GET /controllers/bots/mm-1/configs"] = 500
        assert await on(self.runtime) is None

    async def test_one_without_a_file_is_not_there(self):
        del self.bot.files["pmm"]
        assert STRATEGY not in await self.runtime.read()
        assert (await failure(enable(self.runtime, self.stand))).kind is Kind.WRONG_BOT
        await disable(self.runtime)
        assert self.api.acts == []

    async def test_somebody_who_sets_it_back_is_noticed(self):
        await self.runtime.read()
        self.api.override["POST /controllers/bots/mm-1/pmm/config"] = {"message": "updated successfully"}
        failed = await failure(enable(self.runtime, self.stand))
        assert ("set back" in failed.message, failed.untouched) == (True, False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"bot": "mm-1"}, "the bot mm-1"),
        ({"bot": "mm_1.x", "controller": "pmm"}, "the controller pmm of the bot mm_1.x"),
        ({}, None),
        ({"bot": 1}, None),
        ({"bot": "../x"}, None),
        ({"bot": ""}, None),
        ({"bot": "x\n"}, None),
        ({"bot": "x" * 121}, None),
        ({"controller": "pmm"}, None),
        ({"bot": "x", "controller": ""}, None),
        ({"bot": "x", "controller": "a/b"}, None),
        ({"bot": "x", "controller": "pmm.yml"}, None),
        ({"bot": "x", "controller": ["pmm"]}, None),
    ],
)
def test_where_a_strategy_is(settings, told):
    place = TYPES["hummingbot"].place
    if told is None:
        with pytest.raises(ValueError, match=r"settings\.bot"):
            place(SPEC, parameters(**settings))
    else:
        assert place(SPEC, parameters(**settings)) == told


async def test_the_proxy_of_the_docs_lets_through_what_it_calls_and_nothing_else(stand, one_of_two):
    """Each line of the page's map, as nginx reads it: an exact text, or a regular expression after ``~``."""
    page = folder("docs").joinpath("runtimes", "hummingbot.md").read_text()
    lines = re.findall(r'^    "(.+)" 1;', page, re.MULTILINE)
    assert len(lines) == 7

    def passes(call):
        return any(re.search(one[1:], call) if one[0] == "~" else one == call for one in lines)

    for desk in (stand, one_of_two):
        runtime = desk.open()
        await runtime.read()
        await enable(runtime, desk)
        await disable(runtime)
        assert {one for one in desk.api.asked if not passes(one.replace("/mm-1", "/maker-1"))} == set()
    others = ["POST /trading/orders", "POST /docker/stop-container/hummingbot-postgres", "GET /accounts/",
              "POST /bot-orchestration/start-bot", "POST /controllers/configs/pmm", "DELETE /",
              "GET /bot-orchestration/bot-runs", "POST /docker/start-container/maker-1/../emqx"]  # fmt: skip
    assert [one for one in others if passes(one)] == []
