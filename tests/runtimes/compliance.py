"""What every runtime has to do, whatever stands behind it: one suite, which each driver's tests inherit.

A driver gives a stand: how to open it, what somebody does by hand in the system behind it, and what that
system was told. One whose system is reached over HTTP gives a :class:`Wire` beside.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from aiohttp import web

from reconciler.engine.apply import apply, recover
from reconciler.model.desired import OnDisable
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import Action, ActionKind, OutcomeState, Plan
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes.interface import Runtime
from reconciler.state.store import open_for_writing

STRATEGY = "btc-eth"
CONNECTION = "main"
RUNTIME = "there"
CANARY = "canary-7fK2-do-not-show"
HOWS = (OnDisable.STOP, OnDisable.STOP_ENTRIES)
"""What a runtime may be asked for; one that knows only one of the two does that."""
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


class Stand(Protocol):
    """One runtime and the system behind it, in which :data:`STRATEGY` is known and off.

    ``parameters`` are what the strategy is enabled with.
    """

    parameters: Mapping[str, Any]

    def open(self, store: Any, *, secret: str = ...) -> Runtime:
        """The runtime, as for one pass over ``store``; with ``secret`` as its credentials."""

    def start_by_hand(self) -> None:
        """Somebody starts the strategy past this tool."""

    def stop_by_hand(self) -> None:
        """Somebody stops it."""

    def acts(self) -> int:
        """How often the system was told to do something."""


#: What a wire can do to requests, and what a driver must call it.
TROUBLES = {
    "down": Kind.UNREACHABLE,
    "slow": Kind.UNREACHABLE,
    "garbage": Kind.UNEXPECTED_ANSWER,
    "shape": Kind.UNEXPECTED_ANSWER,
    "redirect": Kind.UNEXPECTED_ANSWER,
}


class Wire:
    """HTTP in front of a system: well, or with one trouble at a time. ``hits`` counts requests."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.trouble: str | None = None
        self.hits = 0
        self.strayed: list[web.Request] = []
        self.url = ""
        self.elsewhere = ""
        self.release = asyncio.Event()

    @asynccontextmanager
    async def running(self, serve: Any) -> AsyncIterator[Wire]:
        self.elsewhere = await serve(self._stray)
        self.url = await serve(self._answer)
        yield self
        self.release.set()

    async def _stray(self, request: web.Request) -> web.StreamResponse:
        self.strayed.append(request)
        return web.json_response({})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.hits += 1
        match self.trouble:
            case "slow":
                await self.release.wait()
            case "garbage":
                return web.Response(text="<html>Sign in to continue</html>", content_type="text/html")
            case "shape":
                return web.json_response(["nothing", 1])
            case "redirect":
                raise web.HTTPTemporaryRedirect(f"{self.elsewhere}{request.path}")
            case "down":
                request.transport.abort()
                return web.Response()
            case "lost" if request.method != "GET" and "token" not in request.path:
                await self._handle(request)
                request.transport.abort()
                return web.Response()
        return await self._handle(request)


