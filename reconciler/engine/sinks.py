"""The operator's file of sinks: where notifications go. Its URLs are secrets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from reconciler.desired.document import Document
from reconciler.desired.loader import load_document
from reconciler.engine.settings import Settings
from reconciler.model.desired import Policy
from reconciler.model.errors import ConfigError, PlaintextSecret, Problem, SecretsError, UsageError
from reconciler.model.event import EventSeverity
from reconciler.model.secret import Secret
from reconciler.notify.interface import PER_MINUTE, SinkSpec
from reconciler.notify.registry import KINDS, faults
from reconciler.secrets.envelope import Envelope, read_envelope
from reconciler.secrets.judging import judge_mac
from reconciler.secrets.recipients import unsafe_recipients
from reconciler.secrets.sops import find_sops

#: Bytes; an entry has about two hundred.
_LIMIT: Final = 1 << 18
_SECRET_FIELDS: Final = ("url", "secret")
_FIELDS: Final = ("type", "url", "secret", "min_severity", "per_minute")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST_PER_MINUTE: Final = 600
#: Parts of a URL that are as long as this are tokens, unless they are the name of a host.
_TOKEN: Final = 16
_MODE_HINT: Final = (
    "chmod 600 it, or encrypt it with sops; in Kubernetes mount the Secret with defaultMode: 0440 and fsGroup"
)


def read_sinks(path: str, settings: Settings) -> tuple[SinkSpec, ...]:
    """The sinks that the file at ``path`` names, in its order, each without faults.

    A file that sops encrypted is decrypted; one in plain must be out of others' reach. What is secret
    in it is told to ``settings.redactor`` at once. Raise ``UsageError`` for what is no such file,
    ``ConfigError`` for what is wrong in it, and ``SecretsError`` for one that others can read, that was
    tampered with or cannot be opened now. No error quotes a value.
    """
    blob, reachable = _read(path)
    document = load_document(blob, file=path, root=str(Path(path).parent))
    if document.problems:
        raise ConfigError(document.problems)
    if document.section("sops"):
        value = _decrypted(blob, path, settings)
    elif reachable:
        raise SecretsError(f"{path} holds secrets in clear, and other users can read it", hint=_MODE_HINT)
    else:
        value = document.value
    return tuple(_specs(document, value, settings))


def _read(path: str) -> tuple[bytes, bool]:
    """The bytes of a file, and whether users other than its owner can reach it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"--notify-file {path} is no regular file", hint="name a file")
            blob = file.read(_LIMIT + 1)
    except (OSError, ValueError) as error:
        cause = (isinstance(error, OSError) and error.strerror) or "the path is not valid"
        raise UsageError(f"--notify-file {path} cannot be read: {cause.lower()}") from None
    if len(blob) > _LIMIT:
        raise UsageError(f"--notify-file {path} is too large to be a file of sinks")
    return blob, _reachable(found)


def _reachable(found: os.stat_result) -> bool:
    """Whether others can read or write it. Of root's file the group may read: a Secret that is mounted."""
    foreign = found.st_uid == 0 and os.geteuid() != 0
    return bool(stat.S_IMODE(found.st_mode) & (0o037 if foreign else 0o077))


def _decrypted(blob: bytes, path: str, settings: Settings) -> Mapping[str, Any]:
    """The plain document, once the ciphertext was judged: sops connects to where a file says."""
    envelope = read_envelope(blob, file=path)
    for objection in (
        *unsafe_recipients(envelope.recipients, Policy()),
        *judge_mac(envelope),
        *_in_clear(envelope),
    ):
        raise objection
    return find_sops(settings.sops, settings.environ).decrypt(blob, file=path)


def _in_clear(envelope: Envelope) -> Iterator[SecretsError]:
    for one in envelope.values():
        if one.path[-1] in _SECRET_FIELDS and not one.encrypted and not one.empty:
            yield PlaintextSecret(
                f"`{one.path[-1]}` stands in clear in a file that sops encrypted",
                hint="replace it at the service, it may have leaked; write the new one with `sops edit`",
                mark=one.mark,
            )


