"""From connections to their credentials: judged on ciphertext first, then decrypted, then judged again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final

from reconciler.model.desired import Connection, CredentialRef, Policy
from reconciler.model.errors import (
    BindingMismatch,
    IntegrityFailed,
    Mark,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    SopsFailed,
    SopsHung,
)
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.creation_rules import BINDING_FIELDS, SECRET_FIELDS
from reconciler.secrets.envelope import Envelope, Value, read_envelope
from reconciler.secrets.files import CONFIG_FILE_LIMIT, SECRET_FILE_LIMIT, read_within
from reconciler.secrets.recipients import unsafe_recipients
from reconciler.secrets.sops import Sops

#: On so many files sops may hang, each for its whole time limit, before the others are not tried.
HANGS: Final = 3

_LEAKED: Final = (
    "treat the value as leaked: delete the key at the exchange, create a new one, "
    "and write it with `sops edit`"
)
#: A name that a person gives to a field: API keys and secrets hold digits and capitals.
_FIELD: Final = re.compile(r"[a-z][a-z_-]{0,30}")


def inspect(connection: Connection, *, fields: Sequence[str], policy: Policy) -> tuple[SecretsError, ...]:
    """Everything that is wrong with a connection's credentials as far as ciphertext tells.

    ``fields`` are those that its exchange needs. Needs no key, starts nothing, connects to nothing.
    """
    return inspect_all([connection], fields_of=lambda _: fields, policy=policy)[connection.id]


def read_ciphertext(ref: CredentialRef) -> bytes:
    """The bytes of the file on the disk that ``ref`` names. Raise as :func:`read_within`."""
    limit = CONFIG_FILE_LIMIT if ref.inline else SECRET_FILE_LIMIT
    return read_within(ref.file, root=ref.root, limit=limit, mark=ref.mark)


def inspect_all(
    connections: Sequence[Connection],
    *,
    fields_of: Callable[[str], Sequence[str]],
    policy: Policy,
    read: Callable[[CredentialRef], bytes] = read_ciphertext,
) -> dict[str, tuple[SecretsError, ...]]:
    """:func:`inspect` for many connections by id, reading each file once.

    A configuration file with inline values may hold thousands of connections. ``read`` gives a
    file's bytes, or raises ``SecretsError``.
    """
    found: dict[str, tuple[SecretsError, ...]] = {}
    for group in _by_file(connections):
        try:
            loaded = _load(group[0], read)
        except SecretsError as error:
            found |= {connection.id: (error,) for connection in group}
            continue
        for connection in group:
            fields = fields_of(connection.exchange)
            found[connection.id] = tuple(_judge(connection, loaded.envelope, fields, policy))
    return {connection.id: found[connection.id] for connection in connections}


def open_all(
    connections: Sequence[Connection],
    *,
    fields_of: Callable[[str], Sequence[str]],
    sops: Sops,
    policy: Policy,
    cancel: Event | None = None,
    read: Callable[[CredentialRef], bytes] = read_ciphertext,
) -> dict[str, Credentials | SecretsError]:
    """The credentials of every connection, or the first error of those that have none.

    Only a file that :func:`inspect` finds nothing wrong with is decrypted, each once, as many side by
    side as there are processors. One failing file never fails the rest. ``fields_of`` gives the
    credential fields of an exchange. Setting ``cancel`` from another thread ends it early. Once sops
    hung on :data:`HANGS` files the others are not tried: what it waits for is the same for all.
    ``read`` gives a file's bytes, or raises ``SecretsError``; it is called once for each file.
    """
    stop, patience = cancel or Event(), _Patience()

    def work(group: Sequence[Connection]) -> dict[str, Credentials | SecretsError]:
        return _open_file(
            group, fields_of=fields_of, sops=sops, policy=policy, cancel=stop, patience=patience, read=read
        )

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="sops") as pool:
        try:
            opened = [
                result for results in pool.map(work, _by_file(connections)) for result in results.items()
            ]
        except BaseException:
            # Interrupted: end the running children instead of waiting for their time limits.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    by_id = dict(opened)
    return {connection.id: by_id[connection.id] for connection in connections}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    blob: bytes
    envelope: Envelope


class _Patience:
    """Counts on how many files sops hung, and ends the trying after too many."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hung = 0

    @contextmanager
    def heeded(self, envelope: Envelope) -> Iterator[None]:
        """Let one file be tried. Raise ``SopsHung`` at once when patience is at its end."""
        if self._hung >= HANGS:
            raise SopsHung(
                f"not tried, since sops hung on {HANGS} other files",
                hint="a key command, an agent or a key service hangs: try `sops decrypt FILE` here",
                mark=envelope.mark,
            )
        try:
            yield
        except SopsHung:
            with self._lock:
                self._hung += 1
            raise


