"""How long, how busy and how large a live read of many connections is, against its floor.

    python bench/pass.py --connections 1000 --latency-ms 50 --no-budget
    python bench/pass.py --exchanges all --failing 100
    python bench/pass.py --pairs

Sandboxes in other processes answer after the given latency. The floor is what no client could beat:
the slowest exchange's documented budget for the requests that were really made, or the latency of
those that must follow one another, divided by how many connections are read at once. Failing
connections fail in every way that the sandbox knows; the others are read beside them.
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
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import stamina
from keys import example_keys, keys_of

from reconciler.exchanges import registry
from reconciler.exchanges.interface import Budget
from reconciler.live import station
from reconciler.live.budget import Bucket
from reconciler.live.observe import ObserveOptions, Target, observe
from reconciler.model.desired import Connection, CredentialRef, Market
from reconciler.model.errors import Mark
from reconciler.model.live import Observation
from reconciler.model.secret import Credentials, Secret
from reconciler.sandbox.running import SandboxThread
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Scenario

MARK = Mark(file="bench", line=1)
#: Both proofs of a connection are asked at once.
AT_ONCE = 2
#: How many markets each exchange lists: about as many as the large ones do.
LISTED = 2000
SPENT: dict[str, float] = defaultdict(float)
REQUESTS: Counter[str] = Counter()


def serve(exchange: str, count: int, failing: int, latency_ms: float) -> None:
    """Run one exchange until standard input closes, having printed its endpoints."""
    keys = keys_of(exchange, count, failing)
    spec = ExchangeSpec(id=exchange, keys=keys, caller_ip="203.0.113.10", faults=Faults(delay_ms=latency_ms))
    spec.pairs += [f"C{number}/USDT" for number in range(LISTED)]
    with SandboxThread(Scenario(exchanges={exchange: spec})) as running:
        print(json.dumps(dict(running.endpoints)), flush=True)
        sys.stdin.read()


def target(exchange: str, key: Key, pairs: tuple[str, ...]) -> Target:
    """What reads one key of the sandbox, and looks ``pairs`` up in what the exchange lists."""
    connection = Connection(
        id=key.name,
        name=key.name,
        exchange=exchange,
        market=Market.SPOT,
        credentials=CredentialRef(file="bench", mark=MARK, root="."),
        mark=MARK,
    )
    passphrase = Secret(key.passphrase) if key.passphrase else None
    credentials = Credentials(api_key=Secret(key.api_key), secret=Secret(key.secret), passphrase=passphrase)
    return Target(connection=connection, credentials=credentials, listed=pairs)


def count_what_is_spent() -> None:
    """Have every budget count the requests and the weight that go through it."""
    by_budget = {id(registry.get(name).budget): name for name in registry.ids()}

    class Counting(Bucket):
        def __init__(self, budget: Budget) -> None:
            super().__init__(budget)
            self.exchange = by_budget[id(budget)]

        async def take(self, weight: float) -> None:
            await super().take(weight)
            SPENT[self.exchange] += weight
            REQUESTS[self.exchange] += 1

    station.Bucket = Counting


def lift_budgets() -> None:
    """Let every exchange be asked as fast as it answers, to see this tool's own cost."""
    for exchange in registry.ids():
        kind = type(registry.get(exchange))
        kind.budget = replace(kind.budget, units=1e9, burst=1e9)


def paced(exchange: str) -> float:
    """Seconds that the exchange's own budget asks for, for what was spent."""
    budget = registry.get(exchange).budget
    return max(0.0, (SPENT[exchange] - budget.burst) * budget.seconds / budget.units)


@dataclass(frozen=True)
class Measured:
    """One pass: seconds of wall and CPU, growth in KiB, and what was seen."""

    wall: float
    cpu: float
    grown: int
    seen: dict[str, Observation]


def measure(targets: list[Target], options: ObserveOptions) -> Measured:
    """Read ``targets`` once."""
    gc.collect()
    SPENT.clear()
    REQUESTS.clear()
    memory, cpu, wall = peak_kib(), time.process_time(), time.perf_counter()
    seen = asyncio.run(observe(targets, options=options))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(wall, cpu, peak_kib() - memory, dict(seen))


def waited(exchange: str, count: int, given: argparse.Namespace) -> float:
    """Seconds that the latency of requests which follow one another adds up to, and one for the time."""
    chain = max(1.0, REQUESTS[exchange] / count - (AT_ONCE - 1))
    waves = -(-count // given.parallel)
    return (waves * chain + 1) * given.latency_ms / 1000


def peak_kib() -> int:
    """The largest resident size of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def tell(found: Measured, given: argparse.Namespace, names: list[str]) -> None:
    """Print the figures."""
    count = len(found.seen)
    bounds = {name: paced(name) if not given.no_budget else 0.0 for name in names}
    latency = {name: waited(name, count // len(names), given) for name in names}
    slowest = max(names, key=lambda name: max(bounds[name], latency[name]))
    floor = max(bounds[slowest], latency[slowest])
    failed = Counter(one.failure.kind.value for one in found.seen.values() if one.failure)
    print(
        f"connections      {count} over {len(names)}, {given.latency_ms:g} ms, {given.parallel} at once each"
    )
    print(f"requests         {sum(REQUESTS.values())}; failures: {dict(failed) or 'none'}")
    print(f"wall / floor     {found.wall:.2f} s / {floor:.2f} s = {found.wall / floor:.2f} ({slowest})")
    print(f"CPU              {found.cpu / count * 1000:.2f} ms per connection")
    print(f"memory growth    {found.grown / count:.1f} KiB per connection")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--failing", type=int, default=0, help="how many of them fail, in every way")
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--exchanges", default="mexc,kucoin", help="names, or all")
    parser.add_argument("--no-budget", action="store_true", help="ignore the exchanges' documented limits")
    parser.add_argument("--pairs", action="store_true", help="look two pairs of each connection up as well")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure one pass after a small one that warms everything up."""
    given = arguments()
    names = list(example_keys()) if given.exchanges == "all" else given.exchanges.split(",")
    count, failing = given.connections // len(names), given.failing // len(names)
    if given.serve:
        serve(given.serve, count, failing, given.latency_ms)
        return
    if given.no_budget:
        lift_budgets()
    count_what_is_spent()
    stamina.instrumentation.set_on_retry_hooks([])  # figures alone on the screen
    running, endpoints = [], {}
    for name in names:
        command = [sys.executable, *sys.argv, "--serve", name]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        endpoints |= json.loads(running[-1].stdout.readline())
    options = ObserveOptions(endpoints=endpoints, max_parallel=given.parallel, timeout=30, patience=5)
    pairs = ("BTC/USDT", "ETH/USDT") if given.pairs else ()
    targets = [target(name, key, pairs) for name in names for key in keys_of(name, count, failing).values()]
    measure(targets[:: max(1, count)], options)
    found = measure(targets, options)
    for process in running:
        process.communicate()
    tell(found, given, names)


if __name__ == "__main__":
    main()
