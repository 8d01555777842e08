"""How connections read on a screen: status, name, what the key may do, then what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from reconciler.model.live import (
    Account,
    Failure,
    IpWhitelist,
    KeyReport,
    Observation,
    Permission,
    Permissions,
    Status,
)
from reconciler.model.report import ConnectionReport
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, Line, Role, Span, joined, labelled
from reconciler.output.findings import LONGEST, finding_lines
from reconciler.output.words import day

_STATUS: Final = {
    Status.CONNECTED: ("✓", Role.GOOD),
    Status.DEGRADED: ("!", Role.BAD),
    Status.REJECTED: ("✗", Role.BAD),
    Status.UNREACHABLE: ("?", Role.UNKNOWN),
    Status.UNCHECKED: ("?", Role.MUTED),
}

#: Permissions that let money leave; a screen makes them stand out where they are granted.
_DANGEROUS: Final = frozenset({Permission.WITHDRAW, Permission.TRANSFER})


def connection_lines(items: Iterable[ConnectionReport], now: datetime, *, verbose: bool) -> Iterator[Line]:
    """One block per connection, sorted by name, each followed by a blank line."""
    for item in sorted(items, key=lambda one: (one.connection.name.casefold(), one.connection.id)):
        yield from _block(item, now, verbose=verbose)
        yield BLANK


def _block(item: ConnectionReport, now: datetime, *, verbose: bool) -> Iterator[Line]:
    yield _title(item)
    if item.observation.report is None:
        yield _not_read(item)
    else:
        yield from _key(item.observation.report, now)
    was_read = item.observation.report is not None
    yield from finding_lines(item.findings, was_read=was_read, verbose=verbose)


def _title(item: ConnectionReport) -> Line:
    connection = item.connection
    symbol, role = _STATUS[item.status]
    where = f" · {connection.id} · {connection.exchange} {connection.market.value}"
    through = f" · through {connection.egress}" if connection.egress else ""
    return labelled(
        f"{symbol} {item.status.shown}",
        Span(connection.name, Role.TITLE),
        Span(where + through, Role.MUTED),
        indent=0,
        role=role,
    )


def _not_read(item: ConnectionReport) -> Line:
    seen = item.observation
    if seen.failure is None:
        return labelled("key", f"not asked: {seen.unread or 'no reason was given'}")
    return labelled("key", f"not read: {_why(seen.failure)}", _left_from(seen), _message(item, seen.failure))


def _why(failure: Failure) -> str:
    """The kind of failure, with what an ambiguous one may mean."""
    candidates = " or ".join(kind.value for kind in failure.candidates)
    return f"{failure.kind.value}, which may mean {candidates}" if candidates else failure.kind.value


def _left_from(seen: Observation) -> str:
    return f" (asked from {seen.caller_ip})" if seen.caller_ip else ""


def _message(item: ConnectionReport, failure: Failure) -> str:
    """What the exchange said, unless a finding of this kind is there to tell it."""
    told = any(finding.kind == failure.kind.value for finding in item.findings)
    return "" if told else f" · {shortened(failure.message, LONGEST)}"


def _key(report: KeyReport, now: datetime) -> Iterator[Line]:
    yield labelled("key may", *joined(_permissions(report.permissions), " · "))
    facts = [_whitelist(report.ip_whitelist), _account(report.account), *_life(report, now)]
    if report.label:
        facts.append(Span(f'called "{report.label}"'))
    if report.disabled:
        facts.append(Span("disabled", Role.BAD))
    if report.unknown_words:
        facts.append(
            Span(f"described in words unknown to us: {', '.join(report.unknown_words)}", Role.UNKNOWN)
        )
    yield labelled("key is", *joined(((fact,) for fact in facts), " · "))


def _permissions(permissions: Permissions) -> Iterator[tuple[Span, ...]]:
    """Granted, denied and not told, each group only where it holds something."""
    for reading, word in ((True, ""), (False, "not "), (None, "not told: ")):
        held = [permission for permission, value in permissions.items() if value is reading]
        if held:
            yield (Span(word), *joined(((_permission(one, reading),) for one in held), ", "))


def _permission(permission: Permission, reading: bool | None) -> Span:
    if reading and permission in _DANGEROUS:
        return Span(permission.value, Role.BAD)
    return Span(permission.value, Role.UNKNOWN if reading is None else Role.PLAIN)


def _whitelist(whitelist: IpWhitelist) -> Span:
    if whitelist.restricted is None:
        return Span("bound to addresses or not, which is not told", Role.UNKNOWN)
    if not whitelist.restricted:
        return Span("usable from any address", Role.WARN)
    if whitelist.addresses is None:
        return Span("bound to addresses that are not told", Role.UNKNOWN)
    return Span(f"bound to {', '.join(whitelist.addresses) or 'no address'}")


def _account(account: Account) -> Span:
    if account.uid is None:
        return Span("of an account not told", Role.UNKNOWN)
    if not account.is_sub:
        return Span(f"of account {account.uid}")
    parent = f" of {account.parent_uid}" if account.parent_uid else ""
    return Span(f"of sub-account {account.uid}{parent}")


def _life(report: KeyReport, now: datetime) -> Iterator[Span]:
    if report.created_at:
        yield Span(f"made {day(report.created_at, now)}", whole=True)
    if report.trade_expires_at:
        yield _end("allowed to trade until", report.trade_expires_at, now)
    if report.expires_at:
        yield _end("valid until", report.expires_at, now)
    if report.expires_at and report.expiry_rule:
        yield Span(f"which is estimated by the rule {report.expiry_rule}", Role.MUTED)


def _end(word: str, moment: datetime, now: datetime) -> Span:
    role = Role.BAD if moment <= now else Role.PLAIN
    return Span(f"{word} {day(moment, now)}", role, whole=True)
