"""Reading a file that somebody else may have prepared: never blocks, never leaves its tree, never grows."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from reconciler.model.errors import Mark, NotASecretFile, SecretsError

SECRET_FILE_LIMIT: Final = 1 << 20
"""Bytes that a secret file may have. One of a single connection has about 2 KiB."""

CONFIG_FILE_LIMIT: Final = 8 << 20
"""Bytes that a configuration file with inline secrets may have."""

#: What the path itself is to blame for; all else the system refuses is trouble of this machine.
_WRONG_PATH: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV}
)


def read_within(path: str, *, root: str, limit: int, mark: Mark, top: str = "") -> bytes:
    """The bytes of a regular file inside ``root``, at most ``limit`` of them.

    What a caller judges is what it must go on with: the file can change after it was read. ``path`` and
    ``root``, as people know them, are relative to ``top``; ``mark`` is where the path was written. Raise
    ``NotASecretFile`` for everything that is not such a file: missing, a folder, a pipe or device, too
    large, or a link out of ``root``; and a plain ``SecretsError`` where this machine could not read it now
    (no permission, no descriptor left, a disk or network error): that says nothing of the file.
    """
    try:
        descriptor = _open(path, root=root, top=top, mark=mark)
        try:
            return _read(descriptor, path=path, limit=limit, mark=mark)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        wrong = isinstance(error, ValueError) or error.errno in _WRONG_PATH
        kind = NotASecretFile if wrong else SecretsError
        raise kind(
            f"{path} cannot be opened: {_cause(error)}",
            hint="check the path under `credentials:` and that this user may read the file",
            mark=mark,
        ) from None


def _open(path: str, *, root: str, top: str, mark: Mark) -> int:
    real = os.path.realpath(os.path.join(top, path))  # noqa: PTH118 - a Path would normalise it
    if not Path(real).is_relative_to(os.path.realpath(os.path.join(top, root))):  # noqa: PTH118 - the same
        raise NotASecretFile(
            f"{path} leads out of {root}",
            hint="keep secret files inside the folder of the configuration; links out of it are refused",
            mark=mark,
        )
    # O_NONBLOCK: opening a pipe without a writer would wait for ever.
    # O_NOFOLLOW: a link that appeared after realpath() looked.
    return os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def _read(descriptor: int, *, path: str, limit: int, mark: Mark) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise NotASecretFile(
            f"{path} is not a regular file", hint="name a file that `sops` encrypted", mark=mark
        )
    blob = bytearray()
    while chunk := os.read(descriptor, limit + 1 - len(blob)):
        blob += chunk
        if len(blob) > limit:
            raise NotASecretFile(
                f"{path} has more than {limit:,} bytes",
                hint="a secret file holds the credentials of one connection only",
                mark=mark,
            )
    return bytes(blob)


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return "the path is not valid"
