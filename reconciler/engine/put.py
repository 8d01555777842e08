"""Files that are written whole or not at all, by one run at a time, and can be put back as they were."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.model.errors import UsageError

#: For files that were not there, less what the user's umask takes away: as git would check them out. Secret
#: files, too: they are ciphertext made to be committed, git keeps no mode that is narrower, and a loop or a
#: bot often reads them as another user. Who wants them closed says so by the umask.
_NEW_MODE: Final = 0o666
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One file that was written: what it holds now, what it held before, folders made for it."""

    path: Path
    now: bytes
    before: bytes | None
    folders: tuple[Path, ...] = ()

    def undo(self) -> None:
        """Put it back as it was. Raise ``UsageError`` when somebody changed it meanwhile."""
        if content(self.path) != self.now:
            raise UsageError(
                f"{self.path} was changed meanwhile, so it stays", hint="undo the change by hand"
            )
        if self.before is not None:
            put(self.path, self.before)
            return
        self.path.unlink()
        for folder in reversed(self.folders):
            if not any(folder.iterdir()):
                folder.rmdir()


def content(path: Path) -> bytes | None:
    """What a regular file holds, ``None`` when there is none. Raise ``UsageError`` when it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            raise UsageError(f"{path} is no regular file", hint="remove it, or choose another name")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused("read", path, error) from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """No other run that takes this lock writes beside ``path`` meanwhile; it leaves nothing behind.

    Raise ``UsageError`` where one does: what it writes is not what this one was judged with. A file system
    without such locks is written to without.
    """
    try:
        descriptor = os.open(Path(os.path.realpath(path)).parent, _FOLDER)
    except OSError as error:
        raise _refused("write", path, error) from None
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: int, path: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"somebody else is writing beside {path} just now, so nothing was changed",
            hint="run the command again",
        ) from None
    except OSError:
        pass  # there is no such lock here; that nothing changed since it was read is still looked at


def put(path: Path, data: bytes) -> Put:
    """Replace ``path`` by ``data`` in one step, with the mode that it had; make its folder if need be.

    A link is followed, not replaced. Raise ``UsageError`` when the folder or the disk does not let us.
    """
    real = Path(os.path.realpath(path))
    before = content(real)
    made: list[Path] = []
    temporary: Path | None = None
    try:
        for folder in reversed([real.parent, *real.parent.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        mode = stat.S_IMODE(real.stat().st_mode) if before is not None else None
        temporary = real.parent / f".{real.name}.{secrets.token_hex(8)}"
        _fill(temporary, data, mode)
        temporary.replace(real)
        _settle(real.parent)
    except OSError as error:
        with suppress(OSError):  # the error that is told is the first one
            if temporary is not None and os.path.lexists(temporary):
                temporary.unlink()
            for folder in reversed(made):
                folder.rmdir()
        raise _refused("write", path, error) from None
    return Put(path=real, now=data, before=before, folders=tuple(made))


def _fill(temporary: Path, data: bytes, mode: int | None) -> None:
    """Make a file with this ``mode``, or with the usual one."""
    descriptor = os.open(temporary, _CREATE, _NEW_MODE if mode is None else mode)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _settle(folder: Path) -> None:
    """Have the disk keep what was renamed in ``folder``, before anything that refers to it is written."""
    with suppress(OSError):  # some file systems cannot
        descriptor = os.open(folder, _FOLDER)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refused(what: str, path: Path, error: OSError) -> UsageError:
    reason = (error.strerror or "the file system refused").lower()
    return UsageError(f"cannot {what} {path}: {reason}", hint="choose a folder that this user can write to")