def _specs(document: Document, value: Any, settings: Settings) -> Iterator[SinkSpec]:  # noqa: ANN401 - YAML's
    sinks = value.get("sinks") if isinstance(value, Mapping) else None
    if not isinstance(sinks, Mapping) or not sinks or set(value) - {"version", "sinks", "sops"}:
        raise ConfigError(
            [_problem(document, (), "is no file of sinks", "write `sinks:` and a name below it")]
        )
    problems, specs = [], []
    for name, entry in sinks.items():
        found = tuple(_entry_faults(str(name), entry))
        spec = None if found else _spec(str(name), entry)
        if spec is not None:
            settings.redactor.add(secrets_of(spec))
            found = faults(spec)
            specs.append(spec)
        problems += [_problem(document, ("sinks", name, field), *fault) for field, *fault in found]
    if problems:
        raise ConfigError(problems, hint="docs/notifications.md has an example")
    yield from specs


def _entry_faults(name: str, entry: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - YAML's
    """What is wrong with the shape of an entry: field, what, what to do."""
    if not _NAME.fullmatch(name):
        yield "", "has a name that is no id", "use small letters, digits and hyphens"
    if not isinstance(entry, Mapping):
        yield "", "is no mapping", "write `type:` and `url:` below its name"
        return
    for field in sorted(str(field) for field in entry if field not in _FIELDS):
        shown = field if _NAME.fullmatch(field.replace("_", "-")) else "a field"
        yield "", f"has {shown}, which is unknown", f"the fields are {', '.join(_FIELDS)}"
    if entry.get("type") not in KINDS:
        yield "type", "is no type of sink", f"write one of {', '.join(KINDS)}"
    for field in _SECRET_FIELDS:
        given = entry.get(field)
        if (field == "url" or given is not None) and not (isinstance(given, str) and given):
            yield field, "is missing or no text", "put it in quotes"
    if entry.get("min_severity", "info") not in set(EventSeverity):
        yield "min_severity", "is no severity", f"write one of {', '.join(EventSeverity)}"
    count = entry.get("per_minute", PER_MINUTE)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_PER_MINUTE:
        yield "per_minute", "is no number of messages", f"write a number from 1 to {_MOST_PER_MINUTE}"


def _spec(name: str, entry: Mapping[str, Any]) -> SinkSpec:
    secret = entry.get("secret")
    return SinkSpec(
        name=name,
        type=entry["type"],
        url=Secret(entry["url"]),
        secret=None if secret is None else Secret(secret),
        min_severity=EventSeverity(entry.get("min_severity", "info")),
        per_minute=entry.get("per_minute", PER_MINUTE),
    )


def _problem(document: Document, path: tuple[str, ...], what: str, fix: str) -> Problem:
    *_, name, field = ("", "", *path)
    about = f"`{field}` of the sink {name}" if field else f"the sink {name}" if name else "this"
    mark = document.key_mark(tuple(part for part in path if part))
    return Problem(mark=mark, code="sink", message=f"{about} {what}", fix=fix)


def secrets_of(spec: SinkSpec) -> Iterable[Secret]:
    """What of an entry must never be seen: URL and secret whole, and each token within the URL."""
    url = spec.url.reveal()
    yield spec.url
    if spec.secret is not None:
        yield spec.secret
        yield Secret(spec.secret.reveal().partition("_")[2])
    _, _, rest = url.partition("://")
    yield Secret(rest)
    host = _host(url)
    for part in re.split(r"[/:@?&=#,+]+", rest):
        if len(part) >= _TOKEN and part.lower() != host:
            yield Secret(part)
            yield Secret(unquote(part))
    userinfo, at, _ = rest.rpartition("@")
    if at:
        yield from (Secret(unquote(part)) for part in userinfo.split(":") if part)


def _host(url: str) -> str:
    """The name of the host, which is no secret; nothing where a token stands in its place."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host if "." in host else ""
