"""The files over months: what they want now, and what they last wanted while they are broken."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.desired.disk import Disk
from reconciler.engine.files import read
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.report import concerns_of

#: Seconds for which files that changed must stay as they are before they are read: a checkout writes
#: them one after the other, and half of it may be a valid configuration that nobody wants.
CALM: Final = 0.5
#: So often that is waited for; files that never come to rest are taken as they are at the next pass.
_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """Tells any change of the configuration by content, of secret files by what the disk says of them.

    ``names`` are the files of the configuration.
    """

    names: tuple[str, ...]
    files: bytes
    secrets: tuple[tuple[int, ...] | None, ...]


class Configuration:
    """The last good configuration of some files, and what is wrong with the present ones.

    ``top`` is the folder that ``files`` are relative to; ``sleep`` waits for files to come to rest.
    """

    def __init__(
        self, files: Sequence[str], *, top: str = "", sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._files, self._top = tuple(files), top
        self._read_from = top
        self._sleep = sleep
        self._seen: _Signature | None = None
        self._desired: Desired | None = None
        self.problem: ReconcilerError | None = None

    @property
    def desired(self) -> Desired | None:
        """What the last good files want; ``None`` before any were good."""
        return self._desired

    @property
    def stands_in(self) -> bool:
        """Whether :attr:`desired` is not what the files say now."""
        return self.problem is not None and self._desired is not None

    @property
    def top(self) -> str:
        """The folder that was read last, whether its files were good or not."""
        return self._read_from

    @property
    def reading(self) -> Hashable:
        """Another one whenever the files that were read last are others than before."""
        return self._seen

    @property
    def files(self) -> frozenset[str]:
        """Every file that was read last, and the secret files that the last good ones name."""
        return frozenset((*(self._seen.names if self._seen else ()), *self._secret_files()))

    def move(self, files: Sequence[str], top: str) -> None:
        """Read these files from now on, as of another commit."""
        self._files, self._top = tuple(files), top

    def summary(self) -> str | None:
        """One sentence about what is wrong with the files; ``None`` where nothing is."""
        if self.problem is None:
            return None
        found = concerns_of(self.problem)
        first = f"{found[0].mark or 'files'}: {found[0].message}"
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return f"the configuration cannot be used, so the last good one goes on: {first}{more}"

    def changed(self) -> bool:
        """Whether anything is different from when it was last read: cheap, and quotes nothing."""
        return self._signature() != self._seen

    async def candidate(self) -> Desired | None:
        """What changed files want; ``None`` where nothing changed, or nothing good came of it.

        Call :meth:`accept` or :meth:`refuse` for what this gave.
        """
        signature = await self._at_rest()
        if signature is None or signature == self._seen:
            return None
        self._seen, self._read_from = signature, self._top
        try:
            return read(self._files, self._top)
        except ReconcilerError as error:
            self.refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever a file does to a parser, the last good one goes on
            self.refuse(
                ReconcilerError(f"reading the files failed inside this tool ({type(error).__name__})")
            )
        return None

    def accept(self, desired: Desired) -> None:
        """It is the last good configuration from now on."""
        self._desired, self.problem = desired, None
        if self._seen:
            self._seen = replace(self._seen, secrets=self._secrets())  # of other files than before

    def refuse(self, error: ReconcilerError) -> None:
        """The present files cannot be used, for this reason."""
        self.problem = error

    def again(self) -> None:
        """Read the files at the next :meth:`candidate` whether they changed or not."""
        self._seen = None

    def folders(self) -> frozenset[Path]:
        """Every folder in which a change could matter, where links are followed and where they stand."""
        return frozenset(folder for folder in self._folders() if folder.is_dir())

    async def _at_rest(self) -> _Signature | None:
        """The signature of files that stay as they are; ``None`` while they keep changing."""
        before = self._signature()
        for _ in range(_ATTEMPTS):
            if self._seen is None or before == self._seen:
                return before
            await self._sleep(CALM)
            after = self._signature()
            if after == before:
                return after
            before = after
        return None

    def _signature(self) -> _Signature:
        found, digest = Disk(top=self._top).find(self._files), hashlib.sha256(os.fsencode(self._top))
        for source in found.sources:
            digest.update(repr((source.file, source.root, len(source.data))).encode("utf-8", "replace"))
            digest.update(source.data)
        for problem in found.problems:
            digest.update(repr(problem).encode("utf-8", "replace"))
        names = tuple(source.file for source in found.sources)
        return _Signature(names=names, files=digest.digest(), secrets=self._secrets())

    def _secrets(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(stamp(file) for file in sorted(self._secret_files()))

    def _secret_files(self) -> frozenset[str]:
        return secret_files(self._desired) if self._desired else frozenset()

    def _folders(self) -> Iterator[Path]:
        named = [Path(self._top, file) for file in self._files]
        for file in (*named, *map(Path, self._secret_files())):
            for path in (file, Path(os.path.realpath(file))):
                yield path.absolute() if path.is_dir() else path.absolute().parent
        for file in named:
            if file.is_dir():
                yield from _below(file.absolute())


def _below(folder: Path) -> Iterator[Path]:
    """Every folder below ``folder`` that may hold configuration."""
    for here, folders, _ in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield Path(here)


def secret_files(desired: Desired) -> frozenset[str]:
    """Where the secret files lie that ``desired`` names, of connections and of runtimes."""
    of_runtimes = (one.credentials for one in desired.runtimes.values() if one.credentials)
    refs = (*(one.credentials for one in desired.connections.values()), *of_runtimes)
    return frozenset(str(Path(ref.top, ref.file)) for ref in refs if not ref.inline)


def stamp(file: str) -> tuple[int, ...] | None:
    """What the disk says of a file, without reading it; ``None`` where it is not there."""
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
