"""Sound entries to the model. What is well-formed but means nothing becomes a problem here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from reconciler.desired import values
from reconciler.desired.credentials import CredentialFinder
from reconciler.desired.files import Files
from reconciler.desired.merge import Item, Merged
from reconciler.desired.wording import is_secret_name, suggestion, where
from reconciler.exchanges import registry
from reconciler.model.desired import (
    WEEK,
    AccountPin,
    Approval,
    Attestation,
    Connection,
    Desired,
    Egress,
    Guarded,
    MarginLimit,
    Market,
    Money,
    OnDisable,
    OnUnknown,
    Policy,
    Requirement,
    RuntimeSpec,
    Strategy,
    Suspension,
    Threshold,
    Thresholds,
    Waiver,
    Window,
    WindowKind,
)
from reconciler.model.errors import Mark, Problem
from reconciler.model.live import Permission

_PARAMETERS: Final = ("pairs", "risk_level", "margin_limit", "averaging", "recovery_mode", "settings")
_AMOUNTS: Final[tuple[tuple[tuple[str, ...], Callable[[str], object]], ...]] = (
    (("margin_limit", "amount"), values.amount),
    (("averaging", "step"), values.percentage),
    (("averaging", "multiplier"), values.amount),
    (("recovery_mode", "max_drawdown"), values.percentage),
)
#: What the model has fields for; the rest are options.
_OF_EVERY_RUNTIME: Final = frozenset({"type", "url", "credentials", "mode", "suspend"})
#: How many exchange ids a message lists; beyond, only the one that resembles.
_LISTED: Final = 12

Value = TypeVar("Value")


class Builder:
    """Builds each kind of item; an item in which something is wrong is left out and reported."""

    def __init__(self, merged: Merged, files: Files) -> None:
        self.problems: list[Problem] = []
        self._merged = merged
        self._credentials = CredentialFinder(files)

    def desired(self, files: tuple[str, ...]) -> Desired:
        """Everything that could be built."""
        return Desired(
            files=files,
            policy=self._policy(self._merged.sections.get("policy", {})),
            egress=self._each("egress", self._egress),
            connections=self._each("connections", self._connection),
            runtimes=self._each("runtimes", self._runtime),
            strategies=self._each("strategies", self._strategy),
            waivers=self._waivers(),
            approvals=self._approvals(),
            suspend=self._suspend_all(self._merged.sections.get("suspend", {})),
        )

    def _each(self, section: str, build: Callable[[str, Item], Value | None]) -> dict[str, Value]:
        """The items of a section that could be built, by id."""
        built: dict[str, Value] = {}
        for key, item in self._merged.sections.get(section, {}).items():
            before = len(self.problems)
            value = build(key, item)
            if value is not None and len(self.problems) == before:
                built[key] = value
        return built

    def _read(self, item: Item, read: Callable[[str], Value], fallback: Value) -> Value:
        """A text as a value; a problem and ``fallback`` when it means nothing."""
        try:
            return read(item.value)
        except values.BadValue as bad:
            message = f"{where(item.path)}: {bad.message}"
            self.problems.append(item.problem("bad-value", message, bad.fix))
            return fallback

    def _policy(self, fields: Mapping[str, Item]) -> Policy:
        readers: Mapping[str, Callable[[Item], Any]] = {
            "ip_whitelist": lambda item: Requirement(item.value),
            "on_unknown": lambda item: OnUnknown(item.value),
            "on_disable": lambda item: OnDisable(item.value),
            "settle": lambda item: item.value,
            "recipients": _recipients,
            "max_margin_limit": self._margin_limit,
            "max_averaging_factor": lambda item: self._read(item, values.factor, Decimal(1)),
            "allowed_quotes": lambda item: tuple(sorted(item.value)),
            "thresholds": self._thresholds,
            "windows": lambda item: tuple(sorted(map(self._window, item.each()), key=str)),
        }
        return Policy(**{key: readers.get(key, self._duration)(item) for key, item in fields.items()})

    def _duration(self, item: Item) -> timedelta:
        return self._read(item, values.duration, timedelta())

    def _margin_limit(self, item: Item) -> MarginLimit:
        amount = self._read(item.at("amount"), values.amount, Decimal(1))
        return MarginLimit(amount=amount, currency=item.value["currency"])

    def _thresholds(self, item: Item) -> Thresholds:
        default = Thresholds()
        return Thresholds(
            enable=self._threshold(item.get("enable"), default.enable),
            disable=self._threshold(item.get("disable"), default.disable),
        )

    def _window(self, item: Item) -> Window:
        days, zone = item.value.get("days", WEEK), item.get("zone")
        return Window(
            kind=WindowKind(item.value["kind"]),
            days=tuple(sorted(days, key=WEEK.index)),
            start=self._read(item.at("from"), values.clock, time()),
            end=self._read(item.at("to"), values.clock, time()),
            zone=self._read(zone, values.zone, "UTC") if zone else "UTC",
        )

    def _threshold(self, item: Item | None, default: Threshold) -> Threshold:
        """What is not written keeps its default, count and percentage apart: 0 is written."""
        percent = item.get("percent") if item else None
        return Threshold(
            count=item.value.get("count", default.count) if item else default.count,
            percent=self._read(percent, values.share, Decimal(0)) if percent else default.percent,
        )

    def _egress(self, key: str, item: Item) -> Egress:
        family = item.value.get("family", "ipv4")
        read = (
            self._read(entry, partial(values.address, family=family), None)
            for entry in item.each("addresses")
        )
        networks = {network for network in read if network is not None}
        proxy = item.get("proxy")
        return Egress(
            id=key,
            addresses=tuple(
                sorted(networks, key=lambda network: (network.network_address.packed, network.prefixlen))
            ),
            mark=item.key,
            proxy=self._read(proxy, values.proxy, "") if proxy else None,
            family=family,
            suspend=self._suspend(item, f"egress {key}"),
        )

    def _runtime(self, key: str, item: Item) -> RuntimeSpec | None:
        value, url, written = item.value, item.get("url"), item.get("credentials")
        credentials = self._credentials.file(written) if written else None
        if isinstance(credentials, Problem):
            self.problems.append(credentials)
            return None
        clear = url is not None and values.leaves_machine_in_clear(self._read(url, values.url, "https:"))
        if url and clear and not value.get("insecure_http", False):
            self.problems.append(_in_clear(url))
        self.problems.extend(_secret_arguments(item.each("command")))
        return RuntimeSpec(
            id=key,
            type=value["type"],
            mark=item.key,
            url=url.value if url else None,
            credentials=credentials,
            mode=Money(value["mode"]) if "mode" in value else None,
            options={name: value[name] for name in sorted(value.keys() - _OF_EVERY_RUNTIME)},
            suspend=self._suspend(item, f"runtime {key}"),
            marks=item.document.field_marks(item.path),
        )

    def _suspend(self, item: Item, subject: str) -> Suspension | None:
        """The suspension of one item."""
        written = item.get("suspend")
        return self._suspension(subject, written.at("reason"), written.at("until")) if written else None

    def _suspend_all(self, fields: Mapping[str, Item]) -> Suspension | None:
        """The suspension of everything; its fields are those of a section."""
        if not {"reason", "until"} <= fields.keys():
            return None
        return self._suspension("everything", fields["reason"], fields["until"])

    def _suspension(self, subject: str, reason: Item, until: Item) -> Suspension:
        day = self._read(until, values.day, date.min)
        return Suspension(subject=subject, reason=reason.value, until=day, mark=until.key)

    def _connection(self, key: str, item: Item) -> Connection | None:
        value = item.value
        self._check_exchange(item.at("exchange"))
        credentials = self._credentials.find(item.at("credentials"), value["exchange"])
        if isinstance(credentials, Problem):
            self.problems.append(credentials)
            return None
        uid = item.get("account", "uid")
        return Connection(
            id=key,
            name=value["name"],
            exchange=value["exchange"],
            market=Market(value["market"]),
            credentials=credentials,
            mark=item.key,
            egress=value.get("egress"),
            account=AccountPin(uid=uid.value, mark=uid.key) if uid else None,
            permissions={Permission(name): wanted for name, wanted in value.get("permissions", {}).items()},
            attestations={entry.name: self._attestation(entry) for entry in item.each("attestations")},
            suspend=self._suspend(item, f"connection {key}"),
            marks=item.document.field_marks(item.path),
        )

    def _check_exchange(self, item: Item) -> None:
        if registry.known(item.value):
            return
        refusal = registry.refusal(item.value)
        if refusal is not None:
            message = f"{where(item.path)}: this exchange cannot be read: {refusal}"
            self.problems.append(
                item.problem("unreadable-exchange", message, "use an exchange that can be read")
            )
            return
        known = registry.ids()
        listed = f": expected one of {', '.join(known)}" if len(known) <= _LISTED else ""
        near = suggestion(item.value, (*known, *registry.others()))
        message = f"{where(item.path)}: no exchange that can be read{listed}{near}"
        self.problems.append(item.problem("unknown-exchange", message, "write the exchange's id in ccxt"))

    def _attestation(self, item: Item) -> Attestation:
        on = self._read(item.at("on"), values.day, date.min)
        return Attestation(subject=item.name, by=item.value["by"], on=on, mark=item.key)

    def _strategy(self, key: str, item: Item) -> Strategy:
        value = item.value
        for path, read in _AMOUNTS:
            written = item.get(*path)
            if written:
                self._read(written, read, None)
        self.problems.extend(_secrets_in(item.get("settings")))
        return Strategy(
            id=key,
            name=value["name"],
            connection=value["connection"],
            runtime=value["runtime"],
            enabled=value["enabled"],
            pairs=tuple(value["pairs"]),
            parameters={name: value[name] for name in _PARAMETERS if name in value},
            mark=item.key,
            on_disable=OnDisable(value["on_disable"]) if "on_disable" in value else None,
            suspend=self._suspend(item, f"strategy {key}"),
            marks=_strategy_marks(item),
        )

    def _waivers(self) -> tuple[Waiver, ...]:
        waivers = [
            Waiver(
                **{**item.value, "until": self._read(item.at("until"), values.day, date.max)}, mark=item.mark
            )
            for item in self._merged.waivers
        ]
        return tuple(sorted(waivers, key=lambda w: (w.connection, w.check, w.until, w.reason, w.approved_by)))

    def _approvals(self) -> tuple[Approval, ...]:
        approvals = [
            Approval(
                allow=Guarded(item.value["allow"]),
                count=item.value["count"],
                reason=item.value["reason"],
                approved_by=item.value["approved_by"],
                until=self._read(item.at("until"), values.day, date.min),
                mark=item.mark,
            )
            for item in self._merged.approvals
        ]
        return tuple(sorted(approvals, key=lambda a: (a.allow, a.until, a.count, a.reason, a.approved_by)))


def _strategy_marks(item: Item) -> dict[str, Mark]:
    """The place of each field, and of what stands in one: ``averaging`` and ``averaging.step``."""
    marks = item.document.field_marks(item.path)
    for part in item.each():
        if isinstance(part.value, dict):
            inside = item.document.field_marks(part.path)
            marks |= {f"{part.name}.{name}": mark for name, mark in inside.items()}
    return marks


def _in_clear(url: Item) -> Problem:
    message = f"{where(url.path)}: credentials would go to another machine in clear"
    return url.problem(
        "insecure-http",
        message,
        "use https, or an ssh tunnel to http://127.0.0.1; on a network that you alone are in, say so with "
        "`insecure_http: true`",
    )


def _secret_arguments(arguments: Iterable[Item]) -> Iterator[Problem]:
    """A problem for each argument of a command that names a secret: every user of the machine sees it."""
    for argument in arguments:
        flag = argument.value.partition("=")[0]
        if flag.startswith("-") and is_secret_name(flag):
            yield Problem(
                mark=argument.mark,
                code="plaintext-secret",
                message=f"{where(argument.path)}: every user of a machine sees the arguments of a command, "
                "and this is the name of a secret",
                fix="let the program read it from a file of its own; if it was ever shared, replace it",
            )


def _recipients(item: Item) -> Mapping[str, tuple[str, ...]]:
    return {kind: tuple(sorted(names)) for kind, names in sorted(item.value.items())}


def _secrets_in(settings: Item | None) -> Iterator[Problem]:
    """A problem for each field of ``settings`` whose name says that it holds a secret.

    Settings reach plans and reports, so no secret may stand in them, encrypted or not.
    """
    waiting = [settings] if settings else []
    while waiting:
        item = waiting.pop()
        if isinstance(item.value, dict | list):
            waiting.extend(item.each())
        if is_secret_name(item.name) and not isinstance(item.value, bool) and item.value not in (None, ""):
            yield Problem(
                mark=item.key,
                code="plaintext-secret",
                message=f"{where(item.path)}: settings are shown in plans, and this is the name of a secret",
                fix="keep secrets out of settings; if it was ever committed or shared, replace it",
            )
