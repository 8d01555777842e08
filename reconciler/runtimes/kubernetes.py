"""Strategies as Deployments or StatefulSets of one namespace: scaled to 1 they run, to 0 they do not.

Only the ``scale`` subresource is needed. Where the operator also lets this tool read workloads and
autoscalers it waits for a pod that is ready, and starts nothing of which another sets the replicas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from reconciler.model.desired import OnDisable, RuntimeSpec
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import NOTHING
from reconciler.runtimes.each import each
from reconciler.runtimes.failing import in_doubt
from reconciler.runtimes.holders import holders
from reconciler.runtimes.interface import Opening, RuntimeType
from reconciler.runtimes.kubernetes_access import SERVICE_ACCOUNT, in_cluster
from reconciler.runtimes.kubernetes_api import Api, Scale, Workload, failed

#: How often, and how far apart in seconds, a workload is looked at until it is as it was told to be. A pod
#: has 30 seconds to stop by default; to start it may have to be pulled.
LOOKS: Final = 50
PAUSE: Final = 2.0

#: How often an act is tried that meets a change by somebody else.
_TRIES: Final = 5

#: How many workloads are read at once: API servers share out what they answer at a time.
_AT_ONCE: Final = 10

#: How many are stopped at once: each is told at once, and then waited for until its pods are gone.
_STOPS_AT_ONCE: Final = 10

_FORBIDDEN: Final = 403


class Kubernetes:
    """The workloads of one namespace that git, or what this tool enabled, names; no others are looked for.

    A workload that is not there is told as nothing, and starting it is refused. One of several that this
    tool may not read is told as unknown, so that the others can still be stopped.
    """

    def __init__(self, opening: Opening, service_account: Path = SERVICE_ACCOUNT) -> None:
        self._opening = opening
        self._service_account = service_account
        self._ignores_git = opening.spec.options.get("replicas_in_git") == "ignore"
        self._holders = holders(opening, _workload)
        self._judged: dict[Workload, str | None] = {}
        self._opened: Api | None = None

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Each strategy whose workload is there. One with any pod runs, whatever it is scaled to."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(workload: Workload) -> Scale | RuntimeFailed | None:
            async with gate:
                return await self._readable(workload)

        workloads = sorted(self._holders)
        seen = dict(zip(workloads, await asyncio.gather(*map(look, workloads)), strict=True))
        refusals = [one for one in seen.values() if isinstance(one, RuntimeFailed)]
        if refusals and len(refusals) == len(seen):
            raise refusals[0]
        held: dict[str, RunningStrategy] = {}
        for workload, scale in seen.items():
            self._judge(workload, scale)
            if scale is not None:
                _join(held, self._holders[workload], scale)
        return held

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Scale its workload to 1, and wait for a pod.

        One that is another by now than was read in this pass, of which pods are still stopping, or whose
        replicas another sets, is not started.
        """
        del connection, token
        workload = _named(parameters)
        for _ in range(_TRIES):
            scale = await self._same(workload)
            if scale.wanted > 0 or await self._started(workload, scale):
                break
        else:
            raise failed(Kind.REFUSED, f"{workload} changes faster than it can be scaled")
        self._holders[workload] = strategy
        with in_doubt():
            await self._until(workload, self._is_ready, running=True)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Take note of new parameters: what a pod trades stands in the workload, which this tool never edits.

        Another connection, or another workload, is refused: the pods that run go on with the old one.
        """
        del token
        mine = self._opening.enabled.get(strategy)
        if mine is None:
            return
        old, new = _workload(mine.parameters), _workload(parameters)
        if mine.connection != connection or old != new:
            what = f"to the key of {connection}" if mine.connection != connection else f"to {new}"
            raise failed(
                Kind.REFUSED,
                f"{old} cannot move {what} while it runs: write `enabled: false`, apply, change what has to "
                "change, then enable the strategy again",
            )

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Scale all that is its own to 0, whoever sets the replicas, and wait until no pod is left.

        Whatever ``how``: there is no pod that only opens nothing.
        """
        del token, how
        mine = sorted(workload for workload, holder in self._holders.items() if holder == strategy)
        if not mine:
            raise failed(Kind.WRONG_BOT, f"nobody knows any more which workload {strategy} was")
        await each(self._stop(workload) for workload in mine)
        for workload in mine:
            with in_doubt():
                await self._until(workload, self._is_gone, running=False)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._opened is not None:
            await self._opened.close()

    @property
    def _api(self) -> Api:
        """The API server of the operator's kubeconfig, else of the cluster that this pod is in."""
        if self._opened is None:
            chosen, spec = self._opening.kubeconfig, self._opening.spec
            access = chosen.access() if chosen else in_cluster(self._opening.environ, self._service_account)
            self._opened = Api(
                access,
                spec.options["namespace"],
                timeout=self._opening.timeout,
                learn=self._opening.learn,
            )
        return self._opened

    async def _readable(self, workload: Workload) -> Scale | RuntimeFailed | None:
        """Its scale, or that this tool may not read this one; anything else goes for all and is raised."""
        try:
            return await self._api.scale(workload)
        except RuntimeFailed as error:
            if error.status == _FORBIDDEN:
                return error
            raise

    def _judge(self, workload: Workload, seen: Scale | RuntimeFailed | None) -> None:
        """Remember the first look of the pass: the plan was made from it."""
        if not isinstance(seen, RuntimeFailed):
            self._judged.setdefault(workload, seen.uid if seen else None)

    async def _same(self, workload: Workload) -> Scale:
        """The workload that was read and judged in this pass. Raise for another."""
        scale = await self._api.scale(workload)
        if scale is None:
            raise failed(Kind.WRONG_BOT, f"there is no {workload} in this namespace")
        if self._judged.get(workload) != scale.uid:
            raise failed(Kind.WRONG_BOT, f"{workload} is not the one that was read and judged in this pass")
        return scale

    async def _started(self, workload: Workload, scale: Scale) -> bool:
        """Start it unless somebody has a say in it; ``False`` where it changed meanwhile."""
        details, autoscaled = await asyncio.gather(
            self._api.details(workload), self._api.autoscaled(workload)
        )
        if scale.pods or (details and details.stopping):
            raise failed(Kind.REFUSED, f"pods of {workload} are still stopping: two must not trade at once")
        if autoscaled:
            raise failed(
                Kind.REFUSED, f"an autoscaler sets the replicas of {workload}, and a bot must not run twice"
            )
        if details and details.owner and not self._ignores_git:
            raise failed(
                Kind.REFUSED,
                f"{details.owner} sets the replicas of {workload} from git, and would undo each stop: leave "
                "them out of what it applies (docs/runtimes/kubernetes.md)",
            )
        return await self._api.set_replicas(workload, 1, version=scale.version)

    async def _stop(self, workload: Workload) -> None:
        for _ in range(_TRIES):
            scale = await self._api.scale(workload)
            if scale is None or scale.wanted == 0 or await self._api.set_replicas(workload, 0):
                return
        raise failed(Kind.REFUSED, f"{workload} changes faster than it can be scaled")

    async def _until(
        self, workload: Workload, there: Callable[[Workload, Scale], Awaitable[bool]], *, running: bool
    ) -> None:
        """Return once it is as it was told to be. Raise where somebody undid that, or it takes too long."""
        for _ in range(LOOKS):
            scale = await self._api.scale(workload)
            if scale is None and not running:
                return
            if scale is None or (scale.wanted > 0) is not running:
                raise failed(
                    Kind.REFUSED,
                    f"{workload} was scaled back at once: something else, such as Flux, Argo CD or an "
                    "autoscaler, sets its replicas",
                )
            if await there(workload, scale):
                return
            await self._opening.sleep(PAUSE)
        what = "no pod of it became ready" if running else "its pods did not stop"
        raise failed(Kind.REFUSED, f"{workload} was scaled, but {what} within {LOOKS * PAUSE:.0f} s")

    async def _is_ready(self, workload: Workload, scale: Scale) -> bool:
        """A pod is ready; where that may not be read, there is one."""
        if scale.pods == 0:
            return False
        details = await self._api.details(workload)
        return details is None or (details.current and details.ready > 0)

    async def _is_gone(self, workload: Workload, scale: Scale) -> bool:
        """No pod is left; those on their way out count where the cluster tells of them."""
        if scale.pods:
            return False
        details = await self._api.details(workload)
        return details is None or (details.current and details.stopping == 0)


