"""The command driver against the program of ``examples/``, and against programs that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from compliance import CANARY, CONNECTION, RUNTIME, STRATEGY, Compliance
from contract import PARAMETERS, a_request

from reconciler.model.desired import OnDisable, RuntimeSpec
from reconciler.model.errors import LockHeld, Mark, RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.resources import folder
from reconciler.runtimes.command import MAX_OUTPUT
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.registry import open_runtime

SWITCHES = folder("examples") / "runtimes" / "command" / "switches.py"
PYTHON = (sys.executable, "-I", "-S")


def opening(*argv, **options):
    return Opening(
        spec=RuntimeSpec(
            id=RUNTIME,
            type="command",
            mark=Mark(file="connections.yaml", line=9),
            options={"command": [str(one) for one in argv], **options},
        ),
        state=None,
        timeout=30.0,
        allow_commands=True,
        environ={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MEXC_SECRET": CANARY, "SOPS_AGE_KEY": CANARY},
    )


class Desk:
    """The program and the folder of its switches."""

    parameters = PARAMETERS

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()

    def open(self, store=None):
        return open_runtime(opening(*PYTHON, SWITCHES, self.place))

    def start_by_hand(self):
        (self.place / f"{STRATEGY}.json").write_text('{"enabled": true}')

    def stop_by_hand(self):
        (self.place / f"{STRATEGY}.json").write_text('{"enabled": false}')

    def acts(self):
        """Whatever an act leaves: the file of a switch is a new one each time."""
        return {file.name: (file.stat().st_ino, file.read_text()) for file in self.place.glob("*.json")}


@pytest.fixture
def stand(tmp_path):
    return Desk(tmp_path / "switches")


class TestCommand(Compliance):
    """The suite."""

    async def test_what_is_off_is_told_as_off(self, runtime, stand):
        assert await self.on(runtime) is False
        assert list(stand.place.iterdir()) == []


def program(text):
    """A runtime whose program is ``text`` in Python; ``asked`` is the request."""
    return opening(*PYTHON, "-c", f"import json, os, sys, time\nasked = json.load(sys.stdin)\n{text}")


async def enable(runtime, token=1):
    await runtime.enable(STRATEGY, PARAMETERS, connection=CONNECTION, token=token)


async def failures(given):
    """What reading, starting and stopping raised, with ``untouched`` of each."""
    raised = []
    runtime = open_runtime(given)
    for call in (runtime.read(), enable(runtime), runtime.disable(STRATEGY, token=1, how=OnDisable.STOP)):
        with pytest.raises(RuntimeFailed) as caught:
            await call
        shown = f"{caught.value!r} {caught.value} {caught.value.hint}"
        assert CANARY not in shown
        assert caught.value.hint
        raised.append(caught.value)
    return {one.kind for one in raised}, [one.untouched for one in raised], str(raised[0])


async def test_nothing_is_started_unless_the_operator_allows_it(tmp_path):
    left = tmp_path / "ran"
    given = replace(program(f"open({str(left)!r}, 'w')"), allow_commands=False)
    kinds, untouched, told = await failures(given)
    assert (kinds, untouched) == ({Kind.NOT_ALLOWED}, [True, True, True])
    assert "not allowed here" in told
    assert not left.exists()


async def test_it_gets_the_request_and_three_variables_and_nothing_else(tmp_path):
    left = tmp_path / "got"
    given = program(
        "got = [asked, sys.argv, dict(os.environ), os.getcwd(), os.isatty(0)]\n"
        f"open({str(left)!r}, 'w').write(json.dumps(got))\nprint(json.dumps({{'done': True}}))"
    )
    await enable(open_runtime(given), token=7)
    asked, argv, environ, where, terminal = json.loads(left.read_text())
    assert a_request.is_valid(asked)
    assert (asked["action"], asked["token"], asked["parameters"]) == ("enable", 7, PARAMETERS)
    assert environ.keys() - {"LC_CTYPE"} == {"PATH", "LANG"}  # LC_CTYPE is Python's own doing
    assert (argv, where, terminal) == (["-c"], "/", False)
    assert CANARY not in left.read_text()


async def test_no_shell_reads_the_arguments(tmp_path):
    odd = ["$HOME", "`id`", "a b", "*", "; touch x", ""]
    left = tmp_path / "argv"
    given = program(
        f"open({str(left)!r}, 'w').write(json.dumps(sys.argv[1:]))\nprint(json.dumps({{'done': True}}))"
    )
    spec = replace(given.spec, options={"command": [*given.spec.options["command"], *odd]})
    await enable(open_runtime(replace(given, spec=spec)))
    assert json.loads(left.read_text()) == odd


MISBEHAVING = {
    "garbage": ("print('<html>')", Kind.UNEXPECTED_ANSWER),
    "nothing": ("", Kind.UNEXPECTED_ANSWER),
    "shape": ("print('[1]')", Kind.UNEXPECTED_ANSWER),
    "deep": ("print('[' * 200000)", Kind.UNEXPECTED_ANSWER),
    "bytes": ("sys.stdout.buffer.write(b'\\xff\\xfe')", Kind.UNEXPECTED_ANSWER),
    "endless": (f"sys.stdout.write(' ' * {MAX_OUTPUT + 1})", Kind.UNEXPECTED_ANSWER),
    "fails": ("sys.exit(3)", Kind.REFUSED),
    "crashes": ("os.kill(os.getpid(), 9)", Kind.REFUSED),
    "done and fails": ("print('{\"done\": true}'); sys.exit(1)", Kind.REFUSED),
}


@pytest.mark.parametrize("name", MISBEHAVING)
async def test_what_misbehaves_leaves_open_what_it_did_and_is_not_quoted(name):
    text, kind = MISBEHAVING[name]
    given = program(f"sys.stderr.write('{CANARY}' * 9)\n{text}")
    kinds, untouched, _ = await failures(given)
    assert (kinds, untouched) == ({kind}, [True, False, False])


async def test_what_is_not_there_or_no_program_is_unreachable_and_untouched(tmp_path):
    (tmp_path / "text").write_text("x")
    for path in (tmp_path / "absent", tmp_path / "text", tmp_path):
        kinds, untouched, told = await failures(opening(path))
        assert (kinds, untouched) == ({Kind.UNREACHABLE}, [True, True, True])
        assert "cannot be started" in told


async def test_a_login_that_fails_behind_it_is_told_as_one():
    kinds, untouched, _ = await failures(program("print(json.dumps({'refused': 'unauthorised'}))"))
    assert (kinds, untouched) == ({Kind.UNAUTHORISED}, [True, True, True])


#: Two processes that hold a pipe open, and stay for good, whatever they are asked.
STAYS = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pipe = os.open({pipe!r}, os.O_WRONLY)
if os.fork():
    os.write(pipe, b"s")
while True:
    signal.pause()
"""


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "held"
    os.mkfifo(path)
    return str(path)


