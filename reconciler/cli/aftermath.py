"""What follows a pass, once it is recorded and the lock given back: people are told, metrics written."""

from __future__ import annotations

from pathlib import Path

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

    def begin(self) -> None:
        """Have new sinks hear of what happens from now on."""
        self._teller.meet()

    def end(self, code: ExitCode) -> None:
        """Tell what happened, and write the metrics of a run that ends with ``code``."""
        run_async(self._teller.tell())
        self._write(code)

    def turn(self) -> None:
        """After each turn of a loop: have people told beside the next one, and write the metrics now."""
        self._teller.soon()
        self._write(None)

    async def close(self) -> None:
        """Let those be told who can be, soon: the loop is told to end."""
        await self._teller.close()

    def metrics(self, *, loop_up: bool | None = None, code: ExitCode | None = None) -> str:
        """The metrics as they are now. Raise ``StateError``."""
        run = None if code is None else (self._settings.now(), int(code))
        names = [one.name for one in self._sinks]
        return render(vitals(self._settings, sinks=names, run=run, loop_up=loop_up))

    def _write(self, code: ExitCode | None) -> None:
        if self._metrics is None:
            return
        try:
            screen.write_file(self._metrics, self.metrics(code=code))
        except ReconcilerError as error:
            if self._settings.notice:
                self._settings.notice(f"no metrics were written: {error}")


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
