"""The sandbox as a whole: ports, separate sandboxes, what it remembers, and the ways to run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from reconciler.model.errors import UsageError
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.running import SandboxThread, endpoint_options
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Scenario
from reconciler.sandbox.server import Sandbox


def get(url):
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - our own http URL
        return json.load(response)


async def status(url, **options):
    async with aiohttp.ClientSession() as session, session.request("GET", url, **options) as response:
        return response.status


async def test_each_host_of_an_exchange_has_an_endpoint(running, scenario):
    sandbox = await running(scenario)
    assert list(sandbox.endpoints) == ["mexc", "kucoin", "kucoin.futures"]
    assert all(url.startswith("http://127.0.0.1:") for url in sandbox.endpoints.values())
    assert len(set(sandbox.endpoints.values())) == 3


async def test_two_sandboxes_share_neither_keys_nor_requests(running, scenario):
    one, other = await running(scenario), await running(scenario)
    one.keys["mexc-main"].permissions = ""
    await status(one.endpoints["mexc"] + "/api/v3/time")
    assert other.keys["mexc-main"].permissions == scenario.keys["mexc-main"].permissions != ""
    assert (len(one.requests), len(other.requests)) == (1, 0)


async def test_ports_can_be_chosen_and_a_taken_one_is_told(running, scenario):
    first = await running(scenario)
    port = int(first.endpoints["mexc"].rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {port} for mexc"):
        await running(scenario, ports={"mexc": port})
    await first.__aexit__(None, None, None)
    second = await running(scenario, ports={"mexc": port})
    assert second.endpoints["mexc"] == f"http://127.0.0.1:{port}"


async def test_a_port_for_nothing_is_refused_and_leaves_nothing_open(running, scenario):
    with pytest.raises(UsageError, match="no endpoint is called 'binance'"):
        await running(scenario, ports={"binance": 1})


async def test_an_exchange_that_it_does_not_speak_is_refused():
    with pytest.raises(UsageError, match="does not speak 'nowhere'"):
        async with Sandbox(Scenario(exchanges={"nowhere": ExchangeSpec(id="nowhere")})):
            pass


async def test_every_request_is_remembered_with_the_start_of_its_key_only(running, scenario):
    sandbox = await running(scenario, clock=lambda: 1_800_000_000.0)
    await status(sandbox.endpoints["mexc"] + "/api/v3/time")
    await status(sandbox.endpoints["kucoin"] + "/nowhere?x=1", headers={"KC-API-KEY": "67testmain"})
    first, second = sandbox.requests
    assert (first.exchange, first.path, first.key) == ("mexc", "/api/v3/time", "")
    assert (second.exchange, second.path, second.key) == ("kucoin", "/nowhere", "67te")
    assert first.at.timestamp() == 1_800_000_000.0


async def test_a_request_without_signature_is_refused(running, scenario):
    sandbox = await running(scenario)
    assert await status(sandbox.endpoints["mexc"] + "/api/v3/account") == 400
    key = {"X-MEXC-APIKEY": "mx0testMain"}
    assert await status(sandbox.endpoints["mexc"] + "/api/v3/account?timestamp=1", headers=key) == 400
    assert await status(sandbox.endpoints["kucoin"] + "/api/v1/accounts") == 401


async def test_each_exchange_has_a_clock_of_its_own(running, scenario):
    scenario.exchanges["mexc"].clock_offset_ms = 90_000
    sandbox = await running(scenario, clock=lambda: 1_800_000_000.0)
    async with aiohttp.ClientSession() as session:
        async with session.get(sandbox.endpoints["mexc"] + "/api/v3/time") as response:
            assert await response.json() == {"serverTime": 1_800_000_090_000}
        async with session.get(sandbox.endpoints["kucoin.futures"] + "/api/v1/timestamp") as response:
            assert (await response.json())["data"] == 1_800_000_000_000


def test_a_thread_serves_code_that_is_not_asynchronous(scenario):
    with SandboxThread(scenario) as thread:
        url = thread.endpoints["kucoin"] + "/api/v1/my-ip"
        assert get(url)["data"] == "203.0.113.10"
        thread.sandbox.scenario.exchanges["kucoin"].caller_ip = "198.51.100.1"
        assert get(url)["data"] == "198.51.100.1"
        assert len(thread.sandbox.requests) == 2
    with pytest.raises(OSError, match="refused"):
        get(url)


def test_a_thread_that_cannot_start_says_why(scenario):
    with (
        SandboxThread(scenario) as thread,
        pytest.raises(UsageError, match="cannot listen"),
        SandboxThread(scenario, ports={"mexc": int(thread.endpoints["mexc"].rpartition(":")[2])}),
    ):
        pass


def test_endpoint_options_are_ready_to_paste():
    endpoints = {"mexc": "http://127.0.0.1:9001", "kucoin.futures": "http://127.0.0.1:9003"}
    expected = "--endpoint mexc=http://127.0.0.1:9001 --endpoint kucoin.futures=http://127.0.0.1:9003"
    assert endpoint_options(endpoints) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_told_to_stop(number):
    program = (
        "import functools, sys\n"
        "from reconciler.sandbox.load import load_scenario\n"
        "from reconciler.sandbox.running import run_forever\n"
        "run_forever(load_scenario(sys.argv[1]), say=functools.partial(print, flush=True))\n"
    )
    command = [sys.executable, "-c", program, str(folder("examples") / "sandbox.yaml")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        options, ready = process.stdout.readline(), process.stdout.readline()
        assert options.startswith("--endpoint mexc=http://127.0.0.1:")
        assert ready == "sandbox ready: mexc, kucoin; stop it with Ctrl-C\n"
        url = options.split()[1].partition("=")[2]
        assert get(url + "/api/v3/ping") == {}
        os.kill(process.pid, number)
        assert process.wait(timeout=120) == 0
        assert process.stderr.read() == ""


def test_the_demo_scenario_tells_what_the_example_needs():
    keys = load_scenario(Path(folder("examples")) / "sandbox.yaml").keys
    assert set(keys) == {
        "mexc-spot-main",
        "mexc-grid-backup",
        "kucoin-futures-conservative",
        "recovery-pro",
        "btc-eth-new-groups",
    }
    assert keys["mexc-spot-main"].uid == "209302839"
    assert "Futures" not in keys["kucoin-futures-conservative"].words()
    assert "Transfer" in keys["recovery-pro"].words()
    assert not keys["btc-eth-new-groups"].admits("203.0.113.10")
    assert keys["btc-eth-new-groups"].admits(keys["btc-eth-new-groups"].caller_ip)
    assert keys["mexc-grid-backup"].faults == Faults(outage=503)
