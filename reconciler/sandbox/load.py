"""A scenario file, read: YAML under ``schemas/sandbox.schema.json``, every error with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

import jsonschema
import yaml

from reconciler.model.errors import ConfigError, Mark, Problem, UsageError
from reconciler.resources import schema
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, RateLimit, Scenario, Verbatim
from reconciler.sandbox.venues import venue

Where: TypeAlias = tuple[str | int, ...]
"""A place in the document: the mapping keys and list positions that lead to it."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE: Final = re.compile(r"([+-]\d+)([smhd])")
_FIX: Final = "see schemas/sandbox.schema.json for what a scenario may hold"


class _Loader(yaml.CSafeLoader):
    """Leaves dates as text: the schema says how a moment is written."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_scenario(path: Path | str, *, now: datetime | None = None) -> Scenario:
    """The scenario in a YAML file. Relative times count from ``now``, by default this moment.

    Raises:
        ConfigError: the file cannot be read, or is no valid scenario; holds every problem found.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = Problem(
            mark=Mark(file=str(path), line=1),
            code="unreadable",
            message=f"the scenario cannot be read: {reason}",
            fix="name a readable YAML file",
        )
        raise ConfigError([problem]) from error
    return parse_scenario(text, file=str(path), now=now)


def parse_scenario(text: str, *, file: str = "scenario", now: datetime | None = None) -> Scenario:
    """The scenario in a YAML text; see :func:`load_scenario`."""
    source = _Source(text, file)
    start = now or datetime.now(UTC)
    problems = [*source.problems, *_shape(source)] or [*_times(source, start)]
    if not problems:
        scenario = _scenario(source.value, start)
        problems = [*_sense(scenario, source)]
        if not problems:
            return scenario
    raise ConfigError(problems)


class _Source:
    """A YAML document as a value, with the mark of everything in it."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.value: Any = None
        self.problems: list[Problem] = []
        self._marks: dict[Where, Mark] = {}
        self._walked: set[yaml.Node] = set()
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                self._walk(node, ())
                self.value = loader.construct_document(node)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            place = getattr(error, "problem_mark", None)
            mark = Mark(file=file, line=1) if place is None else self._mark(place)
            reason = getattr(error, "problem", None) or "this is no YAML that can be read"
            self.problems.append(Problem(mark=mark, code="yaml", message=reason, fix="mend the YAML"))
        finally:
            loader.dispose()

    def problem(self, where: Where, code: str, message: str, fix: str = _FIX) -> Problem:
        """A problem at ``where``, or at the nearest thing above it that has a line."""
        while where and where not in self._marks:
            where = where[:-1]
        mark = self._marks.get(where, Mark(file=self.file, line=1))
        return Problem(mark=mark, code=code, message=message, fix=fix)

    def _walk(self, node: yaml.Node, where: Where) -> None:
        if node in self._walked:
            return  # an alias: told where it was written
        self._walked.add(node)
        self._marks.setdefault(where, self._mark(node.start_mark))
        if isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                self._walk(item, (*where, position))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*where, str(key.value))
                if inner in self._marks:
                    found = Problem(
                        mark=self._mark(key.start_mark),
                        code="duplicate-key",
                        message=f"{_name(inner)} stands twice",
                        fix="keep one of them",
                    )
                    self.problems.append(found)
                self._marks[inner] = self._mark(key.start_mark)
                self._walk(value, inner)

    def _mark(self, place: yaml.Mark) -> Mark:
        return Mark(file=self.file, line=place.line + 1, column=place.column + 1)


def _shape(source: _Source) -> Iterator[Problem]:
    if source.problems:
        return
    validator = jsonschema.Draft202012Validator(json.loads(schema("sandbox.schema.json")))
    for error in validator.iter_errors(source.value):
        where: Where = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown(error, where, source)
        else:
            yield source.problem(where, "schema", f"{_name(where)} {_complaint(error)}")


def _unknown(error: jsonschema.ValidationError, where: Where, source: _Source) -> Iterator[Problem]:
    given: Any = error.instance
    around: Any = error.schema
    for name in sorted({str(name) for name in given} - set(around["properties"])):
        fix = f"write one of: {', '.join(around['properties'])}"
        yield source.problem((*where, name), "unknown-field", f"{_name(where)} may not hold {name}", fix)


def _times(source: _Source, now: datetime) -> Iterator[Problem]:
    """Times that are written as ones, and are none: a 30th of February, an age beyond all calendars."""
    for exchange, spec in source.value["exchanges"].items():
        for name, key in spec.get("keys", {}).items():
            for field in sorted({"created", "expires"} & set(key)):
                where: Where = ("exchanges", exchange, "keys", name, field)
                try:
                    _moment(key[field], now)
                except (ValueError, OverflowError):
                    yield source.problem(
                        where, "time", f"{_name(where)} is no time", "write one such as -40d"
                    )


def _complaint(error: jsonschema.ValidationError) -> str:
    """What the schema asks for. The library's own message quotes the value, which may be a secret."""
    rule: Any = error.validator_value
    around: Any = error.schema
    given: Any = error.instance
    if error.validator == "required":
        return f"lacks {', '.join(name for name in rule if name not in given)}"
    if error.validator == "additionalProperties":
        return (
            f"may not hold {', '.join(sorted(str(name) for name in set(given) - set(around['properties'])))}"
        )
    if error.validator == "type":
        return f"must be of type {rule if isinstance(rule, str) else ' or '.join(rule)}"
    if error.validator in {"enum", "const", "minimum", "maximum", "pattern"}:
        return f"must satisfy {error.validator}: {json.dumps(rule)}"
    described = around.get("description")
    return f"must be: {described}" if described else f"breaks the rule {error.validator!r}"


