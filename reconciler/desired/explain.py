"""What is wrong with the shape of a document, in words that never hold one of its values.

jsonschema finds the places; its own messages quote the instance, which may be a secret, and are
never shown. What was expected comes from ``title`` and ``examples`` of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from reconciler.desired.document import Document, Path, Plain
from reconciler.desired.wording import is_ciphertext, is_secret_name, shown, suggestion, where
from reconciler.model.errors import Problem

Placed: TypeAlias = tuple[Path, Problem]

MAX_PROBLEMS: Final = 500

_CODES: Final = {
    "type": "wrong-type",
    "pattern": "wrong-format",
    "enum": "wrong-value",
    "const": "wrong-value",
}
_KINDS: Final = {
    type(None): "nothing",
    bool: "true or false",
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def _pattern(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """``pattern`` as JSON Schema means it: Python's ``$`` would let a line break through at the end."""
    strict = pattern.removesuffix("$") + r"\Z"
    if isinstance(instance, str) and not re.search(strict, instance):
        yield ValidationError("does not match")


_Explainer: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]  # no types upstream
    Draft202012Validator, {"pattern": _pattern}
)


def accepts(value: Plain, schema: Mapping[str, Any]) -> bool:
    """Whether the explaining validator finds nothing wrong; held to one verdict with the deciding one."""
    return bool(_Explainer(schema).is_valid(value))


def problems(document: Document, value: Plain, schema: Mapping[str, Any]) -> tuple[tuple[Placed, ...], bool]:
    """Every problem of shape in ``value``, a part of ``document``, each once; and whether that is all."""
    found: dict[tuple[Path, str], Problem] = {}
    for error in _Explainer(schema).iter_errors(value):
        if len(found) >= MAX_PROBLEMS:
            break
        for path, problem in _Words(document, schema, error).placed():
            found.setdefault((path, problem.code), problem)
    placed = tuple((path, problem) for (path, _), problem in found.items())
    return placed[:MAX_PROBLEMS], len(placed) < MAX_PROBLEMS


def unfinished(document: Document) -> Problem:
    """A problem with the whole document: more is wrong with its shape than was told."""
    return Problem(
        mark=document.value_mark(()),
        code="too-many-problems",
        message="more is wrong in this file than is listed",
        fix="mend what is listed first",
    )


