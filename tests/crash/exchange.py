"""The exchange that the passes of a crash test read, in a process of its own: no forked child shares it.

Prints its endpoints, then takes one JSON object a line, the state of each key by name, until its input ends.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from reconciler.sandbox.running import SandboxThread
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Scenario

ID = "okx"
ADDRESS = "203.0.113.10"
NAMES = ("one", "two", "three")

#: What a key is like; only with the first may anything start.
STATES = {
    "good": {"permissions": "read_only,trade"},
    "withdraw": {"permissions": "read_only,trade,withdraw"},
    "unbound": {"ip_whitelist": []},
    "revoked": {"faults": Faults(error="invalid_key")},
    "unreachable": {"faults": Faults(outage=503)},
}


def credentials(name: str) -> dict[str, str]:
    number = NAMES.index(name)
    return {
        "api_key": f"d3a0a11e-0000-4000-8000-00000000000{number}",
        "secret": f"{number}2582BD0CFF14C41EDBF1AB98506DE30",
        "passphrase": f"Made-up-{number}",
    }


def uid(name: str) -> str:
    return f"70000000{NAMES.index(name)}"


def put(key: Key, state: str) -> None:
    fresh = {"permissions": "read_only,trade", "ip_whitelist": [ADDRESS], "faults": Faults()}
    for field, value in (fresh | STATES[state]).items():
        setattr(key, field, value)


def main() -> None:
    created = datetime.now(UTC) - timedelta(days=30)
    keys = {name: Key(name=name, uid=uid(name), created=created, **credentials(name)) for name in NAMES}
    spec = ExchangeSpec(id=ID, keys=keys, caller_ip=ADDRESS)
    with SandboxThread(Scenario(exchanges={ID: spec})) as running:
        sys.stdout.write(json.dumps(dict(running.endpoints)) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            for name, state in json.loads(line).items():
                put(running.sandbox.keys[name], state)
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