def _name(where: Where) -> str:
    return ".".join(str(part) for part in where) or "the scenario"


def _scenario(value: Mapping[str, Any], now: datetime) -> Scenario:
    exchanges = {name: _exchange(name, given, now) for name, given in value["exchanges"].items()}
    return Scenario(exchanges=exchanges)


def _exchange(name: str, given: Mapping[str, Any], now: datetime) -> ExchangeSpec:
    keys = {key: _key(key, fields, now) for key, fields in given.get("keys", {}).items()}
    rest = {field: value for field, value in given.items() if field not in {"keys", "faults"}}
    return ExchangeSpec(id=name, keys=keys, faults=_faults(given.get("faults", {})), **rest)


def _key(name: str, given: Mapping[str, Any], now: datetime) -> Key:
    convert: Mapping[str, Callable[[Any], Any]] = {
        "created": lambda text: _moment(text, now),
        "expires": lambda text: _moment(text, now),
        "uid": str,
        "parent_uid": str,
        "faults": _faults,
    }
    defaults = {"label": name, "created": now - timedelta(days=30)}
    fields = {field: convert.get(field, lambda same: same)(value) for field, value in given.items()}
    return Key(name=name, **{**defaults, **fields})


def _faults(given: Mapping[str, Any]) -> Faults:
    convert: Mapping[str, Callable[[Any], Any]] = {
        "rate_limit": lambda fields: RateLimit(**fields),
        "verbatim": lambda fields: Verbatim(**fields),
        "paths": lambda paths: {prefix: _faults(faults) for prefix, faults in paths.items()},
    }
    return Faults(**{field: convert.get(field, lambda same: same)(value) for field, value in given.items()})


def _moment(text: str, now: datetime) -> datetime:
    age = _AGE.fullmatch(text)
    if age is None:
        return datetime.fromisoformat(text)
    return now + timedelta(**{_UNITS[age[2]]: int(age[1])})


def _sense(scenario: Scenario, source: _Source) -> Iterator[Problem]:
    """What the schema cannot say: known exchanges and errors, names used once, addresses that are ones."""
    names: set[str] = set()
    for spec in scenario.exchanges.values():
        where: Where = ("exchanges", spec.id)
        try:
            errors = venue(spec.id).errors
        except UsageError as error:
            yield source.problem(where, "unknown-exchange", error.message, error.hint)
            continue
        yield from _fault_sense(spec.faults, (*where, "faults"), errors, source)
        yield from _address_sense([spec.caller_ip], (*where, "caller_ip"), source)
        for key in spec.keys.values():
            here = (*where, "keys", key.name)
            if key.name in names:
                yield source.problem(
                    here, "name-taken", f"another exchange has a key {key.name}", "rename one"
                )
            names.add(key.name)
            yield from _key_sense(key, here, errors, source)


def _key_sense(key: Key, where: Where, errors: Mapping[str, Any], source: _Source) -> Iterator[Problem]:
    yield from _fault_sense(key.faults, (*where, "faults"), errors, source)
    yield from _address_sense([key.caller_ip] if key.caller_ip else [], (*where, "caller_ip"), source)
    yield from _address_sense(key.ip_whitelist, (*where, "ip_whitelist"), source, networks=True)
    if key.faults.outage == "refused":
        message = "only a whole exchange can refuse connections, not one of its keys"
        yield source.problem((*where, "faults", "outage"), "outage", message, "write closed, or a status")


def _fault_sense(
    faults: Faults, where: Where, errors: Mapping[str, Any], source: _Source
) -> Iterator[Problem]:
    if not set(faults.names()) <= set(errors):
        message = f"{_name(where)} names an error that the exchange does not have"
        yield source.problem(where, "unknown-error", message, f"write one of: {', '.join(sorted(errors))}")


def _address_sense(
    entries: list[str], where: Where, source: _Source, *, networks: bool = False
) -> Iterator[Problem]:
    for position, entry in enumerate(entries):
        try:
            ip_network(entry, strict=False) if networks else ip_address(entry)
        except ValueError:
            place = (*where, position) if networks else where
            message = f"{_name(place)} is no address"
            yield source.problem(place, "address", message, "write one such as 203.0.113.10")
