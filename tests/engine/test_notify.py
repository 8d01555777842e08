"""Telling sinks what the audit log holds: in order, once, after crashes again, at nobody else's expense."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine.notify import Teller, try_sinks
from reconciler.engine.settings import Settings
from reconciler.model.errors import NotTaken
from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Subject
from reconciler.model.secret import Secret
from reconciler.notify.http import post
from reconciler.notify.interface import SinkSpec
from reconciler.notify.slack import Slack
from reconciler.output.message import of_test
from reconciler.state.outbox import open_outbox
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SECRET = "whsec_" + "QUJD" * 10


class Desk:
    """A state, a clock, and what was said to the operator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = START
        self.ticks = 0.0
        self.said: list[str] = []
        self.slept = 0.0

    @property
    def settings(self) -> Settings:
        async def sleep(seconds: float) -> None:
            self.slept += seconds
            await asyncio.sleep(0)

        return Settings(files=(), state=self.url, now=lambda: self.now, sleep=sleep, notice=self.said.append)

    def happen(self, *names: str, severity=EventSeverity.WARNING, kind=EventKind.FOUND, **more) -> None:
        events = [
            Event(
                kind=kind,
                severity=severity,
                subject=Subject.CONNECTION,
                subject_id=name,
                summary=f"something of {name}",
                at=self.now,
                check="withdraw-enabled",
                since=self.now,
                origin=Origin(by="alice@host", pass_id=3),
                **more,
            )
            for name in names
        ]
        with open_for_writing(self.url) as store:
            store.record_events(events)

    def teller(self, *specs: SinkSpec, **more) -> Teller:
        teller = Teller(self.settings, specs, clock=lambda: self.ticks, **more)
        teller.meet()
        return teller

    def cursors(self):
        return open_for_reading(self.url).cursors()


@pytest.fixture
def desk(state_url):
    return Desk(state_url)


def hook(receiver, name="ops", **more) -> SinkSpec:
    return SinkSpec(name=name, type="webhook", url=Secret(receiver.url), secret=Secret(SECRET), **more)


def names(receiver) -> list[str]:
    """What a receiver was told, repeats left out by their id, as a receiver should."""
    seen = {one.headers["webhook-id"]: one.json for one in receiver.taken}
    return [one["data"].get("subject_id", one["type"]) for one in seen.values()]


async def test_each_event_is_told_once_to_each_sink_in_order(desk, receivers):
    one, two = receivers(), receivers()
    teller = desk.teller(hook(one), hook(two, "other"))
    desk.happen("a", "b")
    await teller.tell()
    desk.happen("c")
    await teller.tell()
    await teller.tell()
    assert names(one) == names(two) == ["a", "b", "c"]
    assert len(one.taken) == 3
    assert [one.json["data"]["seq"] for one in one.taken] == [1, 2, 3]


async def test_a_new_sink_begins_at_the_present_and_no_later(desk, receiver):
    desk.happen("old")
    teller = desk.teller(hook(receiver))
    desk.happen("new")
    await teller.tell()
    assert names(receiver) == ["new"]


async def test_of_a_state_that_took_the_place_of_the_one_before_everything_is_told(
    state_url, desk, receiver, tmp_path
):
    teller = desk.teller(hook(receiver))
    desk.happen("old")
    await teller.tell()
    if state_url.startswith("postgresql"):
        pytest.skip("a database does not vanish under who is connected to it")
    for path in tmp_path.rglob("state.db*"):
        path.unlink()
    desk.happen("of the new state")
    await teller.tell()
    assert names(receiver) == ["old", "of the new state"]


async def test_nothing_new_writes_nothing_and_sends_nothing(desk, receiver):
    teller = desk.teller(hook(receiver))
    desk.happen("a")
    await teller.tell()
    before = desk.cursors()
    await teller.tell()
    assert (desk.cursors(), len(receiver.taken)) == (before, 1)


