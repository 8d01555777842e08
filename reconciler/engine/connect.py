"""A new connection: judged before anything is written, then written whole, and undone whole.

The order is what keeps a killed or interrupted run harmless: everything is encrypted and judged in
memory, then the secret file is written, and last the configuration that refers to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.desired import load
from reconciler.desired.disk import Disk
from reconciler.desired.edit import add_entry
from reconciler.engine.put import Put, content, put
from reconciler.engine.signals import held_back
from reconciler.engine.validate import needed_fields
from reconciler.model.desired import Desired, Market
from reconciler.model.errors import ConfigError, UsageError
from reconciler.model.secret import Credentials, Secret
from reconciler.resources import folder
from reconciler.secrets.credentials import inspect
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.judging import judge_mac
from reconciler.secrets.sops import Document, Sops

SCHEMA: Final = "connections.schema.json"

_SUFFIXES: Final = (".yaml", ".yml")
_SECRETS_FOLDER: Final = "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The configuration as it is now, and the file of it that takes the new connection.

    ``before`` is that file's content, ``None`` when it is yet to be made.
    """

    files: tuple[str, ...]
    target: Path
    before: bytes | None
    desired: Desired


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a person decided about the new connection, secrets aside.

    ``addresses`` are those of an ``egress`` that the files do not have yet; ``age`` are recipients
    where no ``.sops.yaml`` is to decide.
    """

    exchange: str
    market: Market
    id: str
    name: str
    egress: str | None = None
    addresses: tuple[str, ...] = ()
    age: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A connection that can be written: ``config`` is the whole new content of ``place.target``.

    ``secret`` is the secret file to be, and ``replaces`` what lies there already.
    """

    place: Place
    answers: Answers
    config: bytes
    secret: Path
    replaces: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A connection that was written."""

    puts: tuple[Put, ...]

    def undo(self) -> None:
        """Put every file back as it was, the configuration first. Raise ``UsageError`` for a changed one."""
        with held_back():
            for done in reversed(self.puts):
                done.undo()


def locate(files: Sequence[str], *, into: str | None = None) -> Place:
    """The configuration that ``files`` name, and where a connection goes: ``into``, or where others stand.

    A single file that is not there yet will be made. Raise ``ConfigError`` for wrong files.
    """
    if len(files) == 1 and not into and not os.path.lexists(files[0]):
        return _new_place(files[0])
    desired = load(files)
    target = into or _home(desired)
    if target not in desired.files:
        raise UsageError(
            f"--into names {target}, which is none of the files that are read",
            hint=f"name one of: {', '.join(desired.files)}",
        )
    return Place(files=tuple(files), target=Path(target), before=Path(target).read_bytes(), desired=desired)


def _new_place(file: str) -> Place:
    path = Path(file)
    if path.suffix not in _SUFFIXES or not path.parent.is_dir():
        raise UsageError(
            f"there is no {file}", hint="to begin a new file, name a *.yaml in a folder that exists"
        )
    return Place(files=(file,), target=path, before=None, desired=Desired(files=(file,)))


def _home(desired: Desired) -> str:
    """The first file with connections, else the first of all."""
    holding = {connection.mark.file for connection in desired.connections.values()}
    return next((file for file in desired.files if file in holding), desired.files[0])


def draft(place: Place, answers: Answers) -> Draft:
    """The connection as it would be written. Raise ``ConfigError`` when the files would not hold then."""
    secret = secret_file(place, answers.id)
    made = Draft(
        place=place,
        answers=answers,
        config=_configuration(place, answers, secret),
        secret=secret,
        replaces=content(secret),
    )
    try:
        _load(made)
    except ConfigError as error:
        # Everything else held before, so the only secret file that can be missing is the one to come.
        if problems := [problem for problem in error.problems if problem.code != "secret-missing"]:
            raise ConfigError(problems) from None
    return made


def secret_file(place: Place, name: str) -> Path:
    """Beside the secret files of the other connections of the same file, else in ``secrets/``."""
    siblings = [
        Path(connection.credentials.file).parent
        for connection in place.desired.connections.values()
        if connection.mark.file == str(place.target) and not connection.credentials.inline
    ]
    return (siblings[-1] if siblings else place.target.parent / _SECRETS_FOLDER) / f"{name}.sops.yaml"


def _configuration(place: Place, answers: Answers, secret: Path) -> bytes:
    data = place.before if place.before is not None else _beginning(place.target)
    file = str(place.target)
    if answers.egress and answers.egress not in place.desired.egress:
        fields: dict[str, object] = {"addresses": list(answers.addresses)}
        if any(":" in address for address in answers.addresses):
            fields["family"] = "ipv6"
        data = add_entry(data, file=file, section="egress", key=answers.egress, fields=fields)
    entry = {
        "name": answers.name,
        "exchange": answers.exchange,
        "market": answers.market.value,
        **({"egress": answers.egress} if answers.egress else {}),
        "credentials": os.path.relpath(secret, place.target.parent),
    }
    return add_entry(data, file=file, section="connections", key=answers.id, fields=entry)


def _beginning(target: Path) -> bytes:
    """A new file: the version, and the line by which editors find the schema where that is near.

    A path of this machine would mean nothing in anybody else's checkout, so it is left out then.
    """
    schema = folder("schemas") / SCHEMA
    here = target.absolute().parent
    near = f"# yaml-language-server: $schema={os.path.relpath(schema, here)}\n"
    return f"{near if schema.is_relative_to(here.parent) else ''}version: 1\n".encode()


def _load(made: Draft) -> Desired:
    return load(made.place.files, files=Disk({os.path.realpath(made.place.target): made.config}))


def rehearse(made: Draft, sops: Sops) -> None:
    """Encrypt something worthless in the secret's place, so that no one types a secret in vain.

    Raise a ``SecretsError`` when sops is missing, or its rules would not seal this file as they must.
    """
    fields = needed_fields(made.answers.exchange)
    blob = _encrypt(made, {name: Secret(f"rehearsal of {name}") for name in fields}, sops)
    for error in judge_mac(read_envelope(blob, file=str(made.secret))):
        raise error


def seal(made: Draft, credentials: Credentials, sops: Sops) -> bytes:
    """The secret file, encrypted in memory. Raise a ``SecretsError`` when it cannot be."""
    given = (credentials.api_key, credentials.secret, credentials.passphrase)
    named = zip(("api_key", "secret", "passphrase"), given, strict=True)
    return _encrypt(made, {name: value for name, value in named if value is not None}, sops)


def _encrypt(made: Draft, secrets: Mapping[str, Secret], sops: Sops) -> bytes:
    answers = made.answers
    document: Document = {"connection": answers.id, "exchange": answers.exchange, **secrets}
    policy = made.place.desired.policy
    return sops.encrypt(document, filename=made.secret, age=answers.age, policy=policy)


def write(made: Draft, sealed: bytes) -> Connected:
    """Write the secret file, then the configuration; both or none.

    Ctrl-C waits until it is done. Raise ``UsageError`` when a file was changed since it was read or
    cannot be written, ``SecretsError`` when the secret file would be refused by every later run.
    """
    with held_back():
        _require_unchanged(made.secret, made.replaces)
        secret = put(made.secret, sealed)
        try:
            _judge(made)
            _require_unchanged(made.place.target, made.place.before)
            return Connected(puts=(secret, put(made.place.target, made.config)))
        except BaseException:
            secret.undo()
            raise


def _judge(made: Draft) -> None:
    """What ``reconcile validate`` will say of the new connection, before its entry is written."""
    desired = _load(made)
    connection = desired.connections[made.answers.id]
    fields = needed_fields(connection.exchange)
    for error in inspect(connection, fields=fields, policy=desired.policy):
        raise error


def _require_unchanged(path: Path, before: bytes | None) -> None:
    if content(path) != before:
        raise UsageError(
            f"{path} was changed by somebody else just now, so nothing was written",
            hint="run the command again",
        )
