from __future__ import annotations

import json
import re
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import load, load_sound
from reconciler.desired.files import Found, SecretPlace, Source
from reconciler.model.review import ChangeKind, Risk
from reconciler.review.digest import digest
from reconciler.review.meaning import changes

UP, DOWN, NONE = Risk.UP, Risk.DOWN, Risk.NONE
ABSENT = object()


class InMemory:
    """Configuration that lies nowhere but here."""

    top = ""

    def __init__(self, document):
        self.data = json.dumps(document).encode()

    def find(self, paths):
        return Found(sources=[Source(file=str(path), root="", data=self.data, named=True) for path in paths])

    def secret(self, name, *, beside, root):
        return SecretPlace(file=name, real=name)


def read(document):
    return load(["connections.yaml"], files=InMemory(document))


def between(base, head, **more):
    return changes(read(base), read(head), **more)


def connection(number, **more):
    name = f"secrets/{number}.sops.yaml"
    return {"name": f"No {number}", "exchange": "mexc", "market": "spot", "credentials": name, **more}


def strategy(**more):
    told = {"name": "A", "connection": "c1", "runtime": "paper", "enabled": True, "pairs": ["BTC/USDT"]}
    return told | more


def document(**sections):
    return {
        "version": 1,
        "egress": {"e1": {"addresses": ["203.0.113.10"]}, "e2": {"addresses": ["203.0.113.11"]}},
        "connections": {"c1": connection(1, egress="e1"), "c2": connection(2)},
        "runtimes": {"paper": {"type": "ledger"}, "other": {"type": "ledger"}},
        "strategies": {"s1": strategy()},
    } | sections


# Generated configurations

IDS = ("a", "b-1", "7")
TEXT = st.text("aZ9 .-é→", min_size=1, max_size=6).map(lambda text: f"x{text}x")
SETTING = st.one_of(
    st.booleans(), st.integers(-5, 5), TEXT, st.none(), st.sampled_from(["null", '"null"', "1", "true"])
)
KEY = st.sampled_from(["grid", "a.b", "a b", 'q"q', "é"])
SETTINGS = st.dictionaries(
    KEY,
    st.one_of(SETTING, st.lists(SETTING, max_size=2), st.dictionaries(KEY, SETTING, max_size=2)),
    max_size=3,
)
DAY = st.sampled_from(["2026-01-02", "2026-12-31", "2027-06-30"])
SPAN = st.sampled_from(["15m", "3h", "7d", "180d"])
PERCENT = st.sampled_from(["1%", "2.5%", "12%"])
AMOUNT = st.sampled_from(["0.5", "100", "500.25"])
WORD = st.fixed_dictionaries({"by": TEXT, "on": DAY})
PERMISSIONS = st.dictionaries(
    st.sampled_from(["spot", "margin", "transfer", "options"]), st.booleans(), max_size=3
)


DENY = {"kind": "deny", "from": "22:00", "to": "02:00"}
ALLOW = {"kind": "allow", "days": ["sat", "mon"], "from": "09:00", "to": "17:00"}
SHOWN = {
    "deny": "deny every day 22:00-02:00",
    "allow": "allow mon, sat 09:00-17:00",
}
SUSPEND = {"suspend": st.fixed_dictionaries({"reason": TEXT, "until": DAY})}


def some(values, **kind):
    return st.lists(st.sampled_from(values), min_size=1, unique=True, **kind)


