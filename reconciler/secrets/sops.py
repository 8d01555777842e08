"""The sops binary: found once, run without a shell, its failures in our words.

The only place that starts a process for a secret. Plaintext travels through pipes: never argv, never disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final, TypeAlias, Union

from reconciler.child import Ended, run
from reconciler.model.desired import Policy
from reconciler.model.errors import PlaintextSecret, SecretsError, SopsFailed, SopsMissing
from reconciler.model.secret import Secret
from reconciler.secrets.creation_rules import ENCRYPTED_REGEX, find_rules
from reconciler.secrets.envelope import Envelope, read_envelope
from reconciler.secrets.environment import child_environment
from reconciler.secrets.outcomes import failure, not_understood
from reconciler.secrets.recipients import unsafe_recipients

VARIABLE: Final = "RECONCILER_SOPS"
_INSTALL: Final = (
    "install sops from https://github.com/getsops/sops/releases and verify its checksum, "
    f"then put it on PATH or name it with --sops or {VARIABLE}"
)

Document: TypeAlias = Mapping[str, Union[str, Secret, "Document"]]
"""What is encrypted: a :class:`Secret` must come out as ciphertext, text stays readable."""


def find_sops(option: str | None, environ: Mapping[str, str]) -> Sops:
    """The sops of the command line, else of ``RECONCILER_SOPS``, else of PATH; nothing is run yet.

    Relative entries of PATH are skipped. Raise ``SopsMissing`` when there is none, or when the
    one that was named is not an executable file: no other is taken in its place.
    """
    named = option or environ.get(VARIABLE)
    if named:
        source = "--sops" if option else VARIABLE
        path = Path(named).expanduser().absolute()
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise SopsMissing(f"{source} names {path}, which is not an executable file", hint=_INSTALL)
        return Sops(path=path, environ=environ, source=source)
    search = os.pathsep.join(
        entry for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()
    )
    found = shutil.which("sops", path=search) if search else None
    if not found:
        raise SopsMissing("the program sops was not found", hint=_INSTALL)
    return Sops(path=Path(found), environ=environ, source="PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sops:
    """One sops binary. Safe to use from many threads.

    ``environ`` is the operator's environment, from which an allow-list is passed on; ``limit``
    is how many seconds one call may take, ``grace`` how many it has to end after being told to;
    ``source`` says where the path came from.
    """

    path: Path
    environ: Mapping[str, str] = field(repr=False)
    limit: float = 30.0
    grace: float = 1.0
    source: str = "given"

    def version(self) -> str:
        """The version that the binary claims, without asking the network: ``3.11.0``."""
        ended = self._run(("--disable-version-check", "--version"), policy=Policy())
        found = re.match(rb"sops (\d+\.\d+\.\d+[\w.+-]*)", ended.stdout)
        if ended.cut or ended.code or not found:
            raise SopsFailed(f"{self.path} does not tell its version as sops does", hint=_INSTALL)
        return found[1].decode("ascii")

    def decrypt(
        self, blob: bytes, *, file: str = "", policy: Policy | None = None, cancel: Event | None = None
    ) -> dict[str, Any]:
        """The plain document of the YAML ``blob``. ``file`` only names it in errors.

        Judge the blob first (``credentials.inspect``): sops connects to where the file says.
        ``policy`` decides which credentials of key services sops may see, none by default.
        Setting ``cancel`` ends a running sops. Raise a ``SecretsError`` that quotes nothing of it.
        """
        arguments = ("decrypt", "--input-type", "yaml", "--output-type", "json")
        ended = self._run(arguments, stdin=blob, policy=policy or Policy(), cancel=cancel)
        if ended.cut or ended.code:
            raise failure(ended, file=file)
        document = _json_object(ended.stdout)
        if document is None:
            raise not_understood(file=file)
        return document

    def encrypt(
        self,
        document: Document,
        *,
        filename: Path,
        age: Sequence[str] = (),
        policy: Policy | None = None,
    ) -> bytes:
        """``document`` as an encrypted YAML file, checked to hold no secret in clear.

        With ``age`` recipients the secret fields are encrypted for them; else the ``.sops.yaml``
        above ``filename`` decides. Nothing is written: put the bytes where they belong. Raise
        ``PlaintextSecret`` when the rules would leave a :class:`Secret` in clear.
        """
        allowed = policy or Policy()
        arguments = (*_rules(filename, age), "--input-type", "json", "--output-type", "yaml")
        where = ("--filename-override", str(filename.absolute()))
        plain = json.dumps(_revealed(document)).encode()
        ended = self._run((*arguments, *where), stdin=plain, policy=allowed)
        if ended.cut or ended.code:
            raise failure(ended, file=str(filename))
        envelope = read_envelope(ended.stdout, file=str(filename))
        for unsafe in unsafe_recipients(envelope.recipients, allowed):
            raise unsafe
        _verify(document, envelope)
        return ended.stdout

    def _run(
        self,
        arguments: Sequence[str],
        *,
        policy: Policy,
        stdin: bytes = b"",
        cancel: Event | None = None,
    ) -> Ended:
        try:
            return run(
                (str(self.path), *arguments),
                stdin=stdin,
                env=child_environment(self.environ, policy),
                limit=self.limit,
                grace=self.grace,
                cancel=cancel,
            )
        except OSError as error:
            cause = (error.strerror or "unknown cause").lower()
            raise SopsMissing(f"{self.path} does not start: {cause}", hint=_INSTALL) from None


def _json_object(stdout: bytes) -> dict[str, Any] | None:
    """The JSON object in ``stdout``, or ``None``. Never raises: a JSON error would hold the plaintext."""
    try:
        document = json.loads(stdout)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _rules(filename: Path, age: Sequence[str]) -> tuple[str, ...]:
    if age:
        return ("encrypt", "--age", ",".join(age), "--encrypted-regex", ENCRYPTED_REGEX)
    # sops looks from the current folder upwards, not from the file: name the right one.
    rules = find_rules(filename.absolute().parent)
    if rules is None:
        raise SecretsError(
            f"nothing says for whom {filename} is to be encrypted: no .sops.yaml stands above it",
            hint="write a .sops.yaml with a creation rule for it, or name age recipients",
        )
    return ("--config", str(rules), "encrypt")


def _revealed(document: Document) -> dict[str, Any]:
    return {
        name: value.reveal()
        if isinstance(value, Secret)
        else value
        if isinstance(value, str)
        else _revealed(value)
        for name, value in document.items()
    }


def _leaves(document: Document, *path: str) -> Iterator[tuple[tuple[str, ...], str | Secret]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, *path, name)
        else:
            yield (*path, name), value


def _verify(document: Document, envelope: Envelope) -> None:
    """Catch what sops does with a regular expression that it cannot read: it encrypts nothing and exits 0."""
    # Secrets first: of two things that are wrong, a plain secret is the one to tell.
    for path, value in sorted(_leaves(document), key=lambda leaf: isinstance(leaf[1], str)):
        written = envelope.value(*path)
        if isinstance(value, Secret) and (written is None or written.type != "str"):
            raise PlaintextSecret(
                f"the rules in .sops.yaml would leave `{path[-1]}` in clear; nothing was kept",
                hint=f"set `encrypted_regex: '{ENCRYPTED_REGEX}'` in the creation rule",
                mark=envelope.mark,
            )
        if isinstance(value, str) and (written is None or written.text != value):
            raise SecretsError(
                f"the rules in .sops.yaml would encrypt `{path[-1]}`, which must stay readable",
                hint=f"set `encrypted_regex: '{ENCRYPTED_REGEX}'` in the creation rule",
                mark=envelope.mark,
            )