async def test_a_message_says_what_since_when_and_what_to_do(desk, receiver):
    teller = desk.teller(SinkSpec(name="chat", type="slack", url=Secret(receiver.url)))
    desk.happen("recovery-pro", severity=EventSeverity.CRITICAL)
    await teller.tell()
    assert receiver.taken[0].json["text"].splitlines() == [
        "CRITICAL: withdraw-enabled of connection recovery-pro",
        "What: something of recovery-pro",
        "Since: 2026-11-22 10:00:00 UTC",
        "To do: Switch withdrawals off for this key at the exchange, or replace it by one without them.",
        "More: reconcile explain withdraw-enabled",
        "By: alice@host, pass 3, event 1",
    ]


async def test_a_sink_hears_of_what_is_severe_enough_and_of_its_end(desk, receiver):
    teller = desk.teller(hook(receiver, min_severity=EventSeverity.CRITICAL))
    gone = {"kind": EventKind.GONE, "severity": EventSeverity.INFO}
    desk.happen("mild")
    desk.happen("bad", severity=EventSeverity.CRITICAL)
    desk.happen("mild", was=EventSeverity.WARNING, **gone)
    desk.happen("bad", was=EventSeverity.CRITICAL, **gone)
    await teller.tell()
    assert names(receiver) == ["bad", "bad"]
    assert desk.cursors()["ops"].seq == 4, "what does not concern it is not looked at again"


KILLED = """
import asyncio, os, sys
from datetime import datetime
from reconciler.engine.notify import Teller
from reconciler.engine.settings import Settings
from reconciler.model.secret import Secret
from reconciler.notify.interface import SinkSpec
from reconciler.notify import registry

class Dying:
    def __init__(self, spec):
        self.sink = registry.open_sink(spec)

    async def send(self, message):
        await self.sink.send(message)
        os._exit(9)

state, url, secret, now = sys.argv[1:]
spec = SinkSpec(name="ops", type="webhook", url=Secret(url), secret=Secret(secret))
settings = Settings(files=(), state=state, now=lambda: datetime.fromisoformat(now))
asyncio.run(Teller(settings, [spec], opener=Dying).tell())
"""


class TestACrash:
    async def test_between_taking_and_recording_the_same_is_told_again_under_the_same_id(
        self, desk, receiver
    ):
        teller = desk.teller(hook(receiver))
        desk.happen("a", "b")
        told = (desk.url, receiver.url, SECRET, desk.now.isoformat())
        killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, *told], check=False)
        assert killed.returncode == 9
        assert len(receiver.taken) == 1
        await teller.tell()
        assert len(receiver.taken) == 1, "the dead one's claim lasts for a minute"
        desk.now += timedelta(minutes=1)
        await teller.tell()
        assert len(receiver.taken) == 3
        assert names(receiver) == ["a", "b"]
        first, again = receiver.taken[:2]
        assert (first.body, first.headers["webhook-id"]) == (again.body, again.headers["webhook-id"])

    async def test_ids_of_two_states_never_meet(self, desk, receiver, tmp_path):
        other = Desk(str(tmp_path / "other.db"))
        tellers = [one.teller(hook(receiver)) for one in (desk, other)]
        desk.happen("a")
        other.happen("b")
        for teller in tellers:
            await teller.tell()
        assert len({one.headers["webhook-id"] for one in receiver.taken}) == 2