def _by_file(connections: Sequence[Connection]) -> list[list[Connection]]:
    groups: dict[tuple[str, str, bool], list[Connection]] = {}
    for connection in connections:
        ref = connection.credentials
        groups.setdefault((ref.file, ref.root, ref.inline), []).append(connection)
    return list(groups.values())


def _load(connection: Connection, read: Callable[[CredentialRef], bytes]) -> _Loaded:
    blob = read(connection.credentials)
    return _Loaded(blob=blob, envelope=read_envelope(blob, file=connection.credentials.file))


def _open_file(
    group: Sequence[Connection],
    *,
    fields_of: Callable[[str], Sequence[str]],
    sops: Sops,
    policy: Policy,
    cancel: Event,
    patience: _Patience,
    read: Callable[[CredentialRef], bytes],
) -> dict[str, Credentials | SecretsError]:
    """One file's connections: what was judged is what is decrypted, from memory."""
    opened: dict[str, Credentials | SecretsError] = {}
    try:
        loaded = _load(group[0], read)
    except SecretsError as error:
        return {connection.id: error for connection in group}
    sound = []
    for connection in group:
        objections = _judge(connection, loaded.envelope, fields_of(connection.exchange), policy)
        if objection := next(objections, None):
            opened[connection.id] = objection
        else:
            sound.append(connection)
    if not sound:
        return opened
    try:
        with patience.heeded(loaded.envelope):
            document = sops.decrypt(loaded.blob, file=loaded.envelope.file, policy=policy, cancel=cancel)
    except SecretsError as error:
        return opened | {connection.id: error for connection in sound}
    for connection in sound:
        opened[connection.id] = _take(connection, document, fields_of(connection.exchange))
    return opened


def _judge(
    connection: Connection, envelope: Envelope, fields: Sequence[str], policy: Policy
) -> Iterator[SecretsError]:
    """Every objection to the ciphertext, the gravest first."""
    inline = connection.credentials.inline
    place = ("connections", connection.id, "credentials") if inline else ()
    yield from _judge_fields(connection, envelope, place, fields)
    yield from unsafe_recipients(envelope.recipients, policy)
    if not envelope.recipients:
        yield NotASecretFile(
            "the file names no recipient, so nobody can open it",
            hint="restore the file from git, or encrypt it anew with `sops encrypt`",
            mark=envelope.mark,
        )
    yield from judge_mac(envelope, inline=inline)
    yield from _judge_inline_pin(connection) if inline else _judge_binding(connection, envelope)


def _judge_fields(
    connection: Connection, envelope: Envelope, place: tuple[str, ...], fields: Sequence[str]
) -> Iterator[SecretsError]:
    for name in fields:
        yield from _judge_field(connection, envelope, (*place, name))
    expected = {*fields, *(() if place else BINDING_FIELDS)}
    for name in envelope.fields(*place):
        if name not in expected:
            yield from _judge_extra(connection, envelope, (*place, name))


def _judge_field(connection: Connection, envelope: Envelope, path: tuple[str, ...]) -> Iterator[SecretsError]:
    name, value = path[-1], envelope.value(*path)
    if value is None or value.empty:
        yield NotASecretFile(
            f"`{name}` is missing or empty, and {connection.exchange} needs it",
            hint=f"add it with `sops edit {envelope.file}`",
            mark=value.mark if value else envelope.mark,
        )
    elif not value.encrypted:
        yield _in_clear(name, value)
    elif value.type != "str":
        yield NotASecretFile(
            f"`{name}` was encrypted as {value.type}, not as text: "
            "YAML had read it as something else, such as 00123 as 83",
            hint=f"write it again with `sops edit {envelope.file}`, in quotes",
            mark=value.mark,
        )


def _in_clear(name: str, value: Value) -> SecretsError:
    if value.broken:
        return PlaintextSecret(
            f"`{name}` looks like ciphertext but is none that sops wrote",
            hint="restore the file from git, then change it only with `sops edit` or `sops set`",
            mark=value.mark,
        )
    return PlaintextSecret(f"`{name}` stands in clear", hint=_LEAKED, mark=value.mark)