@st.composite
def documents(draw):
    """A sound configuration with most of what can be written."""
    ids = st.dictionaries(st.sampled_from(IDS), st.booleans(), max_size=3)
    egress = {
        key: draw(
            st.fixed_dictionaries(
                {"addresses": some(["203.0.113.10", "203.0.113.11", "198.51.100.0/24"])},
                optional=SUSPEND
                | {"proxy": st.sampled_from(["socks5://127.0.0.1:1080", "http://proxy.example:8080"])},
            )
        )
        for key in draw(ids)
    }
    optional = SUSPEND | {
        "permissions": PERMISSIONS,
        "account": st.fixed_dictionaries({"uid": st.sampled_from(["1", "2", "3"])}),
    }
    optional["attestations"] = st.dictionaries(
        st.sampled_from(["withdraw_disabled", "two_factor"]), WORD, max_size=2
    )
    if egress:
        optional["egress"] = st.sampled_from(sorted(egress))
    connections = {}
    for key in draw(ids):
        kept = {
            "name": TEXT,
            "exchange": st.sampled_from(["mexc", "kucoin"]),
            "market": st.sampled_from(["spot", "margin"]),
            "credentials": st.sampled_from([f"secrets/{key}.sops.yaml", f"keys/{key}.sops.yaml"]),
        }
        connections[key] = draw(st.fixed_dictionaries(kept, optional=optional))
    runtime = st.fixed_dictionaries({"type": st.just("ledger")}, optional=SUSPEND)
    runtimes = {key: draw(runtime) for key in draw(ids)}
    strategies, waivers = {}, []
    if connections and runtimes:
        of = st.sampled_from(sorted(connections))
        averaging = {"max_additions": st.integers(0, 9), "step": PERCENT, "multiplier": AMOUNT}
        recovery = {"enabled": st.just(True), "max_drawdown": PERCENT}
        for key in draw(ids):
            kept = {
                "name": TEXT,
                "connection": of,
                "runtime": st.sampled_from(sorted(runtimes)),
                "enabled": st.booleans(),
                "pairs": some(["BTC/USDT", "ETH/USDT", "SOL/USDC"]),
            }
            more = SUSPEND | {
                "risk_level": st.sampled_from(["conservative", "balanced", "aggressive"]),
                "margin_limit": st.fixed_dictionaries(
                    {"amount": AMOUNT, "currency": st.sampled_from(["USDT", "BTC"])}
                ),
                "averaging": st.fixed_dictionaries(averaging),
                "recovery_mode": st.fixed_dictionaries(recovery),
                "settings": SETTINGS,
            }
            strategies[key] = draw(st.fixed_dictionaries(kept, optional=more))
        wanted = st.fixed_dictionaries(
            {
                "check": st.sampled_from(["ip-whitelist-extra", "key-age"]),
                "connection": of,
                "reason": TEXT,
                "approved_by": TEXT,
                "until": DAY,
            }
        )
        subject = lambda waiver: (waiver["check"], waiver["connection"])  # noqa: E731 - a key
        waivers = draw(st.lists(wanted, max_size=3, unique_by=subject))
    spans = dict.fromkeys(("max_key_age", "unknown_grace", "expiry_warning", "attestation_max_age"), SPAN)
    recipients = st.dictionaries(
        st.sampled_from(["age", "pgp"]), some(["age1x", "age1y"]), min_size=1, max_size=2
    )
    approval = st.fixed_dictionaries(
        {
            "allow": st.sampled_from(["enable", "disable"]),
            "count": st.integers(1, 40),
            "reason": TEXT,
            "approved_by": TEXT,
            "until": DAY,
        }
    )
    approvals = draw(st.lists(approval, max_size=2, unique_by=lambda one: one["allow"]))
    limit = st.fixed_dictionaries(
        {"count": st.integers(0, 20)}, optional={"percent": st.sampled_from(["0%", "12.5%", "50%"])}
    )
    windows = st.lists(st.sampled_from([DENY, ALLOW, DENY | {"zone": "Asia/Tokyo"}]), unique_by=str)
    thresholds = st.dictionaries(st.sampled_from(["enable", "disable"]), limit, max_size=2)
    policy = draw(
        st.fixed_dictionaries(
            {},
            optional=spans
            | {"thresholds": thresholds, "windows": windows}
            | {"ip_whitelist": st.sampled_from(["required", "recommended"]), "recipients": recipients},
        )
    )
    return {
        "version": 1,
        "policy": policy,
        "egress": egress,
        "connections": connections,
        "runtimes": runtimes,
        "strategies": strategies,
        "waivers": waivers,
        "approvals": approvals,
    } | draw(st.fixed_dictionaries({}, optional=SUSPEND))


# What a reader of the YAML would say, told without any code of the review's

DEFAULTS = {
    "ip_whitelist": "required",
    "unknown_grace": "15m",
    "expiry_warning": "14d",
    "attestation_max_age": "90d",
}


