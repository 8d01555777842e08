"""What can be said of the files without any key and without the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler import __version__
from reconciler.engine.files import read
from reconciler.engine.policy import policy_concerns
from reconciler.exchanges import registry
from reconciler.model.errors import ConfigError
from reconciler.model.report import Concern, Validation, concerns_of, in_file_order
from reconciler.secrets.credentials import inspect_all


def needed_fields(exchange: str) -> tuple[str, ...]:
    """The credential fields that an exchange's keys consist of."""
    return registry.get(exchange).credentials


def validate(files: Sequence[str]) -> Validation:
    """Judge shape, references, policy and ciphertext; the last two once the rest holds."""
    try:
        desired = read(files)
    except ConfigError as error:
        return _validation(tuple(files), concerns_of(error))
    found = inspect_all(tuple(desired.connections.values()), fields_of=needed_fields, policy=desired.policy)
    errors = (error for errors in found.values() for error in errors)
    of_secrets = (concern for error in errors for concern in concerns_of(error))
    return _validation(desired.files, (*policy_concerns(desired), *of_secrets))


def _validation(files: tuple[str, ...], concerns: Iterable[Concern]) -> Validation:
    return Validation(version=__version__, files=files, concerns=in_file_order(concerns))
