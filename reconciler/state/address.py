"""Where a PostgreSQL state is: a URL as libpq reads it, made safe to use and safe to show.

libpq's own parser is used, so sockets, several hosts and everything else that its manual names work:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from reconciler.machine import is_this_one
from reconciler.model.errors import UsageError

#: Seconds. A server that is gone is noticed within half a minute, not within the system's hours:
#: who waits for an answer for longer than that would hold the lease only in its own opinion.
_DEFAULTS: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",  # this one in milliseconds
    "fallback_application_name": "reconciler",
}
_ENCRYPTED: Final = ("require", "verify-ca", "verify-full")
_MODES: Final = ("disable", "allow", "prefer", *_ENCRYPTED)
_EXAMPLE: Final = "write it as postgresql://user@host/database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A database on a server. Prints without its password, which only ``conninfo`` holds, for libpq."""

    shown: str
    conninfo: str = field(repr=False)

    def __str__(self) -> str:
        return self.shown


def parse(url: str, environ: Mapping[str, str] = os.environ) -> Address:
    """The database that ``url`` names, with encryption required unless it is on this machine.

    ``environ`` may say what the URL leaves open, by libpq's variables (``PGHOST``, ``PGSSLMODE``, …).
    Raise :class:`UsageError`, which quotes nothing, for a URL that libpq cannot read, that was
    surely meant otherwise, or that would send the password and the state in the clear.
    """
    try:
        given = _texts(conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1)))
    except (psycopg.Error, UnicodeError):
        raise UsageError("--state is no URL that PostgreSQL understands", hint=_EXAMPLE) from None
    _refuse_split_password(given)
    found = {
        **{
            name: environ[f"PG{name.upper()}"]
            for name in ("host", "hostaddr", "service", "sslmode", "sslrootcert", "port", "user")
            if f"PG{name.upper()}" in environ
        },
        **given,
    }
    return Address(
        shown=_shown(found, given.get("dbname") or environ.get("PGDATABASE", "")),
        conninfo=make_conninfo("", **{**_DEFAULTS, **given, **_encryption(found)}),
    )


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value is not None}


def _refuse_split_password(given: Mapping[str, str]) -> None:
    """A password with ``@``, ``/`` or ``:`` in it that is not quoted ends up in host, port or name.

    One behind a ``?`` that comes before the ``@`` ends up in the user's name.

    There it would be shown, and looked up in the DNS.
    """
    ports = [port for port in given.get("port", "").split(",") if port]
    astray = "@" in given.get("host", "") + given.get("dbname", "") or "?" in given.get("user", "")
    if astray or not all(port.isdigit() for port in ports):
        raise UsageError(
            "--state is a URL whose parts cannot be told apart",
            hint="write @ as %40, / as %2F, : as %3A in user and password, or keep the password in ~/.pgpass",
        )


def _encryption(found: Mapping[str, str]) -> dict[str, str]:
    """The ``sslmode`` to use, nothing where libpq's own is fine.

    libpq's default, ``prefer``, falls back to plain text when the server, or whoever poses as it,
    says that it has no TLS.
    """
    mode = found.get("sslmode")
    if mode is not None and mode not in _MODES:
        raise UsageError("--state asks for an unknown sslmode", hint=f"use one of: {', '.join(_MODES)}")
    if mode in _ENCRYPTED or _here(found):
        return {}
    if mode is None:
        # With the system's certificates libpq's default is verify-full already, and less is an error.
        return {} if found.get("sslrootcert") == "system" else {"sslmode": "require"}
    raise UsageError(
        f"--state would send its password and the state through the network in the clear (sslmode={mode})",
        hint="use sslmode=verify-full (or require), a socket, or a tunnel that ends on this machine",
    )


def _here(found: Mapping[str, str]) -> bool:
    """Whether every host is this machine; a service file can name any, so it never is."""
    hosts = (found.get("hostaddr") or found.get("host") or "").split(",")
    return not found.get("service") and all(map(_loopback, hosts))


def _loopback(host: str) -> bool:
    """A socket (libpq's default too) or a loopback address."""
    return not host or host.startswith(("/", "@")) or is_this_one(host)


def _shown(found: Mapping[str, str], name: str) -> str:
    """The URL for people: no password, no options but the folder of a socket."""
    hosts = (found.get("host") or found.get("hostaddr") or "").split(",")
    ports = found.get("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    user = f"{found['user']}@" if "user" in found else ""
    if hosts[0].startswith("/"):
        return f"postgresql://{user}/{name}?host={','.join(hosts)}"
    places = [_place(host, port) for host, port in zip(hosts, ports, strict=False)]
    return f"postgresql://{user}{','.join(places)}/{name}"


def _place(host: str, port: str) -> str:
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
