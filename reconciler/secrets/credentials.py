"""From connections to their credentials: judged on ciphertext first, then decrypted, then judged again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import TypeAlias

from reconciler.model.desired import Connection, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Credentials
from reconciler.secrets.owned import Opened, Read, inspect_owners, open_owners, read_ciphertext
from reconciler.secrets.owner import Owner, of_connection
from reconciler.secrets.sops import Sops

Fields: TypeAlias = Callable[[str], Sequence[str]]
"""The credential fields of an exchange."""

Keys: TypeAlias = Mapping[str, Credentials | SecretsError]
"""Credentials by connection, or why they could not be had."""


def inspect(connection: Connection, *, fields: Sequence[str], policy: Policy) -> tuple[SecretsError, ...]:
    """Everything that is wrong with a connection's credentials as far as ciphertext tells.

    ``fields`` are those that its exchange needs. Needs no key, starts nothing, connects to nothing.
    """
    return inspect_all([connection], fields_of=lambda _: fields, policy=policy)[connection.id]


def inspect_all(
    connections: Sequence[Connection], *, fields_of: Fields, policy: Policy, read: Read = read_ciphertext
) -> dict[str, tuple[SecretsError, ...]]:
    """:func:`inspect` for many connections by id, reading each file once."""
    return inspect_owners(_owners(connections, fields_of), policy=policy, read=read)


def open_all(
    connections: Sequence[Connection],
    *,
    fields_of: Fields,
    sops: Sops,
    policy: Policy,
    cancel: Event | None = None,
    read: Read = read_ciphertext,
    each: Callable[[Keys], None] | None = None,
) -> dict[str, Credentials | SecretsError]:
    """The credentials of every connection, or the first error of those that have none.

    ``fields_of`` gives the credential fields of an exchange. All else is as in :func:`open_owners`.
    """
    owners = _owners(connections, fields_of)
    hear = (lambda opened: each(_keys(opened))) if each else None
    return _keys(open_owners(owners, sops=sops, policy=policy, cancel=cancel, read=read, each=hear))


def _keys(opened: Mapping[str, Opened]) -> dict[str, Credentials | SecretsError]:
    return {
        name: fields if isinstance(fields, SecretsError) else Credentials(**fields)
        for name, fields in opened.items()
    }


def _owners(connections: Sequence[Connection], fields_of: Fields) -> list[Owner]:
    return [of_connection(one, fields_of(one.exchange)) for one in connections]