def bare(document: Document, paths: Iterable[Path]) -> tuple[Placed, ...]:
    """A problem for each path of which only the deciding validator knows that it is wrong."""
    return tuple(
        (
            path,
            Problem(
                mark=document.key_mark(path),
                code="wrong-shape",
                message=f"{where(path)}: not of the shape that the schema asks for",
                fix="compare with schemas/connections.schema.json",
            ),
        )
        for path in paths
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """The problems that one error of jsonschema amounts to."""

    document: Document
    schema: Mapping[str, Any]
    error: ValidationError

    @property
    def path(self) -> Path:
        """Where the value stands."""
        return tuple(self.error.absolute_path)

    @property
    def value(self) -> Plain:
        """What stands there."""
        return self.error.instance

    @property
    def rule(self) -> Mapping[str, Any]:
        """The part of the schema that does not hold."""
        return self.error.schema if isinstance(self.error.schema, Mapping) else {}

    def placed(self) -> Iterator[Placed]:
        """Each problem with its path."""
        if "propertyNames" in self.error.absolute_schema_path:
            yield self._bad_id()
            return
        special: dict[str, Callable[[], Iterator[Placed]]] = {
            "additionalProperties": self._unknown_fields,
            "required": self._missing_fields,
        }
        yield from special.get(str(self.error.validator), self._wrong_value)()

    def _bad_id(self) -> Placed:
        path = (*self.path, str(self.value))
        title = self.schema["$defs"]["id"]["title"]
        message = f"{where(self.path)}: expected {title}"
        return self._at_key(path, "bad-id", message, "rename it, also where it is referred to")

    def _unknown_fields(self) -> Iterator[Placed]:
        known = tuple(self.rule["properties"])
        for name in self.value:
            if name not in known:
                yield self._unknown_field(name, known)

    def _unknown_field(self, name: str, known: tuple[str, ...]) -> Placed:
        path = (*self.path, name)
        value = self.value[name]
        if is_secret_name(name) and not is_ciphertext(value):
            return self._at_key(
                path,
                "plaintext-secret",
                f"{where(self.path)}: a secret does not belong here, and not in clear",
                "put it into a file that sops encrypts and name that file in `credentials`; if it was ever "
                "committed or shared, delete the key at the exchange and make a new one",
            )
        # A name beneath credentials may be a value that lost its field.
        named = "" if "credentials" in path or shown(name) != name else f" `{name}`"
        message = f"unknown field{named} in {where(self.path)}: expected one of {', '.join(known)}"
        close = suggestion(name, known)
        return self._at_key(path, "unknown-field", message + close, "mend its name, or remove it")

    def _missing_fields(self) -> Iterator[Placed]:
        properties = self.rule["properties"]
        for name in self.rule["required"]:
            if name not in self.value:
                wanted = self._resolve(properties[name])
                message = f"{where(self.path)}: the field `{name}` is missing: {_title(wanted)}"
                path, problem = self._at_key(self.path, "missing-field", message, _example(name, wanted))
                yield (*path, name), problem

    def _wrong_value(self) -> Iterator[Placed]:
        path, value = self.path, self.value
        if path[-2:] == ("permissions", "withdraw"):
            yield self._withdraw()
        elif len(path) == len(("connections", "id", "credentials", "field")) and path[2] == "credentials":
            yield self._secret()
        elif path[-1:] == ("url",) and isinstance(value, str) and "@" in value:
            message = f"{where(path)}: a url must not hold a user name or password"
            yield self._at_value("url-credentials", message, "put them into the runtime's secret file")
        elif path[-1:] == ("proxy",) and isinstance(value, str) and "@" in value:
            message = f"{where(path)}: a proxy address must not hold a user name or password"
            yield self._at_value(
                "proxy-credentials", message, "let the proxy trust this machine's address instead"
            )
        else:
            yield self._expected()

    def _expected(self) -> Placed:
        keyword, value, schema = str(self.error.validator), self.value, self.rule
        found = f", found {_KINDS[type(value)]}" if keyword == "type" else ""
        close = suggestion(value, schema["enum"]) if keyword == "enum" else ""
        message = f"{where(self.path)}: expected {_title(schema)}{found}{close}"
        fix = _example(self.path[-1] if self.path else "", schema)
        if schema.get("type") == "string" and type(value) in (int, bool):
            fix = "put the value in quotes"
        return self._at_value(_CODES.get(keyword, "wrong-size"), message, fix)

    def _withdraw(self) -> Placed:
        return self._at_value(
            "withdraw-never",
            f"{where(self.path)}: a key that can withdraw never carries a strategy: only false is allowed",
            "take the right to withdraw from the key at the exchange, and write `withdraw: false`",
        )

    def _secret(self) -> Placed:
        if is_ciphertext(self.value):
            return self._at_value(
                "secret-not-text",
                f"{where(self.path)}: encrypted, but not as text, so that it may have changed on the way",
                "put the value in quotes before sops encrypts it",
            )
        return self._at_value(
            "plaintext-secret",
            f"{where(self.path)}: a secret stands in clear; expected {_title(self.rule)}",
            "encrypt the file with sops; if it was ever committed or shared, delete the key at the exchange "
            "and make a new one",
        )

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference: str = schema.get("$ref", "")
        return self.schema["$defs"][reference.rpartition("/")[2]] | schema if reference else schema

    def _at_key(self, path: Path, code: str, message: str, fix: str) -> Placed:
        return path, Problem(mark=self.document.key_mark(path), code=code, message=message, fix=fix)

    def _at_value(self, code: str, message: str, fix: str) -> Placed:
        mark = self.document.value_mark(self.path)
        return self.path, Problem(mark=mark, code=code, message=message, fix=fix)


def _title(schema: Mapping[str, Any]) -> str:
    return str(schema.get("title") or schema["description"])


def _example(name: str | int, schema: Mapping[str, Any]) -> str:
    """How to write a field, from the schema's own example; which is valid YAML, being JSON."""
    if name == "":
        return "begin with `version: 1`; the README shows a whole file"
    if "examples" not in schema:
        return f"see `{name}` in schemas/connections.schema.json"
    text = _flow(schema["examples"][0])
    return f"write for example `{name}: {text}`" if isinstance(name, str) else f"write for example `{text}`"


def _flow(value: Plain) -> str:
    """A value of the schema's examples in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return value if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./ -]*|[0-9]+[smhdw]", value) else f'"{value}"'
