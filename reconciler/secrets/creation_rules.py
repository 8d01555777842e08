"""Whether the rules of a ``.sops.yaml`` really encrypt credentials, found before anything is encrypted.

sops ignores a regular expression that it cannot compile: it writes every value in clear and
exits 0 (github.com/getsops/sops, ``sops.go``, ``shouldBeEncrypted``). So rules are read here first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.model.errors import Mark, Problem
from reconciler.model.sealed import CreationRule
from reconciler.secrets import re2
from reconciler.secrets.recipients import spellings

SECRET_FIELDS: Final = ("api_key", "secret", "passphrase", "private_key")
"""The fields of a connection's secret file that must never stand in clear."""

ANY_SECRET_FIELD: Final = (*SECRET_FIELDS, "username", "password", "token")
"""Those of any secret file: runtimes have some of their own."""

BINDING_FIELDS: Final = ("connection", "exchange")
"""The fields of a connection's secret file that must stand in clear, so that no key is needed to judge it."""

RUNTIME_BINDING: Final = ("runtime", "url")
"""The same of a runtime's."""

ENCRYPTED_REGEX: Final = f"^({'|'.join(ANY_SECRET_FIELD)})$"
"""The rule for secret files: it keeps what a file belongs to readable in a review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a rule must encrypt in the files that it is for, and what it must leave readable."""

    secret: tuple[str, ...]
    binding: tuple[str, ...]


CONNECTION: Final = Shape(secret=SECRET_FIELDS, binding=BINDING_FIELDS)


def runtime_shape(fields: Sequence[str]) -> Shape:
    """The shape of the secret file of a runtime whose type needs ``fields``."""
    return Shape(secret=tuple(fields), binding=RUNTIME_BINDING)


FILE_NAME: Final = ".sops.yaml"
_SIZE_LIMIT: Final = 1 << 20
_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 100_000
_MAX_RULES: Final = 500
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_RECIPIENTS: Final = (
    "age",
    "pgp",
    "kms",
    "gcp_kms",
    "azure_keyvault",
    "hc_vault_transit_uri",
    "hckms",
    "key_groups",
    "plugins",
)
#: What a rule calls a group that a file calls otherwise, and how a rule writes a member of it.
_GROUPS: Final = {"azure_keyvault": "azure_kv", "hc_vault_transit_uri": "hc_vault"}
_SPELT: Final[Mapping[str, Callable[[str], str]]] = {
    "age": lambda text: " ".join(text.split()[:2]),
    "pgp": lambda text: text.replace(" ", "").upper(),
    "kms": lambda text: text.partition("+")[0],
    "azure_keyvault": lambda text: "/".join(text.split("/")[:5]),
}
_SELECTORS: Final = (
    "encrypted_regex",
    "unencrypted_regex",
    "encrypted_suffix",
    "unencrypted_suffix",
    "encrypted_comment_regex",
    "unencrypted_comment_regex",
)
#: How sops chooses where a rule says nothing: everything but names that end so.
_DEFAULT: Final = ("unencrypted_suffix", "_unencrypted")
_USE: Final = f"set `encrypted_regex: '{ENCRYPTED_REGEX}'` and no other selection in this rule"


def find_rules(folder: Path) -> Path | None:
    """The nearest ``.sops.yaml`` in ``folder`` or above it, or ``None``."""
    return next((path for at in (folder, *folder.parents) if (path := at / FILE_NAME).is_file()), None)


def lint_rules(
    source: Path | str,
    *,
    file: str | None = None,
    secret_files: Sequence[Path] = (),
    shape: Shape = CONNECTION,
) -> tuple[Problem, ...]:
    """What in a ``.sops.yaml`` would leave credentials in clear or unprotected, rule by rule.

    ``source`` is its path, or its text with ``file`` as its name. With ``secret_files`` only the
    rules that sops would take for one of them are judged, else every rule. ``shape`` is that of those
    files. Codes:
    ``rules-unreadable``, ``no-recipients``, ``bad-regex``, ``secret-in-clear``,
    ``binding-encrypted``, ``rule-unjudged``, ``mac-only-encrypted``.
    """
    name = file or (str(source) if isinstance(source, Path) else FILE_NAME)
    try:
        text = _text(source)
        rules = _used(list(_rules(text, name)), Path(name).absolute().parent, secret_files)
    except (OSError, ValueError, yaml.YAMLError) as error:
        place = getattr(error, "problem_mark", None)
        return (_unreadable(name, place.line + 1 if place else 1),)
    return tuple(problem for rule in rules for problem in _judge(rule, shape))


def read_rules(text: str, *, file: str) -> tuple[CreationRule, ...] | None:
    """The rules in the text of a ``.sops.yaml``, in their order; ``None`` where there is no list of rules."""
    try:
        return tuple(_creation_rule(rule) for rule in _rules(text, file))
    except (ValueError, yaml.YAMLError):
        return None


