"""Files that are written whole or not at all, and can be put back as they were."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.model.errors import UsageError

#: For files that were not there: readable by all for configuration, as git would check it out.
_NEW_MODE: Final = 0o644


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
        mode = stat.S_IMODE(real.stat().st_mode) if before is not None else _NEW_MODE
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(real)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            folder.rmdir()
        raise _refused("write", path, error) from None
    return Put(path=real, now=data, before=before, folders=tuple(made))


def _refused(what: str, path: Path, error: OSError) -> UsageError:
    reason = (error.strerror or "the file system refused").lower()
    return UsageError(f"cannot {what} {path}: {reason}", hint="choose a folder that this user can write to")
