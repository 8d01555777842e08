"""Where things lie in a folder of Hummingbot's client or of hummingbot-api.

The client has ``conf/connectors`` and, beside it, ``controllers``, ``scripts`` and ``strategies``
(``hummingbot/client/settings.py``); hummingbot-api has ``bots/credentials/ACCOUNT/connectors`` and
``bots/conf`` (``utils/file_system.py``). Nothing outside the folder is read, wherever a link leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.model.errors import UsageError

PASSWORD_FILE: Final = ".password_verification"  # noqa: S105 - a file name
KINDS: Final = ("controllers", "scripts", "strategies")
_CLIENT: Final = ("conf_client.yml", "conf_fee_overrides.yml")
_MOST: Final = 1000
_SUFFIXES: Final = frozenset({".yml", ".yaml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """``keys`` holds ``connectors``, and ``conf`` the rest. ``account`` is empty for a client's folder.

    Its methods raise ``UsageError`` for a folder that cannot be read.
    """

    root: Path
    keys: Path
    conf: Path
    account: str = ""

    def connectors(self) -> list[Path]:
        """The files with keys, in order."""
        return list(_files(self.keys / "connectors"))

    def bots(self) -> Iterator[tuple[str, Path]]:
        """Every file that says what to trade, with its kind."""
        for kind in KINDS:
            for path in _files(self.conf / kind):
                yield kind, path

    def verification(self) -> Path | None:
        """The word by which Hummingbot knows its password; hummingbot-api keeps one for all accounts."""
        places = (self.keys, self.keys.parent / "master_account", self.conf)
        return next(iter(_there(place / PASSWORD_FILE for place in places)), None)

    def client(self) -> list[Path]:
        """The settings of the client itself."""
        return _there(self.keys / name for name in _CLIENT)


def locate(root: Path, *, account: str | None) -> Folder:
    """What kind of folder it is. Raise ``UsageError`` for none, or where an account must be chosen."""
    with _readable(root):
        return _located(root, account)


def _located(root: Path, account: str | None) -> Folder:
    for bots in (root / "bots", root):
        accounts = sorted(path.parent.name for path in (bots / "credentials").glob("*/connectors"))
        if accounts:
            chosen = _chosen(accounts, account)
            return Folder(root=root, keys=bots / "credentials" / chosen, conf=bots / "conf", account=chosen)
    if account is not None:
        raise UsageError(
            "--account is for folders of hummingbot-api", hint="a client's folder has one account"
        )
    for conf in (root / "conf", root):
        if (conf / "connectors").is_dir():
            return Folder(root=root, keys=conf, conf=conf)
    raise UsageError(
        f"{root} is no folder of Hummingbot",
        hint="name the one that holds conf/connectors, or hummingbot-api's with bots/credentials",
    )


def _chosen(accounts: list[str], account: str | None) -> str:
    if account is None and len(accounts) == 1:
        return accounts[0]
    if account not in accounts:
        raise UsageError("one account is taken at a time", hint=f"--account {' or '.join(accounts)}")
    return account


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = (error.strerror or "unknown cause").lower()
        raise UsageError(
            f"{error.filename or folder} cannot be read: {cause}",
            hint="check the path and its mode; containers often write as another user",
        ) from None


def _there(paths: Iterable[Path]) -> list[Path]:
    """Those that are files."""
    found = list(paths)
    with _readable(found[0].parent):
        return [path for path in found if path.is_file()]


def _files(folder: Path) -> Iterator[Path]:
    with _readable(folder):
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    wanted = [path for path in found if path.suffix in _SUFFIXES and not path.name.startswith(".")]
    if len(wanted) > _MOST:
        raise UsageError(f"{folder} holds more than {_MOST} files", hint="name a folder of Hummingbot")
    yield from wanted
