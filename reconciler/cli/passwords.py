"""Passwords in the URLs of ``--state`` and ``--git``: found, so that they are never shown."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import click
from click.core import ParameterSource

from reconciler.cli import logs
from reconciler.model.secret import Secret

_OPTIONS = ("password", "sslpassword")


def passwords(url: str) -> tuple[Secret, ...]:
    """What is secret in the URL of a database; nothing for a file, or for what is no URL."""
    if "://" not in url:
        return ()
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query)
    except ValueError:  # such as an address that no bracket closes
        return ()
    found = [unquote(parts.password)] if parts.password else []
    return tuple(Secret(value) for value in (*found, *(value for name, value in options if name in _OPTIONS)))


def warn_of_password(ctx: click.Context, param: click.Parameter, url: str) -> str:
    """``url`` as it is; say so when a password in it can be seen by everybody on the machine."""
    if _seen(ctx, param, url):
        _warn("password", "give the URL as RECONCILER_STATE, or without its password and that in ~/.pgpass")
    return url


def warn_of_token(ctx: click.Context, param: click.Parameter, url: str | None) -> str | None:
    """``url`` as it is; say so when a token in it can be seen by everybody on the machine."""
    if url and _seen(ctx, param, url):
        _warn("token", "give the URL without it, and the token in a file: --git-token-file")
    return url


def _seen(ctx: click.Context, param: click.Parameter, url: str) -> bool:
    given = ctx.get_parameter_source(param.name or "")
    return given is ParameterSource.COMMANDLINE and bool(passwords(url))


def _warn(what: str, fix: str) -> None:
    logs.say(
        f"warning: every user of this machine can read a command line, and this one holds a {what}\n"
        f"    fix: {fix}",
        level="warning",
    )
