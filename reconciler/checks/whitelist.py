"""Is the key bound to the bot's own addresses, and to nothing else?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.checks.attest import attested
from reconciler.checks.check import Answer, Case, Check, Rule, failed, on_report, passed, unknown
from reconciler.checks.networks import outside, parse, show, too_wide
from reconciler.model.desired import Address, Requirement
from reconciler.model.finding import Severity
from reconciler.model.live import KeyReport

_UNBOUND = "the key is bound to no address: see ip-whitelist-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A whitelist that was told: its networks, what of it cannot be read, and the bot's own exits."""

    networks: tuple[Address, ...]
    unreadable: tuple[str, ...]
    exits: tuple[Address, ...]


def _required(case: Case) -> bool:
    return case.desired.policy.ip_whitelist is Requirement.REQUIRED


def _by_policy(case: Case) -> Severity:
    return Severity.BLOCKING if _required(case) else Severity.ADVISORY


@on_report
def missing(case: Case, report: KeyReport) -> Answer:
    """Whether the key is bound to addresses at all."""
    restricted = report.ip_whitelist.restricted
    if restricted is None:
        silence = unknown("the exchange does not tell whether the key is bound to addresses")
        return attested(case, "ip_whitelist", silence)
    if not restricted:
        return failed("the key works from any address")
    return passed("the key is bound to addresses")


def _on_addresses(rule: Callable[[Case, _Bound], Answer]) -> Rule:
    """A rule over the addresses, which a list that is not told leaves unknown or attested."""

    @on_report
    def judge(case: Case, report: KeyReport) -> Answer:
        whitelist = report.ip_whitelist
        if whitelist.restricted is False:
            return passed(_UNBOUND)
        if whitelist.addresses is None:
            return attested(case, "ip_whitelist", unknown("the exchange does not tell the key's addresses"))
        networks, unreadable = parse(whitelist.addresses)
        exits = case.egress.addresses if case.egress else ()
        return rule(case, _Bound(networks=networks, unreadable=unreadable, exits=exits))

    return judge


def lacks_egress(case: Case) -> Answer:
    """Whether every address of the connection's egress is on the list."""
    if case.egress is not None:
        return _covers_egress(case)
    mark = case.place("egress")
    if _required(case):
        fix = "Name an egress with the bot's public addresses for this connection."
        return unknown("the connection names no egress to compare with", fix=fix, mark=mark)
    return passed("no egress is named, and policy only recommends a whitelist")


@_on_addresses
def _covers_egress(case: Case, bound: _Bound) -> Answer:
    lacking = outside(bound.exits, bound.networks)
    if not lacking:
        return passed(f"the list covers {show(bound.exits)}")
    evidence = f"egress {case.connection.egress} leaves from {show(lacking)}, the list holds {_shown(bound)}"
    # An entry that cannot be read might be the very one that covers the rest.
    answer = unknown if bound.unreadable else failed
    return answer(evidence, mark=case.place("egress"))


@_on_addresses
def extra(case: Case, bound: _Bound) -> Answer:
    """Whether the list holds nothing but addresses of the connection's egress."""
    if case.egress is None:
        return unknown("the connection names no egress to compare with", mark=case.place("egress"))
    foreign = outside(bound.networks, bound.exits)
    if foreign:
        return failed(f"the list holds {show(foreign)}, which egress {case.connection.egress} does not name")
    if bound.unreadable:
        return unknown(f"the list holds entries that cannot be read: {', '.join(bound.unreadable)}")
    return passed("the list holds only the egress's addresses")


@_on_addresses
def wide(case: Case, bound: _Bound) -> Answer:
    """Whether the list covers no more than a bot's own exits can explain."""
    del case  # a list is as wide for everybody
    if too_wide(bound.networks):
        return failed(f"the list covers {show(bound.networks)}")
    if bound.unreadable:
        return unknown(f"the list holds entries that cannot be read: {', '.join(bound.unreadable)}")
    return passed("the list is narrow")


def egress_missing(case: Case) -> Answer:
    """Whether the connection says where its bot calls from."""
    if case.egress is None:
        return failed("the connection names no egress", mark=case.place("egress"))
    return passed(f"the bot leaves through egress {case.connection.egress}")


def _shown(bound: _Bound) -> str:
    return ", ".join(filter(None, (show(bound.networks), *bound.unreadable))) or "no address"


CHECKS = (
    Check(
        id="ip-whitelist-missing",
        title="IP whitelist",
        asks="Is the key bound to addresses?",
        cause="The key was created without an IP whitelist: whoever has it can use it from anywhere.",
        fix=(
            "Bind the key to the egress's addresses at the exchange. Where the exchange cannot tell, "
            "look it up there and attest `ip_whitelist` in the files."
        ),
        explanation=(
            "A leaked key that is bound to the bot's server is useless elsewhere. The check blocks under "
            "`policy.ip_whitelist: required` (the default) and advises under `recommended`. Many "
            "exchanges also let a key without a whitelist expire within weeks."
        ),
        rule=missing,
        weigh=_by_policy,
    ),
    Check(
        id="ip-whitelist-lacks-egress",
        title="IP whitelist holds the egress",
        asks="Is every address of the connection's egress on the key's list?",
        cause="The bot would call from an address that the exchange refuses.",
        fix="Add the named addresses to the key's list at the exchange, or correct the egress in the files.",
        explanation=(
            "Lists are compared as sets of networks, so 203.0.113.0/28 covers 203.0.113.10. A strategy "
            "on a key that refuses its server opens a position and cannot close it. Without an egress "
            "there is nothing to compare with: unknown when policy requires a whitelist, a pass when it "
            "only recommends one."
        ),
        rule=lacks_egress,
    ),
    Check(
        id="ip-whitelist-extra",
        title="IP whitelist holds nobody else",
        asks="Does the key's list hold only addresses of the connection's egress?",
        cause=(
            "The list holds addresses that no egress of this connection names: an old server, an office, "
            "a mistake."
        ),
        fix=(
            "Remove the named addresses at the exchange, or add them to the egress when they are the "
            "bot's own."
        ),
        explanation=(
            "Every further address is one more place from which a leaked key works, and an address that "
            "was given back to its provider belongs to a stranger by now."
        ),
        rule=extra,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="ip-whitelist-wide",
        title="IP whitelist is narrow",
        asks="Does the key's list cover at most 256 IPv4 addresses and one IPv6 /48?",
        cause="The list names whole networks, so many strangers' machines can use a leaked key.",
        fix="List the bot's own addresses at the exchange instead of networks around them.",
        explanation=(
            "Networks are merged before they are measured, so a wide network cut into narrow ones is "
            "still wide. The check blocks under `policy.ip_whitelist: required` and advises under "
            "`recommended`."
        ),
        rule=wide,
        weigh=_by_policy,
    ),
    Check(
        id="egress-missing",
        title="Egress is named",
        asks="Does the connection name the network exit of its bot?",
        cause="The files do not say from which addresses the bot calls.",
        fix="Describe the bot's exit under `egress:` and name it in the connection.",
        explanation=(
            "Without an egress neither the key's whitelist nor the place of a failed check can be "
            "compared with anything. Under `policy.ip_whitelist: required` ip-whitelist-lacks-egress "
            "then stays unknown and blocks."
        ),
        rule=egress_missing,
        severity=Severity.ADVISORY,
    ),
)
