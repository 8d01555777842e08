"""What can be said of the files without any key and without the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.engine.files import read
from reconciler.exchanges import registry
from reconciler.model.errors import ConfigError, ReconcilerError
from reconciler.secrets.credentials import inspect_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The files that were read, or those named when they could not be, and everything wrong with them."""

    files: tuple[str, ...]
    errors: tuple[ReconcilerError, ...]


def needed_fields(exchange: str) -> tuple[str, ...]:
    """The credential fields that an exchange's keys consist of."""
    return registry.get(exchange).credentials


def validate(files: Sequence[str]) -> Checked:
    """Judge shape, references and ciphertext; secret files are judged once the rest holds."""
    try:
        desired = read(files)
    except ConfigError as error:
        return Checked(files=tuple(files), errors=(error,))
    found = inspect_all(tuple(desired.connections.values()), fields_of=needed_fields, policy=desired.policy)
    return Checked(files=desired.files, errors=tuple(error for errors in found.values() for error in errors))