def _join(held: dict[str, RunningStrategy], strategy: str, scale: Scale | RuntimeFailed) -> None:
    """Add what one workload says to what the others of the same strategy did: one that runs is enough."""
    before = held.get(strategy) or RunningStrategy(id=strategy, enabled=False)
    runs = None if isinstance(scale, RuntimeFailed) else scale.wanted > 0 or scale.pods > 0
    states = (before.enabled, runs)
    held[strategy] = RunningStrategy(
        id=strategy,
        enabled=True if True in states else None if None in states else False,
        parameters=None,
        silence=f"{scale.message}. {scale.hint}" if isinstance(scale, RuntimeFailed) else before.silence,
    )


def _workload(parameters: Mapping[str, Any]) -> Workload | None:
    settings = parameters.get("settings")
    return Workload.of(settings.get("workload")) if isinstance(settings, Mapping) else None


def _named(parameters: Mapping[str, Any]) -> Workload:
    workload = _workload(parameters)
    if workload is None:
        raise failed(Kind.WRONG_BOT, "the strategy names no workload in `settings.workload`")
    return workload


def place(spec: RuntimeSpec, parameters: Mapping[str, Any]) -> str:
    """Which workload a strategy is. Raise ``ValueError`` where it names none."""
    workload = _workload(parameters)
    if workload is None:
        raise ValueError("`settings.workload` must be deployment/NAME or statefulset/NAME")
    return f"{workload} in the namespace {spec.options['namespace']}"


#: A workload is scaled and no more: whatever a strategy states, its bot has to have from elsewhere.
TYPE: Final = RuntimeType(
    name="kubernetes",
    open=Kubernetes,
    settings=frozenset({"workload"}),
    place=place,
    takes=NOTHING,
    stops_at_once=_STOPS_AT_ONCE,
)