class TestMany:
    async def test_what_exceeds_the_minute_is_one_digest_and_nothing_is_lost(self, desk, receiver):
        teller = desk.teller(hook(receiver, per_minute=3))
        desk.happen(*"abcde")
        desk.happen("worst", severity=EventSeverity.CRITICAL)
        desk.happen("z")
        await teller.tell()
        assert names(receiver) == ["a", "b", "digest"]
        data = receiver.taken[2].json["data"]
        assert (data["first_seq"], data["last_seq"], data["count"]) == (3, 7, 5)
        assert data["by_severity"] == {"critical": 1, "warning": 4}
        assert data["severity"] == "critical"
        assert "worst" in {one["subject_id"] for one in data["worst"]}

    async def test_a_full_minute_waits_for_the_next(self, desk, receiver):
        teller = desk.teller(hook(receiver, per_minute=1))
        desk.happen("a")
        await teller.tell()
        desk.happen("b", "c")
        await teller.tell()
        assert names(receiver) == ["a"]
        desk.ticks = 61
        await teller.tell()
        assert names(receiver) == ["a", "digest"]
        assert receiver.taken[1].json["data"]["count"] == 2

    async def test_a_backlog_of_thousands_is_one_message_of_moderate_size(self, desk, receiver):
        teller = desk.teller(hook(receiver, per_minute=1))
        desk.happen(*(f"c{number}" for number in range(2_500)))
        await teller.tell()
        (one,) = receiver.taken
        assert one.json["data"]["count"] == 2_500
        assert len(one.body) < 10_000

    async def test_the_digest_is_for_people_too(self, desk, receiver):
        teller = desk.teller(SinkSpec(name="chat", type="slack", url=Secret(receiver.url), per_minute=1))
        desk.happen(*"abcdefg")
        desk.happen("worst", severity=EventSeverity.CRITICAL)
        await teller.tell()
        lines = receiver.taken[0].json["text"].splitlines()
        assert lines[:3] == [
            "CRITICAL: 8 events, told as one",
            "What: 8 found",
            "How bad: 1 critical, 7 warning",
        ]
        assert any(line.startswith("- CRITICAL: withdraw-enabled of connection worst") for line in lines)
        assert lines[-2:] == ["and 3 more", "All: reconcile history (events 1 to 8)"]


class TestASinkThatTakesNothing:
    async def test_is_tried_again_with_growing_pauses_and_then_told_all(self, desk, receiver):
        receiver.status(500)
        teller = desk.teller(hook(receiver))
        desk.happen("a", "b")
        await teller.tell()
        await teller.tell()
        assert len(receiver.taken) == 1, "not before its pause is over"
        desk.now += timedelta(seconds=30)
        await teller.tell()
        desk.now += timedelta(seconds=30)
        await teller.tell()
        assert len(receiver.taken) == 2
        receiver.status(204)
        receiver.taken.clear()
        desk.now += timedelta(seconds=30)
        await teller.tell()
        assert names(receiver) == ["a", "b"]
        assert desk.cursors()["ops"].failures == 0

    async def test_does_not_hold_up_others(self, desk, receivers):
        dead, well = receivers(), receivers()
        dead.hang = True
        teller = desk.teller(hook(dead, "dead"), hook(well, "well"), opener=Impatient)
        desk.happen("a")
        await teller.tell()
        assert names(well) == ["a"]
        assert desk.cursors()["well"].seq == 1
        assert desk.cursors()["dead"].failures == 1

    async def test_is_said_once_with_what_when_and_when_again(self, desk, receiver):
        receiver.status(404)
        teller = desk.teller(hook(receiver))
        desk.happen("a")
        await teller.tell()
        desk.now += timedelta(minutes=5)
        await teller.tell()
        assert desk.said == [
            (
                "notifications do not reach ops since 2026-11-22 10:00:00 UTC: it answered 404: there is "
                "nothing at that URL; nothing is lost, they are sent again by the first pass after "
                "2026-11-22 10:00:30 UTC (try it with `reconcile notify`)"
            )
        ]

    async def test_is_told_to_the_others_once_and_so_is_its_end(self, desk, receivers):
        dead, well = receivers(), receivers()
        dead.status(500)
        teller = desk.teller(hook(dead, "dead"), hook(well, "well"))
        desk.happen("a")
        for _ in range(5):
            await teller.tell()
            desk.now += timedelta(hours=1)
        await teller.tell()
        assert names(well) == ["a", "dead"]
        failing = well.taken[1].json
        assert (failing["type"], failing["data"]["severity"]) == ("sink-failing", "warning")
        assert failing["data"]["summary"] == "dead took no notification in 3 attempts: it answered 500"
        dead.status(204)
        dead.taken.clear()
        desk.now += timedelta(hours=1)
        await teller.tell()
        await teller.tell()
        assert [one.json["type"] for one in well.taken[1:]] == ["sink-failing", "sink-restored"]
        assert [one.json["type"] for one in dead.taken] == ["found", "sink-failing", "sink-restored"]

    async def test_one_message_that_it_refuses_does_not_keep_the_others_from_it(self, desk, receiver):
        def refuse(taken):
            receiver.status(400 if taken.json["data"].get("subject_id") == "poison" else 204)

        receiver.on_taken = refuse
        teller = desk.teller(hook(receiver))
        desk.happen("a", "poison", "b")
        for _ in range(5):
            await teller.tell()
            desk.now += timedelta(hours=1)
        assert names(receiver)[-2:] == ["digest", "ops"]
        digest = next(one.json["data"] for one in receiver.taken if one.json["type"] == "digest")
        assert {one["subject_id"] for one in digest["worst"]} == {"poison", "b", "ops"}

    async def test_is_tried_at_once_when_the_clock_was_set_back(self, desk, receiver):
        receiver.status(500)
        teller = desk.teller(hook(receiver))
        desk.happen("a")
        await teller.tell()
        desk.now -= timedelta(days=400)
        await teller.tell()
        assert len(receiver.taken) == 2


