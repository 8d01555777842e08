"""What can go wrong with a PostgreSQL database, with cause and fix. What the server says is never quoted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import psycopg

from reconciler.model.errors import StateError
from reconciler.state.address import Address

_AGAIN: Final = "what was recorded is intact; run it again, it continues from there"
_BUSY: Final = ("is being written by another process", "try again when that one is done")
_LOST: Final = ("was lost: its server ended the connection", _AGAIN)
_CREDENTIALS: Final = (
    "cannot be used: its server refused user or password",
    "check them: in ~/.pgpass, PGPASSFILE, PGPASSWORD or RECONCILER_STATE, where no other user reads them",
)
_DATABASE: Final = ("is not there: its server has no such database", "create it: createdb -O USER DATABASE")
_GRANTS: Final = "grant it (USAGE and CREATE on the schema; ownership of the tables, so it can migrate them)"
_FULL: Final = ("cannot be used: its server has no connection left", "try again, or raise max_connections")
_STARTING: Final = ("cannot be used: its server is starting or stopping", "try again when it is up")

#: SQLSTATE, or its first two letters, of a statement that failed.
#: https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES: Final = {
    "25006": (
        "cannot be written: its server is a read-only replica, or the database is set read-only",
        "name the primary, or several hosts with target_session_attrs=read-write",
    ),
    "42501": ("cannot be used: this user lacks a right that it takes", _GRANTS),
    "3F000": ("has no schema to work in", "create the schema that search_path names (CREATE SCHEMA …)"),
    "55P03": _BUSY,
    "57014": ("did not answer in time", "look what its server is busy with; " + _AGAIN),
    "25P03": ("was lost: this process stopped for too long in the middle of a write", _AGAIN),
    "3D000": _DATABASE,
    "28": _CREDENTIALS,
    "08": _LOST,
    "57": _LOST,
    "53": ("cannot be written: its server is out of memory, disk or connections", "make room; " + _AGAIN),
    "58": ("cannot be used: its server's disk reports an error", "look into the server's log"),
    "XX": ("cannot be used: its server reports that data is damaged", "restore it from a backup"),
}

#: Why there is no connection, by the words of the server and of libpq: it comes without a SQLSTATE.
_WORDS: Final = (
    ("no password supplied", _CREDENTIALS),
    ("authentication failed", _CREDENTIALS),
    ("pg_hba.conf", ("cannot be used: its server admits no such user from here", "allow it in pg_hba.conf")),
    ("permission denied for database", ("cannot be used: this user may not connect", "grant it CONNECT")),
    ("too many", _FULL),
    ("remaining connection slots", _FULL),
    ("role ", _CREDENTIALS),
    ("does not exist", _DATABASE),
    ("not currently accepting", _STARTING),
    ("starting up", _STARTING),
    ("shutting down", _STARTING),
    ("certificate", ("cannot be used: its server's certificate is not to be trusted", "check sslrootcert")),
    (
        "SSL",
        (
            "cannot be used: its server has no TLS, and plain text is for this machine alone",
            "switch TLS on in the server (ssl = on), or use a tunnel that ends on this machine",
        ),
    ),
    ("resolve host", ("cannot be reached: its host has no address", "check the host in --state")),
    ("read-write", _STATES["25006"]),
)
_DOWN: Final = ("cannot be reached", "check that its server runs and listens there")
_OTHER: Final = ("could not be used", "look into the server's log")


@contextlib.contextmanager
def translated(address: Address, above: type[Exception] = psycopg.Error) -> Iterator[None]:
    """Turn what the server and its driver raise into :class:`StateError` with cause and fix.

    ``above`` is what a library above the driver raises; its ``orig`` is then what the driver raised.
    """
    try:
        yield
    except (above, psycopg.Error) as error:
        origin = getattr(error, "orig", None) or error
        raise _explained(address, origin, lost=_lost(error)) from error
    except ValueError as error:
        raise StateError(
            f"the state {address} holds a value that is not ours", hint="restore it from a backup"
        ) from error


def no_schema() -> StateError:
    """What is raised where a database has no schema to work in: every table then seems to be absent."""
    return StateError(
        "no schema of the state's search_path is there for this user",
        hint="create it (CREATE SCHEMA …) and grant this user USAGE and CREATE on it",
    )


def _lost(error: Exception) -> bool:
    """Whether there was a connection, which is gone."""
    return bool(getattr(error, "connection_invalidated", False))


def _explained(address: Address, origin: BaseException, *, lost: bool) -> StateError:
    state = getattr(origin, "sqlstate", None) or ""
    if known := _STATES.get(state) or _STATES.get(state[:2]):
        what, fix = known
    elif lost:
        what, fix = _LOST
    elif isinstance(origin, psycopg.OperationalError):
        said = str(origin)
        what, fix = next((meaning for word, meaning in _WORDS if word in said), _DOWN)
    else:
        what, fix = _OTHER
    return StateError(f"the state {address} {what}{f' (SQLSTATE {state})' if state else ''}", hint=fix)
