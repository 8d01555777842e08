"""The contract of ``webhook`` and ``command``: what such a runtime is asked, and what it may answer.

``schemas/runtime-request.schema.json`` and ``schemas/runtime-answer.schema.json`` are its words, and
``docs/runtimes/webhook.md`` explains them. An answer that does not fit is never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NoReturn

import jsonschema_rs

from reconciler import resources
from reconciler.model.bot import Bot
from reconciler.model.desired import OnDisable
from reconciler.model.errors import LockHeld
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes.failing import failed

VERSION: Final = 1
"""Of the contract."""

OBSERVE: Final = "observe"

#: What a runtime can say where it did nothing, and what each word means here.
_REFUSALS: Final = {
    "unauthorised": (Kind.UNAUTHORISED, "the runtime could not log in to what it stands for"),
    "other": (Kind.REFUSED, "the runtime would not do it"),
}


class Told:
    """A runtime that is told everything by :attr:`ask`, in the words of the contract.

    ``ask`` gives the answer to one request as Python values. It may be asked to observe more than once.
    """

    def __init__(self, runtime: str, ask: Callable[[str, bytes], Awaitable[Any]]) -> None:
        self._runtime = runtime
        self._ask = ask

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that it tells."""
        answer = await self._answer(OBSERVE)
        if "strategies" not in answer:
            _unexpected(OBSERVE, untouched=True)
        return {
            name: RunningStrategy(
                id=name,
                enabled=one["enabled"],
                connection=one.get("connection"),
                parameters=one.get("parameters"),
                bot=_bot(one.get("open_positions")),
                paused=one["enabled"] is False and one.get("paused", False),
            )
            for name, one in answer["strategies"].items()
        }

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Tell it to start ``strategy`` on ``connection`` with ``parameters``."""
        await self._act("enable", strategy, token, connection=connection, parameters=dict(parameters))

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Tell it the new ``parameters`` and ``connection``."""
        await self._act("change", strategy, token, connection=connection, parameters=dict(parameters))

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Tell it to stop ``strategy``, or to stop its entries.

        ``how`` is only said where it is not to stop: the request of those who know no other is as it was.
        """
        more = {} if how is OnDisable.STOP else {"how": how.value}
        await self._act("disable", strategy, token, **more)

    async def _act(self, action: str, strategy: str, token: int, **more: object) -> None:
        answer = await self._answer(action, strategy=strategy, token=token, **more)
        if "done" not in answer:
            _unexpected(action, untouched=False)

    async def _answer(self, action: str, **fields: object) -> Mapping[str, Any]:
        """The answer to one request, unless it is a refusal."""
        whole = {"version": VERSION, "runtime": self._runtime, "action": action, **fields}
        body = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        answer = await self._ask(action, body.encode())
        if not _answers().is_valid(answer):
            _unexpected(action, untouched=action == OBSERVE)
        if "refused" in answer:
            self._refused(action, answer["refused"])
        return dict(answer)

    def _refused(self, action: str, why: str) -> NoReturn:
        if why == "token":
            raise LockHeld(
                f"{self._runtime} was told something by a later apply; this one may change nothing more",
                hint="run it again; where the state was lost, docs/runtimes/webhook.md says what to do",
            )
        kind, told = _REFUSALS[why]
        raise failed(kind, f"{action}: {told}")


def _bot(held: Sequence[str] | None) -> Bot | None:
    return None if held is None else Bot(open_positions=tuple(sorted(held)))


def _unexpected(action: str, *, untouched: bool) -> NoReturn:
    raise failed(
        Kind.UNEXPECTED_ANSWER,
        f"the answer to {action} is none that the contract knows",
        untouched=untouched,
        hint="see docs/runtimes/webhook.md, and schemas/runtime-answer.schema.json",
    )


@cache
def _answers() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(resources.schema("runtime-answer.schema.json")))
