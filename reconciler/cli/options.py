"""Options that several commands share; each has an environment variable of the same name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from reconciler.cli import logs
from reconciler.cli.durations import Duration
from reconciler.cli.passwords import warn_of_password, warn_of_token

#: Not shown by ``show_default``: in ``reconcile --state URL COMMAND --help`` click would show that URL.
STATE: Final = "sqlite:///.reconciler/state.db"

GIT_CACHE: Final = ".reconciler/git"

F = TypeVar("F", bound=Callable[..., Any])

#: The names of ``output.registry``, which ``--help`` need not import; a test holds the two together.
FORMATS: Final = ("text", "json", "markdown", "github", "gitlab", "sarif", "junit", "rdjson")


def option(*names: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's own attributes
    """A click option whose environment variable is ``RECONCILER_<LONG NAME>``."""
    long = next(name for name in reversed(names) if name.startswith("--")).split("/")[0]
    variable = "RECONCILER_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **attributes)


class Seconds(click.FloatRange):
    """A number of seconds. Refuses "nan", which lies within every range and never comes to an end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - as click has it
        """The number. Fail for what is none."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


files = option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    help="A configuration file or a directory of them; repeatable. [default: connections.yaml]",
)
# ``find_sops`` reads RECONCILER_SOPS itself, to say in errors who named the binary.
sops = click.option("--sops", metavar="PATH", help="The sops binary. [default: the one on PATH]")
endpoint = option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="ID=URL",
    help="Send an exchange's requests elsewhere: mexc=http://127.0.0.1:9001. Plain HTTP only to loopback.",
)
kubeconfig = option(
    "--kubeconfig",
    "kubeconfigs",
    multiple=True,
    metavar="[ID=]PATH[:CONTEXT]",
    help="For runtimes of type kubernetes, or for one: the kubeconfig. [default: the cluster of this pod]",
)
state = option(
    "--state",
    metavar="URL",
    default=STATE,
    callback=warn_of_password,
    help=f"Where it is kept what this tool enabled: a file, or postgresql://user@host/db. [default: {STATE}]",
)
lock_timeout = option(
    "--lock-timeout",
    type=Seconds(min=0, max=86_400),
    default=0.0,
    metavar="SECONDS",
    help="How long an apply waits for another one to finish. [default: 0, not at all]",
)
allow_commands = option(
    "--allow-commands",
    is_flag=True,
    help="Let runtimes of the type command start the programs that the files choose.",
)
interval = option(
    "--interval",
    type=Seconds(min=1, max=86_400),
    metavar="SECONDS",
    help="With --watch: within how many seconds each key is read again. [default: 60]",
)
listen = option(
    "--listen",
    metavar="HOST:PORT",
    help="With --watch: answer /healthz and /readyz there; a port alone is heard on this machine only.",
)
timeout = option(
    "--timeout",
    type=Seconds(min=0.1, max=600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one request to an exchange may take.",
)
parallel = option(
    "--max-parallel",
    type=click.IntRange(min=1, max=1000),
    default=64,
    show_default=True,
    metavar="N",
    help="How many connections are read at once.",
)


# ``cli.logs`` looks for it before click does: an error in the other options is told in that format too.
log_format = option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    default="text",
    show_default=True,
    expose_value=False,
    help="How standard error is written: json is one object a line, for programs.",
)
notify_file = option(
    "--notify-file",
    metavar="PATH",
    help="Whom to tell what happened: a file of sinks, encrypted by sops or readable by you alone.",
)
metrics_file = option(
    "--metrics-file",
    metavar="PATH",
    help="Write metrics for Prometheus there after each apply, for the textfile collector.",
)
verbose = option("-v", "--verbose", is_flag=True, help="Show what passed and what stays unchanged, too.")
no_color = option("--no-color", is_flag=True, help="No colour. The variable NO_COLOR does the same.")
output = option(
    "--output",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="What is written to standard output.",
)
text_or_json = option(
    "--output",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="What is written to standard output.",
)
max_age = option(
    "--max-age",
    type=Duration(),
    default="15m",
    show_default=True,
    metavar="DURATION",
    help="How old evidence may be before it counts no more: 90s, 15m, 2h.",
)
output_file = option(
    "--output-file",
    "output_files",
    multiple=True,
    metavar="FORMAT=PATH",
    help="Write another format to a file in the same run; repeatable.",
)


git = option(
    "--git",
    metavar="URL",
    callback=warn_of_token,
    help="Read the files from a git repository (https://, ssh://, a folder); -f is relative to its root.",
)
ref = option(
    "--ref",
    metavar="NAME",
    default="main",
    show_default=True,
    help="With --git: the branch or tag that is read.",
)
git_signed_by = option(
    "--git-signed-by",
    metavar="FILE",
    help="With --git: take only commits that are signed by the keys in this file.",
)
git_token_file = option(
    "--git-token-file",
    metavar="FILE",
    help="With --git: a file that holds the token for an https:// URL.",
)
git_reset_to = option(
    "--git-reset-to",
    metavar="COMMIT",
    help="With --git: take exactly this commit, though it does not grow from the one that was taken last.",
)
git_cache = option(
    "--git-cache",
    metavar="DIR",
    default=GIT_CACHE,
    show_default=True,
    help="With --git: where the files are kept, and which commit was taken last.",
)


def stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in the order given."""

    def apply(function: F) -> F:
        for decorate in reversed(decorators):
            function = decorate(function)
        return function

    return apply


repository = stack(git, ref, git_signed_by, git_token_file, git_reset_to, git_cache)
