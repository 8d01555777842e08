"""What a service manager hears, on a real socket of the kind that it gives."""

from __future__ import annotations

import asyncio
import os
import re
import socket

import pytest

from reconciler.engine.systemd import Supervisor


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket and the name that it goes by in the environment."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@reconciler-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind(name.replace("@", "\0", 1))
        here.settimeout(5)
        yield here, name


def test_each_word_is_one_datagram(manager):
    here, name = manager
    it = Supervisor.of({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"})
    assert it.watchdog == 30
    it.ready()
    it.alive()
    it.stopping()
    it.status("3 passes,\nthe last ended with 0")
    it.reloading()
    heard = [here.recv(1024).decode() for _ in range(5)]
    assert heard[:4] == ["READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=3 passes, the last ended with 0"]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard[4])


def test_a_status_is_one_short_line(manager):
    here, name = manager
    Supervisor(address=name).status("é" * 1000)
    assert len(here.recv(4096)) <= 410


@pytest.mark.parametrize(
    ("environ", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "5000000"}, None),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": ""}, None),
    ],
)
def test_a_watchdog_is_ours_only_where_it_is(environ, watchdog):
    assert Supervisor.of(environ).watchdog == watchdog


def test_a_manager_that_is_not_there_or_does_not_listen_ends_nothing(tmp_path, manager):
    Supervisor(address=str(tmp_path / "nobody")).ready()
    Supervisor().ready()
    _, name = manager
    deaf = Supervisor(address=name)
    for _ in range(2000):  # more than any socket holds
        deaf.alive()


async def test_the_watchdog_is_fed_while_the_loop_goes_round_and_not_when_it_is_stuck(manager):
    from reconciler.engine.loop import Loop  # noqa: PLC0415
    from reconciler.engine.settings import Settings  # noqa: PLC0415

    here, name = manager
    here.setblocking(False)
    slept, now, thrice = [], [0.0], asyncio.Event()

    async def sleep(seconds):
        slept.append(seconds)
        if len(slept) >= 3:
            thrice.set()
        await asyncio.sleep(0)

    loop = Loop(
        Settings(files=("none.yaml",), sleep=sleep),
        interval=60,
        supervisor=Supervisor(address=name, watchdog=30),
        clock=lambda: now[0],
    )
    loop.health.promise(10)
    task = asyncio.create_task(loop._keep_alive(30))
    await thrice.wait()
    assert here.recv(100) == b"WATCHDOG=1"
    assert set(slept) == {10}, "a third of the time"
    now[0] = 100.0
    for _ in range(5):
        await asyncio.sleep(0)
    while True:
        try:
            here.recv(100)
        except BlockingIOError:
            break
    for _ in range(10):
        await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        here.recv(100)
    task.cancel()
