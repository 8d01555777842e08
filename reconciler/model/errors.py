"""Every error that the tool raises, drawn once.

::

    ReconcilerError                 1  failed
    ├── ObservationError            1  could not observe (a dependency of a read is missing or broken)
    ├── WriteRefused                1  the read-only guard stopped a call (always a bug of ours)
    ├── StateError                  1  the state store cannot be read or written
    ├── SourceError                 1  the repository that the files come from gives nothing that may be taken
    │   ├── RemoteUnreachable          it does not answer, or not in full
    │   ├── RemoteRefused              it answers and will not: no such repository or ref, or not for us
    │   ├── NotFastForward             its newest commit does not grow from the one that was taken last
    │   ├── NotSigned                  a commit is not signed, now, by a key that the operator lists
    │   └── TreeRefused                a commit holds what no configuration does
    ├── NotTaken                    1  a sink of notifications did not take a message
    ├── RuntimeFailed               1  a runtime could not be read, or did not obey
    ├── ConfigError                 3  the files are wrong; carries every Problem
    ├── UsageError                  3  the command line is wrong
    ├── SecretsError                4  secrets cannot be read, or must not be
    │   ├── SopsMissing                the sops binary is not there or does not start
    │   ├── KeyUnavailable             no private key here opens the file
    │   ├── IntegrityFailed            the MAC does not hold: edited outside sops, or merged
    │   ├── PlaintextSecret            a secret stands in clear, or was tampered with
    │   ├── UnsafeRecipient            the file names a key service that policy does not
    │   ├── BindingMismatch            the file belongs to another connection
    │   ├── NotASecretFile             no sops file, or not one that we accept
    │   └── SopsFailed                 sops crashed or said something unknown
    │       └── SopsHung               sops did not end in time
    ├── ThresholdExceeded           6  a safety threshold or a missing approval
    ├── LockHeld                    7  another applier holds the lease, or ours was lost
    ├── StalePlan                   8  the reviewed plan is not what would be done now
    ├── PartlyApplied               9  some actions were done, some failed
    └── Declined                    10 the operator said no; nothing changed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from reconciler.model.runtime_kinds import RuntimeFailureKind


class ExitCode(IntEnum):
    """The process exit codes, the same for every command."""

    DONE = 0
    FAILED = 1
    CHANGES = 2
    CONFIG = 3
    SECRETS = 4
    BLOCKED = 5
    THRESHOLD = 6
    LOCK = 7
    STALE_PLAN = 8
    PARTLY_APPLIED = 9
    DECLINED = 10
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One phrase for the tables in the README and in ``--help``."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done; nothing failed (a plan may have been made)",
    ExitCode.FAILED: "failed, or a connection could not be observed",
    ExitCode.CHANGES: "changes exist (only with --detailed-exitcode)",
    ExitCode.CONFIG: "usage, configuration or schema error",
    ExitCode.SECRETS: "secrets: sops missing, no key, file altered, plaintext found",
    ExitCode.BLOCKED: "a blocking check failed",
    ExitCode.THRESHOLD: "a safety threshold was exceeded or an approval is missing",
    ExitCode.LOCK: "another apply holds the lock",
    ExitCode.STALE_PLAN: "the reviewed plan no longer matches",
    ExitCode.PARTLY_APPLIED: "partly applied: some actions failed",
    ExitCode.DECLINED: "declined at the prompt; nothing changed",
    ExitCode.INTERRUPTED: "interrupted",
}

#: The most urgent first. An interruption ends the process at once, so it outranks all.
_URGENCY = (
    ExitCode.INTERRUPTED,
    ExitCode.PARTLY_APPLIED,
    ExitCode.LOCK,
    ExitCode.STALE_PLAN,
    ExitCode.SECRETS,
    ExitCode.BLOCKED,
    ExitCode.THRESHOLD,
    ExitCode.DECLINED,
    ExitCode.CONFIG,
    ExitCode.FAILED,
    ExitCode.CHANGES,
    ExitCode.DONE,
)


def most_urgent(codes: Iterable[ExitCode]) -> ExitCode:
    """The one exit code of a run in which several hold; ``DONE`` when none does."""
    return min(codes, key=_URGENCY.index, default=ExitCode.DONE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """A place in a file that a person wrote. ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file. Never quotes a value that could be a secret.

    ``code`` is a stable word (``duplicate-key``); ``message`` says what is wrong and what was
    expected; ``fix`` says what to do.
    """

    mark: Mark
    code: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.mark}: {self.message} [{self.code}]\n    fix: {self.fix}"


class ReconcilerError(Exception):
    """The root: a message for people, a stable ``code``, an exit code and a ``hint``."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str = "", mark: Mark | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.mark = mark

    def __str__(self) -> str:
        return f"{self.mark}: {self.message}" if self.mark else self.message


