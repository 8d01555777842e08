"""Many connections at once: nothing of one reaches another."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import replace
from ipaddress import ip_network
from itertools import pairwise

import pytest
import stamina

from reconciler.exchanges import registry
from reconciler.live.client import Client
from reconciler.live.observe import ObserveOptions, observe
from reconciler.model.desired import Egress
from reconciler.model.errors import Mark, UsageError
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, RateLimit

MARK = Mark(file="connections.yaml", line=1)


@pytest.fixture
def roomy(monkeypatch):
    """Budgets that hold everything: what is shown here is not the pacing."""
    for name in ("mexc", "kucoin"):
        exchange = type(registry.get(name))
        monkeypatch.setattr(exchange, "budget", replace(exchange.budget, units=1e6, burst=1e6))


@pytest.fixture
def one_attempt():
    """What hangs is waited for once, so that the limit can be one that nothing else meets."""
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
async def test_a_hundred_keys_each_sign_for_themselves(world, roomy, exchange):
    keys = [world.key(exchange, name=f"k{n}", uid=str(1000 + n), label=f"label {n}") for n in range(100)]
    sandbox = await world.start({exchange: keys})
    seen = await world.look(sandbox, *(world.target(key, exchange=exchange) for key in keys))
    for n, key in enumerate(keys):
        one = seen[f"{exchange}-{key.name}"]
        assert one.failure is None
        assert (one.report.account.uid, one.report.label) == (str(1000 + n), f"label {n}")
        assert not [proof for proof in one.proofs.values() if proof.failure]


async def test_one_of_each_trouble_beside_the_healthy(world, roomy, one_attempt):
    good = [world.key("mexc", name=f"good{n}") for n in range(5)]
    slow = world.key("mexc", name="slow", faults=Faults(delay_ms=30_000))
    dead = world.key("mexc", name="dead", faults=Faults(outage=502))
    sandbox = await world.start(
        {"mexc": [*good, slow, dead], "kucoin": [world.key("kucoin")]},
        faults={"kucoin": Faults(outage="refused")},
    )
    targets = [world.target(key) for key in (*good, slow, dead)]
    targets.append(world.target(world.key("kucoin"), exchange="kucoin"))
    seen = await world.look(sandbox, *targets, timeout=2.0)
    assert [seen[f"mexc-{key.name}"].failure for key in good] == [None] * 5
    assert seen["mexc-slow"].failure.kind is Kind.UNAVAILABLE
    assert "in time" in seen["mexc-slow"].failure.message
    assert seen["mexc-dead"].failure.kind is Kind.UNAVAILABLE
    assert seen["kucoin-main"].failure.kind is Kind.UNAVAILABLE


async def test_public_questions_are_asked_once_for_all_keys(start, a_key, a_target, look, roomy):
    keys = [a_key("kucoin", name=f"k{n}") for n in range(10)]
    sandbox = await start({"kucoin": keys})
    await look(sandbox, *(a_target(key, exchange="kucoin") for key in keys))
    public = sorted(request.path for request in sandbox.requests if not request.key)
    assert public == ["/api/v1/my-ip", "/api/v1/status", "/api/v1/timestamp"]


async def test_a_down_exchange_is_not_asked_for_each_key(start, a_key, a_target, look):
    keys = [a_key(name=f"k{n}") for n in range(30)]
    sandbox = await start({"mexc": keys}, faults={"mexc": Faults(outage="closed")})
    seen = await look(sandbox, *(a_target(key) for key in keys))
    assert {one.failure.kind for one in seen.values()} == {Kind.UNAVAILABLE}
    assert not [request for request in sandbox.requests if request.key]


async def test_a_deadline_tells_who_was_not_read(start, a_key, a_target, look):
    slow, quick = a_key(name="slow", faults=Faults(delay_ms=20_000)), a_key(name="quick")
    sandbox = await start({"mexc": [slow, quick]})
    seen = await look(sandbox, a_target(slow), a_target(quick), deadline=3.0, timeout=60)
    assert seen["mexc-quick"].failure is None
    assert seen["mexc-slow"].failure.kind is Kind.UNAVAILABLE
    assert "deadline" in seen["mexc-slow"].failure.message


async def test_cancellation_ends_everything_at_once(world, monkeypatch):
    key, asked = world.key(faults=Faults(delay_ms=20_000)), asyncio.Event()
    sandbox = await world.start({"mexc": [key]})
    real = Client.call

    async def call(self, call, params=None):
        asked.set()
        return await real(self, call, params)

    monkeypatch.setattr(Client, "call", call)
    before = asyncio.all_tasks()
    running = asyncio.create_task(world.look(sandbox, world.target(key), timeout=30))
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    ours = [task for task in asyncio.all_tasks() - before if "reconciler/live" in repr(task)]
    assert ours == []


async def test_a_fault_of_ours_in_one_key_spares_the_others(world, monkeypatch, caplog):
    broken, whole = world.key(name="broken"), world.key(name="whole")
    sandbox = await world.start({"mexc": [broken, whole]})
    real = Client.call

    async def call(self, call, params=None):
        if self._ccxt.apiKey == broken.api_key:
            raise KeyError(broken.secret)
        return await real(self, call, params)

    monkeypatch.setattr(Client, "call", call)
    seen = await world.look(sandbox, world.target(broken), world.target(whole))
    assert seen["mexc-whole"].failure is None
    assert seen["mexc-broken"].failure.kind is Kind.UNEXPECTED_RESPONSE
    assert "KeyError" in seen["mexc-broken"].failure.message
    assert broken.secret not in caplog.text + repr(seen)


async def test_progress_counts_to_the_end(start, a_key, a_target, look, roomy):
    keys = [a_key(name=f"k{n}") for n in range(4)]
    sandbox, heard = await start({"mexc": keys}), []
    await look(sandbox, *(a_target(key) for key in keys), progress=lambda *at: heard.append(at))
    assert heard[-1] == (4, 4)
    assert heard == sorted(heard)


async def test_what_is_not_to_be_tried_is_not_tried(a_key, a_target):
    target = replace(a_target(a_key()), credentials=None, unread="its credentials could not be read")
    seen = (await observe([target], options=ObserveOptions()))["mexc-main"]
    assert (seen.report, seen.failure) == (None, None)
    assert seen.unread == "its credentials could not be read"


async def test_an_endpoint_for_a_host_that_is_not_there(a_key, a_target):
    options = ObserveOptions(endpoints={"mexc.moon": "http://127.0.0.1:1"})
    with pytest.raises(UsageError, match="moon"):
        await observe([a_target(a_key())], options=options)


async def test_a_proxy_that_is_away_is_told_and_nothing_goes_around_it(start, a_key, a_target, look):
    key = a_key()
    sandbox = await start({"mexc": [key]})
    for scheme in ("http", "socks5"):
        egress = Egress(
            id=scheme, addresses=(ip_network("198.51.100.7/32"),), mark=MARK, proxy=f"{scheme}://127.0.0.1:1"
        )
        seen = (await look(sandbox, a_target(key, egress=egress)))["mexc-main"]
        assert seen.failure.kind is Kind.UNAVAILABLE
        assert "proxy" in seen.failure.message
    assert not sandbox.requests


async def test_the_operators_word_is_the_last_source_of_the_address(start, a_key, a_target, look):
    key = a_key()
    sandbox = await start({"mexc": [key]})
    egress = Egress(id="eu", addresses=(ip_network("203.0.113.10/32"),), mark=MARK)
    seen = (await look(sandbox, a_target(key, egress=egress)))["mexc-main"]
    assert (seen.caller_ip, seen.caller_ip_source) == ("203.0.113.10", "operator")


TROUBLES = [
    Faults(),
    Faults(outage=502),
    Faults(outage="closed"),
    Faults(html=200),
    Faults(html=403),
    Faults(cut=True),
    Faults(error="invalid_key"),
    Faults(error="ip_not_allowed"),
    Faults(rate_limit=RateLimit(every=1, retry_after=0)),
    Faults(delay_ms=1000),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
async def test_no_secret_in_logs_or_results(world, caplog, capfd, exchange, trouble):
    caplog.set_level(logging.DEBUG)
    key = world.key(exchange, label="x", raw={"note": "mx0key-main-7291", "remark": "mx0key-main-7291"})
    key.faults = Faults(paths={"/api": trouble})
    sandbox = await world.start({exchange: [key]})
    target = world.target(key, exchange=exchange)
    seen = await world.look(sandbox, target, timeout=0.2)
    out = "".join(capfd.readouterr()) + caplog.text + repr(seen) + repr(target)
    for secret in (key.api_key, key.secret, key.passphrase, "ignature="):
        assert secret is None or secret not in out


async def test_no_secret_in_a_traceback(start, a_key, a_target, look, monkeypatch):
    """Whatever is raised on the way up, no text of it holds a secret or a signed URL."""
    key, raised = a_key(faults=Faults(outage="closed")), []
    real = Client.call

    async def call(self, call, params=None):
        try:
            return await real(self, call, params)
        except BaseException as error:
            raised.append(error)
            raise

    monkeypatch.setattr(Client, "call", call)
    sandbox = await start({"mexc": [key]})
    await look(sandbox, a_target(key), timeout=0.2)
    shown = "".join("".join(traceback.format_exception(error)) for error in raised)
    assert key.api_key not in shown
    assert "signature" not in shown


async def test_egresses_that_leave_alike_share_one_budget_and_one_look_around(world, roomy):
    """An egress is a name: without proxies, all of them leave this machine by the same address."""
    keys = [world.key("kucoin", name=name) for name in ("one", "two", "three")]
    sandbox = await world.start({"kucoin": keys})
    ways = [
        None,
        Egress(id="eu", addresses=(ip_network("203.0.113.10/32"),), mark=MARK),
        Egress(id="us", addresses=(ip_network("198.51.100.7/32"),), mark=MARK),
    ]
    targets = [world.target(key, exchange="kucoin", egress=way) for key, way in zip(keys, ways, strict=True)]
    seen = await world.look(sandbox, *targets)
    assert not [one.failure for one in seen.values() if one.failure]
    public = sorted(request.path for request in sandbox.requests if not request.key)
    assert public == ["/api/v1/my-ip", "/api/v1/status", "/api/v1/timestamp"]


async def test_the_operators_word_is_each_egresss_own(world):
    keys = [world.key(name=name) for name in ("one", "two")]
    sandbox = await world.start({"mexc": keys})
    words = ("203.0.113.10", "198.51.100.7")
    ways = [Egress(id=f"e{word[:3]}", addresses=(ip_network(word),), mark=MARK) for word in words]
    seen = await world.look(sandbox, *map(lambda k, w: world.target(k, egress=w), keys, ways))
    assert tuple(one.caller_ip for one in seen.values()) == words


async def test_an_exchange_that_hangs_takes_no_connection_from_another(world, roomy, one_attempt):
    stuck = Faults(delay_ms=9000)
    hangs = Faults(paths={"/api/v3/account": stuck, "/api/v3/openOrders": stuck})
    slow, quick = world.key(faults=hangs), [world.key("kucoin", name=f"k{n}") for n in range(15)]
    sandbox = await world.start({"mexc": [slow], "kucoin": quick}, faults={"kucoin": Faults(delay_ms=20)})
    targets = [world.target(slow), *(world.target(key, exchange="kucoin") for key in quick)]
    seen = await world.look(sandbox, *targets, timeout=3.0, max_parallel=1)
    assert not [one for one in seen.values() if one.failure]
    asked = sorted(request.at for request in sandbox.requests if request.exchange == "kucoin")
    assert max(after - before for before, after in pairwise(asked)).total_seconds() < 2.0
