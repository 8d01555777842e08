"""The screens of ``lockdown``: what stopped, what did not, and what is left to do by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.model.emergency import Emergency, InForce, KeyAtRisk, Lifted
from reconciler.model.errors import ExitCode
from reconciler.model.memory import Lockdown
from reconciler.model.plan import Outcome, OutcomeState
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, heading, labelled, plain, text_line
from reconciler.output.rotation import bounds, by_hand, commands, powers, steps, warning
from reconciler.output.words import counted, iso

_STATES: Final = {
    OutcomeState.DONE: ("- stopped", Role.GOOD),
    OutcomeState.FAILED: ("! NOT STOPPED", Role.BAD),
    OutcomeState.NOT_TRIED: ("! NOT STOPPED", Role.BAD),
    OutcomeState.UNKNOWN: ("? UNKNOWN", Role.UNKNOWN),
}
_LAST: Final = (OutcomeState.DONE,)
_MEANINGS: Final = {
    ExitCode.DONE: "whatever it covers is stopped",
    ExitCode.PARTLY_APPLIED: "not everything that it covers is known to be stopped",
    ExitCode.FAILED: "nothing is known to be stopped, or it could not be recorded",
}


def render(told: Emergency, *, width: int = WIDTH) -> str:
    """What happened, first what did not stop; then the keys and the steps; the last line counts."""
    return plain([*_lines(told), text_line(summary(told))], width)


def summary(told: Emergency) -> str:
    """``lockdown 3 of everything: 2 stopped, 1 not stopped, 0 unknown, 5 keys to replace``."""
    states = [one.state for one in told.outcomes]
    stopped, unknown = states.count(OutcomeState.DONE), states.count(OutcomeState.UNKNOWN)
    what = str(told.lockdown) if told.lockdown else f"lockdown of {told.wanted} NOT RECORDED"
    left = len(states) - stopped - unknown
    keys = counted(len(told.keys), "key")
    return f"{what}: {stopped} stopped, {left} not stopped, {unknown} unknown, {keys} to replace"


def _lines(told: Emergency) -> Iterator[Line]:
    yield from _head(told)
    yield from heading("STRATEGIES")
    yield from _strategies(told)
    yield BLANK
    hand = by_hand(told)
    if hand:
        yield from heading("DO BY HAND, NOW")
        yield from (labelled("[ ]", one, indent=0) for one in hand)
        yield BLANK
    if told.keys:
        yield from heading("KEYS TO REPLACE, THE MOST DANGEROUS FIRST")
        for key in told.keys:
            yield from (*_key(key), BLANK)
        yield from heading("FOR EACH KEY, IN THIS ORDER")
        number = told.lockdown.id if told.lockdown else None
        yield from (
            labelled(f"[ ] {place}.", step, indent=0) for place, step in enumerate(steps(number), start=1)
        )
        yield BLANK
    role = Role.PLAIN if told.exit_code == 0 else Role.WARN
    yield labelled("exit", Span(f"{int(told.exit_code)}: {_MEANINGS[told.exit_code]}", role), indent=0)
    yield BLANK


def _head(told: Emergency) -> Iterator[Line]:
    if told.lockdown:
        again = "it was in force already" if told.declared_before else "in force"
        since = f" · {again} since {iso(told.lockdown.since)} · by {told.lockdown.by}"
        yield text_line(
            Span(str(told.lockdown).replace("lockdown", "LOCKDOWN", 1), Role.BAD), Span(since, Role.MUTED)
        )
        yield labelled("why", " ".join(told.lockdown.reason.split()), indent=0)
        yield labelled("until", Span(f"reconcile lockdown --lift {told.lockdown.id}", whole=True), indent=0)
    else:
        yield text_line(Span(f"LOCKDOWN of {told.wanted} IS NOT RECORDED", Role.BAD))
    yield from (labelled("! trouble", one, indent=0, role=Role.BAD) for one in told.troubles)
    yield BLANK


def _strategies(told: Emergency) -> Iterator[Line]:
    for one in sorted(told.outcomes, key=lambda one: (one.state in _LAST, one.action.strategy)):
        yield from _outcome(one)
    for running in told.foreign:
        where = f" · {_on(running.connection)} · in {running.runtime}"
        yield _titled("* not ours", running.strategy, where, Role.WARN)
        yield labelled("why", "it runs, and nobody here started it: left alone")
    for runtime in told.unreadable:
        yield _titled("? UNKNOWN", runtime, " · runtime", Role.UNKNOWN)
        yield labelled("why", "it could not be read, so nobody knows what runs there")
    if not (told.outcomes or told.foreign or told.unreadable):
        known = "nothing that it covers was running"
        yield text_line("nobody knows what runs" if told.blank else known)


def _outcome(one: Outcome) -> Iterator[Line]:
    label, role = _STATES[one.state]
    where = f" · {_on(one.action.connection)} · in {one.action.runtime}"
    yield _titled(label, one.action.strategy, where, role)
    if one.detail:
        yield labelled("why" if one.state is not OutcomeState.DONE else "how", one.detail)


def _titled(label: str, title: str, rest: str, role: Role) -> Line:
    return labelled(label, Span(title, Role.TITLE), Span(rest, Role.MUTED), indent=0, role=role)


def _on(connection: str | None) -> str:
    return f"on {connection}" if connection else "on a key that nobody can name"


def _key(key: KeyAtRisk) -> Iterator[Line]:
    rest = f" · {key.connection}" if key.name else ""
    exchange = key.exchange_name or key.exchange or "an exchange that nobody remembers"
    yield text_line(
        Span("[ ] "), Span(key.name or key.connection, Role.TITLE), Span(f"{rest} · {exchange}", Role.MUTED)
    )
    found = warning(key)
    if found:
        yield labelled("! first" if key.withdraws else "! note", Span(found, Role.BAD))
    if key.page:
        yield labelled("at", Span(key.page, whole=True))
    yield labelled("key may", powers(key))
    if bounds(key):
        yield labelled("key is", bounds(key))
    if key.addresses:
        yield labelled("bind to", ", ".join(key.addresses))
    if key.strategies:
        yield labelled("used by", ", ".join(key.strategies))
    for label, command in commands(key):
        yield labelled(label, Span(command, Role.COMMAND, whole=True))


def render_list(told: InForce, *, width: int = WIDTH) -> str:
    """Every lockdown in force; the last line counts them."""
    lines = [line for one in told.lockdowns for line in (*_in_force(one), _how_to_lift(one), BLANK)]
    count = counted(len(told.lockdowns), "lockdown")
    return plain([*lines, text_line(f"lockdown: {count} in force")], width)


def _in_force(one: Lockdown) -> Iterator[Line]:
    yield text_line(Span(str(one), Role.TITLE), Span(f" · since {iso(one.since)} · by {one.by}", Role.MUTED))
    yield labelled("why", " ".join(one.reason.split()))


def _how_to_lift(one: Lockdown) -> Line:
    return labelled("lift", Span(f"reconcile lockdown --lift {one.id}", Role.COMMAND, whole=True))


def render_lift(told: Lifted, *, width: int = WIDTH, done: bool = True) -> str:
    """What lifting it lets happen, or would; the last line says whether it is lifted."""
    return plain(_lifted(told, done=done), width)


def _may_start(told: Lifted) -> str:
    if told.may_start:
        return f"{', '.join(told.may_start)}; each at the next pass, if every check passes"
    return "nobody knows, while the files cannot be read" if told.troubles else "nothing that the files want"


def _lifted(told: Lifted, *, done: bool) -> Iterator[Line]:
    yield from _in_force(told.lockdown)
    yield from (labelled("! trouble", one, indent=0, role=Role.BAD) for one in told.troubles)
    yield labelled("may start", _may_start(told))
    for one in told.still:
        yield labelled("still", f"{one} stays in force: {' '.join(one.reason.split())}")
    yield BLANK
    yield text_line(f"{told.lockdown}: {f'lifted by {told.by}' if done else 'not lifted yet'}")
