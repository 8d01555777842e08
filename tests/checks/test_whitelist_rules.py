from __future__ import annotations

from datetime import date
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks.networks import collapse, outside, parse, too_wide
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import IpWhitelist

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
FOUR = "ip-whitelist-missing", "ip-whitelist-lacks-egress", "ip-whitelist-extra", "ip-whitelist-wide"
SILENT = IpWhitelist()
MASKED = IpWhitelist(restricted=True)


def listed(make, *addresses, exits=("203.0.113.10",), **case):
    whitelist = IpWhitelist(restricted=True, addresses=addresses)
    return make.case(report=make.report(ip_whitelist=whitelist), exits=exits, **case)


def verdicts(make, case):
    return tuple(make.ask(case, check).verdict for check in FOUR)


@pytest.mark.parametrize(
    ("addresses", "exits", "expected"),
    [
        (("203.0.113.10",), ("203.0.113.10",), (PASS, PASS, PASS)),
        (("203.0.113.10/32",), ("203.0.113.10",), (PASS, PASS, PASS)),
        (("198.51.100.7",), ("203.0.113.10",), (FAIL, FAIL, PASS)),
        (("203.0.113.10", "198.51.100.7"), ("203.0.113.10",), (PASS, FAIL, PASS)),
        (("203.0.113.10",), ("203.0.113.10", "203.0.113.11"), (FAIL, PASS, PASS)),
        (("203.0.113.0/28",), ("203.0.113.10",), (PASS, FAIL, PASS)),
        (("203.0.113.8/30",), ("203.0.113.0/24",), (FAIL, PASS, PASS)),
        (("203.0.113.0/25", "203.0.113.128/25"), ("203.0.113.0/24",), (PASS, PASS, PASS)),
        (("203.0.112.0/24", "203.0.113.0/24"), ("203.0.112.0/23",), (PASS, PASS, FAIL)),
        (("203.0.113.0/24", "198.51.100.7"), ("203.0.113.0/24", "198.51.100.7/32"), (PASS, PASS, FAIL)),
        (("203.0.113.10", "10.0.0.0/8"), ("203.0.113.10",), (PASS, FAIL, FAIL)),
        (("0.0.0.0/0",), ("203.0.113.10",), (PASS, FAIL, FAIL)),
        (("::/0",), ("203.0.113.10",), (FAIL, FAIL, FAIL)),
        (("2001:db8::/48",), ("2001:db8::1",), (PASS, FAIL, PASS)),
        (("2001:db8::/47",), ("2001:db8::1",), (PASS, FAIL, FAIL)),
        (("::ffff:203.0.113.10",), ("203.0.113.10",), (PASS, PASS, PASS)),
        (("::ffff:0:0/96",), ("203.0.113.10",), (PASS, FAIL, FAIL)),
        ((), ("203.0.113.10",), (FAIL, PASS, PASS)),
        (("203.0.113.77/24",), ("203.0.113.10",), (PASS, FAIL, PASS)),
        (("203.**.113.10",), ("203.0.113.10",), (UNKNOWN, UNKNOWN, UNKNOWN)),
        (("203.0.113.10", "office"), ("203.0.113.10",), (PASS, UNKNOWN, UNKNOWN)),
        (("198.51.100.7", "office"), ("203.0.113.10",), (UNKNOWN, FAIL, UNKNOWN)),
    ],
)
def test_lists_are_compared_as_sets_of_networks(make, addresses, exits, expected):
    # In the order lacks-egress, extra, wide.
    assert verdicts(make, listed(make, *addresses, exits=exits)) == (PASS, *expected)


def test_the_message_names_what_is_lacking_and_what_is_there(make):
    finding = make.ask(listed(make, "198.51.100.7", "office"), "ip-whitelist-lacks-egress")
    assert "leaves from 203.0.113.10" in finding.evidence
    assert "198.51.100.7, office" in finding.evidence
    empty = make.ask(listed(make), "ip-whitelist-lacks-egress")
    assert "no address" in empty.evidence


def test_a_key_without_a_whitelist_fails_once_not_four_times(make):
    case = make.case(report=make.report(ip_whitelist=IpWhitelist(restricted=False)))
    assert verdicts(make, case) == (FAIL, PASS, PASS, PASS)


@pytest.mark.parametrize(
    ("whitelist", "expected"),
    [(SILENT, (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)), (MASKED, (PASS, UNKNOWN, UNKNOWN, UNKNOWN))],
)
def test_what_the_exchange_does_not_tell_is_unknown_until_attested(make, whitelist, expected):
    report = make.report(ip_whitelist=whitelist)
    assert verdicts(make, make.case(report=report)) == expected
    fresh = make.case(report=report, connection={"attestations": make.attestation("ip_whitelist")})
    assert verdicts(make, fresh) == (PASS, PASS, PASS, PASS)
    attested = tuple(make.ask(fresh, check).attested_by for check in FOUR)
    assert attested == tuple("ada" if verdict is UNKNOWN else None for verdict in expected)
    stale = make.attestation("ip_whitelist", date(2026, 1, 1))
    assert verdicts(make, make.case(report=report, connection={"attestations": stale})) == expected


