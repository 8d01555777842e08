"""What follows a pass, once it is recorded and the lock given back: people are told, metrics written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reconciler import __version__
from reconciler.cli import screen
from reconciler.cli.run import run_async
from reconciler.engine.notify import Teller
from reconciler.engine.settings import Settings
from reconciler.engine.sinks import read_sinks
from reconciler.engine.vitals import vitals
from reconciler.model.errors import (
    ExitCode,
    KeyUnavailable,
    ReconcilerError,
    SopsFailed,
    SopsMissing,
    UsageError,
)
from reconciler.model.vitals import Vitals
from reconciler.notify.interface import SinkSpec
from reconciler.output.metrics import render


class Aftermath:
    """Who is told what passes do, and where their metrics go. Changes no exit code.

    Wrong options and files stop a run before it begins: raises ``UsageError``, ``ConfigError`` and
    ``SecretsError``. Where only sops cannot open the file now, the run goes on, since strategies may
    have to be stopped; what happened is told by a later one.
    """

    def __init__(self, settings: Settings, *, notify_file: str | None, metrics_file: str | None) -> None:
        self._settings = settings
        self._metrics = Path(metrics_file) if metrics_file else None
        if self._metrics and not self._metrics.parent.is_dir():
            raise UsageError(
                f"--metrics-file {metrics_file} stands in no folder", hint="name a folder that is there"
            )
        self._sinks = _sinks(notify_file, settings) if notify_file else ()
        self._teller = Teller(settings, self._sinks)
        self._renewing: asyncio.Task[None] | None = None
        self._seen = Vitals(version=__version__)
        self._failing = False

    def begin(self) -> None:
        """Have new sinks hear of what happens from now on."""
        self._teller.meet()

    def end(self, code: ExitCode) -> None:
        """Tell what happened, and write the metrics of a run that ends with ``code``."""
        run_async(self._teller.tell())
        self._write(code)

    def turn(self) -> None:
        """After each turn of a loop: have people told and metrics renewed, both beside the next one."""
        self._teller.soon()
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(asyncio.to_thread(self._renew))

    async def close(self) -> None:
        """Let those be told who can be, soon: the loop is told to end."""
        if self._renewing is not None:
            await self._renewing
        await self._teller.close()

    def metrics(self, *, loop_up: bool) -> str:
        """The metrics as they were after the last turn; reads nothing, so that it always answers."""
        return render(replace(self._seen, loop_up=loop_up))

    def _renew(self) -> None:
        with self._said("no metrics were gathered"):
            self._seen = self._look(None)
            if self._metrics:
                screen.write_file(self._metrics, render(self._seen))

    def _write(self, code: ExitCode) -> None:
        if self._metrics is not None:
            with self._said("no metrics were written"):
                screen.write_file(self._metrics, render(self._look(code)))

    def _look(self, code: ExitCode | None) -> Vitals:
        run = None if code is None else (self._settings.now(), int(code))
        return vitals(self._settings, sinks=[one.name for one in self._sinks], run=run)

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """Say once, in place of raising it, that something of this could not be."""
        try:
            yield
        except ReconcilerError as error:
            if self._settings.notice and not self._failing:
                self._settings.notice(f"{what}: {error}")
            self._failing = True
        else:
            self._failing = False


def tell_now(settings: Settings, notify_file: str) -> None:
    """Tell what an emergency did, once it is done: nothing about it may keep anybody from stopping.

    Raises no error of ours. A sink that is new hears of what follows only.
    """
    try:
        teller = Teller(settings, read_sinks(notify_file, settings))
    except ReconcilerError as error:
        if settings.notice:
            settings.notice(f"nobody is told what happens: {error}")
    else:
        run_async(teller.tell())


def _sinks(notify_file: str, settings: Settings) -> tuple[SinkSpec, ...]:
    try:
        return read_sinks(notify_file, settings)
    except (SopsMissing, KeyUnavailable, SopsFailed) as error:
        if settings.notice:
            settings.notice(f"nobody is told what happens: {error}")
        return ()
