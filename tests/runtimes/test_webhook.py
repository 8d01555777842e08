"""The webhook driver against the receiver of ``examples/``, as it ships."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from compliance import CANARY, CONNECTION, RUNTIME, STRATEGY, Wire, WireCompliance
from contract import PARAMETERS, a_request, an_answer, example

from reconciler.model.desired import OnDisable, RuntimeSpec
from reconciler.model.errors import LockHeld, Mark, RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.resources import folder
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.registry import open_runtime
from reconciler.runtimes.webhook import Webhook
from reconciler.signing import signed_headers

RECEIVER = folder("examples") / "runtimes" / "webhook" / "receiver.py"


def spelt(text):
    """A secret of the right form that holds ``text``, perhaps several times."""
    return f"whsec_{base64.b64encode((text * 3)[:64].encode()).decode()}"


def opening(url, secret):
    return Opening(
        spec=RuntimeSpec(id=RUNTIME, type="webhook", mark=Mark(file="connections.yaml", line=9), url=url),
        state=None,
        credentials={"secret": Secret(secret)},
        timeout=0.5,
    )


class Desk:
    """The receiver, what it did, and the wire to it; the id and time of each request is kept."""

    parameters = PARAMETERS

    def __init__(self):
        self.clock = SimpleNamespace(now=1_795_600_000.0)
        self.receiver = example("webhook", "receiver.py").Receiver(spelt(CANARY), lambda: self.clock.now)
        self.receiver.act = lambda name, wanted: self.done.append((name, wanted["enabled"]))
        self.done, self.taken, self.answers, self.opened = [], [], [], []
        self.wire = Wire(self.handle)

    async def handle(self, request):
        body = await request.read()
        self.taken.append((dict(request.headers), body))
        status, answer = self.receiver.answer(request.headers, body)
        self.answers.append((status, answer))
        return web.json_response(answer, status=status)

    def open(self, store=None, *, secret=CANARY):
        made = Webhook(opening(self.wire.url, spelt(secret)), clock=lambda: self.clock.now)
        self.opened.append(made)
        return made

    def start_by_hand(self):
        self.receiver.strategies[STRATEGY] = {"enabled": True}

    def stop_by_hand(self):
        self.receiver.strategies[STRATEGY] = {"enabled": False}

    def acts(self):
        return len(self.done)


@pytest.fixture
async def stand(serve):
    desk = Desk()
    async with desk.wire.running(serve):
        yield desk
        for one in desk.opened:
            await one.close()


@pytest.fixture
def wire(stand):
    return stand.wire


class TestWebhook(WireCompliance):
    """The suite."""


async def enable(runtime, token=1):
    await runtime.enable(STRATEGY, PARAMETERS, connection=CONNECTION, token=token)


async def test_every_request_and_answer_is_in_the_contract(stand):
    runtime = stand.open()
    await enable(runtime)
    await runtime.change(STRATEGY, {"pairs": []}, connection="other", token=1)
    held = (await runtime.read())[STRATEGY]
    assert (held.enabled, held.connection, held.parameters) == (True, "other", {"pairs": []})
    await runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)
    assert [json.loads(body)["action"] for _, body in stand.taken] == [
        "enable",
        "change",
        "observe",
        "disable",
    ]
    assert all(a_request.is_valid(json.loads(body)) for _, body in stand.taken)
    assert all(status == 200 and an_answer.is_valid(answer) for status, answer in stand.answers)
    assert len({headers["webhook-id"] for headers, _ in stand.taken}) == len(stand.taken)


async def test_an_older_applier_starts_nothing_and_still_stops(stand):
    runtime = stand.open()
    await enable(runtime, token=5)
    for act in (
        runtime.enable("other", PARAMETERS, connection=CONNECTION, token=4),
        runtime.change(STRATEGY, {}, connection=CONNECTION, token=4),
    ):
        with pytest.raises(LockHeld):
            await act
    assert stand.done == [(STRATEGY, True)]
    await runtime.disable(STRATEGY, token=4, how=OnDisable.STOP)
    assert stand.done == [(STRATEGY, True), (STRATEGY, False)]
    with pytest.raises(LockHeld):  # the stop did not make the older one the newest
        await enable(runtime, token=4)


async def test_what_does_not_run_is_not_changed(stand):
    with pytest.raises(RuntimeFailed) as caught:
        await stand.open().change(STRATEGY, {}, connection=CONNECTION, token=1)
    assert (caught.value.kind, caught.value.untouched) == (Kind.REFUSED, True)


async def send_again(stand, headers, body):
    """Exactly what was on the wire, by somebody who recorded it."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            stand.wire.url, data=body, headers={k: v for k, v in headers.items() if k.startswith("webhook-")}
        ) as response,
    ):
        return response.status