def _judge_extra(connection: Connection, envelope: Envelope, path: tuple[str, ...]) -> Iterator[SecretsError]:
    """A field of no use. In clear it is worse: sops' MAC covers values and not names, so another
    value in clear could be renamed to ``connection`` without anybody noticing.
    """
    value = envelope.value(*path)
    mark = value.mark if value else envelope.mark
    name = _shown(path[-1])
    if path[-1] in SECRET_FIELDS and value and not value.encrypted and not value.empty:
        yield _in_clear(name, value)
        return
    yield NotASecretFile(
        f"`{name}` is no field of the credentials of {connection.exchange}",
        hint=f"remove it with `sops unset`; notes can stand in comments: {envelope.file}",
        mark=mark,
    )


def judge_mac(envelope: Envelope, *, inline: bool = False) -> Iterator[SecretsError]:
    """Every objection to how far the MAC of a file reaches, as far as ciphertext tells."""
    if not envelope.mac:
        yield IntegrityFailed(
            "the file has no MAC, so nothing shows whether it was changed",
            hint="restore the file from git, or encrypt it anew with `sops encrypt`",
            mark=envelope.mark,
        )
    if envelope.mac_only_encrypted and not inline:
        yield IntegrityFailed(
            "the file is marked mac_only_encrypted, so its `connection` could be changed unnoticed",
            hint="remove `mac_only_encrypted` from .sops.yaml, then decrypt and encrypt the file again",
            mark=envelope.mark,
        )


def _judge_binding(connection: Connection, envelope: Envelope) -> Iterator[SecretsError]:
    for name, expected in (("connection", connection.id), ("exchange", connection.exchange)):
        value = envelope.value(name)
        if value is None or value.encrypted or value.text != expected:
            yield _mismatch(name, expected, connection, value.mark if value else envelope.mark)


def _mismatch(name: str, expected: str, connection: Connection, mark: Mark) -> BindingMismatch:
    return BindingMismatch(
        f"the file does not say in clear `{name}: {expected}`, so it may belong to another connection",
        hint=f"name the file of {connection.id} under `credentials:`, or write `{name}: {expected}` "
        "into it with `sops edit`, with an encrypted_regex that keeps it readable",
        mark=mark,
    )


def _judge_inline_pin(connection: Connection) -> Iterator[SecretsError]:
    if connection.account is None:
        yield BindingMismatch(
            f"nothing binds the inline credentials of {connection.id} to its account",
            hint="pin the account with `account: {uid: …}`, or use a secret file of their own",
            mark=connection.mark,
        )


def _take(
    connection: Connection, document: Mapping[str, Any], fields: Sequence[str]
) -> Credentials | SecretsError:
    """The credentials in a decrypted document, judged once more: sops may read YAML as we do not."""
    mark = Mark(file=connection.credentials.file, line=1)
    source: object = document
    if connection.credentials.inline:
        for name in ("connections", connection.id, "credentials"):
            source = source.get(name) if isinstance(source, Mapping) else None
    else:
        for name, expected in (("connection", connection.id), ("exchange", connection.exchange)):
            if document.get(name) != expected:
                return _mismatch(name, expected, connection, mark)
    if not isinstance(source, Mapping):
        return SopsFailed(
            "sops' output lacks the credentials that the file holds", hint="update sops", mark=mark
        )
    held: dict[str, Secret] = {}
    for name in fields:
        value = source.get(name)
        if wrong := flaw(name, value):
            return NotASecretFile(
                f"`{name}` {wrong}",
                hint=f"write it again with `sops edit {mark.file}`, exactly as the exchange showed it",
                mark=mark,
            )
        held[name] = Secret(str(value))
    return Credentials(**held)


def flaw(name: str, value: object) -> str | None:
    """Why a value in plain cannot be what the exchange issued for the field ``name``; never quotes it."""
    if not isinstance(value, str) or not value:
        return "is empty or no text"
    if name == "secret" and value.startswith("-----BEGIN "):
        return None if value.isascii() else "is a key in PEM with characters that PEM does not have"
    if not value.isprintable():
        return "holds a line break or an invisible character, perhaps from copying"
    if name != "passphrase" and value != value.strip():
        return "begins or ends with a space, perhaps from copying"
    if name == "api_key" and not value.isascii():
        return "holds a character that API keys do not have"
    return None


def _shown(name: str) -> str:
    """The name of a field, or an ellipsis where it may be a secret that lost its field."""
    return name if _FIELD.fullmatch(name) else "…"