async def started(pipe):
    """The other end of the pipe, once both processes are there; its end comes once both are gone."""
    file = await asyncio.to_thread(open, pipe, "rb", buffering=0)
    assert await asyncio.to_thread(file.read, 1) == b"s"
    return file


async def gone(file):
    with file:
        return await asyncio.to_thread(file.read) == b""


async def test_one_that_is_too_slow_is_ended_with_all_that_it_started(pipe):
    given = replace(program(STAYS.format(pipe=pipe)), timeout=2.0)
    held = asyncio.create_task(started(pipe))
    with pytest.raises(RuntimeFailed) as caught:
        await enable(open_runtime(given))
    assert (caught.value.kind, caught.value.untouched) == (Kind.UNREACHABLE, False)
    assert "within 2 s" in str(caught.value)
    assert await gone(await held)


async def test_a_time_limit_of_the_files_goes_before_that_of_the_operator(pipe):
    given = program(STAYS.format(pipe=pipe))
    spec = replace(given.spec, options={**given.spec.options, "time_limit": "2s"})
    held = asyncio.create_task(started(pipe))
    with pytest.raises(RuntimeFailed, match="within 2 s"):
        await open_runtime(replace(given, spec=spec)).read()
    assert await gone(await held)


async def test_one_that_nobody_waits_for_any_more_is_ended_too(pipe):
    call = asyncio.create_task(enable(open_runtime(program(STAYS.format(pipe=pipe)))))
    file = await started(pipe)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await gone(file)


async def test_many_that_hang_keep_nothing_else_waiting(tmp_path):
    """More than asyncio has threads of its own, in which names are resolved and secrets opened."""
    calls = []
    for number in range(40):
        os.mkfifo(path := tmp_path / f"held-{number}")
        runtime = open_runtime(opening("/bin/cat", path))
        calls.append(asyncio.create_task(enable(runtime)))
    await asyncio.sleep(0)  # each begins
    assert await asyncio.to_thread(lambda: "done") == "done"
    for call in calls:
        call.cancel()
    assert all(
        isinstance(one, asyncio.CancelledError)
        for one in await asyncio.gather(*calls, return_exceptions=True)
    )


async def test_an_older_applier_starts_nothing_and_still_stops(stand):
    runtime = stand.open()
    await enable(runtime, token=5)
    for act in (
        runtime.enable("other", PARAMETERS, connection=CONNECTION, token=4),
        runtime.change(STRATEGY, {}, connection=CONNECTION, token=4),
    ):
        with pytest.raises(LockHeld):
            await act
    await runtime.disable(STRATEGY, token=4, how=OnDisable.STOP)
    held = await runtime.read()
    assert {name: one.enabled for name, one in held.items()} == {STRATEGY: False}
    with pytest.raises(LockHeld):
        await enable(runtime, token=4)


async def test_a_change_is_read_back_and_what_is_off_is_not_changed(stand):
    runtime = stand.open()
    with pytest.raises(RuntimeFailed) as caught:
        await runtime.change(STRATEGY, {}, connection=CONNECTION, token=1)
    assert (caught.value.kind, caught.value.untouched) == (Kind.REFUSED, True)
    await enable(runtime)
    await runtime.change(STRATEGY, {"pairs": []}, connection="other", token=1)
    held = (await runtime.read())[STRATEGY]
    assert (held.enabled, held.connection, held.parameters) == (True, "other", {"pairs": []})
