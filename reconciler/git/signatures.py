"""Whether a commit is signed, now, by a key that the operator lists: SSH or OpenPGP.

git itself decides (``git verify-commit``), with only the operator's file as its trust: no configuration, no
agent and no keyring of anybody's. What it says is then required to be there, and put into plain words.

A key must be valid at this moment. git would judge an SSH key's ``valid-before`` by the date that the commit
itself tells, which whoever holds an old key may choose.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

from reconciler.git.plumbing import Ended
from reconciler.git.repository import Repository
from reconciler.model.errors import NotSigned, UsageError

_PGP_KEYS: Final = re.compile(
    r"^-----BEGIN PGP PUBLIC KEY BLOCK-----$.*?^-----END PGP PUBLIC KEY BLOCK-----$", re.MULTILINE | re.DOTALL
)
_UNTIL: Final = r'valid-(?:before|after)=(?:"[^"]*"|[^\s,"]+)'
_VALIDITY: Final = re.compile(rf"{_UNTIL},|,?{_UNTIL}", re.IGNORECASE)
_SIGNATURE: Final = re.compile(rb"^gpgsig(?:-sha256)? ((?:.*\n)(?: .*\n)*)", re.MULTILINE)
_SSH: Final = b"-----BEGIN SSH SIGNATURE-----"
_PGP: Final = b"-----BEGIN PGP SIGNATURE-----"
_GOOD_SSH: Final = re.compile(r'^Good "git" signature for \S+ with ', re.MULTILINE)
_STATUS: Final = re.compile(r"^\[GNUPG:\] (\w+)", re.MULTILINE)
_MAX_FILE: Final = 4 << 20

#: gpg's own files of a home of ours: nothing is started, nothing is looked up.
_GPG_CONF: Final = (
    "batch\nno-tty\nno-autostart\nno-auto-key-retrieve\nno-auto-key-locate\ntrust-model always\n"
)

#: What gpg says to what it means; the first that is there.
_GPG_SAID: Final = (
    ("REVKEYSIG", "its key is revoked"),
    ("EXPKEYSIG", "its key is past its end"),
    ("EXPSIG", "its signature is past its end"),
    ("BADSIG", "its signature is bad: the commit is not what was signed"),
    ("NO_PUBKEY", "its key is not among those that are listed"),
    ("ERRSIG", "its signature cannot be judged by this gpg"),
)


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys that may sign: the lines of allowed signers for SSH, and a keyring of OpenPGP."""

    ssh: str
    pgp: bytes

    @property
    def digest(self) -> str:
        """Changes when another key is listed, or one no longer."""
        return hashlib.sha256(self.ssh.encode() + b"\0" + self.pgp).hexdigest()

    def require(self, repository: Repository, commit: str) -> None:
        """Raise ``NotSigned`` unless one of these keys signed ``commit`` and is valid now."""
        header = repository.commit(commit).partition(b"\n\n")[0] + b"\n"
        found = _SIGNATURE.findall(header)
        signature = found[0].replace(b"\n ", b"\n") if len(found) == 1 else b""
        with TemporaryDirectory(dir=repository.folder.parent, prefix="signers-") as folder:
            judge = _Judge(repository, commit, Path(folder), self)
            if signature.startswith(_SSH):
                judge.ssh(signature)
            elif signature.startswith(_PGP):
                judge.pgp()
            else:
                _refuse(commit, "it is signed in a way that is not known" if found else "it is not signed")