def told(written):
    """Every value by section, id and path, as text that keeps types apart."""
    open_ = [f"{SHOWN[one['kind']]} {one.get('zone', 'UTC')}" for one in written["policy"].get("windows", ())]
    items = {
        ("policy", "policy"): leaves(
            DEFAULTS | {"recipients": "any age or PGP key"} | written["policy"] | {"windows": open_}
        )
    }
    for section in ("connections", "runtimes", "strategies"):
        items |= {(section, key): leaves(entry) for key, entry in written[section].items()}
    for key, entry in written["egress"].items():
        items["egress", key] = leaves({"family": "ipv4"} | entry)
    limits = {"enable": {"count": 10}, "disable": {"count": 10, "percent": "50%"}}
    for kind, limit in written["policy"].get("thresholds", {}).items():
        limits[kind] |= limit
    items["policy", "policy"] |= leaves({"thresholds": limits})
    if "suspend" in written:
        items["suspend", "everything"] = leaves(written["suspend"])
    for approval in written["approvals"]:
        rest = {name: approval[name] for name in ("count", "reason", "approved_by", "until")}
        items["approvals", f"{approval['allow']} at once"] = leaves(rest)
    for waiver in written["waivers"]:
        rest = {name: waiver[name] for name in ("reason", "approved_by", "until")}
        items["waivers", f"{waiver['check']} on {waiver['connection']}"] = leaves(rest)
    return items


def leaves(entry, path="", *, inside=False):
    found = {}
    for name, value in entry.items():
        shown = name if re.fullmatch(r'[^\s."\\]+', name) else json.dumps(name, ensure_ascii=False)
        here = f"{path}.{shown}" if path else shown
        free = inside or here == "settings"
        if isinstance(value, dict) and (value or not free):
            found |= leaves(value, here, inside=free)
        elif isinstance(value, list) and not free:
            found[here] = spelt(sorted(value))
        else:
            found[here] = ("null",) if value is None else spelt(value)
    return found


def spelt(value):
    return json.dumps(value, sort_keys=True)


def shown(leaf):
    """A leaf as the oracle spells it: null is a word there, and the text of that word is in quotes."""

    def one(value):
        if value is None:
            return ABSENT
        if value == "null":
            return ("null",)
        if isinstance(value, str) and re.fullmatch(r'"(\\"|null)*"', value):
            return spelt(json.loads(value))
        return spelt(value)

    return leaf.path, one(leaf.old), one(leaf.new)


