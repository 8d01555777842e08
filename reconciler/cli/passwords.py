"""Passwords in the URL of ``--state``: found, so that they are never shown."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import click
from click.core import ParameterSource

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
    name = param.name or ""
    if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and passwords(url):
        click.echo(
            "warning: every user of this machine can read a command line, and this one holds a password\n"
            "    fix: give the URL as RECONCILER_STATE, or without its password and that in ~/.pgpass",
            err=True,
        )
    return url