def read_destinations(text: str) -> tuple[str, ...]:
    """Where ``sops publish`` would send which files, one text for each rule that can be read."""
    try:
        document = _document(text)
    except (ValueError, yaml.YAMLError):
        return ()
    rules = document.get("destination_rules") if isinstance(document, dict) else None
    return tuple(json.dumps(rule, sort_keys=True) for rule in rules) if isinstance(rules, list) else ()


def left_in_clear(settings: Mapping[str, str], fields: tuple[str, ...] = SECRET_FIELDS) -> tuple[str, ...]:
    """Those of ``fields`` that sops, selecting values by ``settings``, would not surely encrypt."""
    chosen = {name: settings[name] for name in _SELECTORS if settings.get(name)}
    if len(chosen) > 1:
        return fields
    return _left_out(*next(iter(chosen.items()), _DEFAULT), fields)


@lru_cache(maxsize=64)  # thousands of files have the same few selections
def _left_out(kind: str, pattern: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``fields`` that one selection does not surely encrypt."""
    if kind.endswith("comment_regex") or (kind.endswith("regex") and re2.refusal(pattern)):
        return fields
    return tuple(name for name in fields if not _encrypts(kind, pattern, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    mark: Mark
    entries: Mapping[str, Any]

    @property
    def title(self) -> str:
        path = self.entries.get("path_regex")
        return f"the rule for {path!r}" if isinstance(path, str) and path else "the rule for all files"

    @property
    def selections(self) -> dict[str, str]:
        return {
            name: str(self.entries[name]) for name in _SELECTORS if self.entries.get(name) not in (None, "")
        }

    def problem(self, code: str, message: str, fix: str) -> Problem:
        return Problem(mark=self.mark, code=code, message=f"{self.title} {message}", fix=fix)


def _text(source: Path | str) -> str:
    if isinstance(source, str):
        return source
    with source.open("rb") as stream:
        blob = stream.read(_SIZE_LIMIT + 1)
    if len(blob) > _SIZE_LIMIT:
        raise ValueError("too large")
    return blob.decode("utf-8-sig")


def _document(text: str) -> object:
    """What a ``.sops.yaml`` says. Aliases are usual there, and resolved; what they add up to is bounded."""
    if len(text) > _SIZE_LIMIT:
        raise ValueError("too large")
    _bound(text)
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - the base loader gives text, lists and mappings only


def _rules(text: str, file: str) -> Iterator[_Rule]:
    """The creation rules."""
    document = _document(text)
    root = yaml.compose(text, Loader=_LOADER)
    rules = document.get("creation_rules") if isinstance(document, dict) else None
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("no list of rules")
    if len(rules) > _MAX_RULES:
        raise ValueError("too many rules")
    for rule, line in zip(rules, _lines(root), strict=True):
        yield _Rule(mark=Mark(file=file, line=line), entries=_merged(rule))


def _bound(text: str) -> None:
    """Raise ``ValueError`` where the document, each alias written out, is too deep or too long."""
    known: dict[str, tuple[int, int]] = {}
    waiting: list[tuple[str | None, int, int]] = [(None, 0, 0)]
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            waiting.append((event.anchor, 0, 0))
            if len(waiting) > _MAX_DEPTH + 1:  # at once: to read on costs a time that grows with its square
                raise ValueError("too deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size, height = waiting.pop()
            size, height = size + 1, height + 1
        elif isinstance(event, yaml.AliasEvent):
            anchor, (size, height) = None, known.get(str(event.anchor), (_MAX_NODES, 0))
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size, height = event.anchor, 1, 0
        else:
            continue
        if anchor:
            known[anchor] = size, height
        outer, before, highest = waiting[-1]
        waiting[-1] = outer, before + size, max(highest, height)
        if before + size > _MAX_NODES or len(waiting) + height > _MAX_DEPTH:
            raise ValueError("too much")


def _used(rules: list[_Rule], folder: Path, files: Sequence[Path]) -> list[_Rule]:
    """The first rule for each file, by its path below ``folder``, and those that may come before it."""
    if not files:
        return rules
    used: dict[int, _Rule] = {}
    for path in files:
        below = str(path.absolute()).removeprefix(f"{folder}/")
        for rule in rules:
            pattern = rule.entries.get("path_regex") or ""
            matched = re2.matches(pattern, below) if isinstance(pattern, str) else None
            if matched is not False:
                used[id(rule)] = rule
            if matched:
                break
    return list(used.values())


def _lines(root: yaml.Node | None) -> list[int]:
    """The line of each creation rule; the last one wins, as in the loaded document."""
    found: list[int] = []
    for key, value in root.value if root else ():
        if key.value == "creation_rules":
            found = [rule.start_mark.line + 1 for rule in value.value]
    return found


def _merged(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule with its merge key (``<<``) resolved, one level deep."""
    sources = rule.get("<<", ())
    merged: dict[str, Any] = {}
    for source in sources if isinstance(sources, list) else (sources,):
        if isinstance(source, dict):
            merged = {**source, **merged}
    return {**merged, **rule}


def _creation_rule(rule: _Rule) -> CreationRule:
    chosen = rule.selections
    return CreationRule(
        path=str(rule.entries.get("path_regex") or ""),
        holders=tuple(sorted(set(_holders(rule.entries)))),
        key_groups=_key_groups(rule.entries.get("key_groups")),
        selection=", ".join(f"{name}: {pattern}" for name, pattern in chosen.items()),
        left_in_clear=left_in_clear(chosen),
        mac_only_encrypted=_may_be_true(rule.entries.get("mac_only_encrypted")),
        shamir_threshold=str(rule.entries.get("shamir_threshold") or ""),
        mark=rule.mark,
    )


def _key_groups(value: object) -> tuple[str, ...]:
    """Who holds each part of the data key, where a rule makes several parts."""
    groups = [group for group in value if isinstance(group, dict)] if isinstance(value, list) else []
    return tuple(", ".join(sorted(_holders(group))) for group in groups) if len(groups) > 1 else ()


def _holders(entries: Mapping[str, Any]) -> Iterator[str]:
    """Whom a rule names, spelt as :class:`Recipient` spells those of a file; a key group may nest them."""
    for name, value in entries.items():
        if name == "key_groups":
            groups = value if isinstance(value, list) else [value]
            yield from (holder for group in groups if isinstance(group, dict) for holder in _holders(group))
        elif name in _RECIPIENTS:
            yield from (f"{_GROUPS.get(name, name)} {one}".rstrip() for one in _named(name, value))


def _named(name: str, value: object) -> Iterator[str]:
    """``a, b`` or a list of texts or of mappings, one after the other; roles and versions are cut off."""
    if isinstance(value, list):
        yield from (one for item in value for one in _named(name, item))
    elif isinstance(value, dict):
        group = _GROUPS.get(name, name)
        yield from spellings(group, {key: str(text) for key, text in value.items()})[:1]
    else:
        for part in str(value or "").split(","):
            if text := part.strip():
                yield _SPELT.get(name, str)(text)


def _judge(rule: _Rule, shape: Shape) -> Iterator[Problem]:
    if not any(rule.entries.get(name) for name in _RECIPIENTS):
        yield rule.problem(
            "no-recipients", "names nobody who can open the files", "add `age:` with your public keys"
        )
    if _may_be_true(rule.entries.get("mac_only_encrypted")):
        yield rule.problem(
            "mac-only-encrypted",
            "leaves outside the MAC what a file says that it belongs to, so it can change hands unnoticed",
            "remove `mac_only_encrypted`; it is right only for configuration files with inline values",
        )
    selections = rule.selections
    if len(selections) > 1:
        yield rule.problem("bad-regex", f"has {len(selections)} selections; sops takes one", _USE)
        return
    kind, pattern = next(iter(selections.items()), _DEFAULT)
    yield from _judge_selection(rule, kind, pattern, shape)


def _judge_selection(rule: _Rule, kind: str, pattern: str, shape: Shape) -> Iterator[Problem]:
    if kind.endswith("comment_regex"):
        yield rule.problem("rule-unjudged", "selects by comments, which cannot be judged here", _USE)
        return
    if kind.endswith("regex") and (why := re2.refusal(pattern)):
        yield rule.problem(
            "bad-regex",
            f"has an `{kind}` with {why}, which sops cannot read; it says nothing and goes on without",
            _USE,
        )
        if kind == "encrypted_regex":
            yield rule.problem("secret-in-clear", "therefore leaves every value in clear", _USE)
        return
    encrypted = {name: _encrypts(kind, pattern, name) for name in (*shape.secret, *shape.binding)}
    if None in encrypted.values():
        yield rule.problem("rule-unjudged", f"has an `{kind}` that cannot be judged here", _USE)
        return
    if clear := [name for name in shape.secret if not encrypted[name]]:
        yield rule.problem("secret-in-clear", f"would leave {_listed(clear)} in clear", _USE)
    if hidden := [name for name in shape.binding if encrypted[name]]:
        yield rule.problem(
            "binding-encrypted", f"would encrypt {_listed(hidden)}, which must stay readable", _USE
        )


def _encrypts(kind: str, pattern: str, name: str) -> bool | None:
    """Whether sops would encrypt the field ``name``, ``None`` where that cannot be told."""
    found = re2.matches(pattern, name) if kind.endswith("regex") else name.endswith(pattern)
    if found is None:
        return None
    return found if kind.startswith("encrypted") else not found


def _may_be_true(value: object) -> bool:
    """Go's YAML takes several spellings for true, so only absence and ``false`` count as false."""
    return str(value or "false").lower() != "false"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _unreadable(file: str, line: int) -> Problem:
    return Problem(
        mark=Mark(file=file, line=line),
        code="rules-unreadable",
        message="this is no readable list of creation rules, so sops cannot encrypt by it",
        fix="write `creation_rules:` as a list of rules, in UTF-8",
    )
