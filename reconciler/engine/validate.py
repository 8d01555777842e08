"""What can be said of the files without any key and without the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler import __version__
from reconciler.engine.files import read
from reconciler.exchanges import registry
from reconciler.model.errors import ConfigError, ReconcilerError
from reconciler.model.report import Validation, concerns_of, in_file_order
from reconciler.secrets.credentials import inspect_all


def needed_fields(exchange: str) -> tuple[str, ...]:
    """The credential fields that an exchange's keys consist of."""
    return registry.get(exchange).credentials


def validate(files: Sequence[str]) -> Validation:
    """Judge shape, references and ciphertext; secret files are judged once the rest holds."""
    try:
        desired = read(files)
    except ConfigError as error:
        return _validation(tuple(files), (error,))
    found = inspect_all(tuple(desired.connections.values()), fields_of=needed_fields, policy=desired.policy)
    return _validation(desired.files, (error for errors in found.values() for error in errors))


def _validation(files: tuple[str, ...], errors: Iterable[ReconcilerError]) -> Validation:
    concerns = in_file_order(concern for error in errors for concern in concerns_of(error))
    return Validation(version=__version__, files=files, concerns=concerns)
