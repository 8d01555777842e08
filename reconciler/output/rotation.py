"""How a key is replaced after an emergency: the steps in their order, and what is known of each key."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, Final

from reconciler.model.emergency import Emergency, KeyAtRisk
from reconciler.output.words import iso

_DELETE: Final = (
    "Delete the key at its exchange, now; if it cannot be deleted, disable it. Nothing in git and nothing "
    "here ends a key that somebody else holds."
)
_LOOK: Final = (
    "While logged in, look at open orders and positions: nothing manages them while the bots are stopped, "
    "and this tool never closes any. Look at withdrawals, transfers, saved withdrawal addresses and trades "
    "that you do not know, and at other API keys: delete those that nobody knows."
)
_LOGIN: Final = (
    "If more than the key may be known: change the account's password, end its other sessions, set its "
    "second factor up anew, and do the same for the mailbox behind it."
)
_LEAK: Final = (
    "Find where it leaked: the bot's machine, a log, a screenshot, a key of sops. If somebody who can open "
    "the secret files is in doubt, take them out of .sops.yaml, then `sops updatekeys FILE` and `sops rotate "
    "-i FILE` for each. What they could read they have read: every key in those files is to be replaced."
)
_NEW: Final = (
    "Create a new key with fewer rights: reading and the trading it needs, no withdrawals, bound to the "
    "bot's addresses. docs/exchanges has the steps for each exchange."
)
_WRITE: Final = (
    "Put it into the secret file with the `replace` command of its key above (`reconcile connect` for a new "
    "connection), and let the change be reviewed."
)
_LIFT: Final = "When every key is replaced: `reconcile lockdown --lift {number}`, then `reconcile --dry-run`."
_AFTER: Final = "Before anything starts again, look at what would: `reconcile --dry-run`."
_CHECK: Final = "Run the `test` command of its key above: it must say Online."


def steps(number: int | None) -> tuple[str, ...]:
    """What to do for each key, in this order; ``number`` is that of the lockdown, where it has one."""
    last = _AFTER if number is None else _LIFT.format(number=number)
    return (_DELETE, _LOOK, _LOGIN, _LEAK, _NEW, _WRITE, _CHECK, last)


def commands(key: KeyAtRisk) -> Iterator[tuple[str, str]]:
    """The commands for one key, each with its label."""
    if key.secret_file:
        yield "replace", f"sops {shlex.quote(key.secret_file)}"
    yield "test", f"reconcile check {shlex.quote(key.connection)}"


def powers(key: KeyAtRisk) -> str:
    """What it may do, in one line: ``read, spot · not withdraw · not told: transfer``."""
    if key.key is None:
        return "unknown, it was never read: take it that it may withdraw"
    told: dict[str, Any] = key.key["permissions"]
    parts = (
        ", ".join(name for name, value in told.items() if value),
        _after("not ", [name for name, value in told.items() if value is False]),
        _after("not told: ", [name for name, value in told.items() if value is None]),
    )
    return " · ".join(part for part in parts if part)


def bounds(key: KeyAtRisk) -> str:
    """Where it works from, and whose it is, as far as that is known."""
    if key.key is None:
        return ""
    whitelist, uid = key.key["ip_whitelist"], key.key["account"]["uid"]
    addresses = ", ".join(whitelist["addresses"] or ())
    bound = {
        True: f"bound to {addresses or 'addresses that are not told'}",
        False: "not bound to any address: it works from anywhere",
        None: "not known to be bound to addresses",
    }[key.bound]
    read = f"read {iso(key.read_at)}" if key.read_at else ""
    return " · ".join(part for part in (bound, f"of account {uid}" if uid else "", read) if part)


def warning(key: KeyAtRisk) -> str:
    """Why to begin with it; empty where nothing is worse about it than about others."""
    if key.withdraws:
        return "IT MAY WITHDRAW: begin here"
    if key.withdraws is None:
        return "it may be able to withdraw: nobody knows"
    return "" if key.bound else "it may work from anywhere"


def by_hand(told: Emergency) -> tuple[str, ...]:
    """What a person has to do now because the tool could not."""
    found = []
    if told.lockdown is None:
        found.append(
            "Keep every apply from running: stop the loop, suspend the CronJob, disable the pipeline. Then "
            "let the state be written again and repeat this command."
        )
    if told.exit_code:
        found.append(
            "Stop what is not stopped in its runtime itself (its own pages, or by ending the bot's process), "
            "or delete its key first: without a key nothing trades."
        )
    if told.foreign:
        found.append("Stop by hand what nobody here started, if it uses a key that is in doubt.")
    return tuple(found)


def _after(lead: str, names: list[str]) -> str:
    return lead + ", ".join(names) if names else ""
