"""What a working key's observation holds, through real ccxt and the sandbox's wire protocols."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model.desired import Market
from reconciler.model.live import Health, Permission


async def test_mexc_spot_key_is_read_whole(read_one):
    seen = await read_one(
        ip_whitelist=["203.0.113.10", "198.51.100.7"],
        created=datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC),
    )
    assert seen.failure is None
    assert dict(seen.report.permissions.items()) == {
        Permission.READ: True,
        Permission.SPOT: True,
        Permission.MARGIN: False,
        Permission.FUTURES: False,
        Permission.OPTIONS: None,
        Permission.TRANSFER: False,
        Permission.WITHDRAW: False,
    }
    assert seen.report.ip_whitelist.addresses == ("203.0.113.10", "198.51.100.7")
    assert seen.report.account.uid == "209302839"
    assert seen.report.label == "bot"
    assert seen.report.created_at == datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)
    assert seen.report.expires_at is None
    assert seen.report.disabled is False
    assert {name: proof.failure for name, proof in seen.proofs.items()} == {"balance": None, "orders": None}
    assert abs(seen.clock_skew) < 1


async def test_kucoin_key_is_read_whole(read_one):
    seen = await read_one(
        "kucoin", permissions="General,Spot,InnerTransfer", is_master=False, sub_name="bot1"
    )
    permissions = seen.report.permissions
    assert (permissions.read, permissions.spot, permissions.transfer) == (True, True, True)
    assert (permissions.withdraw, permissions.futures, permissions.margin) == (False, False, False)
    assert seen.report.ip_whitelist.restricted is False
    assert seen.report.account.is_sub is True
    assert seen.health is Health.OPERATIONAL
    assert (seen.caller_ip, seen.caller_ip_source) == ("203.0.113.10", "exchange")


@pytest.mark.parametrize(
    ("exchange", "words"),
    [("mexc", "SPOT_ACCOUNT_READ,SPOT_WITHDRAW_WRITE"), ("kucoin", "General,Transfer")],
)
async def test_withdrawal_is_seen(read_one, exchange, words):
    seen = await read_one(exchange, permissions=words)
    assert seen.report.permissions.withdraw is True


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
async def test_every_market_is_proved(read_one, exchange, market):
    seen = await read_one(exchange, market=market)
    assert {name: proof.failure for name, proof in seen.proofs.items()} == {"balance": None, "orders": None}


async def test_unified_kucoin_key_gets_what_only_the_unified_answer_tells(read_one):
    seen = await read_one("kucoin", permissions="General,Unified", unified=True, parent_uid="165")
    assert seen.report.account.parent_uid == "165"
    assert (seen.report.permissions.spot, seen.report.permissions.futures) == (True, True)
    assert seen.report.permissions.margin is None
    assert seen.report.permissions.withdraw is False


async def test_kucoin_remark_with_words_of_an_error_is_no_error(read_one):
    seen = await read_one("kucoin", label="require more permission")
    assert seen.failure is None
    assert seen.report.label == "require more permission"


async def test_mexc_days_left_become_a_day(read_one):
    seen = await read_one(raw={"remainingValidity": "82"})
    assert (seen.report.expires_at.date() - datetime.now(UTC).date()).days == 82


async def test_a_word_that_nobody_knows_is_kept_and_denies_nothing(read_one):
    seen = await read_one(permissions="SPOT_ACCOUNT_READ,MOON_WRITE")
    assert seen.report.unknown_words == ("MOON_WRITE",)
    assert seen.report.permissions.read is True
    assert seen.report.permissions.withdraw is None


async def test_missing_futures_permission_shows_in_the_proofs(read_one):
    seen = await read_one(market=Market.FUTURES, permissions="SPOT_ACCOUNT_READ,SPOT_DEAL_READ")
    assert seen.failure is None
    assert {proof.failure.kind for proof in seen.proofs.values()} == {"permission_denied"}
