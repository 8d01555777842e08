"""The freqtrade driver, held to what a real freqtrade 2026.9 answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from compliance import CANARY, CONNECTION, NOW, RUNTIME, STRATEGY, Wire, WireCompliance
from freqtrade_fake import FakeFreqtrade

from reconciler.model.bot import Averaging, Stake
from reconciler.model.desired import Market, Money, OnDisable, RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.plan import InventoryItem
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes import freqtrade
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.registry import open_runtime

MARK = Mark(file="connections.yaml", line=9)
PAIRS = ("BTC/USDT", "ETH/USDT")


def strategy(id_=STRATEGY):
    return Strategy(
        id=id_, name=id_, connection=CONNECTION, runtime=RUNTIME, enabled=True, pairs=PAIRS,
        parameters={"pairs": PAIRS}, mark=MARK,
    )  # fmt: skip


def item(id_=STRATEGY, connection=CONNECTION):
    return InventoryItem(strategy=id_, runtime=RUNTIME, connection=connection, enabled_at=NOW)


class Desk:
    """A fake bot, the wire to it, and drivers for it whose pauses take no time."""

    def __init__(self, bot: FakeFreqtrade, wire: Wire) -> None:
        self.bot, self.wire = bot, wire
        self.parameters = {"pairs": PAIRS}
        self.wanted = {STRATEGY: strategy()}
        self.enabled = {}
        self.pauses: list[float] = []
        self.opened = []

    def open(self, store=None, *, secret=CANARY):
        async def sleep(seconds):
            self.pauses.append(seconds)

        opening = Opening(
            spec=RuntimeSpec(id=RUNTIME, type="freqtrade", mark=MARK, url=self.wire.url),
            state=store,
            wanted=self.wanted,
            enabled=self.enabled,
            credentials={"username": Secret("ft"), "password": Secret(secret)},
            timeout=0.2 if self.wire.trouble == "slow" else 60.0,
            sleep=sleep,
        )
        self.opened.append(open_runtime(opening))
        return self.opened[-1]

    def start_by_hand(self) -> None:
        self.bot.state = "running"

    def stop_by_hand(self) -> None:
        self.bot.state = "stopped"

    def acts(self) -> int:
        return len(self.bot.acts)


@pytest.fixture
async def stand(serve):
    bot = FakeFreqtrade(password=CANARY)
    async with Wire(bot.handle).running(serve) as wire:
        desk = Desk(bot, wire)
        yield desk
        for one in desk.opened:
            await one.close()


@pytest.fixture
def wire(stand):
    return stand.wire


@pytest.fixture
def bot(stand):
    return stand.bot


async def enable(runtime, id_=STRATEGY, connection=CONNECTION):
    await runtime.enable(id_, {}, connection=connection, token=1)


async def failure(call):
    with pytest.raises(RuntimeFailed) as caught:
        await call
    return caught.value


class TestFreqtrade(WireCompliance):
    """The suite."""


async def test_it_tells_what_really_runs(stand, bot):
    bot.config |= {"trading_mode": "futures", "margin_mode": "isolated", "dry_run": False}
    bot.process = 5
    held = (await stand.open().read())[STRATEGY]
    assert (held.enabled, held.connection, held.parameters) == (False, None, None)
    told = held.bot
    assert (told.version, told.exchange, told.money) == ("2026.9", "binance", Money.LIVE)
    assert (told.market, told.account_mode, told.strategy) == (Market.FUTURES, "isolated", "Always")
    assert (told.pairs, told.open_positions) == (PAIRS, PAIRS)
    assert told.stake == Stake(currency="USDT", most=Decimal(200))
    assert told.heartbeat == datetime.fromtimestamp(1_795_616_005, UTC)


@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({"stake_amount": "unlimited"}, None),
        ({"stake_amount": "NaN"}, None),
        ({"max_open_trades": -1}, None),
        ({"position_adjustment_enable": True}, None),
        ({"position_adjustment_enable": True, "max_entry_position_adjustment": 2}, None),
        ({"position_adjustment_enable": True, "max_entry_position_adjustment": 0}, Decimal(200)),
        ({"position_adjustment_enable": True, "available_capital": 750.5}, Decimal("750.5")),
        ({"available_capital": 50}, Decimal(50)),
        ({"available_capital": 5000}, Decimal(200)),
        ({"stake_amount": "33.5", "max_open_trades": 3.0}, Decimal("100.5")),
    ],
)
async def test_what_it_may_tie_up(stand, bot, change, most):
    bot.config |= change
    assert (await stand.open().read())[STRATEGY].bot.stake.most == most


@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({}, 0),
        ({"max_entry_position_adjustment": 3}, 0),
        ({"position_adjustment_enable": True}, None),
        ({"position_adjustment_enable": True, "max_entry_position_adjustment": 3}, 3),
        ({"position_adjustment_enable": True, "max_entry_position_adjustment": 0}, 0),
        ({"position_adjustment_enable": True, "max_entry_position_adjustment": None}, None),
    ],
)
async def test_how_often_it_may_add_to_a_trade(stand, bot, change, most):
    bot.config |= change
    assert (await stand.open().read())[STRATEGY].bot.averaging == Averaging(additions=most)


async def test_it_tells_what_its_type_is_compared_with(stand):
    told = (await stand.open().read())[STRATEGY].bot
    assert None not in (told.pairs, told.stake, told.averaging)
    assert freqtrade.TYPE.takes == dict.fromkeys(
        ("pairs", "margin_limit", "averaging.max_additions"), "compared"
    )


async def test_a_bot_that_averages_since_it_was_judged_is_not_started(stand, bot):
    """Its stake is without a limit before and after, so that only the additions tell."""
    bot.config["stake_amount"] = "unlimited"
    runtime = stand.open()
    await runtime.read()
    bot.config["position_adjustment_enable"] = True
    assert (await failure(enable(runtime))).kind is Kind.WRONG_BOT


async def test_a_demo_environment_counts_as_pretending(stand, bot):
    bot.config |= {"dry_run": False, "demo_trading": True}
    assert (await stand.open().read())[STRATEGY].bot.money is Money.DRY_RUN


async def test_no_pairs_yet_are_not_no_pairs(stand, bot):
    bot.whitelist = []
    assert (await stand.open().read())[STRATEGY].bot.pairs is None


@pytest.mark.parametrize(
    ("state", "enabled"), [("running", True), ("paused", False), ("stopped", False), ("dancing", None)]
)
async def test_a_state_that_nobody_knows_is_unknown(stand, bot, state, enabled):
    bot.state = state
    held = (await stand.open().read())[STRATEGY]
    assert (held.enabled, held.paused) == (enabled, state == "paused")


async def test_a_reload_is_waited_for_and_its_end_counts(stand, bot):
    bot.reloads, bot.initial_state = 3, "running"
    assert (await stand.open().read())[STRATEGY].enabled is True
    assert stand.pauses == [freqtrade.PAUSE] * 3
    bot.reloads = 10**6
    assert (await stand.open().read())[STRATEGY].enabled is None


async def test_disabling_pauses_entries_so_that_open_trades_are_still_managed(stand, bot):
    bot.state = "running"
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES)
    assert (bot.acts, bot.state) == (["pause"], "paused")


async def test_a_bot_that_only_manages_its_trades_is_stopped_where_it_is_to_stop(stand, bot):
    bot.state = "paused"
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES)
    assert bot.acts == []
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
    assert (bot.acts, bot.state) == (["stop"], "stopped")


async def test_a_stopped_bot_is_never_paused_as_that_would_start_it(stand, bot):
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES)
    assert (bot.acts, bot.state) == ([], "stopped")


async def test_an_old_bot_is_not_paused_in_a_way_that_nobody_can_read_back(stand, bot):
    bot.version, bot.state = "2025.3", "running"
    failed = await failure(stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES))
    assert (failed.kind, failed.untouched, bot.acts) == (Kind.WRONG_VERSION, True, [])
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP)
    assert bot.state == "stopped"


@pytest.mark.parametrize(
    "version", ["2025.4", "2025.10", "2026.9.1", "2026.10-dev", "docker-2026.9-dev-1a2b3c"]
)
async def test_versions_are_compared_by_year_and_month(stand, bot, version):
    bot.version, bot.state = version, "running"
    await stand.open().disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES)
    assert bot.state == "paused"


@pytest.mark.parametrize("version", ["2023.12", "0.17.4", "develop-1a2b3c", ""])
async def test_a_version_that_is_too_old_or_not_told_is_not_read(stand, bot, version):
    bot.version = version
    assert (await failure(stand.open().read())).kind is Kind.WRONG_VERSION


async def test_a_moment_that_no_calendar_has_is_refused(stand, bot):
    bot.process = 10**18
    assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER


async def test_a_bot_of_2024_tells_less(stand, bot):
    """Its wheel says so: no margin mode and no demo environment in ``show_config``."""
    bot.version = "2024.1"
    bot.config = {
        name: value for name, value in bot.config.items() if name not in ("margin_mode", "demo_trading")
    }
    told = (await stand.open().read())[STRATEGY].bot
    assert (told.account_mode, told.money) == (None, Money.DRY_RUN)


async def test_a_web_server_without_a_bot_is_not_the_bot(stand, bot):
    bot.config["runmode"] = "webserver"
    assert (await failure(stand.open().read())).kind is Kind.WRONG_BOT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exchange", 7),
        ("exchange", "x" * 121),
        ("strategy", "a\x1b[31mb"),
        ("dry_run", "no"),
        ("trading_mode", "moon"),
        ("max_open_trades", "2"),
    ],
)
async def test_a_field_of_another_kind_is_never_guessed(stand, bot, name, value):
    bot.config[name] = value
    failed = await failure(stand.open().read())
    assert failed.kind is (Kind.UNEXPECTED_ANSWER)


async def test_a_bot_that_became_another_since_it_was_judged_is_not_started(stand, bot):
    runtime = stand.open()
    await runtime.read()
    bot.config["exchange"] = "kraken"
    failed = await failure(enable(runtime))
    assert (failed.kind, failed.untouched, bot.acts) == (Kind.WRONG_BOT, True, [])
    await runtime.read()  # reading again judges nothing anew: the plan was made from the first reading
    assert (await failure(enable(runtime))).kind is Kind.WRONG_BOT


async def test_a_bot_that_nobody_looked_at_in_this_pass_is_not_started(stand, bot):
    assert (await failure(enable(stand.open()))).kind is Kind.WRONG_BOT
    assert bot.acts == []


async def test_a_start_counts_once_the_loop_came_round(stand, bot):
    runtime = stand.open()
    await runtime.read()
    bot.loops = False
    failed = await failure(enable(runtime))
    assert (failed.untouched, len(stand.pauses)) == (False, freqtrade.LOOKS)
    assert "did not work" in str(failed)


async def test_what_a_reload_swallowed_is_said_again(stand, bot):
    """Seen with a real one: it answers 200, and the bot that comes out of the reload knows nothing of it."""
    runtime = stand.open()
    await runtime.read()
    send = runtime._post

    async def amid_a_reload(path):
        if not bot.acts:
            bot.reloads = 2
        await send(path)

    runtime._post = amid_a_reload
    await enable(runtime)
    assert (bot.acts, bot.state) == (["start", "start"], "running")


async def test_an_api_that_is_away_for_a_moment_after_an_act_is_waited_for(stand, bot, wire):
    runtime = stand.open()
    await runtime.read()
    pause = runtime._sleep

    async def sleep(seconds):
        wire.trouble = None
        await pause(seconds)

    runtime._sleep = sleep
    send = runtime._post

    async def post(path):
        await send(path)
        wire.trouble = "down"

    runtime._post = post
    await enable(runtime)
    assert bot.state == "running"


async def test_an_api_that_is_away_while_its_bot_reloads_is_waited_for(stand, bot, wire):
    runtime = stand.open()
    bot.reloads = 1
    pause = runtime._sleep

    async def sleep(seconds):
        wire.trouble = "down" if len(stand.pauses) < 2 else None
        await pause(seconds)

    runtime._sleep = sleep
    assert (await runtime.read())[STRATEGY].enabled is False
    assert len(stand.pauses) == 3


async def test_a_bot_that_does_not_follow_is_told_of_as_in_doubt(stand, bot):
    runtime = stand.open()
    await runtime.read()
    bot._act = {"start": {"status": "starting trader ..."}}.get
    failed = await failure(enable(runtime))
    assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)


async def test_open_trades_that_cannot_be_told_hide_nothing_else(stand, bot):
    """A bot whose exchange hangs asks it for every price, and answers late or with an error."""
    bot.trades = None
    handle = bot.handle

    async def failing(request):
        from aiohttp import web  # noqa: PLC0415

        if request.path.endswith("/status"):
            return web.json_response({"error": "Error querying /api/v1/status: no price"}, status=502)
        return await handle(request)

    stand.wire._handle = failing
    held = (await stand.open().read())[STRATEGY]
    assert (held.enabled, held.bot.open_positions) == (False, None)


class TestLogin:
    async def test_the_password_is_sent_once_and_a_token_with_every_call(self, stand, bot):
        runtime = stand.open()
        await runtime.read()
        await runtime.read()
        assert (bot.logins, bot.refreshes) == (1, 0)

    async def test_a_token_that_ran_out_is_renewed_once_for_all_that_ask(self, stand, bot):
        runtime = stand.open()
        await runtime.read()
        bot.valid.clear()
        await runtime.read()
        assert (bot.logins, bot.refreshes) == (1, 1)

    async def test_a_bot_that_forgot_both_tokens_gets_the_password_again(self, stand, bot):
        runtime = stand.open()
        await runtime.read()
        bot.valid.clear()
        bot.refreshable = False
        await runtime.read()
        assert (bot.logins, bot.refreshes) == (2, 0)

    async def test_an_act_is_not_lost_with_its_token(self, stand, bot):
        runtime = stand.open()
        bot.state = "running"
        await runtime.read()
        bot.valid.clear()
        await runtime.disable(STRATEGY, token=1, how=OnDisable.STOP_ENTRIES)
        assert (bot.acts, bot.state) == (["pause"], "paused")

    async def test_a_token_that_could_break_a_header_is_refused(self, stand, bot):
        bot._issue = lambda: "a\r\nX-Evil: 1"
        assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER


class TestWhichStrategy:
    async def test_one_that_git_no_longer_has_is_told_under_the_id_it_was_started_under(self, stand):
        stand.wanted, stand.enabled = {}, {"old": item("old")}
        assert list(await stand.open().read()) == ["old"]

    async def test_a_renamed_one_stops_under_its_old_id_and_starts_under_the_new(self, stand, bot):
        bot.state = "running"
        stand.wanted, stand.enabled = {"new": strategy("new")}, {"old": item("old")}
        runtime = stand.open()
        assert [(one.id, one.enabled) for one in (await runtime.read()).values()] == [("old", True)]
        await runtime.disable("old", token=1, how=OnDisable.STOP)
        assert (await runtime.read())["old"].enabled is False
        await enable(runtime, "new")
        assert [(one.id, one.enabled) for one in (await runtime.read()).values()] == [("new", True)]

    async def test_where_both_are_claimed_git_decides(self, stand):
        stand.wanted, stand.enabled = {"new": strategy("new")}, {"old": item("old"), "new": item("new")}
        assert list(await stand.open().read()) == ["new"]

    async def test_one_that_nobody_knows_is_told_under_an_id_that_nothing_can_have(self, stand):
        stand.wanted = {}
        assert list(await stand.open().read()) == [f"{RUNTIME}/bot"]


class TestChange:
    async def test_parameters_are_the_bots_own_business(self, stand, bot):
        stand.enabled = {STRATEGY: item()}
        await stand.open().change(STRATEGY, {"pairs": ["X/Y"]}, connection=CONNECTION, token=1)
        assert bot.acts == []

    async def test_a_move_to_another_key_is_refused(self, stand, bot):
        stand.enabled = {STRATEGY: replace(item(), connection="other")}
        failed = await failure(stand.open().change(STRATEGY, {}, connection=CONNECTION, token=1))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, True)
        assert "enabled: false" in str(failed)
