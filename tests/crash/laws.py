"""What must hold of all that passes did, whenever they were cut off. Judges acts, and plans nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from places import Act
from world import FOREIGN, Stage

from reconciler.model.memory import May, Permit


class Broken(AssertionError):
    """A law was broken."""


@dataclass(frozen=True, slots=True)
class Known:
    """What runs, by (runtime, strategy), with what; and which of it this tool ever started."""

    running: dict[tuple[str, str], tuple[str | None, str]] = field(default_factory=dict)
    ours: frozenset[tuple[str, str]] = frozenset()
    acts: int = 0


def by_hand(known: Known, acts: list[Act]) -> Known:
    """What is known after others acted, who are bound by no law."""
    running = dict(known.running)
    for act in acts[known.acts :]:
        _follow(running, act)
    return Known(running, known.ours, len(acts))


def by_a_pass(known: Known, acts: list[Act], stage: Stage) -> Known:
    """What is known after a pass, whole or not. Raise ``Broken`` for an act that must never be."""
    running, ours = dict(known.running), set(known.ours)
    for act in acts[known.acts :]:
        _judge(act, running, ours, stage)
        _follow(running, act)
        if act.kind == "enable":
            ours.add((act.runtime, act.strategy))
    return Known(running, frozenset(ours), len(acts))


def _follow(running: dict[tuple[str, str], tuple[str | None, str]], act: Act) -> None:
    running.pop((act.runtime, act.strategy), None)
    if act.kind != "disable":
        running[act.runtime, act.strategy] = (act.connection, act.parameters)


def _judge(
    act: Act,
    running: dict[tuple[str, str], tuple[str | None, str]],
    ours: Iterable[tuple[str, str]],
    stage: Stage,
) -> None:
    where = (act.runtime, act.strategy)
    wanted = stage.strategies.get(act.strategy, {})
    here = wanted.get("runtime") == act.runtime
    _require(act.strategy not in FOREIGN, act, "what others run was touched")
    _require(act.runtime not in stage.unreadable, act, "something was done where nobody can see")
    if act.kind == "disable":
        _require(where in running, act, "stopped twice")
        _require(here or where in ours, act, "what others run was stopped")
        return
    _require(here and wanted["enabled"], act, "nobody wants it")
    _require(act.connection == wanted["connection"], act, "it runs on another connection than git says")
    _require(stage.keys[act.connection or ""] == "good", act, "enabled without its checks")
    if act.kind == "change":
        _require(running.get(where) not in (None, (act.connection, act.parameters)), act, "changed twice")
        return
    _require(where not in running, act, "enabled twice")
    others = {place for place, name in running if name == act.strategy}
    seen = others - {place for place in stage.hidden if (place, act.strategy) not in ours}
    _require(not seen, act, f"it runs in {sorted(seen)} too")


def _require(holds: bool, act: Act, law: str) -> None:
    if not holds:
        raise Broken(f"{law}: {act}")


def require_safe(
    known: Known, stage: Stage, permits: Mapping[str, Permit], inventory: Mapping[str, str]
) -> None:
    """After a whole pass nothing of ours runs, or may run, on a key that is known to be bad, or twice.

    Ours is what runs where the ``inventory`` has it, a runtime by strategy: the rest is run by others.
    """
    ours = {(runtime, name) for name, runtime in inventory.items()} & known.running.keys()
    for name in stage.strategies:
        permit = permits.get(name)
        if permit is not None and permit.may is May.RUN:
            twin = (inventory.get(name, permit.runtime), name)
            here = (permit.runtime, name)
            twice = twin != here and twin in ours and here not in known.running
            if twice or stage.keys[permit.connection] != "good":
                raise Broken(f"it may run, beside {twin}, with keys {stage.keys}: {permit}")
    for runtime, strategy in ours:
        connection, _ = known.running[runtime, strategy]
        state = stage.keys[connection or ""]
        if runtime not in stage.hidden and state not in ("good", "unreachable"):
            raise Broken(f"{strategy} runs on in {runtime} on {connection}, whose key is {state}")
