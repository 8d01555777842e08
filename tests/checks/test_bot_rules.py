"""Whether a bot is the one that git describes: each rule, with what it says and where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from reconciler.checks import BOT_CHECKS, BotCase, evaluate_bot, judge_runtime
from reconciler.model.bot import Account, Averaging, Bot, Stake
from reconciler.model.desired import Market, Money, RuntimeSpec
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.finding import Severity, Subject, Verdict
from reconciler.model.runtime_kinds import RUNTIME_KINDS, RuntimeFailureKind

HERE, THERE = Mark(file="connections.yaml", line=70), Mark(file="connections.yaml", line=20)

THEIRS = Account(id="7", name="My Binance")


def adding(additions, step=None, multiplier=None):
    return Averaging(
        additions=additions, step=step and Decimal(step), multiplier=multiplier and Decimal(multiplier)
    )


@pytest.fixture
def ask(make):
    """The finding of one check of a bot; ``None`` where it is not asked."""

    def work(check, *, mode=None, running=True, settings=None, limit=None, additions=None, **bot):
        parameters = {"pairs": ["BTC/USDT", "ETH/USDT"]}
        parameters |= {"settings": settings} if settings else {}
        parameters |= {"margin_limit": {"amount": limit, "currency": "USDT"}} if limit else {}
        stated = {"max_additions": additions, "step": "2%", "multiplier": "1.5"}
        parameters |= {} if additions is None else {"averaging": stated}
        marks = dict.fromkeys(("connection", "pairs", "settings", "margin_limit", "averaging"), HERE)
        strategy = replace(
            make.strategy(), pairs=("BTC/USDT", "ETH/USDT"), parameters=parameters, marks=marks
        )
        runtime = RuntimeSpec(id="ft", type="freqtrade", mark=THERE, mode=mode, marks={"mode": HERE})
        case = BotCase(
            connection=make.connection(),
            strategy=strategy,
            runtime=runtime,
            bot=Bot(**bot),
            running=running,
            now=make.now,
        )
        return next((one for one in evaluate_bot(case) if one.check == check), None)

    return work


@pytest.mark.parametrize(
    ("check", "given", "verdict"),
    [
        ("bot-exchange", {"exchange": "mexc"}, "pass"),
        ("bot-exchange", {"exchange": "MEXC"}, "pass"),
        ("bot-exchange", {"exchange": "kucoin"}, "fail"),
        ("bot-mode", {"money": Money.LIVE}, "pass"),
        ("bot-mode", {"money": Money.DRY_RUN}, "fail"),
        ("bot-mode", {"money": Money.DRY_RUN, "mode": Money.DRY_RUN}, "pass"),
        ("bot-mode", {"money": Money.LIVE, "mode": Money.DRY_RUN}, "fail"),
        ("bot-market", {"market": Market.SPOT}, "pass"),
        ("bot-market", {"market": Market.FUTURES, "account_mode": "isolated"}, "fail"),
        ("bot-strategy", {"strategy": "Grid", "settings": {"strategy": "Grid"}}, "pass"),
        ("bot-strategy", {"strategy": "Grid", "settings": {"strategy": "Other"}}, "fail"),
        ("bot-strategy", {"strategy": "Grid"}, None),
        ("bot-pairs", {"pairs": ("ETH/USDT",)}, "pass"),
        ("bot-pairs", {"pairs": ("BTC/USDT", "DOGE/USDT")}, "fail"),
        ("bot-pairs-missing", {"pairs": ("ETH/USDT",)}, "fail"),
        ("bot-pairs-missing", {"pairs": ("ETH/USDT", "BTC/USDT", "X/Y")}, "pass"),
        ("bot-stake", {"stake": Stake(currency="USDT", most=Decimal(200)), "limit": "200"}, "pass"),
        ("bot-stake", {"stake": Stake(currency="USDT", most=Decimal("200.01")), "limit": "200"}, "fail"),
        ("bot-stake", {"stake": Stake(currency="USDC", most=Decimal(1)), "limit": "200"}, "fail"),
        ("bot-stake", {"stake": Stake(currency="USDT"), "limit": "200"}, "fail"),
        ("bot-stake", {"stake": Stake(currency="USDT")}, None),
        ("bot-account", {"account": THEIRS}, "pass"),
        ("bot-account", {"account": THEIRS, "settings": {"account_id": 7}}, "pass"),
        ("bot-account", {"account": THEIRS, "settings": {"account_id": 8}}, "fail"),
        ("bot-account", {"settings": {"account_id": 8}}, None),
        ("bot-averaging", {"averaging": adding(0)}, "pass"),
        ("bot-averaging", {"averaging": adding(1)}, "fail"),
        ("bot-averaging", {"averaging": adding(None)}, "fail"),
        ("bot-averaging", {"averaging": adding(1), "additions": 0}, "fail"),
        ("bot-averaging", {"averaging": adding(0, "0.1", "9"), "additions": 3}, "pass"),
        ("bot-averaging", {"averaging": adding(3), "additions": 3}, "pass"),
        ("bot-averaging", {"averaging": adding(4), "additions": 3}, "fail"),
        ("bot-averaging", {"averaging": adding(None), "additions": 100}, "fail"),
        ("bot-averaging", {"averaging": adding(2, "2", "1.5"), "additions": 3}, "pass"),
        ("bot-averaging", {"averaging": adding(2, "1.99", "1.5"), "additions": 3}, "fail"),
        ("bot-averaging", {"averaging": adding(2, "2", "1.51"), "additions": 3}, "fail"),
        ("bot-averaging", {"averaging": adding(1, None, "1.51"), "additions": 3}, "fail"),
    ],
)
def test_what_git_says_is_compared_with_what_runs(ask, check, given, verdict):
    found = ask(check, **given)
    assert (found and found.verdict.value) == verdict
    if found:
        assert (found.subject, found.subject_id) == (Subject.STRATEGY, "grid")
        assert found.severity is BOT_CHECKS[check].severity
        assert (found.mark == HERE) == (verdict == "fail")
        assert bool(found.cause and found.fix) == (verdict == "fail")


@pytest.mark.parametrize("check", BOT_CHECKS)
def test_what_a_runtime_does_not_tell_is_not_asked(ask, check):
    assert ask(check, settings={"strategy": "Grid", "account_id": 7}, limit="1", additions=0) is None


def test_an_account_that_cannot_trade_fails_whichever_it_is(ask):
    locked = replace(THEIRS, trouble="3Commas has locked it (invalid_api_key)")
    found = ask("bot-account", account=locked, settings={"account_id": 7})
    assert (found.verdict, found.blocks) == (Verdict.FAIL, True)
    assert found.evidence == (
        "the bot's account there is 7 (My Binance), and 3Commas has locked it (invalid_api_key)"
    )


@pytest.mark.parametrize(
    ("told", "additions", "words"),
    [
        (adding(None), None, ("adds to a position without a limit", "never adds to a position")),
        (
            adding(5, "1", "2"),
            3,
            (
                "adds to a position at most 5 times, from 1% on, each up to 2 times the last",
                "adds to a position at most 3 times, from 2% on, each up to 1.5 times the last",
            ),
        ),
    ],
)
def test_how_a_bot_adds_is_told_beside_what_git_says(ask, told, additions, words):
    found = ask("bot-averaging", averaging=told, additions=additions)
    assert found.evidence == f"the bot {words[0]}; the files say that it {words[1]}"


@pytest.mark.parametrize(("bot", "git"), [("gateio", "gate"), ("huobi", "htx"), ("okx", "okx")])
def test_other_names_of_an_exchange_are_known(make, ask, bot, git):
    case = BotCase(
        connection=make.connection(exchange=git),
        strategy=make.strategy(),
        runtime=RuntimeSpec(id="ft", type="freqtrade", mark=THERE),
        bot=Bot(exchange=bot),
        running=True,
        now=make.now,
    )
    (found,) = evaluate_bot(case)
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("seconds", "running", "verdict"), [(300, True, "pass"), (301, True, "fail"), (301, False, None)]
)
def test_a_bot_that_is_on_and_stuck_is_told_and_blocks_nothing(make, ask, seconds, running, verdict):
    beat = make.now - timedelta(seconds=seconds)
    found = ask("bot-alive", heartbeat=beat, running=running)
    assert (found and found.verdict.value) == verdict
    assert found is None or found.severity is Severity.ADVISORY


def test_many_pairs_are_counted(ask):
    found = ask("bot-pairs", pairs=tuple(f"C{number}/USDT" for number in range(9)))
    assert "C0/USDT, C1/USDT, C2/USDT and 6 more" in found.evidence


@pytest.mark.parametrize("kind", RuntimeFailureKind)
def test_why_a_runtime_was_not_read_is_told(kind):
    spec = RuntimeSpec(id="ft", type="freqtrade", mark=THERE)
    failed = RuntimeFailed("GET /ping: no connection", kind=kind, untouched=True, hint="do this")
    found = judge_runtime(spec, failed, read=False)
    refusals = {RuntimeFailureKind.UNAUTHORISED, RuntimeFailureKind.WRONG_VERSION}
    assert found.verdict is (Verdict.FAIL if kind in refusals else Verdict.UNKNOWN)
    assert (found.kind, found.fix, found.cause) == (kind.value, "do this", RUNTIME_KINDS[kind].cause)
    assert (found.subject, found.subject_id, found.mark) == (Subject.RUNTIME, "ft", THERE)
    assert found.blocks


def test_a_runtime_that_was_read_passes_and_one_that_hid_why_is_unknown():
    spec = RuntimeSpec(id="ft", type="freqtrade", mark=THERE)
    assert judge_runtime(spec, None, read=True).verdict is Verdict.PASS
    found = judge_runtime(spec, None, read=False)
    assert (found.verdict, found.kind, bool(found.fix)) == (Verdict.UNKNOWN, None, True)
