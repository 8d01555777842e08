"""One configuration as reviewable items: each by section and id, with its leaves and its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from reconciler.model.desired import Desired, Policy, Waiver
from reconciler.model.errors import Mark
from reconciler.review.leaves import leaves

#: The sections in the order in which a reviewer reads them: what loosens rules first.
SECTIONS: Final = ("policy", "rules", "waivers", "egress", "connections", "runtimes", "strategies")


#: What stands for the recipients where policy names none.
ANYBODY: Final = "any age or PGP key"


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
    yield from _waivers(desired.waivers)
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
    """The policy with its defaults, and with what it means to name no recipient."""
    told = leaves(policy)
    if not any(policy.recipients.values()):
        told["recipients"] = ANYBODY
    return told


def _waivers(waivers: Iterable[Waiver]) -> Iterator[Item]:
    """Waivers have no id: the check and its connection name them, and a number where several do.

    The one that ends last comes first, whatever their order in the files: it is the one that counts.
    """
    seen: dict[str, int] = {}
    for waiver in sorted(waivers, key=_standing, reverse=True):
        subject = f"{waiver.check} on {waiver.connection}"
        seen[subject] = number = seen.get(subject, 0) + 1
        told = {path: value for path, value in leaves(waiver).items() if path not in {"check", "connection"}}
        key = subject if number == 1 else f"{subject} ({number})"
        yield Item(section="waivers", id=key, leaves=told, mark=waiver.mark)


def _standing(waiver: Waiver) -> tuple[date, str, str]:
    return waiver.until, waiver.reason, waiver.approved_by