def differing(old, new):
    return {
        (path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in old.keys() | new.keys()
        if old.get(path, ABSENT) != new.get(path, ABSENT)
    }


@given(base=documents(), head=documents())
def test_each_changed_leaf_is_told_once_and_no_other(base, head):
    before, after = told(base), told(head)
    covered = []
    for change in between(base, head):
        key, old = (change.section, change.id), (change.section, change.was or change.id)
        covered += [key] if key == old else [key, old]
        stood = {} if change.kind is ChangeKind.ADDED else before[old]
        stands = {} if change.kind is ChangeKind.REMOVED else after[key]
        found = [shown(leaf) for leaf in change.leaves]
        assert len(found) == len(set(found))
        assert set(found) == differing(stood, stands)
        present = (key in before, key in after)
        expected = {
            ChangeKind.ADDED: (False, True),
            ChangeKind.REMOVED: (True, False),
            ChangeKind.RENAMED: (False, True),
        }
        assert present == expected.get(change.kind, (True, True))
    assert len(covered) == len(set(covered))
    both = before.keys() & after.keys()
    assert set(covered) == (before.keys() ^ after.keys()) | {key for key in both if before[key] != after[key]}


@given(base=documents(), head=documents(), data=st.data())
def test_the_order_of_items_changes_nothing(base, head, data):
    def shuffled(value, *path):
        if isinstance(value, dict):
            names = data.draw(st.permutations(list(value)))
            return {name: shuffled(value[name], *path, name) for name in names}
        if isinstance(value, list) and "settings" not in path:
            return data.draw(st.permutations(value))
        return value

    expected = between(base, head)
    found = between(shuffled(base), shuffled(head))
    without_places = [[{**vars_of(change), "mark": None} for change in some_] for some_ in (expected, found)]
    assert without_places[0] == without_places[1]
    assert digest(expected, ()) == digest(found, ())
    assert between(head, shuffled(head)) == ()


def vars_of(change):
    return {name: getattr(change, name) for name in type(change).__dataclass_fields__}


#: Where the way back is judged as the opposite of the way there. Elsewhere any change is looked at.
SYMMETRIC = {
    "strategies": r"enabled|pairs|margin_limit\.amount|averaging\..*|recovery_mode\..*",
    "connections": r"market|permissions\..*|attestations\..*\.on",
    "egress": r"addresses",
    "policy": r"ip_whitelist|max_key_age|unknown_grace|expiry_warning|attestation_max_age|recipients"
    r"|thresholds\..*",
    "waivers": r"until",
    "approvals": r"until|count",
}
OPPOSITE = {UP: DOWN, DOWN: UP, NONE: NONE}


@given(base=documents(), head=documents())
def test_the_way_back_is_the_opposite(base, head):
    there = {(c.section, c.id): c for c in between(base, head)}
    back = {(c.section, c.id): c for c in between(head, base)}
    for key, change in there.items():
        if change.kind is ChangeKind.ADDED:
            assert back[key].kind is ChangeKind.REMOVED
            assert back[key].risk is OPPOSITE[change.risk]
        if change.kind is not ChangeKind.CHANGED:
            continue
        assert [(leaf.path, leaf.new, leaf.old) for leaf in change.leaves] == [
            (leaf.path, leaf.old, leaf.new) for leaf in back[key].leaves
        ]
        for one, other in zip(change.leaves, back[key].leaves, strict=True):
            if re.fullmatch(SYMMETRIC.get(change.section, ""), one.path) and not apart(one):
                assert other.risk is OPPOSITE[one.risk], one
            assert bool(one.why) is (one.risk is not NONE)


def apart(leaf):
    """Sets of which neither holds the other, and words that are renewed: a risk whichever way."""
    if isinstance(leaf.old, tuple) and isinstance(leaf.new, tuple):
        return not (set(leaf.old) <= set(leaf.new) or set(leaf.new) <= set(leaf.old))
    return leaf.path.startswith("attestations") and None not in (leaf.old, leaf.new)


@given(base=documents())
def test_a_configuration_against_itself_is_no_change(base):
    assert between(base, deepcopy(base)) == ()


@given(base=documents(), head=documents(), data=st.data())
def test_an_entry_that_is_wrong_in_the_head_is_unreadable_and_never_removed(base, head, data):
    entries = [
        (section, key)
        for section in ("egress", "connections", "runtimes", "strategies")
        for key in head[section]
    ]
    if not entries:
        return
    section, key = data.draw(st.sampled_from(entries))
    head = deepcopy(head)
    head[section][key]["nonsense"] = True
    loaded = load_sound(["connections.yaml"], files=InMemory(head))
    assert loaded.problems
    found = changes(read(base), loaded.desired, unread=loaded.unread)
    mine = [change for change in found if (change.section, change.id) == (section, key)]
    assert [change.kind for change in mine] == [ChangeKind.UNREADABLE]
    assert not [change for change in found if change.section == section and change.was == key]
    gone = {(change.section, change.id) for change in found if change.kind is ChangeKind.REMOVED}
    assert all(key_ not in head.get(section_, {}) for section_, key_ in gone if section_ != "waivers")


# Judgements


def put(written, path, value):
    """A copy with one value set, or taken away."""
    copy = deepcopy(written)
    *way, last = path.split("/")
    at = copy
    for part in way:
        at = at.setdefault(part, {})
    if value is ABSENT:
        at.pop(last, None)
    else:
        at[last] = value
    return copy


def word(on):
    return {"by": "treasury", "on": on}


WAY_UP = [
    ("strategies/s1/enabled", False, True),
    ("strategies/s1/pairs", ["BTC/USDT"], ["BTC/USDT", "ETH/USDT"]),
    ("strategies/s1/risk_level", "conservative", "balanced"),
    ("strategies/s1/risk_level", "balanced", "aggressive"),
    (
        "strategies/s1/margin_limit",
        {"amount": "500", "currency": "USDT"},
        {"amount": "500.01", "currency": "USDT"},
    ),
    (
        "strategies/s1/margin_limit",
        {"amount": "99", "currency": "USDT"},
        {"amount": "100", "currency": "USDT"},
    ),
    ("strategies/s1/margin_limit", {"amount": "500", "currency": "USDT"}, ABSENT),
    (
        "strategies/s1/recovery_mode",
        {"enabled": False, "max_drawdown": "9%"},
        {"enabled": True, "max_drawdown": "9%"},
    ),
    ("connections/c1/market", "spot", "margin"),
    ("connections/c1/egress", "e1", ABSENT),
    ("connections/c1/account", {"uid": "1"}, ABSENT),
    ("connections/c1/permissions", {"transfer": False}, {"transfer": True}),
    ("connections/c1/permissions", {"transfer": False}, {}),
    ("connections/c1/permissions", {}, {"transfer": True}),
    ("connections/c1/attestations", {}, {"withdraw_disabled": word("2026-01-02")}),
    ("egress/e1/addresses", ["203.0.113.10"], ["203.0.113.10", "203.0.113.12"]),
    ("policy/ip_whitelist", "required", "recommended"),
    ("policy/max_key_age", "90d", "180d"),
    ("policy/max_key_age", "23h", "1d"),
    ("policy/max_key_age", "180d", ABSENT),
    ("policy/unknown_grace", "15m", "16m"),
    ("policy/expiry_warning", "15d", "14d"),
    ("policy/attestation_max_age", "90d", "91d"),
    ("policy/recipients", {"age": ["age1x"]}, {"age": ["age1x", "age1y"]}),
    ("policy/recipients", {"age": ["age1x"]}, ABSENT),
    *(
        (f"{item}/suspend", {"reason": "r", "until": "2026-12-31"}, more)
        for item in ("egress/e1", "connections/c1", "runtimes/paper", "strategies/s1")
        for more in (ABSENT, {"reason": "r", "until": "2026-12-30"})
    ),
    ("policy/thresholds", {"enable": {"count": 9}}, ABSENT),
    ("policy/windows", [DENY], ABSENT),
    ("policy/windows", [DENY, ALLOW], [ALLOW]),
    ("policy/windows", [ALLOW], []),
    ("policy/windows", [ALLOW], [ALLOW, ALLOW | {"to": "18:00"}]),
    ("policy/windows", [DENY, ALLOW], [DENY]),
    ("policy/thresholds", {"enable": {"percent": "20%"}}, ABSENT),
    ("policy/thresholds", {"disable": {"count": 0}}, {"disable": {"count": 1}}),
    ("policy/thresholds", {"disable": {"percent": "9.5%"}}, {"disable": {"percent": "10%"}}),
    (
        "waivers",
        [],
        [{"check": "key-age", "connection": "c1", "reason": "r", "approved_by": "a", "until": "2026-01-02"}],
    ),
]


@pytest.mark.parametrize(("path", "less", "more"), WAY_UP)
def test_what_can_lose_more_is_up_and_its_opposite_down(path, less, more):
    low, high = put(document(), path, less), put(document(), path, more)
    for base, head, expected in ((low, high, UP), (high, low, DOWN)):
        (change,) = between(base, head)
        risks = {risk for risk, why in change.risks() if why}
        assert expected in risks
        assert OPPOSITE[expected] not in risks


PROGRAM = {"type": "command", "command": ["/usr/local/bin/bots"]}
EITHER_WAY = [
    ("runtimes/paper", PROGRAM, PROGRAM | {"command": ["/usr/local/bin/bots", "--all"]}),
    ("runtimes/paper", PROGRAM, PROGRAM | {"command": ["/opt/bots"]}),
    ("runtimes/paper", PROGRAM, {"type": "ledger"}),
    ("connections/c1/exchange", "mexc", "kucoin"),
    ("connections/c1/egress", "e1", "e2"),
    ("connections/c1/account", {"uid": "1"}, {"uid": "2"}),
    ("connections/c1/attestations", {"two_factor": word("2026-01-02")}, {"two_factor": word("2026-02-02")}),
    ("strategies/s1/connection", "c1", "c2"),
    ("strategies/s1/runtime", "paper", "other"),
    ("strategies/s1/pairs", ["BTC/USDT"], ["ETH/USDT"]),
    ("strategies/s1/margin_limit", {"amount": "5", "currency": "USDT"}, {"amount": "5", "currency": "BTC"}),
    ("egress/e1/proxy", "socks5://127.0.0.1:1080", "http://proxy.example:8080"),
    ("egress/e1/addresses", ["203.0.113.10"], ["203.0.113.12"]),
    ("policy/windows", [DENY], [DENY | {"to": "18:00"}]),
    ("policy/windows", [ALLOW], [ALLOW | {"to": "18:00"}]),
]


@pytest.mark.parametrize(("path", "one", "other"), EITHER_WAY)
def test_what_a_reviewer_must_see_is_up_whichever_way(path, one, other):
    first, second = put(document(), path, one), put(document(), path, other)
    for base, head in ((first, second), (second, first)):
        (change,) = between(base, head)
        assert UP in {risk for risk, _ in change.risks()}


def test_a_program_that_is_new_in_the_files_is_a_risk_in_itself():
    head = put(document(), "runtimes/new", PROGRAM)
    (new,) = between(document(), head)
    assert [(leaf.path, leaf.risk) for leaf in new.leaves if leaf.risk is not NONE] == [("command", UP)]
    (gone,) = between(head, document())
    assert UP not in {leaf.risk for leaf in gone.leaves}


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("connections/c1/name", "A", "B"),
        ("strategies/s1/settings", {"grid": 1}, {"grid": 2}),
        ("strategies/s1/settings", {"grid": None}, {"grid": "null"}),
        ("strategies/s1/settings", {"grid": True}, {"grid": 1}),
        ("strategies/s1/settings", {"grid": [1, 2]}, {"grid": [2, 1]}),
        ("strategies/s1/settings", {"a": {"b": 1}}, {"a.b": 1}),
        ("strategies/s1/settings", {"grid": {}}, {"grid": None}),
    ],
)
def test_what_has_no_direction_is_told_all_the_same(path, one, other):
    (change,) = between(put(document(), path, one), put(document(), path, other))
    assert change.leaves
    assert {leaf.risk for leaf in change.leaves} == {NONE}