def test_an_attestation_never_outvotes_a_list_that_was_told(make):
    word = {"attestations": make.attestation("ip_whitelist")}
    assert verdicts(make, listed(make, "0.0.0.0/0", "office", connection=word))[2:] == (FAIL, FAIL)
    assert verdicts(make, listed(make, "office", connection=word))[1:] == (UNKNOWN, UNKNOWN, UNKNOWN)
    open_key = make.report(ip_whitelist=IpWhitelist(restricted=False))
    assert make.ask(make.case(report=open_key, connection=word), "ip-whitelist-missing").verdict is FAIL


def test_policy_decides_what_blocks_whatever_the_answer(make):
    open_key = make.report(ip_whitelist=IpWhitelist(restricted=False))
    for changes in ({"report": open_key}, {}, {"observation": {"report": None, "unread": "not tried"}}):
        for policy, severity in ((None, Severity.BLOCKING), (make.recommended, Severity.ADVISORY)):
            case = make.case(policy=policy, **changes)
            assert make.ask(case, "ip-whitelist-missing").severity is severity
            assert make.ask(case, "ip-whitelist-wide").severity is severity
            assert make.ask(case, "ip-whitelist-lacks-egress").severity is Severity.BLOCKING
            assert make.ask(case, "ip-whitelist-extra").severity is Severity.ADVISORY


def test_without_an_egress_there_is_nothing_to_compare_with(make):
    nameless = {"connection": {"egress": None}}
    strict = make.case(**nameless)
    assert make.ask(strict, "egress-missing").verdict is FAIL
    finding = make.ask(strict, "ip-whitelist-lacks-egress")
    assert finding.verdict is UNKNOWN
    assert "Name an egress" in finding.fix
    assert make.ask(strict, "ip-whitelist-extra").verdict is UNKNOWN
    mild = make.case(policy=make.recommended, **nameless)
    assert make.ask(mild, "ip-whitelist-lacks-egress").verdict is PASS


def test_an_egress_that_the_files_do_not_hold_counts_as_none(make):
    assert make.ask(make.case(connection={"egress": "gone"}), "egress-missing").verdict is FAIL


def test_a_named_egress_passes(make):
    assert make.ask(make.case(), "egress-missing").verdict is PASS


V4 = st.builds(
    lambda number, prefix: ip_network((number >> (32 - prefix) << (32 - prefix), prefix)),
    st.integers(0, 2**32 - 1),
    st.integers(20, 32),
)
V6 = st.builds(
    lambda number, prefix: ip_network(((number >> (128 - prefix)) << (128 - prefix), prefix)),
    st.integers(2**125, 2**126),
    st.integers(40, 128),
)
NETWORKS = st.lists(V4 | V6, max_size=8)


@given(networks=NETWORKS, cover=NETWORKS)
def test_outside_is_exactly_what_no_network_covers(networks, cover):
    lacking = outside(networks, cover)
    for network in networks:
        ends = (network[0], network[-1])
        inside = all(any(end in wide for wide in cover if wide.version == end.version) for end in ends)
        if not inside:
            assert any(end in gap for gap in lacking for end in ends if gap.version == end.version)
    assert outside(networks, networks) == ()
    assert outside(networks, [*cover, *networks]) == ()


@given(networks=NETWORKS, order=st.randoms(use_true_random=False))
def test_neither_order_nor_cutting_a_network_changes_anything(networks, order):
    pieces = [part for n in networks for part in (n.subnets() if n.prefixlen < n.max_prefixlen else (n,))]
    order.shuffle(pieces)
    assert collapse(pieces) == collapse(networks)
    assert too_wide(pieces) == too_wide(networks)


@given(networks=NETWORKS, more=NETWORKS)
def test_a_longer_list_is_never_narrower(networks, more):
    assert too_wide([*networks, *more]) >= too_wide(networks)


@given(number=st.integers(0, 2**32 - 1), prefix=st.integers(0, 32))
def test_ipv4_inside_ipv6_is_ipv4(number, prefix):
    address = ip_address(number)
    plain, _ = parse([f"{address}/{prefix}"])
    mapped, unreadable = parse([f"::ffff:{address}/{prefix + 96}"])
    assert (mapped, unreadable) == (plain, ())


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_a_network_or_told_as_unreadable(texts):
    networks, unreadable = parse(texts)
    assert set(unreadable) <= set(texts)
    assert bool(networks) or len(unreadable) == len(texts)


@pytest.mark.parametrize("whitelist", [SILENT, MASKED])
def test_nobodys_word_replaces_a_list_that_the_exchange_always_tells(make, whitelist):
    case = make.case(
        report=make.report(ip_whitelist=whitelist),
        connection={"attestations": make.attestation("ip_whitelist")},
        attestable=frozenset({"withdraw_disabled"}),
    )
    assert make.ask(case, "ip-whitelist-lacks-egress").verdict is UNKNOWN
    assert all(make.ask(case, check).attested_by is None for check in FOUR)
