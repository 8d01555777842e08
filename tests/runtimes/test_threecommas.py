"""The 3Commas driver, held to a server that is built from what 3Commas documents."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import threecommas_fake as fake
from compliance import CANARY, CONNECTION, NOW, RUNTIME, STRATEGY, Wire, WireCompliance
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reconciler.model.bot import Account, Averaging, Stake
from reconciler.model.desired import Market, Money, OnDisable, RuntimeSpec, Strategy
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.plan import InventoryItem
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.registry import TYPES
from reconciler.runtimes.threecommas import ThreeCommas
from reconciler.runtimes.threecommas_api import signer
from reconciler.runtimes.threecommas_bot import symbol
from reconciler.runtimes.threecommas_pace import READS, STARTS, STOPS, Pace, pace_of

MARK = Mark(file="connections.yaml", line=9)
HOW = OnDisable.STOP_ENTRIES
BOT, OTHER = fake.BOT, fake.BOT + 1
CUSTOM = [
    {"deviation": "-5", "size": 40},
    {"deviation": "-2", "size": "10"},
    {"deviation": "-3", "size": 16},
]
PARAMETERS = {"pairs": ("BTC/USDT", "ETH/USDT"), "settings": {"bot_id": BOT}}


def strategy(id_=STRATEGY, bot=BOT):
    return Strategy(
        id=id_, name=id_, connection=CONNECTION, runtime=RUNTIME, enabled=True, pairs=PARAMETERS["pairs"],
        parameters=PARAMETERS | {"settings": {"bot_id": bot}}, mark=MARK,
    )  # fmt: skip


def item(id_=STRATEGY, bot=BOT, connection=CONNECTION):
    return InventoryItem(
        strategy=id_, runtime=RUNTIME, connection=connection, enabled_at=NOW,
        parameters={"settings": {"bot_id": bot}},
    )  # fmt: skip


class Desk:
    """A user of 3Commas, the wire to it, and drivers for it that share their pace."""

    parameters = PARAMETERS

    def __init__(self, user: fake.Fake3Commas, wire: Wire) -> None:
        self.user, self.wire = user, wire
        self.wanted = {STRATEGY: strategy()}
        self.enabled = {}
        self.mode = None
        self.api_key = "key"
        self.pace = Pace(lambda: user.now)
        self.opened = []

    def open(self, store=None, *, secret=CANARY):
        spec = RuntimeSpec(
            id=RUNTIME, type="3commas", mark=MARK, url=f"{self.wire.url}{fake.BASE}", mode=self.mode
        )
        opening = Opening(
            spec=spec,
            state=store,
            wanted=self.wanted,
            enabled=self.enabled,
            credentials={"api_key": Secret(self.api_key), "secret": Secret(secret)},
            timeout=0.2 if self.wire.trouble == "slow" else 60.0,
            sleep=self.sleep,
        )
        self.opened.append(ThreeCommas(opening, self.pace))
        return self.opened[-1]

    async def sleep(self, seconds: float) -> None:
        self.user.now += seconds

    def start_by_hand(self) -> None:
        self.user.bots[BOT]["is_enabled"] = True

    def stop_by_hand(self) -> None:
        self.user.bots[BOT]["is_enabled"] = False

    def acts(self) -> int:
        return len(self.user.acts)


@pytest.fixture
async def stand(serve):
    user = fake.Fake3Commas(secret=CANARY)
    async with Wire(user.handle).running(serve) as wire:
        desk = Desk(user, wire)
        yield desk
        for one in desk.opened:
            await one.close()


@pytest.fixture
def wire(stand):
    return stand.wire


@pytest.fixture
def user(stand):
    return stand.user


async def enable(runtime, id_=STRATEGY, bot=BOT):
    parameters = PARAMETERS | {"settings": {"bot_id": bot}}
    await runtime.enable(id_, parameters, connection=CONNECTION, token=1)


async def failure(call):
    with pytest.raises(RuntimeFailed) as caught:
        await call
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"
    return caught.value


async def told(stand):
    return (await stand.open().read())[STRATEGY].bot


class Test3Commas(WireCompliance):
    """The suite."""


class TestWhatItTells:
    async def test_of_a_bot_on_spot(self, stand, user):
        user.start_deal("USDT_ETH")
        held = (await stand.open().read())[STRATEGY]
        assert (held.enabled, held.connection, held.parameters) == (False, None, None)
        bot = held.bot
        assert (bot.exchange, bot.money, bot.market) == ("binance", Money.LIVE, Market.SPOT)
        assert bot.account == Account(id=str(fake.ACCOUNT), name="My Binance")
        assert (bot.pairs, bot.open_positions) == (("BTC/USDT", "ETH/USDT"), ("ETH/USDT",))
        assert bot.stake == Stake(currency="USDT", most=Decimal(230))
        assert bot.averaging == Averaging(additions=3, step=Decimal(2), multiplier=Decimal("1.5"))
        assert bot.strategy == "BTC ETH Classic"

    async def test_of_a_paper_account_which_has_no_exchange(self, stand, user):
        user.accounts[fake.PAPER] = fake.account(fake.PAPER, market_code="paper_trading")
        user.bots[BOT]["account_id"] = fake.PAPER
        stand.mode = Money.DRY_RUN
        bot = await told(stand)
        assert (bot.exchange, bot.money, bot.market) == (None, Money.DRY_RUN, Market.SPOT)

    @pytest.mark.parametrize(
        ("code", "types", "expected"),
        [
            ("binance_us", ["spot"], ("binanceus", Market.SPOT, Money.LIVE)),
            ("binance_margin", [], ("binance", Market.MARGIN, Money.LIVE)),
            ("binance_futures_eea", ["futures"], ("binance", Market.FUTURES, Money.LIVE)),
            ("okex", ["spot"], ("okx", Market.SPOT, Money.LIVE)),
            ("okex", ["spot", "futures"], ("okx", None, Money.LIVE)),
            ("deribit_testnet", ["futures"], ("deribit", Market.FUTURES, Money.DRY_RUN)),
            ("moonbase", ["spot"], (None, Market.SPOT, None)),
        ],
    )
    async def test_of_accounts(self, stand, user, code, types, expected):
        user.accounts[fake.ACCOUNT] |= {"market_code": code, "supported_market_types": types}
        bot = await told(stand)
        assert (bot.exchange, bot.market, bot.money) == expected

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"is_locked": True}, "3Commas has locked it"),
            (
                {"is_locked": True, "lock_reason": "invalid_api_key"},
                "3Commas has locked it (invalid_api_key)",
            ),
            ({"api_key_invalid": True}, "its exchange key is invalid"),
            ({"api_keys_state": "expired"}, "its exchange key is expired"),
            ({"api_keys_state": "expire_soon"}, None),
            ({"api_keys_state": None}, None),
            ({"bots_allowed": False}, "bots are not allowed on it"),
        ],
    )
    async def test_of_an_account_that_cannot_trade(self, stand, user, change, words):
        user.accounts[fake.ACCOUNT] |= change
        assert (await told(stand)).account.trouble == words

    @pytest.mark.parametrize(
        ("change", "most"),
        [
            ({"max_safety_orders": 0}, "40"),
            ({"martingale_volume_coefficient": "1.05"}, "166.1"),
            ({"martingale_volume_coefficient": 0.1}, "84.4"),
            ({"base_order_volume": 20, "max_active_deals": "3"}, "345"),
            ({"custom_safety_steps": [{"deviation": "-1.1", "size": 10}]}, "60"),
            ({"max_safety_orders": 200, "martingale_volume_coefficient": "10"}, None),
            ({"reinvesting_percentage": "100.0"}, None),
            ({"reinvesting_percentage": "0.0"}, "230"),
            ({"base_order_volume_type": "percent"}, None),
            ({"safety_order_volume_type": "base_currency"}, None),
            ({"pairs": ["USDT_BTC", "BTC_ETH"]}, None),
        ],
    )
    async def test_of_what_it_may_tie_up(self, stand, user, change, most):
        user.bots[BOT] |= change
        assert (await told(stand)).stake.most == (most and Decimal(most))

    async def test_what_cannot_be_halved_any_more_is_rounded_up(self, stand, user):
        user.bots[BOT] |= {"martingale_volume_coefficient": "0.333333333333", "max_safety_orders": 40}
        most = (await told(stand)).stake.most
        exact = 40 + 40 / (1 - Decimal("0.333333333333"))
        assert 0 <= most - exact < Decimal("1e-7")

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"martingale_step_coefficient": "4.0"}, (3, "2", "1.5")),
            ({"martingale_step_coefficient": "0.5"}, (3, "0.5", "1.5")),
            ({"martingale_step_coefficient": "0.5", "max_safety_orders": 0}, (0, "2", "1")),
            ({"max_safety_orders": 1}, (1, "2", "1")),
            ({"base_order_volume": "0.3"}, (3, "2", "66.6667")),
            ({"base_order_volume": "0"}, (3, "2", "1e30")),
            ({"base_order_volume": "0", "safety_order_volume": 0}, (3, "2", "1.5")),
            ({"base_order_volume": "1", "base_order_volume_type": "percent"}, (3, "2", "1.5")),
            ({"safety_order_volume": "1", "martingale_volume_coefficient": "0.7"}, (3, "2", "0.7")),
            ({"custom_safety_steps": CUSTOM}, (3, "1", "2.5")),
            ({"custom_safety_steps": CUSTOM, "base_order_volume": "2"}, (3, "1", "5")),
            ({"custom_safety_steps": [{"deviation": "1.5", "size": 10}]}, (1, "1.5", "0.5")),
        ],
    )
    async def test_of_how_it_averages(self, stand, user, change, expected):
        user.bots[BOT] |= change
        told_ = (await told(stand)).averaging
        assert (told_.additions, told_.step, told_.multiplier) == (expected[0], *map(Decimal, expected[1:]))

    @pytest.mark.parametrize(("name", "value"), [("is_enabled", "true"), ("id", None), ("id", True)])
    async def test_without_what_it_is_and_whether_it_is_on_nothing_is_told(self, stand, user, name, value):
        user.bots[BOT][name] = value
        assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("account_id", None),
            ("account_id", -1),
            ("pairs", "USDT_BTC"),
            ("name", 7),
            ("active_deals_count", None),
            ("max_active_deals", 1.5),
            ("max_safety_orders", 10**6),
            ("base_order_volume", None),
            ("base_order_volume", "NaN"),
            ("base_order_volume", "many"),
            ("safety_order_volume", "-1"),
            ("martingale_volume_coefficient", "1e99"),
            ("base_order_volume", "1e-999999"),
            ("safety_order_step_percentage", True),
            ("custom_safety_steps", "none"),
            ("custom_safety_steps", ["none"]),
            ("custom_safety_steps", [{"size": 10}]),
        ],
    )
    async def test_a_field_of_another_kind_is_never_guessed(self, stand, user, name, value):
        """Such a bot is never started; whether one runs as it should is unknown, and it can be stopped."""
        user.bots[BOT][name] = value
        runtime = stand.open()
        held = (await runtime.read())[STRATEGY]
        assert (held.enabled, held.bot) == (False, None)
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched, user.acts) == (Kind.UNEXPECTED_ANSWER, True, [])
        stand.start_by_hand()
        assert (await runtime.read())[STRATEGY].enabled is None
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert (await runtime.read())[STRATEGY].enabled is False

    async def test_one_that_is_not_understood_hides_no_other(self, stand, user):
        user.bots[OTHER] = fake.bot(OTHER)
        user.bots[BOT]["pairs"] = None
        stand.wanted["other"] = strategy("other", OTHER)
        held = await stand.open().read()
        assert (held[STRATEGY].bot, held["other"].bot.exchange) == (None, "binance")

    async def test_a_name_that_cannot_be_shown_is_spelt_out(self, stand, user):
        user.bots[BOT]["name"] = "a\x1b[31mb"
        assert (await told(stand)).strategy == r"'a\x1b[31mb'"


@pytest.mark.parametrize(
    ("market", "pair", "expected"),
    [
        (Market.SPOT, "USDT_BTC", "BTC/USDT"),
        (Market.MARGIN, "BTC_1INCH", "1INCH/BTC"),
        (Market.SPOT, "USDT_BTC-PERP", "USDT_BTC-PERP"),
        (None, "USDT_BTC", "USDT_BTC"),
        (Market.FUTURES, "USDT_BTCUSDT", "BTC/USDT:USDT"),
        (Market.FUTURES, "BNFCR_1INCHUSDT", "1INCH/USDT:USDT"),
        (Market.FUTURES, "BNFCR_BTCUSDC", "BTC/USDC:USDC"),
        (Market.FUTURES, "1INCH_1INCH-USD-SWAP", "1INCH/USD:1INCH"),
        (Market.FUTURES, "USDT_BTC-USDT-SWAP", "BTC/USDT:USDT"),
        (Market.FUTURES, "ETH_ETHUSD_PERP", "ETH/USD:ETH"),
        (Market.FUTURES, "USDT_BTCUSDT_UMCBL", "BTC/USDT:USDT"),
        (Market.FUTURES, "USDT_BTC_USDT", "BTC/USDT:USDT"),
        (Market.FUTURES, "USDT_BTCUSDT_240628", "USDT_BTCUSDT_240628"),
        (Market.FUTURES, "USDT_BTC", "USDT_BTC"),
        (Market.FUTURES, "USDT_USDT", "USDT_USDT"),
    ],
)
def test_pairs_are_spelt_as_git_spells_them_or_left_as_they_are(market, pair, expected):
    assert symbol(pair, market) == expected


async def test_contracts_that_are_settled_in_their_own_coin_have_no_limit(stand, user):
    user.accounts[fake.ACCOUNT] |= {"market_code": "binance_futures_coin"}
    user.bots[BOT]["pairs"] = ["ETH_ETHUSD_PERP"]
    assert (await told(stand)).stake == Stake(currency="ETH")
    user.bots[BOT]["pairs"] = ["USDT_ETHUSDT"]
    assert (await told(stand)).stake == Stake(currency="USDT", most=Decimal(230))


class TestWorlds:
    """Real and paper accounts are apart, and a person can switch which of them a token sees."""

    @pytest.fixture
    def paper(self, user):
        user.accounts[fake.PAPER] = fake.account(fake.PAPER, market_code="paper_trading")
        user.bots[BOT]["account_id"] = fake.PAPER

    @pytest.mark.usefixtures("paper")
    async def test_a_bot_of_the_other_one_is_found_and_told_as_what_it_is(self, stand, user):
        user.start_deal("USDT_BTC")
        stand.start_by_hand()
        held = (await stand.open().read())[STRATEGY]
        assert (held.enabled, held.bot.money) == (True, Money.DRY_RUN)
        assert held.bot.open_positions == ("BTC/USDT",)
        await stand.open().disable(STRATEGY, token=1, how=HOW)
        assert user.acts == [f"disable {BOT}"]

    async def test_one_that_neither_has_is_told_as_nothing(self, stand, user):
        user.bots.clear()
        runtime = stand.open()
        assert await runtime.read() == {}
        assert (await failure(enable(runtime))).kind is Kind.WRONG_BOT
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert user.acts == []


class TestPositions:
    async def test_nothing_open_costs_no_request(self, stand, user):
        assert (await told(stand)).open_positions == ()
        assert not any("deals" in one for one in user.asked)

    async def test_those_of_other_bots_are_theirs(self, stand, user):
        user.bots[OTHER] = fake.bot(OTHER)
        user.start_deal("USDT_XRP", OTHER)
        user.start_deal("USDT_BTC")
        user.start_deal("USDT_BTC")
        assert (await told(stand)).open_positions == ("BTC/USDT", "BTC/USDT")

    async def test_a_list_that_is_not_what_the_bot_counts_is_not_believed(self, stand, user):
        user.start_deal("USDT_BTC")
        user.bots[BOT]["active_deals_count"] = 2
        assert (await told(stand)).open_positions is None

    async def test_more_than_can_be_read_is_not_told(self, stand, user):
        for _ in range(2000):
            user.start_deal("USDT_BTC")
        assert (await told(stand)).open_positions is None

    @pytest.mark.parametrize(("status", "told_as"), [(500, None), (429, None)])
    async def test_deals_that_cannot_be_read_hide_nothing_else(self, stand, user, wire, status, told_as):
        user.start_deal("USDT_BTC")
        answers(wire, user, "/deals", status)
        runtime = stand.open()
        assert (await runtime.read())[STRATEGY].bot.open_positions is told_as
        await enable(runtime)
        assert user.acts == [f"enable {BOT}"]

    async def test_deals_of_another_shape_are_not_told(self, stand, user):
        user.start_deal("USDT_BTC")
        del user.deals[0]["pair"]
        assert (await told(stand)).open_positions is None


def answers(wire, user, path, status):
    """Have everything whose path ends so be answered with that status."""

    async def handle(request):
        from aiohttp import web  # noqa: PLC0415

        return web.Response(status=status) if request.path.endswith(path) else await user.handle(request)

    wire._handle = handle


class TestEnabling:
    @pytest.mark.parametrize(
        "change",
        [
            {"account_id": 7},
            {"pairs": ["USDT_BTC"]},
            {"name": "other"},
            {"strategy": "short"},
            {"base_order_volume": "21"},
            {"martingale_step_coefficient": "0.9"},
        ],
    )
    async def test_a_bot_that_became_another_since_it_was_judged_is_not_enabled(self, stand, user, change):
        runtime = stand.open()
        await runtime.read()
        user.bots[BOT] |= change
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched, user.acts) == (Kind.WRONG_BOT, True, [])
        await runtime.read()  # reading again judges nothing anew: the plan was made from the first reading
        assert (await failure(enable(runtime))).kind is Kind.WRONG_BOT

    async def test_a_bot_that_nobody_looked_at_in_this_pass_is_not_enabled(self, stand, user):
        assert (await failure(enable(stand.open()))).kind is Kind.WRONG_BOT
        assert user.acts == []

    async def test_a_strategy_that_names_no_bot_is_not_enabled(self, stand):
        failed = await failure(stand.open().enable(STRATEGY, {}, connection=CONNECTION, token=1))
        assert failed.kind is Kind.WRONG_BOT

    @pytest.mark.parametrize("change", [{"market_code": "moonbase"}, {"market_code": None}, None])
    async def test_one_on_an_exchange_that_nobody_knows_is_not_enabled(self, stand, user, change):
        user.accounts = {fake.ACCOUNT: fake.account(**change)} if change else {}
        runtime = stand.open()
        assert (await runtime.read())[STRATEGY].bot.exchange is None
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched, user.acts) == (Kind.REFUSED, True, [])
        stand.start_by_hand()
        assert (await runtime.read())[STRATEGY].enabled is None
        await runtime.disable(STRATEGY, token=1, how=HOW)  # which waits for nothing
        assert user.acts == [f"disable {BOT}"]

    async def test_an_order_that_was_taken_and_not_followed_is_told_as_in_doubt(self, stand, user):
        runtime = stand.open()
        await runtime.read()
        user.drops = True
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, False)


async def test_disabling_leaves_deals_alone(stand, user):
    stand.start_by_hand()
    user.start_deal("USDT_BTC")
    runtime = stand.open()
    await runtime.disable(STRATEGY, token=1, how=HOW)
    held = (await runtime.read())[STRATEGY]
    assert (held.enabled, held.bot.open_positions) == (False, ("BTC/USDT",))
    assert {one for one in user.asked if not one.startswith("GET")} == {f"POST /ver1/bots/{BOT}/disable"}


class TestStopping:
    """Nothing that is not the bot itself keeps it on."""

    async def test_one_that_was_read_as_on_is_told_at_once(self, stand, user, wire):
        stand.start_by_hand()
        runtime = stand.open()
        await runtime.read()
        user.asked.clear()
        answers(wire, user, "/show", 500)
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert user.asked == [f"POST /ver1/bots/{BOT}/disable"]

    async def test_one_that_was_started_since_it_was_read_is_looked_at(self, stand, user):
        runtime = stand.open()
        await runtime.read()
        stand.start_by_hand()
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert user.acts == [f"disable {BOT}"]

    async def test_an_order_that_was_not_followed_is_given_again(self, stand, user):
        stand.start_by_hand()
        runtime = stand.open()
        await runtime.read()
        user.drops = True
        assert not (await failure(runtime.disable(STRATEGY, token=1, how=HOW))).untouched
        user.drops = False
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert user.acts == 2 * [f"disable {BOT}"]

    async def test_of_two_bots_one_that_cannot_be_stopped_does_not_keep_the_other_on(self, stand, user, wire):
        """git moved the strategy to another bot, which somebody started past this tool."""
        user.bots[OTHER] = fake.bot(OTHER, is_enabled=True)
        stand.wanted, stand.enabled = {STRATEGY: strategy(bot=OTHER)}, {STRATEGY: item()}
        stand.start_by_hand()
        runtime = stand.open()
        await runtime.read()
        answers(wire, user, f"/{BOT}/disable", 403)
        failed = await failure(runtime.disable(STRATEGY, token=1, how=HOW))
        assert (failed.kind, failed.status, failed.untouched) == (Kind.REFUSED, 403, False)
        assert user.acts == [f"disable {OTHER}"]

    async def test_any_number_is_stopped_as_fast_as_3commas_allows_and_never_refused(self, stand, user):
        """A key of 150 bots fails: one request too many would leave the rest on for five minutes."""
        ids = range(BOT, BOT + 150)
        user.bots = {id_: fake.bot(id_, is_enabled=True) for id_ in ids}
        stand.wanted = {f"s{id_}": strategy(f"s{id_}", id_) for id_ in ids}
        runtime = stand.open()
        await runtime.read()
        for id_ in ids:
            await runtime.disable(f"s{id_}", token=1, how=HOW)
        assert not any(one["is_enabled"] for one in user.bots.values())
        assert (user.restricted, user.banned) == (0, 0)
        assert user.now <= 61

    @pytest.mark.parametrize("status", [500, 503])
    async def test_an_account_that_3commas_cannot_tell_of_hides_no_other_bot(self, stand, user, wire, status):
        user.accounts[7] = fake.account(7)
        user.bots[OTHER] = fake.bot(OTHER, account_id=7, is_enabled=True)
        stand.wanted["other"] = strategy("other", OTHER)
        stand.start_by_hand()
        answers(wire, user, "/accounts/7", status)
        runtime = stand.open()
        held = await runtime.read()
        assert (held[STRATEGY].enabled, held["other"].enabled) == (True, None)
        for name in (STRATEGY, "other"):
            await runtime.disable(name, token=1, how=HOW)
        assert not any(one["is_enabled"] for one in user.bots.values())


class TestPermissions:
    async def test_a_token_that_may_only_read_starts_and_stops_nothing_and_is_told_why(self, stand, user):
        user.granted = fake.GRANTED - {"BOTS_WRITE"}
        runtime = stand.open()
        await runtime.read()
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched, failed.status) == (Kind.REFUSED, True, 403)
        assert "BOTS_WRITE" in failed.hint
        stand.start_by_hand()
        assert "BOTS_WRITE" in (await failure(runtime.disable(STRATEGY, token=1, how=HOW))).hint

    @pytest.mark.parametrize("missing", ["BOTS_READ", "ACCOUNTS_READ"])
    async def test_one_that_may_not_read_is_told_so(self, stand, user, missing):
        user.granted = fake.GRANTED - {missing}
        failed = await failure(stand.open().read())
        assert (failed.kind, failed.status) == (Kind.UNAUTHORISED, 403)
        assert missing in failed.hint

    async def test_an_unknown_key_is_told_as_one(self, stand):
        stand.api_key = "another"
        failed = await failure(stand.open().read())
        assert (failed.kind, failed.status) == (Kind.UNAUTHORISED, 401)
        assert "expired" in failed.hint

    @pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Evil: 1", "schlüssel"])
    async def test_a_key_that_could_break_a_header_is_never_sent(self, stand, wire, key):
        stand.api_key = key
        assert (await failure(stand.open().read())).kind is Kind.LOCKED
        assert wire.hits == 0


class TestSignatures:
    def test_as_documented(self):
        """The example of ``docs/quick-start/6_signing_a_request_using_hmac_sha256.mdx``."""
        secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
        made = signer(Secret(secret))("/public/api/ver1/users/change_mode?mode=paper")
        assert made == "bca8d8c10acfbe8e76c5335d3efbe0a550487170a8bb7aaea0a13efabab55316"

    async def test_by_a_key_of_ones_own(self, stand, user):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        user.public = key.public_key()
        runtime = stand.open(secret=pem(key))
        await runtime.read()
        await enable(runtime)
        assert user.acts == [f"enable {BOT}"]

    @pytest.mark.parametrize("kind", ["another kind", "nonsense"])
    async def test_by_what_is_no_such_key(self, stand, wire, kind):
        made = pem(ec.generate_private_key(ec.SECP256R1()))
        secret = made if kind == "another kind" else f"{made[:40]}{CANARY}"
        assert (await failure(stand.open(secret=secret).read())).kind is Kind.LOCKED
        assert wire.hits == 0


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class TestPace:
    async def test_looking_costs_two_requests_and_looking_again_one_however_many_bots(self, stand, user):
        ids = range(BOT, BOT + 60)
        user.bots = {id_: fake.bot(id_) for id_ in ids}
        stand.wanted = {f"s{id_}": strategy(f"s{id_}", id_) for id_ in ids}
        runtime = stand.open()
        assert len(await runtime.read()) == 60
        assert user.asked == ["GET /ver1/bots", f"GET /ver1/accounts/{fake.ACCOUNT}"]
        await runtime.read()
        assert len(user.asked) == 3

    async def test_pages_are_read_to_the_end(self, stand, user):
        user.bots |= {id_: fake.bot(id_, is_enabled=True) for id_ in range(1, 250)}
        held = await stand.open().read()
        assert len(held) == 250
        assert user.asked.count("GET /ver1/bots") == 3

    async def test_the_limit_is_kept_and_room_is_left_for_stopping(self, stand, user):
        runtime = stand.open()
        await runtime.read()
        while len(user.asked) < STARTS:
            await runtime.read()
        failed = await failure(enable(runtime))
        assert (failed.kind, failed.untouched, user.acts) == (Kind.REFUSED, True, [])
        stand.start_by_hand()
        while len(user.asked) < READS:
            await runtime.read()
        assert (await failure(runtime.read())).kind is Kind.REFUSED
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert (user.acts, user.restricted) == ([f"disable {BOT}"], 0)
        user.now = 61
        assert (await runtime.read())[STRATEGY].enabled is False

    async def test_after_a_refusal_nothing_is_sent_for_as_long_as_it_lasts_by_any_later_pass(
        self, stand, user
    ):
        user.limit = 0
        failed = await failure(stand.open().read())
        assert (failed.kind, failed.untouched, failed.status) == (Kind.REFUSED, True, 429)
        user.limit, user.now = 100, 299
        runtime = stand.open()
        failed = await failure(runtime.read())
        assert "was not sent" in str(failed)
        assert (await failure(runtime.disable(STRATEGY, token=1, how=HOW))).untouched
        assert user.banned == 0
        user.now = 301
        assert STRATEGY in await runtime.read()

    async def test_a_ban_is_told_as_one_and_waited_for(self, stand, user):
        user.banned = 1
        failed = await failure(stand.open().read())
        assert (failed.status, "banned" in failed.hint) == (418, True)
        user.now = 599
        assert "was not sent" in str(await failure(stand.open().read()))
        user.now = 601
        assert STRATEGY in await stand.open().read()

    def test_one_pace_for_all_that_ask_one_url(self):
        one = pace_of("https://a.example/public/api")
        for same in ("https://a.example/public/api/", "https://A.example:443", "https://a.example"):
            assert pace_of(same) is one
        for other in ("https://b.example/public/api", "https://a.example:8443/public/api"):
            assert pace_of(other) is not one

    def test_a_stop_waits_exactly_until_one_more_is_allowed(self):
        now = [0.0]
        pace = Pace(lambda: now[0])
        for tenth in range(STOPS):
            now[0] = tenth / 10
            assert pace.wait() == 0
            pace.take("POST x", most=None)
        assert pace.wait() == pytest.approx(60 - now[0])
        now[0] += pace.wait()
        assert pace.wait() == 0


class TestWhichStrategy:
    async def test_what_else_is_enabled_is_told_under_an_id_that_nothing_can_have(self, stand, user):
        user.bots |= {OTHER: fake.bot(OTHER, is_enabled=True), OTHER + 1: fake.bot(OTHER + 1)}
        held = await stand.open().read()
        assert {id_: one.enabled for id_, one in held.items()} == {
            STRATEGY: False,
            f"{RUNTIME}/{OTHER}": True,
        }

    async def test_one_that_left_git_is_told_and_stopped_by_what_it_was_started_with(self, stand, user):
        stand.wanted, stand.enabled = {}, {"old": item("old")}
        stand.start_by_hand()
        runtime = stand.open()
        assert list(await runtime.read()) == ["old"]
        await runtime.disable("old", token=1, how=HOW)
        assert user.acts == [f"disable {BOT}"]

    async def test_a_renamed_one_stops_under_its_old_id_and_starts_under_the_new(self, stand):
        stand.start_by_hand()
        stand.wanted, stand.enabled = {"new": strategy("new")}, {"old": item("old")}
        runtime = stand.open()
        assert [(one.id, one.enabled) for one in (await runtime.read()).values()] == [("old", True)]
        await runtime.disable("old", token=1, how=HOW)
        await enable(runtime, "new")
        assert [(one.id, one.enabled) for one in (await runtime.read()).values()] == [("new", True)]

    async def test_where_both_are_claimed_git_decides(self, stand):
        stand.wanted, stand.enabled = {"new": strategy("new")}, {"old": item("old"), "new": item("new")}
        assert list(await stand.open().read()) == ["new"]

    async def test_what_answers_as_another_bot_is_not_taken_for_it(self, stand, user):
        user.bots[BOT]["id"] = OTHER
        assert (await failure(stand.open().read())).kind is Kind.UNEXPECTED_ANSWER

    async def test_one_that_moved_to_another_bot_has_both_until_the_old_one_is_off(self, stand, user):
        user.bots[OTHER] = fake.bot(OTHER, name="New")
        stand.wanted, stand.enabled = {STRATEGY: strategy(bot=OTHER)}, {STRATEGY: item()}
        stand.start_by_hand()
        runtime = stand.open()
        held = await runtime.read()
        assert (list(held), held[STRATEGY].enabled) == ([STRATEGY], True)
        assert held[STRATEGY].bot.strategy == "BTC ETH Classic"
        await runtime.disable(STRATEGY, token=1, how=HOW)
        assert user.acts == [f"disable {BOT}"]

    async def test_one_that_nobody_knows_cannot_be_stopped(self, stand):
        assert (await failure(stand.open().disable("gone", token=1, how=HOW))).kind is Kind.WRONG_BOT


class TestChange:
    async def test_new_parameters_are_noted_and_never_sent(self, stand, user):
        stand.enabled = {STRATEGY: item()}
        await stand.open().change(STRATEGY, PARAMETERS | {"x": 1}, connection=CONNECTION, token=1)
        await stand.open().change("other", {}, connection=CONNECTION, token=1)
        assert user.asked == []

    @pytest.mark.parametrize(("bot", "connection"), [(BOT, "other"), (OTHER, CONNECTION)])
    async def test_a_move_is_refused(self, stand, bot, connection):
        stand.enabled = {STRATEGY: replace(item(bot=bot), connection=connection)}
        failed = await failure(stand.open().change(STRATEGY, PARAMETERS, connection=CONNECTION, token=1))
        assert (failed.kind, failed.untouched) == (Kind.REFUSED, True)
        assert "enabled: false" in str(failed)


class TestPlace:
    SPEC = RuntimeSpec(id=RUNTIME, type="3commas", mark=MARK)

    def place(self, **settings):
        return TYPES["3commas"].place(self.SPEC, {"settings": settings})

    def test_is_the_bot(self):
        assert self.place(bot_id=BOT, account_id=7) == self.place(bot_id=BOT)
        assert self.place(bot_id=BOT) != self.place(bot_id=OTHER)

    @pytest.mark.parametrize(
        "settings",
        [{}, {"bot_id": "7"}, {"bot_id": 0}, {"bot_id": True}, {"bot_id": 7, "account_id": "My Binance"}],
    )
    def test_that_is_none_is_refused(self, settings):
        with pytest.raises(ValueError, match=r"must be the number of"):
            self.place(**settings)