def test_amounts_are_compared_as_numbers_and_not_as_text():
    base = put(document(), "strategies/s1/margin_limit", {"amount": "900", "currency": "USDT"})
    head = put(document(), "strategies/s1/margin_limit", {"amount": "1000", "currency": "USDT"})
    (change,) = between(base, head)
    assert [(leaf.path, leaf.risk) for leaf in change.leaves] == [("margin_limit.amount", UP)]
    assert between(base, put(base, "strategies/s1/margin_limit/amount", "900.0"))[0].leaves[0].risk is NONE


def approvals(*counts, until="2026-12-31"):
    kept = {"allow": "enable", "reason": "r", "approved_by": "b", "until": until}
    return document(approvals=[kept | {"count": count} for count in counts])


def test_suspending_everything_is_less_risk_and_lifting_it_more():
    stand = document(suspend={"reason": "r", "until": "2026-12-31"})
    (new,) = between(document(), stand)
    assert (new.section, new.id, new.risk) == ("suspend", "everything", DOWN)
    (gone,) = between(stand, document())
    assert gone.risk is UP
    (longer,) = between(stand, document(suspend={"reason": "r", "until": "2027-01-01"}))
    assert [leaf.risk for leaf in longer.leaves] == [DOWN]


def test_an_approval_is_a_risk_that_grows_with_its_count_and_its_end():
    (new,) = between(document(), approvals(12))
    assert (new.section, new.id, new.risk) == ("approvals", "enable at once", UP)
    (gone,) = between(approvals(12), document())
    assert gone.risk is DOWN
    for head in (approvals(13), approvals(12, until="2027-01-01")):
        (more,) = between(approvals(12), head)
        assert [leaf.risk for leaf in more.leaves] == [UP]
        (less,) = between(head, approvals(12))
        assert [leaf.risk for leaf in less.leaves] == [DOWN]
    assert [change.id for change in between(document(), approvals(1, 2))] == [
        "enable at once",
        "enable at once (2)",
    ]


