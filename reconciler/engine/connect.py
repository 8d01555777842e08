"""A new connection: judged before anything is written, then written whole, and undone whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.edit import add_entry
from reconciler.engine.additions import Addition, SecretFile, Written, encrypt, in_use, judged
from reconciler.engine.additions import write as write_addition
from reconciler.engine.place import Place, secret_file
from reconciler.engine.put import content
from reconciler.engine.validate import needed_fields
from reconciler.model.desired import Market
from reconciler.model.errors import UsageError
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.judging import judge_mac
from reconciler.secrets.sops import Sops


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

    @property
    def file(self) -> SecretFile:
        """The secret file, and what it says in clear."""
        answers = self.answers
        binding = {"connection": answers.id, "exchange": answers.exchange}
        owner = ("connections", answers.id)
        return SecretFile(path=self.secret, owner=owner, binding=binding, replaces=self.replaces)

    @property
    def addition(self) -> Addition:
        """Both files, as they are written."""
        return Addition(place=self.place, config=self.config, secrets=(self.file,))


def draft(place: Place, answers: Answers) -> Draft:
    """The connection as it would be written.

    Raise ``ConfigError`` when the files would not hold then, ``UsageError`` when another entry uses the
    secret file that it would have.
    """
    secret = secret_file(place, answers.id)
    if in_use(place.desired, secret):
        raise UsageError(f"another entry of the files uses {secret}", hint="choose another --id")
    made = Draft(
        place=place,
        answers=answers,
        config=_configuration(place, answers, secret),
        secret=secret,
        replaces=content(secret),
    )
    judged(made.addition)
    return made


def _configuration(place: Place, answers: Answers, secret: Path) -> bytes:
    data, file = place.text(), str(place.target)
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
    return encrypt(made.addition, made.file, secrets, sops=sops, age=made.answers.age)


def write(made: Draft, sealed: bytes) -> Written:
    """Write both files or none, as :func:`reconciler.engine.additions.write` does."""
    return write_addition(made.addition, {made.secret: sealed})
