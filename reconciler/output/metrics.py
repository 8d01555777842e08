"""Metrics for Prometheus: few labels, and never an address, a key or an account among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.model.live import Status
from reconciler.model.memory import Condition, Cursor, May, Remembered, Scope
from reconciler.model.plan import ActionKind, OutcomeState
from reconciler.model.vitals import Tally, Vitals

#: What a scraper is told that this is.
CONTENT_TYPE: Final = "text/plain; version=0.0.4"

_ACTIONS: Final[list[tuple[str, ...]]] = [
    (kind.value, state.value) for kind in ActionKind if kind.acts for state in OutcomeState
]


def render(vitals: Vitals) -> str:
    """The metrics in Prometheus' text format, ending in a newline."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(tuple(families(vitals))))
    return generate_latest(registry).decode("utf-8")


class _Fixed(Collector):
    """Metrics that are known already."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def families(vitals: Vitals) -> Iterator[Metric]:
    """Every metric that there is something to say of."""
    return (one for one in _all(vitals) if one.samples)


def _all(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge("build_info", "The version of reconciler, always 1.", ["version"], [((vitals.version,), 1)])
    yield from _of_connections(vitals.connections)
    yield _findings(vitals.conditions)
    yield from _of_strategies(vitals)
    yield from _of_passes(vitals)
    yield from _counters(vitals)
    yield from _of_sinks(vitals.sinks, vitals.head)


def _of_connections(connections: Mapping[str, Remembered]) -> Iterator[Metric]:
    states = [
        ((name, status.value), float(one.reading.status is status))
        for name, one in sorted(connections.items())
        for status in Status
    ]
    yield _gauge(
        "connection_status",
        "1 for the status in which a connection was last seen, 0 for all others.",
        ["connection", "status"],
        states,
    )
    yield _by_connection(
        connections,
        "connection_passing",
        "1 while every blocking check of a connection passes; 0 when one fails or is unknown.",
        lambda one: float(one.streak > 0),
    )
    yield _by_connection(
        connections,
        "connection_last_read_timestamp_seconds",
        "When a connection was last looked at: the age of its evidence.",
        lambda one: one.reading.at.timestamp(),
    )
    yield _by_connection(
        connections,
        "connection_unknown_since_timestamp_seconds",
        "Since when nothing is known of a connection; absent while something is.",
        lambda one: one.unknown_since.timestamp() if one.unknown_since else None,
    )
    yield _by_connection(
        connections,
        "connection_key_expires_timestamp_seconds",
        "When the key of a connection expires; absent where the exchange does not tell.",
        _expiry,
    )


def _expiry(one: Remembered) -> float | None:
    told = (one.reading.key or {}).get("expires_at")
    return datetime.fromisoformat(told).timestamp() if told else None


def _findings(conditions: Iterable[Condition]) -> Metric:
    counted = Counter(
        (one.check, "blocking" if one.blocks else "advisory", one.verdict.value) for one in conditions
    )
    return _gauge(
        "findings_open",
        "What is not as it should be, by check.",
        ["check", "severity", "verdict"],
        sorted(counted.items()),
    )


def _of_strategies(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge(
        "strategies",
        "Strategies in the files, by what the last pass decided: run, go-on (as they run) or stop.",
        ["decision"],
        [((may.value,), vitals.decisions.get(may, 0)) for may in May],
    )
    yield _gauge(
        "strategies_enabled",
        "Strategies that this tool enabled and has not stopped since, but for a pause for safety.",
        [],
        [((), vitals.enabled)],
    )
    yield _gauge(
        "actions_unfinished",
        "Actions of which nobody knows whether they were done.",
        [],
        [((), vitals.unfinished)],
    )
    scopes = Counter(one.scope for one in vitals.lockdowns)
    yield _gauge(
        "lockdowns_in_force",
        "Emergency stops that nobody has lifted.",
        ["scope"],
        [((scope.value,), scopes[scope]) for scope in Scope],
    )


def _of_passes(vitals: Vitals) -> Iterator[Metric]:
    yield _gauge("lock_held", "1 while some process applies.", [], [((), float(vitals.locked))])
    if vitals.last_pass:
        began, ended, code = vitals.last_pass
        yield _gauge(
            "last_pass_timestamp_seconds", "When the last pass ended.", [], [((), ended.timestamp())]
        )
        took = max(0.0, (ended - began).total_seconds())
        yield _gauge("last_pass_duration_seconds", "How long the last pass took.", [], [((), took)])
        yield _gauge("last_pass_exit_code", "How the last pass ended; 0 is well.", [], [((), code)])
    if vitals.run:
        at, code = vitals.run
        yield _gauge(
            "last_run_timestamp_seconds",
            "When the last run of the command ended, also one that came to no pass.",
            [],
            [((), at.timestamp())],
        )
        yield _gauge("last_run_exit_code", "How the last run of the command ended.", [], [((), code)])
    if vitals.loop_up is not None:
        yield _gauge(
            "loop_up", "1 while the loop goes round, 0 when it is stuck.", [], [((), float(vitals.loop_up))]
        )


def _counters(vitals: Vitals) -> Iterator[Metric]:
    zero: Tally = dict.fromkeys(_ACTIONS, 0)
    yield _counter(
        "actions",
        "Actions on runtimes, by what became of them.",
        ["kind", "outcome"],
        {**zero, **vitals.actions},
    )
    yield _counter("events", "Events in the audit log.", ["kind", "severity"], vitals.events)
    passes: Tally = {labels[:1]: count for labels, count in vitals.passes.items()}
    yield _counter("passes", "Passes, by their exit code.", ["exit_code"], {("0",): 0, **passes})


def _of_sinks(sinks: Sequence[Cursor], head: int) -> Iterator[Metric]:
    if not sinks:
        return
    yield _gauge(
        "sink_failures",
        "Attempts in a row that a sink of notifications did not take; 0 is well.",
        ["sink"],
        [((one.sink,), one.failures) for one in sinks],
    )
    yield _gauge(
        "sink_failing_since_timestamp_seconds",
        "Since when a sink takes nothing; absent while it does.",
        ["sink"],
        [((one.sink,), one.failing_since.timestamp()) for one in sinks if one.failing_since],
    )
    yield _gauge(
        "sink_behind_events",
        "Events that a sink was not told of yet.",
        ["sink"],
        [((one.sink,), max(0, head - one.seq)) for one in sinks],
    )


def _by_connection(connections: Mapping[str, Remembered], name: str, text: str, value: Any) -> Metric:  # noqa: ANN401 - a function
    values = ((connection, value(one)) for connection, one in sorted(connections.items()))
    return _gauge(
        name,
        text,
        ["connection"],
        [((connection,), number) for connection, number in values if number is not None],
    )


def _gauge(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(f"reconciler_{name}", text, labels=labels)
    for found, value in values:
        family.add_metric(found, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], values: Tally) -> Metric:
    family = CounterMetricFamily(f"reconciler_{name}", text, labels=labels)
    for found, value in sorted(values.items()):
        family.add_metric(found, value)
    return family