def test_a_strategy_that_is_new_is_a_risk_only_where_it_may_start():
    for enabled, expected in ((True, UP), (False, NONE)):
        head = put(document(), "strategies/s2", strategy(enabled=enabled, pairs=["SOL/USDT"], name="Other"))
        (added,) = between(document(), head)
        assert (added.kind, added.risk) == (ChangeKind.ADDED, expected)
        (removed,) = between(head, document())
        assert (removed.kind, removed.risk) == (ChangeKind.REMOVED, OPPOSITE[expected])


def test_several_waivers_of_one_check_keep_apart():
    def waivers(*days):
        return [
            {"check": "key-age", "connection": "c1", "reason": "r", "approved_by": "a", "until": day}
            for day in days
        ]

    both = document(waivers=waivers("2026-01-01", "2026-02-02"))
    assert between(both, document(waivers=waivers("2026-02-02", "2026-01-01"))) == ()
    (change,) = between(both, document(waivers=waivers("2026-01-01", "2026-03-03")))
    assert [(leaf.path, leaf.risk) for leaf in change.leaves] == [("until", UP)]
    for rest in ("2026-01-01", "2026-02-02"):
        found = between(both, document(waivers=waivers(rest)))
        assert {risk for change in found for risk, _ in change.risks()} == {DOWN}


