"""The invariants of the whole, over generated teams and keys: real ccxt, real sops, real SQLite."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.state.store import open_for_reading

CONNECTIONS = ("mexc-spot-main", "kucoin-futures-conservative", "recovery-pro", "btc-eth-new-groups")
WORDS = {
    "mexc-spot-main": (
        "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,SPOT_DEAL_WRITE",
        ",SPOT_WITHDRAW_WRITE",
        ",NEW_WORD",
    ),
    "kucoin-futures-conservative": ("General,Futures", ",Transfer", ",Sauna"),
    "recovery-pro": ("General,Spot", ",Transfer", ",Sauna"),
    "btc-eth-new-groups": ("General,Spot", ",Transfer", ",Sauna"),
}

keys = st.fixed_dictionaries(
    {
        "withdraw": st.booleans(),
        "strange": st.booleans(),
        "bound": st.sampled_from(["bot", "bot and more", "stranger", "nobody"]),
        "fault": st.sampled_from([None, None, None, "outage", "invalid_key", "html"]),
    }
)
worlds = st.fixed_dictionaries(
    {
        "keys": st.fixed_dictionaries(dict.fromkeys(CONNECTIONS, keys)),
        "wanted": st.sets(
            st.sampled_from(["btc-eth-recovery", "btc-futures-trend", "eth-deep-recovery", "btc-new-group"])
        ),
        "whitelist": st.sampled_from(["required", "recommended"]),
    }
)


def is_good(key) -> bool:
    """Whether a bot may run on such a key, whatever policy says."""
    return not (key["withdraw"] or key["strange"] or key["fault"] or key["bound"] == "stranger")


def lay(site, world) -> None:
    """Make the exchanges and the files be as ``world`` says."""
    addresses = {
        "bot": ["203.0.113.10"],
        "bot and more": ["203.0.113.10", "203.0.113.77"],
        "stranger": ["198.51.100.99"],
        "nobody": [],
    }
    for name, made in world["keys"].items():
        key = site.key(name)
        plain, withdraw, strange = WORDS[name]
        key.permissions = (
            plain + (withdraw if made["withdraw"] else "") + (strange if made["strange"] else "")
        )
        key.ip_whitelist = addresses[made["bound"]]
        key.caller_ip = "198.51.100.99" if made["bound"] == "stranger" else None
        key.faults.outage = 503 if made["fault"] == "outage" else None
        key.faults.error = "invalid_key" if made["fault"] == "invalid_key" else None
        key.faults.html = 200 if made["fault"] == "html" else None
    document = copy.deepcopy(site.original)
    for name, strategy in document["strategies"].items():
        strategy["enabled"] = name in world["wanted"]
    document["policy"] |= {"ip_whitelist": world["whitelist"], "unknown_grace": "1h"}
    site.config.write_text(yaml.safe_dump(document, sort_keys=False))


def running(site) -> set[str]:
    held = open_for_reading(f"sqlite:///{site.state}").ledger_rows("paper")
    return {name for name, strategy in held.items() if strategy.enabled}


def trace(site) -> dict[str, str]:
    """Every file of the checkout by its content."""
    files = (path for path in site.root.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=worlds, after=worlds)
def test_whatever_happens_to_keys_and_files(site, before, after):
    """1: only checked keys carry strategies. 3: withdrawal never. 4: a dry run leaves no trace.

    10: apply, then plan again, is empty. 2: unknown keeps what runs, and starts nothing.
    """
    if not hasattr(site, "original"):
        site.original = yaml.safe_load(site.config.read_text())
    for world in (before, after):
        lay(site, world)
        had = running(site) if site.state.exists() else set()

        kept = trace(site)
        planned = site.report("--dry-run")
        assert trace(site) == kept

        applied = site.report("--yes")
        assert applied["plan"]["digest"] == planned["plan"]["digest"]
        again = site.report("--dry-run")
        assert [a for a in again["plan"]["actions"] if a["kind"] in {"enable", "change", "disable"}] == []

        connection = {name: s["connection"] for name, s in site.original["strategies"].items()}
        for name in running(site):
            key = world["keys"][connection[name]]
            assert name in world["wanted"]
            silent = key["fault"] in {"outage", "html"}  # then nobody can know what the key may do now
            assert not key["withdraw"] or (silent and name in had)
            unsure = silent or (key["strange"] and key["bound"] != "stranger")
            assert is_good(key) or (name in had and unsure), (name, key)
            assert not (key["bound"] == "nobody" and world["whitelist"] == "required") or name in had
    seen = {request.method for request in site.sandbox.sandbox.requests}
    assert seen <= {"GET"}


@pytest.mark.parametrize("told", [None, "", [], {}, 7, True])
def test_nobodys_word_replaces_what_an_exchange_always_tells(site, told):
    """Invariants 1 and 3: the key can withdraw, the answer that would say so came back broken."""
    site.key("recovery-pro").raw["permission"] = told
    today = str(datetime.now(UTC).date())

    def change(document):
        word = {"by": "mallory", "on": today}
        document["connections"]["recovery-pro"]["attestations"] = {"withdraw_disabled": word}
        waiver = {"connection": "recovery-pro", "reason": "moving", "approved_by": "mallory"}
        checks = ("permission-trade-missing", "permission-read-missing")
        document["waivers"] = [waiver | {"check": check, "until": today} for check in checks]

    site.edit(change)
    report = site.report("--yes")
    outcomes = {item["strategy"]: item["kind"] for item in report["plan"]["actions"]}
    assert outcomes["btc-eth-recovery"] == "enable"
    assert outcomes["eth-deep-recovery"] == "unknown"
