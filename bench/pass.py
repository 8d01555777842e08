"""How long, how busy and how large a live read of many connections is, against its floor.

    python bench/pass.py --connections 1000 --latency-ms 50 --no-budget

A sandbox in another process answers after the given latency. The floor is what no client could
beat: the slowest exchange's documented budget, or the latency of the calls that must follow one
another, divided by how many connections are read at once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

from reconciler.exchanges import registry
from reconciler.live.observe import ObserveOptions, Target, observe
from reconciler.model.desired import Connection, CredentialRef, Market
from reconciler.model.errors import Mark
from reconciler.model.secret import Credentials, Secret
from reconciler.sandbox.running import SandboxThread
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Scenario

MARK = Mark(file="bench", line=1)
#: Permission words of a key that can read, and the latencies that one connection takes in a row.
WORDS = {"mexc": "SPOT_ACCOUNT_READ,SPOT_DEAL_READ", "kucoin": "General,Spot"}
DEPTH = {"mexc": 3, "kucoin": 2}
#: The calls of one connection, by name.
CALLS = {"mexc": ("key", "uid", "balance", "orders"), "kucoin": ("key", "balance", "orders")}


def keys_of(exchange: str, count: int) -> dict[str, Key]:
    """``count`` keys of one exchange, by name."""
    names = (f"{exchange}-{n}" for n in range(count))
    return {
        name: Key(
            name=name,
            api_key=f"key-of-{name}",
            secret=f"secret-of-{name}",
            passphrase="passphrase",
            permissions=WORDS[exchange],
        )
        for name in names
    }


def serve(shares: dict[str, int], latency_ms: float) -> None:
    """Run the sandbox until standard input closes, having printed its endpoints."""
    specs = {
        exchange: ExchangeSpec(id=exchange, keys=keys_of(exchange, count), faults=Faults(delay_ms=latency_ms))
        for exchange, count in shares.items()
    }
    with SandboxThread(Scenario(exchanges=specs)) as running:
        print(json.dumps(dict(running.endpoints)), flush=True)
        sys.stdin.read()


def target(exchange: str, key: Key) -> Target:
    """What reads one key of the sandbox."""
    connection = Connection(
        id=key.name,
        name=key.name,
        exchange=exchange,
        market=Market.SPOT,
        credentials=CredentialRef(file="bench", mark=MARK, root="."),
        mark=MARK,
    )
    credentials = Credentials(
        api_key=Secret(key.api_key), secret=Secret(key.secret), passphrase=Secret("passphrase")
    )
    return Target(connection=connection, credentials=credentials)


def floor(shares: dict[str, int], latency_ms: float, parallel: int, *, budget: bool) -> float:
    """Seconds that no client could beat."""
    bounds = []
    for exchange, count in shares.items():
        waves = -(-count // parallel)
        bounds.append((waves * DEPTH[exchange] + 2) * latency_ms / 1000)
        if budget:
            bounds.append(paced(exchange, count))
    return max(bounds)


def paced(exchange: str, count: int) -> float:
    """Seconds that the exchange's own budget asks for."""
    reader = registry.get(exchange)
    weights = {call.name: call.weight for call in reader.calls}
    units = count * sum(weights[name] for name in CALLS[exchange]) - reader.budget.burst
    return max(0.0, units * reader.budget.seconds / reader.budget.units)


def peak_kib() -> int:
    """The largest resident size of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(targets: list[Target], options: ObserveOptions) -> dict[str, float]:
    """One pass over ``targets``: seconds of wall and CPU, growth in KiB, and how many were read."""
    gc.collect()
    memory, cpu, wall = peak_kib(), time.process_time(), time.perf_counter()
    seen = asyncio.run(observe(targets, options=options))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    failed = Counter(one.failure.kind.value for one in seen.values() if one.failure)
    failed += Counter(p.failure.kind.value for o in seen.values() for p in o.proofs.values() if p.failure)
    if failed:
        print("failures:", dict(failed))
    return {"wall": wall, "cpu": cpu, "grown": peak_kib() - memory}


def lift_budgets() -> None:
    """Let every exchange be asked as fast as it answers, to see this tool's own cost."""
    for exchange in WORDS:
        kind = type(registry.get(exchange))
        kind.budget = replace(kind.budget, units=1e9, burst=1e9)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--exchanges", default="mexc,kucoin")
    parser.add_argument("--no-budget", action="store_true", help="ignore the exchanges' documented limits")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure one pass after a small one that warms everything up."""
    given = arguments()
    if given.serve:
        serve(json.loads(given.serve), given.latency_ms)
        return
    names = given.exchanges.split(",")
    shares = {name: given.connections // len(names) for name in names}
    if given.no_budget:
        lift_budgets()
    command = [sys.executable, __file__, "--serve", json.dumps(shares), "--latency-ms", str(given.latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sandbox:
        endpoints = json.loads(sandbox.stdout.readline())
        options = ObserveOptions(endpoints=endpoints, max_parallel=given.parallel, timeout=30)
        targets = [target(name, key) for name in names for key in keys_of(name, shares[name]).values()]
        measure([one for name in names for one in [target(name, keys_of(name, 1)[f"{name}-0"])]], options)
        found = measure(targets, options)
        sandbox.stdin.close()
    least = floor(shares, given.latency_ms, given.parallel, budget=not given.no_budget)
    count = len(targets)
    print(
        f"connections      {count} over {', '.join(names)}, {given.latency_ms:g} ms, {given.parallel} at once"
    )
    print(f"wall / floor     {found['wall']:.2f} s / {least:.2f} s = {found['wall'] / least:.2f}")
    print(f"CPU              {found['cpu'] / count * 1000:.2f} ms per connection")
    print(f"memory growth    {found['grown'] / count:.1f} KiB per connection")


if __name__ == "__main__":
    main()
