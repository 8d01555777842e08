"""Whom a secret file belongs to: what it must hold, and what in it must say so in clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.desired import Connection, CredentialRef, RuntimeSpec
from reconciler.model.errors import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A connection or a runtime, as far as its secrets are concerned.

    ``needs`` is what needs ``fields``: an exchange, or a type of runtime. ``binding`` are the fields that
    its secret file must hold in clear, each with its value. ``pinned``: an account is, which binds values
    that stand inline.
    """

    kind: str
    id: str
    needs: str
    ref: CredentialRef
    fields: tuple[str, ...]
    binding: tuple[tuple[str, str], ...]
    mark: Mark
    pinned: bool = False


def of_connection(connection: Connection, fields: Sequence[str]) -> Owner:
    """A connection, whose exchange needs ``fields``."""
    return Owner(
        kind="connection",
        id=connection.id,
        needs=connection.exchange,
        ref=connection.credentials,
        fields=tuple(fields),
        binding=(("connection", connection.id), ("exchange", connection.exchange)),
        mark=connection.mark,
        pinned=connection.account is not None,
    )


def of_runtime(spec: RuntimeSpec, ref: CredentialRef, fields: Sequence[str]) -> Owner:
    """A runtime, whose type needs ``fields``. Its url binds them: they are sent there and nowhere else."""
    return Owner(
        kind="runtime",
        id=spec.id,
        needs=spec.type,
        ref=ref,
        fields=tuple(fields),
        binding=(("runtime", spec.id), ("url", spec.url or "")),
        mark=spec.mark,
    )
