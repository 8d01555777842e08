"""The loop's signals, where a runtime does not answer: the first waits for it, the second does not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal

import pytest

from reconciler.cli.watch import _until_told
from reconciler.engine.loop import Loop
from reconciler.engine.settings import Settings
from reconciler.model.errors import ExitCode, UsageError
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.state.store import open_for_reading


@pytest.fixture
def settings(tmp_path):
    """One strategy to be stopped, on a machine where no key can be opened."""
    shutil.copytree(folder("examples") / "secrets", tmp_path / "secrets")
    document = {
        "version": 1,
        "connections": {
            "mexc-spot-main": {
                "name": "M",
                "exchange": "mexc",
                "market": "spot",
                "credentials": "secrets/mexc-spot-main.sops.yaml",
            }
        },
        "runtimes": {"paper": {"type": "ledger"}},
    }
    (tmp_path / "connections.yaml").write_text(json.dumps(document))
    return Settings(
        files=(str(tmp_path / "connections.yaml"),),
        state=str(tmp_path / "state.db"),
        sops=str(tmp_path / "no-sops"),
        environ={},
    )


@pytest.fixture
def asked(monkeypatch):
    """Told once the runtime was asked, which never answers."""
    event = asyncio.Event()

    class Silent(Ledger):
        async def read(self):
            event.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(
        registry,
        "TYPES",
        {"ledger": RuntimeType(name="ledger", open=lambda one: Silent(one.spec.id, one.state))},
    )
    return event


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_request_ends_it_at_once_and_gives_the_lock_back(settings, asked, second):
    loop = Loop(settings, interval=60)
    running = asyncio.create_task(_until_told(loop))
    await asyncio.wait_for(asked.wait(), 120)
    assert open_for_reading(settings.state).lease_record().holder is not None
    os.kill(os.getpid(), signal.SIGTERM)
    done, _ = await asyncio.wait({running}, timeout=0.2)
    assert not done, "the runtime has not answered yet"
    assert loop.health.stopping
    os.kill(os.getpid(), second)
    assert await asyncio.wait_for(running, 120) is ExitCode.INTERRUPTED
    assert open_for_reading(settings.state).lease_record().holder is None


async def test_an_error_at_the_start_is_the_error_that_it_is(settings):
    wrong = Loop(Settings(files=settings.files, state="mysql://host/db", environ={}), interval=60)
    with pytest.raises(UsageError, match="--state"):
        await _until_told(wrong)