class ObservationError(ReconcilerError):
    """A live read could not even be tried."""

    code = "observation"


class WriteRefused(ReconcilerError):
    """The read-only transport guard stopped a call before a socket was opened."""

    code = "write-refused"


class StateError(ReconcilerError):
    """The state store cannot be read or written; the hint says what to do."""

    code = "state"


class OutputLost(ReconcilerError):
    """Standard output did not take what was to be said; what was done stands."""

    code = "output-lost"


class NotTaken(ReconcilerError):
    """A sink of notifications did not take a message; why, in our own words: never a URL or an answer.

    ``refused`` says that the sink would not have this very message, whatever comes after it.
    """

    code = "not-taken"

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class RuntimeFailed(ReconcilerError):
    """A runtime could not be read, or did not do what it was told.

    ``kind`` says why. ``untouched`` says that it surely did nothing; otherwise nobody knows whether it
    acted. ``status`` is that of the HTTP answer, where there was one.
    """

    code = "runtime"

    def __init__(
        self,
        message: str,
        *,
        kind: RuntimeFailureKind,
        untouched: bool,
        hint: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.untouched = untouched
        self.status = status


class UsageError(ReconcilerError):
    """The command line asks for something that makes no sense."""

    exit_code = ExitCode.CONFIG
    code = "usage"


class SourceError(ReconcilerError):
    """The repository of the files gives nothing that may be taken; what was taken before stays."""

    code = "source"


class RemoteUnreachable(SourceError):
    """It does not answer, or not in full."""

    code = "remote-unreachable"


class RemoteRefused(SourceError):
    """It answers and will not: no such repository or ref, or not for us."""

    code = "remote-refused"


class NotFastForward(SourceError):
    """Its newest commit does not grow from the one that was taken last."""

    code = "not-fast-forward"


class NotSigned(SourceError):
    """A commit is not signed, now, by a key that the operator lists."""

    code = "not-signed"


class TreeRefused(SourceError):
    """A commit holds what no configuration does."""

    code = "tree-refused"


class ConfigError(ReconcilerError):
    """The files are wrong. ``problems`` holds all of it, in file order."""

    exit_code = ExitCode.CONFIG
    code = "config"

    def __init__(self, problems: Iterable[Problem], *, hint: str = "") -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.mark, problem.code)))
        count = len(self.problems)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in the configuration", hint=hint)


class SecretsError(ReconcilerError):
    """Secrets cannot be read, or must not be. The message never holds plaintext or raw sops output."""

    exit_code = ExitCode.SECRETS
    code = "secrets"


class SopsMissing(SecretsError):
    """The sops binary was not found or does not start."""

    code = "sops-missing"


class KeyUnavailable(SecretsError):
    """No private key that sops can reach opens the file."""

    code = "key-unavailable"


class IntegrityFailed(SecretsError):
    """The file's MAC does not hold."""

    code = "integrity"


class PlaintextSecret(SecretsError):
    """A secret stands in clear where ciphertext must stand, or the ciphertext was tampered with."""

    code = "plaintext-secret"


class UnsafeRecipient(SecretsError):
    """The file would make sops talk to a key service that policy does not name."""

    code = "unsafe-recipient"


class BindingMismatch(SecretsError):
    """The file says that it belongs to another connection or exchange."""

    code = "binding-mismatch"


class NotASecretFile(SecretsError):
    """The file is missing, unreadable, too large, or not a SOPS file of one document."""

    code = "not-a-secret-file"


class SopsFailed(SecretsError):
    """sops crashed, or answered in a way that we do not know."""

    code = "sops-failed"


class SopsHung(SopsFailed):
    """sops did not end in time: a key command, an agent or a key service hangs."""

    code = "sops-hung"


class ThresholdExceeded(ReconcilerError):
    """More would change than the thresholds allow, or an approval is missing."""

    exit_code = ExitCode.THRESHOLD
    code = "threshold"


class LockHeld(ReconcilerError):
    """Another applier holds the lease, or this one lost it.

    Where another holds it, ``holder`` says who, and ``lock_id`` is what ``reconcile unlock`` takes.
    """

    exit_code = ExitCode.LOCK
    code = "lock"

    def __init__(self, message: str, *, hint: str = "", holder: str = "", lock_id: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder
        self.lock_id = lock_id


class StalePlan(ReconcilerError):
    """The reviewed plan is not what would be done now."""

    exit_code = ExitCode.STALE_PLAN
    code = "stale-plan"


class PartlyApplied(ReconcilerError):
    """Some actions were done and some failed; the report lists both."""

    exit_code = ExitCode.PARTLY_APPLIED
    code = "partly-applied"


class Declined(ReconcilerError):
    """The operator answered no; nothing changed."""

    exit_code = ExitCode.DECLINED
    code = "declined"