async def test_a_recorded_request_works_once(stand):
    runtime = stand.open()
    await enable(runtime)
    recorded = stand.taken[-1]
    await runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)
    assert await send_again(stand, *recorded) == 401
    stand.clock.now += 3 * 300  # its id is forgotten by now, and its time is over
    assert await send_again(stand, *recorded) == 401
    assert stand.done == [(STRATEGY, True), (STRATEGY, False)]


async def test_a_receiver_that_was_restarted_takes_nothing_from_before(stand):
    runtime = stand.open()
    await enable(runtime)
    stand.clock.now += 2
    anew = Desk()
    anew.receiver.since = int(stand.clock.now)
    headers, body = stand.taken[-1]
    assert anew.receiver.answer({k.lower(): v for k, v in headers.items()}, body)[0] == 401


@pytest.mark.parametrize("skew", [-301, 301])
async def test_a_request_of_another_time_is_refused(stand, skew):
    sender = Webhook(opening(stand.wire.url, spelt(CANARY)), clock=lambda: stand.clock.now + skew)
    stand.opened.append(sender)
    with pytest.raises(RuntimeFailed) as caught:
        await enable(sender)
    assert caught.value.kind is Kind.UNAUTHORISED
    assert stand.done == []


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "webhook-signature", "body"])
async def test_a_request_with_anything_changed_is_refused(stand, part):
    body = json.dumps({"version": 1, "runtime": RUNTIME, "action": "disable", "strategy": "a", "token": 9})
    headers = signed_headers(Secret(spelt(CANARY)), "msg_1", stand.clock.now, body.encode())
    if part == "body":
        body = body.replace("9", "8")
    else:
        headers[part] = headers[part].replace("1", "2")[:-1]
    assert await send_again(stand, headers, body.encode()) == 401
    assert stand.receiver.token == 0


async def test_observing_is_asked_again_where_nothing_answers_each_time_anew(stand):
    stand.wire.trouble = "lost"
    with pytest.raises(RuntimeFailed):
        await stand.open().read()
    assert [status for status, _ in stand.answers] == [200, 200, 200]


@pytest.mark.parametrize("secret", ["", CANARY, f"whsec_{CANARY}", "whsec_c2hvcnQ="])
async def test_a_secret_that_is_none_is_told_before_anything_is_sent(stand, secret):
    runtime = Webhook(opening(stand.wire.url, secret))
    stand.opened.append(runtime)
    for call in (runtime.read(), enable(runtime), runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)):
        with pytest.raises(RuntimeFailed) as caught:
            await call
        assert (caught.value.kind, caught.value.untouched) == (Kind.LOCKED, True)
        assert CANARY not in f"{caught.value!r} {caught.value} {caught.value.hint}"
    assert stand.wire.hits == 0


async def test_the_secret_is_on_no_wire_and_in_no_error(stand):
    secret = spelt(CANARY)
    runtime = stand.open()
    await enable(runtime)
    for headers, body in stand.taken:
        assert not any(form in f"{headers} {body}" for form in (CANARY, secret, secret[6:-4]))
    stand.receiver.key = b"another"
    with pytest.raises(RuntimeFailed) as caught:
        await runtime.read()
    assert secret[6:-4] not in f"{caught.value!r} {caught.value} {vars(caught.value)} {vars(runtime)}"


async def test_the_receiver_as_a_program_of_its_own():
    """Started as its documentation says; real HTTP, and the clocks of this machine."""
    secret = spelt("as-a-program-of-its-own!")
    started = subprocess.Popen(  # noqa: ASYNC220 - it ends with this test
        [sys.executable, "-I", RECEIVER, "0"],
        env={**os.environ, "SECRET": secret},
        stdout=subprocess.PIPE,
        text=True,
    )
    with started as process:
        try:
            line = await asyncio.to_thread(process.stdout.readline)
            runtime = open_runtime(opening(f"http://127.0.0.1:{line.split()[-1]}", secret))
            await enable(runtime)
            held = await runtime.read()
            assert (held[STRATEGY].enabled, held[STRATEGY].parameters) == (True, PARAMETERS)
            await runtime.close()
            told = await asyncio.to_thread(process.stdout.readline)
            assert told == f"start {STRATEGY} on {CONNECTION}\n"
        finally:
            process.kill()
