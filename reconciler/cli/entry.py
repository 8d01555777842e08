"""The entry point: one place where every error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from reconciler.cli import crash, logs
from reconciler.model.errors import ExitCode, ReconcilerError


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``reconcile`` and leave the process with the exit code that DESIGN's table gives."""
    crash.quote_nothing()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run ``reconcile`` and give its exit code; never a traceback, never a secret."""
    _forbid_core_dumps()
    logs.choose(logs.asked_for(sys.argv[1:] if arguments is None else arguments, os.environ))
    try:
        from reconciler.cli.root import root  # noqa: PLC0415 - nothing is imported before main is called

        code = root.main(
            list(arguments) if arguments is not None else None, "reconcile", standalone_mode=False
        )
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.exceptions.Abort:
        code = _say("Interrupted; nothing further was done.", ExitCode.INTERRUPTED)
    except click.UsageError as wrong:
        code = _usage(wrong)
    except click.ClickException as wrong:
        code = _say(f"error: {wrong.format_message()}", ExitCode.CONFIG)
    except ReconcilerError as error:
        code = _explain(error)
    except KeyboardInterrupt:
        code = _say("Interrupted; nothing further was done.", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        code = _closed_pipe()
    except Exception as error:  # noqa: BLE001 - the one boundary: a crash must not print locals or values
        code = _say(crash.describe(type(error), error.__traceback__), ExitCode.FAILED)
    return int(code or 0)


def _explain(error: ReconcilerError) -> int:
    """Print an error of ours on stderr, every problem of it, and give its exit code."""
    from reconciler.output.error import error_fields, render_error  # noqa: PLC0415 - only when it is wrong

    if logs.chosen_json():
        logs.say(str(error), level="error", **error_fields(error))
    else:
        click.echo(render_error(error), err=True, nl=False)
    return error.exit_code


def _usage(wrong: click.UsageError) -> int:
    command = wrong.ctx.command_path if wrong.ctx else "reconcile"
    return _say(f"error: {wrong.format_message()}\nhint: {command} --help", ExitCode.CONFIG)


def _say(text: str, code: ExitCode) -> int:
    logs.say(text, level="error", exit_code=int(code))
    return code


def _closed_pipe() -> int:
    """The reader went away (``| head``): leave quietly, as other tools do."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return ExitCode.FAILED


def _forbid_core_dumps() -> None:
    """A core file would hold every decrypted key."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