class Impatient:
    """A sink over the real HTTP client, with a time limit that a test can wait for."""

    def __init__(self, spec) -> None:
        self.spec = spec

    async def send(self, message) -> None:
        body = json.dumps({"type": message.type, "data": dict(message.data)}).encode()
        await post(self.spec.url, body, {"webhook-id": message.id}, limit=0.3)


class TestTwoTellers:
    async def test_at_once_tell_each_event_once(self, desk, receiver):
        tellers = [desk.teller(hook(receiver)) for _ in range(2)]
        desk.happen(*"abcd")
        await asyncio.gather(*(teller.tell() for teller in tellers))
        assert [one.json["data"]["subject_id"] for one in receiver.taken] == list("abcd")

    async def test_one_that_waited_tells_what_came_meanwhile(self, desk, receiver):
        first, second = desk.teller(hook(receiver)), desk.teller(hook(receiver))
        desk.happen("a")
        await asyncio.gather(first.tell(), second.tell())
        desk.happen("b")
        await second.tell()
        assert names(receiver) == ["a", "b"]

    async def test_a_claim_that_never_ends_is_not_waited_for_long(self, desk, receiver):
        teller = desk.teller(hook(receiver))
        desk.happen("a")
        with open_outbox(desk.url, clock=lambda: desk.now) as outbox:
            assert outbox.claim("ops", "somebody else")
        await teller.tell()
        assert receiver.taken == []
        assert desk.slept <= 10
        desk.now += timedelta(seconds=61)
        await teller.tell()
        assert names(receiver) == ["a"]


async def test_soon_runs_beside_what_comes_next_and_close_waits_for_it(desk, receiver):
    teller = desk.teller(hook(receiver))
    desk.happen("a")
    teller.soon()
    teller.soon()
    assert receiver.taken == []
    desk.happen("b")
    await teller.close()
    assert names(receiver) == ["a", "b"]


async def test_a_state_that_cannot_be_had_is_said_and_raises_nothing(receiver, tmp_path):
    desk = Desk(str(tmp_path))  # a folder
    teller = desk.teller(hook(receiver))
    await teller.tell()
    await teller.tell()
    (said,) = desk.said
    assert said.startswith("notifications wait: ")


async def test_without_sinks_nothing_is_touched(tmp_path):
    desk = Desk(str(tmp_path / "state.db"))
    await desk.teller().tell()
    assert list(tmp_path.iterdir()) == []


async def test_a_test_message_says_that_it_is_one_and_touches_no_state(receivers, tmp_path):
    well, dead = receivers(), receivers()
    dead.status(403)
    desk = Desk(str(tmp_path / "state.db"))
    chat = SinkSpec(name="chat", type="slack", url=Secret(well.url))
    found = await try_sinks(desk.settings, [chat, hook(dead, "dead")])
    assert found == (
        ("chat", ""),
        ("dead", "it answered 403: it does not let us: the URL or its token is wrong"),
    )
    assert "Somebody ran `reconcile notify`" in well.taken[0].json["text"]
    assert list(tmp_path.iterdir()) == []


async def test_a_sink_raises_nothing_but_that_it_did_not_take_it():
    with pytest.raises(NotTaken):
        await Slack(Secret("http://127.0.0.1:1/x")).send(_any_message())


def _any_message():
    return of_test("ops", at=START)
