"""As many keys of each exchange as a benchmark needs, like the one of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.scenario import Faults, Key

#: What is wrong with failing connections, in turn; none asks for a pause, which would be obeyed.
TROUBLES = (
    {"error": "bad_signature"},
    {"error": "permission_denied"},
    {"error": "ip_not_allowed"},
    {"error": "invalid_key"},
    {"outage": 503},
    {"outage": "closed"},
    {"html": 200},
    {"cut": True},
)


def example_keys() -> dict[str, Key]:
    """The demo's good key of each exchange."""
    scenario = load_scenario(folder("examples") / "all-exchanges" / "sandbox.yaml")
    return {name: next(iter(spec.keys.values())) for name, spec in scenario.exchanges.items()}


def keys_of(exchange: str, count: int, failing: int) -> dict[str, Key]:
    """``count`` keys of one exchange by name, the first ``failing`` of them in trouble."""
    model = example_keys()[exchange]
    return {key.name: key for key in _copies(model, exchange, count, failing)}


def _copies(model: Key, exchange: str, count: int, failing: int) -> Iterator[Key]:
    for number in range(count):
        # Gate shows the beginning of a key, the others the whole or the end: both must differ.
        api_key = f"{number:08x}{model.api_key[8:-8]}{number:08x}"
        if exchange == "coinbase":
            api_key = f"{model.api_key[:-8]}{number:08x}"
        faults = Faults(**TROUBLES[number % len(TROUBLES)]) if number < failing else Faults()
        name = f"{exchange}-{number}"
        yield replace(model, name=name, api_key=api_key, uid=str(800_000_000 + number), faults=faults)
