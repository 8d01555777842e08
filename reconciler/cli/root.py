"""``reconcile`` itself: the options of the main job and the table of commands."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from reconciler import __version__
from reconciler.cli import options
from reconciler.cli.lazy import LazyGroup
from reconciler.model.errors import ExitCode

COMMANDS = {
    "validate": ("reconciler.cli.validate", "Check the files without any key and without the network."),
    "diff": ("reconciler.cli.diff", "Say what a pull request changes, without any key."),
    "check": ("reconciler.cli.check", "Read keys live and judge them, strategies aside."),
    "gate": ("reconciler.cli.gate", "Say by its exit code whether a strategy may run right now."),
    "status": ("reconciler.cli.status", "Show what the last passes found, by the state alone."),
    "history": ("reconciler.cli.history", "Say who did what, why, when and from which commit."),
    "connect": (
        "reconciler.cli.connect",
        "Add a connection: take its key without echo, encrypt it, test it.",
    ),
    "import": (
        "reconciler.cli.import_",
        "Take over a set-up of freqtrade or Hummingbot, its secrets encrypted.",
    ),
    "textconv": ("reconciler.cli.textconv", "Print a SOPS file for `git diff`: short, and without any key."),
    "explain": ("reconciler.cli.explain", "Say what a check or a failure means, its cause and its fix."),
    "exchanges": ("reconciler.cli.exchanges", "List the exchanges with what each tells of a key."),
    "doctor": ("reconciler.cli.doctor", "Look at this machine: sops, keys, file modes, clock."),
    "lockdown": ("reconciler.cli.lockdown", "Stop strategies at once, then list the keys to replace."),
    "notify": ("reconciler.cli.notify", "Send a test message to those who are told what happens."),
    "unlock": ("reconciler.cli.unlock", "End the lock of an apply that is gone."),
    "sandbox": ("reconciler.cli.sandbox", "Run local exchanges from a scenario file."),
    "demo": ("reconciler.cli.demo", "Run the main job on the sandbox: dry run, apply, dry run."),
}


class Root(LazyGroup):
    """The top command, whose help ends with the exit codes and the environment variables."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of exit codes from the one place that defines them."""
        del ctx
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in ExitCode])
        formatter.write_paragraph()
        formatter.write_text(
            "Every option can be given as an environment variable: --dry-run as RECONCILER_DRY_RUN."
        )


@click.group(
    cls=Root,
    lazy=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="reconcile")
@options.files
@options.repository
@options.option("--dry-run", is_flag=True, help="Show the plan and its findings; change nothing anywhere.")
@options.option("--yes", is_flag=True, help="Apply without asking.")
@options.option(
    "--watch", is_flag=True, help="Again and again until told to end; with --yes, or with --dry-run to audit."
)
@options.interval
@options.listen
@options.option("--out", metavar="PATH", help="With --dry-run: write the plan to a file, for --plan.")
@options.option("--plan", metavar="PATH", help="Apply exactly this reviewed plan, or exit 8.")
@options.option("--detailed-exitcode", is_flag=True, help="With --dry-run: exit 2 when changes exist.")
@options.option(
    "--target",
    "targets",
    multiple=True,
    metavar="ID",
    help="Only this connection or strategy; repeatable. Nothing else is touched or pruned.",
)
@options.state
@options.lock_timeout
@options.sops
@options.endpoint
@options.kubeconfig
@options.timeout
@options.parallel
@options.allow_commands
@options.notify_file
@options.metrics_file
@options.output
@options.output_file
@options.log_format
@options.verbose
@options.no_color
@click.pass_context
def root(ctx: click.Context, /, **chosen: Any) -> None:  # noqa: ANN401 - click hands over what the options above define
    """Make the running strategies equal the files, enabling only what passes every check.

    Reads each API key live from its exchange, compares permissions, IP whitelist, account and expiry
    with the files, and enables a strategy only while every required check passes. Asks before it
    applies; elsewhere than at a terminal it needs --yes or --plan. With --watch it does so for months.
    """
    if ctx.invoked_subcommand is not None:
        _hand_down(ctx)
        return
    from reconciler.cli.reconcile import run  # noqa: PLC0415 - only the main job needs it

    ctx.exit(run(**chosen))


def _hand_down(ctx: click.Context) -> None:
    """Let ``reconcile -f FILE check`` mean ``reconcile check -f FILE``."""
    given = {
        name: value
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    ctx.default_map = dict.fromkeys(COMMANDS, given)