# Renames


def renamed(written, section, old, new, **more):
    copy = deepcopy(written)
    copy[section] = {new if key == old else key: entry | more for key, entry in copy[section].items()}
    for one in copy["strategies"].values():
        if section == "connections" and one["connection"] == old:
            one["connection"] = new
    return copy


@pytest.mark.parametrize(
    ("more", "seals"),
    [
        ({}, ({}, {})),
        ({"credentials": "secrets/new.sops.yaml"}, ({"c1": frozenset("x")}, {"new": frozenset("xy")})),
        ({"credentials": "secrets/new.sops.yaml", "account": {"uid": "9"}}, ({}, {})),
    ],
)
def test_a_connection_that_keeps_file_secret_or_account_was_renamed(more, seals):
    base = document(connections={"c1": connection(1, account={"uid": "9"})})
    head = renamed(base, "connections", "c1", "new", **more)
    (found,) = (change for change in between(base, head, seals=seals) if change.section == "connections")
    assert (found.kind, found.id, found.was) == (ChangeKind.RENAMED, "new", "c1")


def test_a_connection_that_only_looks_alike_is_another_one():
    base = document(connections={"c1": connection(1)})
    head = renamed(base, "connections", "c1", "new", credentials="secrets/new.sops.yaml")
    kinds = {change.id: change.kind for change in between(base, head) if change.section == "connections"}
    assert kinds == {"new": ChangeKind.ADDED, "c1": ChangeKind.REMOVED}


def test_where_two_would_fit_nothing_is_guessed():
    base = document(connections={"c1": connection(1, account={"uid": "9"})})
    head = document(
        connections={
            "new-1": connection(3, account={"uid": "9"}),
            "new-2": connection(4, account={"uid": "9"}),
        },
        strategies={},
    )
    kinds = {change.id: change.kind for change in between(base, head) if change.section == "connections"}
    assert kinds == {"new-1": ChangeKind.ADDED, "new-2": ChangeKind.ADDED, "c1": ChangeKind.REMOVED}


def test_a_strategy_that_keeps_most_of_itself_was_renamed_and_its_rest_is_judged():
    base = document(strategies={"s1": strategy(enabled=False)})
    head = document(strategies={"s9": strategy(enabled=True)})
    (change,) = between(base, head)
    assert (change.kind, change.was) == (ChangeKind.RENAMED, "s1")
    assert [(leaf.path, leaf.risk) for leaf in change.leaves] == [("enabled", UP)]
