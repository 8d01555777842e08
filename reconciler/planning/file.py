"""A plan on disk: what was reviewed, so that exactly this is applied or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.model.errors import StalePlan, UsageError
from reconciler.model.plan import Action, ActionKind, Plan
from reconciler.planning.canonical import Json, dumps, parameters

FORMAT_VERSION: Final = "1.0"

_TOP: Final = frozenset({"format_version", "tool_version", "created_at", "digest", "targets", "actions"})
_ACTION: Final = frozenset(
    {"kind", "strategy", "runtime", "connection", "reason", "checks", "before", "after"}
)
_DIGEST_LENGTH: Final = 64
_HINT: Final = "write a new plan with `reconcile --dry-run --out FILE`"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that was written down; ``created_at`` is in UTC."""

    tool_version: str
    created_at: datetime
    digest: str
    targets: tuple[str, ...]
    actions: tuple[Action, ...]

    def require_same(self, plan: Plan) -> None:
        """Return when ``plan`` is what was reviewed.

        Raises:
            StalePlan: anything reviewed changed since; the message names the actions that did.
        """
        changed = sorted(_acting(self.actions) ^ _acting(plan.actions))
        if self.digest == plan.digest and not changed and set(self.targets) == set(plan.targets):
            return
        what = "; ".join(dict.fromkeys(f"{kind} {strategy}" for kind, strategy, *_ in changed))
        detail = f"these actions differ: {what}" if what else "files, live keys or findings changed since"
        raise StalePlan(
            f"the reviewed plan {self.digest[:8]} is not the plan of now, {plan.digest[:8]}: {detail}",
            hint="review a new plan: reconcile --dry-run --out FILE",
        )


def to_json(plan: Plan, *, version: str, created_at: datetime) -> str:
    """The text of a plan file, for ``schemas/plan.schema.json``. ``version`` is the tool's own."""
    document = {
        "format_version": FORMAT_VERSION,
        "tool_version": version,
        "created_at": created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "digest": plan.digest,
        "targets": list(plan.targets),
        "actions": [_shown(action) for action in plan.actions],
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def from_json(text: str) -> PlanFile:
    """The plan in ``text``.

    Raises:
        UsageError: the text is not a plan file of this format; says what is wrong and where.
    """
    document = _object(_decoded(text), _TOP, "the plan file")
    if document["format_version"] != FORMAT_VERSION:
        raise _bad("format_version", f"is not {FORMAT_VERSION}, the only one that this version reads")
    return PlanFile(
        tool_version=_text(document["tool_version"], "tool_version"),
        created_at=_time(document["created_at"], "created_at"),
        digest=_digest(document["digest"], "digest"),
        targets=_texts(document["targets"], "targets"),
        actions=tuple(
            _action(item, f"actions[{place}]")
            for place, item in enumerate(_list(document["actions"], "actions"))
        ),
    )


def _acting(actions: tuple[Action, ...]) -> set[tuple[str, str, str, str]]:
    return {
        (action.kind.value, action.strategy, action.runtime, dumps(parameters(action.after)))
        for action in actions
        if action.kind.acts
    }


def _shown(action: Action) -> dict[str, Any]:
    before, after = action.before, action.after
    return {
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "connection": action.connection,
        "reason": action.reason,
        "checks": list(action.checks),
        "before": None if before is None else parameters(before),
        "after": None if after is None else parameters(after),
    }


def _decoded(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"the plan file is not JSON at {where}", hint=_HINT) from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise UsageError("the plan file holds a number that no plan holds", hint=_HINT) from None
    except RecursionError:
        raise UsageError("the plan file is nested too deeply to be a plan", hint=_HINT) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UsageError("the plan file names a field twice", hint=_HINT)
    return found


def _no_constant(name: str) -> Json:
    raise UsageError(f"the plan file holds {name}, which is not JSON", hint=_HINT)


def _bad(where: str, what: str) -> UsageError:
    return UsageError(f"the plan file is not one of ours: {where} {what}", hint=_HINT)


def _object(value: object, names: frozenset[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _bad(where, "is not an object")
    for name in sorted(names - value.keys()):
        raise _bad(where, f"lacks {name!r}")
    if value.keys() - names:
        raise _bad(where, f"holds a field besides {', '.join(sorted(names))}")
    return value


def _list(value: object, where: str) -> list[Json]:
    if not isinstance(value, list):
        raise _bad(where, "is not a list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _bad(where, "is not a text")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{where}[{place}]") for place, item in enumerate(_list(value, where)))


def _digest(value: object, where: str) -> str:
    text = _text(value, where)
    if len(text) != _DIGEST_LENGTH or not set(text) <= set("0123456789abcdef"):
        raise _bad(where, f"is not {_DIGEST_LENGTH} lower-case hex digits")
    return text


def _time(value: object, where: str) -> datetime:
    try:
        when = datetime.fromisoformat(_text(value, where))
    except ValueError:
        raise _bad(where, "is not an ISO 8601 time") from None
    if when.tzinfo is None:
        raise _bad(where, "has no time zone")
    return when.astimezone(UTC)


def _parameters(value: object, where: str) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise _bad(where, "is neither an object nor null")
    return value


def _action(value: object, where: str) -> Action:
    item = _object(value, _ACTION, where)
    kind = _text(item["kind"], f"{where}.kind")
    if kind not in {known.value for known in ActionKind}:
        raise _bad(f"{where}.kind", f"is none of {', '.join(ActionKind)}")
    connection = item["connection"]
    return Action(
        kind=ActionKind(kind),
        strategy=_text(item["strategy"], f"{where}.strategy"),
        runtime=_text(item["runtime"], f"{where}.runtime"),
        connection=None if connection is None else _text(connection, f"{where}.connection"),
        reason=_text(item["reason"], f"{where}.reason"),
        checks=_texts(item["checks"], f"{where}.checks"),
        before=_parameters(item["before"], f"{where}.before"),
        after=_parameters(item["after"], f"{where}.after"),
    )
