"""A plan file read back, strictly: what a later step of a pipeline was handed is not believed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.desired import Market, OnDisable
from reconciler.model.errors import StalePlan, UsageError
from reconciler.model.finding import Severity, Subject, Verdict
from reconciler.model.plan import Action, ActionKind
from reconciler.planning import shape
from reconciler.planning.canonical import Json, dumps, parameters
from reconciler.planning.file import PlanFile
from reconciler.planning.shape import HINT, bad

_PLAN_1_0: Final = frozenset({"format_version", "tool_version", "created_at", "digest", "targets", "actions"})
_ACTION_1_0: Final = frozenset(
    {"kind", "strategy", "runtime", "connection", "reason", "checks", "before", "after"}
)
_PLAN_1_1: Final = _PLAN_1_0 | {"files", "summary", "findings"}
_ACTION_1_1: Final = _ACTION_1_0 | {"enabled", "desired", "exchange", "market", "waived"}
_ACTION_1_2: Final = _ACTION_1_1 | {"how", "open_positions"}
_FINDING: Final = frozenset({"check", "verdict", "severity", "subject", "subject_id", "waived_by"})
_WAIVED: Final = frozenset({"check", "by"})

#: The formats that this version reads: the fields of a plan, and of an action.
_FORMATS: Final = {
    "1.0": (_PLAN_1_0, _ACTION_1_0),
    "1.1": (_PLAN_1_1, _ACTION_1_1),
    "1.2": (_PLAN_1_1, _ACTION_1_2),
}


def from_json(text: str) -> PlanFile:
    """The plan in ``text``, of format 1.2, 1.1 or 1.0.

    Raises:
        UsageError: the text is no plan file of these formats; says what is wrong and where.
        StalePlan: what it shows to policy tools is not what it applies.
    """
    decoded = _decoded(text)
    plan_fields, action_fields = _fields(decoded)
    document = shape.fields(decoded, plan_fields, "the plan file")
    listed = shape.items(document["actions"], "actions")
    places = [f"actions[{place}]" for place in range(len(listed))]
    items = [shape.fields(item, action_fields, where) for where, item in zip(places, listed, strict=True)]
    plan = PlanFile(
        tool_version=shape.text(document["tool_version"], "tool_version"),
        created_at=shape.time(document["created_at"], "created_at"),
        digest=shape.digest(document["digest"], "digest"),
        targets=shape.texts(document["targets"], "targets"),
        actions=tuple(_action(item, where) for where, item in zip(places, items, strict=True)),
    )
    if plan_fields is _PLAN_1_1:
        for where, item, action in zip(places, items, plan.actions, strict=True):
            _told_of_action(item, action, where)
        _told_of_plan(document, plan)
    return plan


def _fields(document: Json) -> tuple[frozenset[str], frozenset[str]]:
    """The fields that a document of this ``format_version`` has."""
    version = document.get("format_version", "1.2") if isinstance(document, dict) else "1.2"
    known = ", ".join(_FORMATS)
    if isinstance(version, str) and version in _FORMATS:
        return _FORMATS[version]
    if isinstance(version, str) and re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version):
        raise UsageError(
            f"the plan file has format_version {version}, and this version of reconcile reads {known}",
            hint=f"apply it with the version that wrote it, or {HINT}",
        )
    raise bad("format_version", f"is none of {known}")


def _action(item: Mapping[str, Any], where: str) -> Action:
    kind = shape.one_of(item["kind"], ActionKind, f"{where}.kind")
    how = item.get("how")
    return Action(
        kind=ActionKind(kind),
        strategy=shape.text(item["strategy"], f"{where}.strategy"),
        runtime=shape.text(item["runtime"], f"{where}.runtime"),
        connection=shape.maybe_text(item["connection"], f"{where}.connection"),
        reason=shape.text(item["reason"], f"{where}.reason"),
        checks=shape.texts(item["checks"], f"{where}.checks"),
        before=shape.settings(item["before"], f"{where}.before"),
        after=shape.settings(item["after"], f"{where}.after"),
        how=None if how is None else OnDisable(shape.one_of(how, OnDisable, f"{where}.how")),
        open_positions=_positions(item.get("open_positions"), f"{where}.open_positions"),
    )


def _positions(value: Json, where: str) -> tuple[str, ...] | None:
    return None if value is None else shape.texts(value, where)


def _told_of_action(item: Mapping[str, Any], action: Action, where: str) -> None:
    """Refuse what format 1.1 adds to an action when it is of another shape, or not what is applied.

    The digest is of the files and does not cover it, and a policy tool may have judged nothing else.
    """
    enabled = shape.maybe_bool(item["enabled"], f"{where}.enabled")
    desired = shape.settings(item["desired"], f"{where}.desired")
    shape.maybe_text(item["exchange"], f"{where}.exchange")
    if item["market"] is not None:
        shape.one_of(item["market"], Market, f"{where}.market")
    for place, waived in enumerate(shape.items(item["waived"], f"{where}.waived")):
        here = f"{where}.waived[{place}]"
        fields = shape.fields(waived, _WAIVED, here)
        shape.text(fields["check"], f"{here}.check")
        shape.text(fields["by"], f"{here}.by")
    if action.kind in (ActionKind.ENABLE, ActionKind.CHANGE):
        same = dumps(parameters(desired)) == dumps(parameters(action.after))
        if not (enabled and same):
            raise _edited(f"enabled and desired of {where} are not what it applies")


def _told_of_plan(document: Mapping[str, Any], plan: PlanFile) -> None:
    """The same of the plan as a whole."""
    shape.texts(document["files"], "files")
    kinds = frozenset(kind.value for kind in ActionKind)
    summary = shape.fields(document["summary"], kinds, "summary")
    for kind in sorted(kinds):
        if shape.count(summary[kind], f"summary.{kind}") != sum(a.kind == kind for a in plan.actions):
            raise _edited(f"summary.{kind} is not the count of its actions")
    for place, item in enumerate(shape.items(document["findings"], "findings")):
        where = f"findings[{place}]"
        finding = shape.fields(item, _FINDING, where)
        shape.text(finding["check"], f"{where}.check")
        shape.one_of(finding["verdict"], (Verdict.FAIL, Verdict.UNKNOWN), f"{where}.verdict")
        shape.one_of(finding["severity"], Severity, f"{where}.severity")
        shape.one_of(finding["subject"], Subject, f"{where}.subject")
        shape.text(finding["subject_id"], f"{where}.subject_id")
        shape.maybe_text(finding["waived_by"], f"{where}.waived_by")


def _edited(what: str) -> StalePlan:
    return StalePlan(f"the plan file was edited: {what}", hint=HINT)


def _decoded(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"the plan file is not JSON at {where}", hint=HINT) from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise UsageError("the plan file holds a number that no plan holds", hint=HINT) from None
    except RecursionError:
        raise UsageError("the plan file is nested too deeply to be a plan", hint=HINT) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UsageError("the plan file names a field twice", hint=HINT)
    return found


def _no_constant(name: str) -> Json:
    raise UsageError(f"the plan file holds {name}, which is not JSON", hint=HINT)