def signers(path: str) -> Signers:
    """The keys in the file ``path``. Raise ``UsageError`` where it cannot be read or lists none."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_FILE + 1).decode("utf-8")
    except (OSError, ValueError):
        raise UsageError(
            f"the keys in {path} cannot be read", hint="--git-signed-by names a text file"
        ) from None
    text = text.replace("\r\n", "\n")
    lines = (line.strip() for line in _PGP_KEYS.sub("", text).splitlines())
    ssh = "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))
    found = Signers(ssh=ssh, pgp=b"".join(map(_dearmored, _PGP_KEYS.findall(text))))
    if len(text) > _MAX_FILE or not (found.ssh or found.pgp):
        raise UsageError(
            f"{path} lists no key that may sign",
            hint="a line for each SSH key (`name ssh-ed25519 AAAA…`), or what `gpg --armor --export` gives",
        )
    return found


def _dearmored(block: str) -> bytes:
    """The bytes of an armored block of keys (RFC 9580, 6.2): headers, an empty line, base64, a checksum."""
    _, _, body = block.partition("\n\n")
    lines = [line for line in body.splitlines()[:-1] if not line.startswith("=")]
    try:
        return base64.b64decode("".join(lines), validate=True)
    except ValueError:
        raise UsageError(
            "a block of OpenPGP keys is damaged", hint="write it with `gpg --armor --export KEY`"
        ) from None


class _Judge:
    """Judges one commit, with files of its own in ``folder``."""

    def __init__(self, repository: Repository, commit: str, folder: Path, signers: Signers) -> None:
        self._repository = repository
        self._plumbing = repository.plumbing
        self._commit = commit
        self._folder = folder
        self._signers = signers

    def ssh(self, signature: bytes) -> None:
        """Raise ``NotSigned`` unless a listed SSH key made ``signature``, is valid now, and it is good."""
        keygen = self._plumbing.program("ssh-keygen")
        allowed = self._write("allowed", self._signers.ssh)
        written = self._write("signature", signature)
        find = (keygen, "-Y", "find-principals", "-s", str(written), "-f")
        if self._plumbing.start((*find, str(allowed))).code:
            timeless = self._write("timeless", _VALIDITY.sub("", self._signers.ssh))
            known = not self._plumbing.start((*find, str(timeless))).code
            self._refuse("its key is listed, but is not valid now" if known else _GPG_SAID[4][1])
        config = (f"gpg.ssh.program={keygen}", f"gpg.ssh.allowedSignersFile={allowed}")
        done = self._verify(*config)
        if done.code or not _GOOD_SSH.search(done.stderr.decode("utf-8", "replace")):
            self._refuse(
                "its signature is bad: the commit is not what was signed, or was signed for another use"
            )

    def pgp(self) -> None:
        """Raise ``NotSigned`` unless a listed OpenPGP key made the signature, and neither has ended."""
        if not self._signers.pgp:
            self._refuse("it is signed with OpenPGP, and only SSH keys are listed")
        gpg = self._plumbing.program("gpg")
        environ = {"GNUPGHOME": str(self._home())}
        done = self._verify(f"gpg.program={gpg}", f"gpg.openpgp.program={gpg}", environ=environ)
        said = _STATUS.findall(done.stderr.decode("utf-8", "replace"))
        for word, message in _GPG_SAID:
            if word in said:
                self._refuse(message)
        if done.code or said.count("GOODSIG") != 1 or said.count("VALIDSIG") != 1:
            self._refuse("its signature cannot be judged by this gpg")

    def _home(self) -> Path:
        """A home for gpg with the listed keys alone, as the keyring that they are: nothing is imported."""
        home = self._folder.absolute() / "gnupg"
        home.mkdir(mode=0o700)
        (home / "gpg.conf").write_text(_GPG_CONF)
        (home / "pubring.gpg").write_bytes(self._signers.pgp)
        return home

    def _verify(self, *config: str, environ: dict[str, str] | None = None) -> Ended:
        settings = [word for setting in config for word in ("-c", setting)]
        return self._plumbing.git(
            *settings, "verify-commit", "--raw", self._commit, folder=self._repository.folder, environ=environ
        )

    def _write(self, name: str, text: str | bytes) -> Path:
        path = self._folder.absolute() / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def _refuse(self, why: str) -> NoReturn:
        _refuse(self._commit, why)


def _refuse(commit: str, why: str) -> NoReturn:
    raise NotSigned(
        f"commit {commit} is not taken: {why}",
        hint="have it signed by a key of --git-signed-by; what was taken before goes on",
    )
