"""What can be said of the files without any key and without the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from reconciler import __version__
from reconciler.desired.disk import Disk
from reconciler.engine.files import read_sound
from reconciler.engine.guards import guard_concerns
from reconciler.engine.policy import policy_concerns
from reconciler.engine.runtimes import runtime_owners
from reconciler.engine.settings import utc_now
from reconciler.engine.taking import taking_concerns
from reconciler.exchanges import registry
from reconciler.model.desired import Desired
from reconciler.model.report import Concern, Validation, Weight, concern_of, concerns_of, in_file_order
from reconciler.secrets.credentials import inspect_all
from reconciler.secrets.owned import inspect_owners


def needed_fields(exchange: str) -> tuple[str, ...]:
    """The credential fields that an exchange's keys consist of."""
    return registry.get(exchange).credentials


def validate(files: Sequence[str], *, top: str = "", now: Callable[[], datetime] = utc_now) -> Validation:
    """Judge shape, references, policy, ends and ciphertext; all but the first two once those hold.

    ``top`` is the folder that ``files`` are relative to; ``now`` decides which suspensions, approvals and
    waivers are over.
    """
    loaded = read_sound(files, Disk(top=top))
    desired, named = loaded.desired, loaded.desired.files or tuple(files)
    if loaded.problems:
        return _validation(named, map(concern_of, loaded.problems))
    found = inspect_all(tuple(desired.connections.values()), fields_of=needed_fields, policy=desired.policy)
    found_too = inspect_owners(runtime_owners(desired), policy=desired.policy)
    errors = (error for errors in (*found.values(), *found_too.values()) for error in errors)
    of_secrets = (concern for error in errors for concern in concerns_of(error))
    of_files = (
        *policy_concerns(desired),
        *guard_concerns(desired, now()),
        *command_concerns(desired),
        *taking_concerns(desired),
    )
    return _validation(named, (*of_files, *of_secrets))


def command_concerns(desired: Desired) -> Iterator[Concern]:
    """Advice for each runtime that is a command: nothing in the files can tell whether it will be started."""
    for spec in desired.runtimes.values():
        if "command" in spec.options:
            yield Concern(
                code="command-from-files",
                message=f"the runtime {spec.id} is a program that these files choose; "
                "it is started only where the operator gives --allow-commands",
                fix="give it where all who can change the files may run programs; "
                "else the runtime stays unknown, and nothing starts on it",
                mark=spec.marks.get("command", spec.mark),
                weight=Weight.ADVICE,
            )


def _validation(files: tuple[str, ...], concerns: Iterable[Concern]) -> Validation:
    return Validation(version=__version__, files=files, concerns=in_file_order(concerns))
