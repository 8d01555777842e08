"""What follows an apply, once it is recorded and the lock given back: people are told, metrics written."""

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
    """Who is told what an apply does, and where its metrics go. Changes no exit code.

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
        self.sinks = _sinks(notify_file, settings) if notify_file else ()
        self.teller = Teller(settings, self.sinks)

    def begin(self) -> None:
        """Have new sinks hear of what happens from now on."""
        self.teller.meet()

    def end(self, code: ExitCode) -> None:
        """Tell what happened, and write the metrics of a run that ends with ``code``."""
        run_async(self.teller.tell())
        self.write_metrics(code)

    def write_metrics(self, code: ExitCode) -> None:
        """Write the metrics where they were asked for; say where that cannot be."""
        if self._metrics is None:
            return
        settings = self._settings
        try:
            names = [one.name for one in self.sinks]
            found = vitals(settings, sinks=names, run=(settings.now(), int(code)))
            screen.write_file(self._metrics, render(found))
        except ReconcilerError as error:
            if settings.notice:
                settings.notice(f"no metrics were written: {error}")


def _sinks(notify_file: str, settings: Settings) -> tuple[SinkSpec, ...]:
    try:
        return read_sinks(notify_file, settings)
    except (SopsMissing, KeyUnavailable, SopsFailed) as error:
        if settings.notice:
            settings.notice(f"nobody is told what happens: {error}")
        return ()