class Compliance:
    """The suite for any runtime. A subclass gives the fixture ``stand``."""

    @pytest.fixture
    def store(self, tmp_path):
        with open_for_writing(f"sqlite:///{tmp_path / 'state.db'}") as opened:
            yield opened

    @pytest.fixture
    def lease(self, store):
        with store.lease(clock=lambda: NOW) as held:
            yield held

    @pytest.fixture
    async def opened(self, stand, store):
        """Opens the runtime anew, as each pass does."""
        made = []

        def open_one(**options):
            made.append(stand.open(store, **options))
            return made[-1]

        yield open_one
        for one in made:
            await one.close()

    @pytest.fixture
    def runtime(self, opened):
        return opened()

    async def enable(self, runtime, stand, lease):
        await runtime.enable(STRATEGY, stand.parameters, connection=CONNECTION, token=lease.token)

    async def on(self, runtime) -> bool | None:
        held = (await runtime.read()).get(STRATEGY)
        return held.enabled if held else False

    async def test_what_is_off_is_told_as_off(self, runtime, stand):
        assert await self.on(runtime) is False
        assert stand.acts() == 0

    async def test_enabled_is_on_and_enabling_again_does_nothing(self, runtime, stand, lease):
        assert await self.on(runtime) is False
        await self.enable(runtime, stand, lease)
        assert await self.on(runtime) is True
        told = stand.acts()
        await self.enable(runtime, stand, lease)
        assert (await self.on(runtime), stand.acts()) == (True, told)

    async def test_what_is_done_by_hand_is_seen(self, runtime, stand, lease):
        stand.start_by_hand()
        assert await self.on(runtime) is True
        stand.stop_by_hand()
        assert await self.on(runtime) is False
        await self.enable(runtime, stand, lease)
        assert await self.on(runtime) is True

    @pytest.mark.parametrize("how", HOWS)
    async def test_disabled_is_off_and_disabling_again_does_nothing(self, runtime, stand, lease, how):
        await runtime.read()
        await self.enable(runtime, stand, lease)
        await runtime.disable(STRATEGY, token=lease.token, how=how)
        assert await self.on(runtime) is False
        told = stand.acts()
        await runtime.disable(STRATEGY, token=lease.token, how=how)
        assert (await self.on(runtime), stand.acts()) == (False, told)

    @pytest.mark.parametrize("how", HOWS)
    async def test_what_was_disabled_in_one_way_stays_off_in_the_other(self, runtime, stand, lease, how):
        await runtime.read()
        await self.enable(runtime, stand, lease)
        for one in (how, *(other for other in HOWS if other is not how)):
            await runtime.disable(STRATEGY, token=lease.token, how=one)
            assert await self.on(runtime) is False
        await self.enable(runtime, stand, lease)
        assert await self.on(runtime) is True

    async def test_parameters_are_as_told_or_not_told(self, runtime, stand, lease):
        await runtime.read()
        await self.enable(runtime, stand, lease)
        assert (await runtime.read())[STRATEGY].parameters in (None, dict(stand.parameters))

    async def test_reading_changes_nothing(self, runtime, stand):
        stand.start_by_hand()
        told = stand.acts()
        assert [await self.on(runtime), await self.on(runtime)] == [True, True]
        assert stand.acts() == told

    @pytest.mark.parametrize("acted", [True, False])
    @pytest.mark.parametrize("kind", [ActionKind.ENABLE, ActionKind.DISABLE])
    async def test_a_kill_between_the_call_and_its_answer(self, opened, stand, store, kind, acted):
        """Invariant 7: the next pass reads what became of it, and goes on from there."""
        if kind is ActionKind.DISABLE:
            stand.start_by_hand()
        action = self.action(kind, stand)
        with store.lease(clock=lambda: NOW) as lease:
            store.intend(action, token=lease.token, at=NOW)
            if acted:
                runtime = opened()
                await runtime.read()
                if kind is ActionKind.ENABLE:
                    await self.enable(runtime, stand, lease)
                else:
                    await runtime.disable(STRATEGY, token=lease.token, how=OnDisable.STOP)
        wanted = kind is ActionKind.ENABLE
        with store.lease(clock=lambda: NOW) as lease:
            given = {"runtimes": {RUNTIME: opened()}, "store": store, "lease": lease, "clock": lambda: NOW}
            (outcome,) = await recover(**given)
            assert outcome.state is (OutcomeState.DONE if acted else OutcomeState.FAILED)
            assert store.unfinished() == ()
            assert (STRATEGY in store.inventory()) is (acted and wanted)
            await given["runtimes"][RUNTIME].read()
            again = await apply(Plan(actions=(action,), digest=""), **given)
            assert [one.state for one in again] == [OutcomeState.DONE]
            assert await self.on(given["runtimes"][RUNTIME]) is wanted

    def action(self, kind, stand):
        after = stand.parameters if kind is ActionKind.ENABLE else None
        return Action(
            kind=kind, strategy=STRATEGY, runtime=RUNTIME, reason="", connection=CONNECTION, after=after
        )


class WireCompliance(Compliance):
    """The suite for a runtime that is reached over HTTP. A subclass gives ``wire`` beside ``stand``."""

    async def acts_on(self, runtime, stand, lease):
        """Both acts; what each raised."""
        raised = []
        for act in (
            self.enable(runtime, stand, lease),
            runtime.disable(STRATEGY, token=lease.token, how=OnDisable.STOP),
        ):
            with pytest.raises(RuntimeFailed) as caught:
                await act
            raised.append(caught.value)
        return raised

    async def failure(self, runtime):
        with pytest.raises(RuntimeFailed) as caught:
            await runtime.read()
        shown = f"{caught.value!r} {caught.value} {caught.value.hint}"
        assert CANARY not in shown
        assert caught.value.hint
        return caught.value

    @pytest.mark.parametrize("trouble", TROUBLES)
    async def test_trouble_on_the_way_is_told_and_changes_nothing(self, opened, stand, wire, lease, trouble):
        wire.trouble, kind = trouble, TROUBLES[trouble]
        assert (await self.failure(opened())).kind is kind
        raised = await self.acts_on(opened(), stand, lease)
        assert {one.kind for one in raised} == {kind}
        assert not any(CANARY in str(one) for one in raised)
        wire.trouble = None
        wire.release.set()
        assert stand.acts() == 0
        assert wire.strayed == []

    async def test_a_wrong_secret_is_told_as_one(self, opened, stand, lease):
        wrong = opened(secret=f"{CANARY}-wrong")
        assert (await self.failure(wrong)).kind is Kind.UNAUTHORISED
        raised = await self.acts_on(wrong, stand, lease)
        assert {(one.kind, one.untouched) for one in raised} == {(Kind.UNAUTHORISED, True)}
        assert stand.acts() == 0

    async def test_nothing_listening_leaves_the_runtime_untouched(self, opened, stand, wire, lease, unused):
        wire.url = unused
        raised = await self.acts_on(opened(), stand, lease)
        assert {(one.kind, one.untouched) for one in raised} == {(Kind.UNREACHABLE, True)}

    async def test_a_lost_answer_leaves_open_whether_it_was_done(self, runtime, stand, wire, lease):
        await runtime.read()
        wire.trouble = "lost"
        with pytest.raises(RuntimeFailed) as caught:
            await self.enable(runtime, stand, lease)
        assert not caught.value.untouched
        assert stand.acts() >= 1
        wire.trouble = None
        assert await self.on(runtime) is True
