"""One configuration as reviewable items: each by section and id, with its leaves and its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from reconciler.model.desired import Approval, Desired, Policy, Waiver
from reconciler.model.errors import Mark
from reconciler.review.leaves import leaves

#: The sections in the order in which a reviewer reads them: what loosens rules first.
SECTIONS: Final = (
    "policy",
    "rules",
    "waivers",
    "approvals",
    "suspend",
    "egress",
    "connections",
    "runtimes",
    "strategies",
)


#: What stands for the recipients where policy names none.
ANYBODY: Final = "any age or PGP key"

#: The fields of an exception that its name says.
_NAMING: Final = frozenset({"check", "connection", "allow"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of one section. ``leaves`` are its values by dotted path."""

    section: str
    id: str
    leaves: Mapping[str, Any]
    name: str = ""
    mark: Mark | None = None

    @property
    def enabled(self) -> bool:
        """Whether it is a strategy that is to run."""
        return self.section == "strategies" and self.leaves.get("enabled") is True


def items(desired: Desired) -> dict[tuple[str, str], Item]:
    """Every item of a configuration by section and id; the policy is one, with its defaults."""
    return {(item.section, item.id): item for item in _items(desired)}


def _items(desired: Desired) -> Iterator[Item]:
    yield Item(section="policy", id="policy", leaves=_policy(desired.policy))
    yield from _exceptions("waivers", desired.waivers)
    yield from _exceptions("approvals", desired.approvals)
    if desired.suspend:
        told = leaves(desired.suspend)
        yield Item(section="suspend", id=desired.suspend.subject, leaves=told, mark=desired.suspend.mark)
    sections: Mapping[str, Mapping[str, Any]] = {
        "egress": desired.egress,
        "connections": desired.connections,
        "runtimes": desired.runtimes,
        "strategies": desired.strategies,
    }
    for section, entries in sections.items():
        for key, entry in entries.items():
            name = getattr(entry, "name", "")
            yield Item(section=section, id=key, leaves=leaves(entry), name=name, mark=entry.mark)


def _policy(policy: Policy) -> dict[str, Any]:
    """The policy with its defaults as they are written, and with what it means to name no recipient."""
    told = leaves(policy)
    told |= {path: f"{told[path]}%" for path in told if path.endswith(".percent")}
    if not any(policy.recipients.values()):
        told["recipients"] = ANYBODY
    return told


def _exceptions(section: str, exceptions: Iterable[Waiver | Approval]) -> Iterator[Item]:
    """Exceptions have no id: what they are for names them, and a number where several are for the same.

    The one that ends last comes first, whatever their order in the files: it is the one that counts.
    """
    seen: dict[str, int] = {}
    for exception in sorted(exceptions, key=_standing, reverse=True):
        subject = _subject(exception)
        seen[subject] = number = seen.get(subject, 0) + 1
        told = {path: value for path, value in leaves(exception).items() if path not in _NAMING}
        key = subject if number == 1 else f"{subject} ({number})"
        yield Item(section=section, id=key, leaves=told, mark=exception.mark)


def _subject(exception: Waiver | Approval) -> str:
    if isinstance(exception, Waiver):
        return f"{exception.check} on {exception.connection}"
    return f"{exception.allow} at once"


def _standing(exception: Waiver | Approval) -> tuple[date, int, str, str]:
    count = exception.count if isinstance(exception, Approval) else 0
    return exception.until, count, exception.reason, exception.approved_by
