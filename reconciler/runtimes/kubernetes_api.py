"""The few calls to an API server that the driver makes, and what its answers mean.

Shapes from the published OpenAPI (``autoscaling/v1`` Scale, ``apps/v1``, ``autoscaling/v2``, ``meta/v1``
Status): https://kubernetes.io/docs/reference/kubernetes-api/. A count that is 0 may be left out of ``spec``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes import failing
from reconciler.runtimes.fields import Fields
from reconciler.runtimes.http import Http, Json
from reconciler.runtimes.kubernetes_access import Access

_WORKLOAD: Final = re.compile(r"(deployment|statefulset)/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)")
_KINDS: Final = {"deployment": "Deployment", "statefulset": "StatefulSet"}
_MERGE: Final = "application/merge-patch+json"
_UNKNOWN_WORKLOAD, _CONFLICT = 404, 409
_FORBIDDEN: Final = 403

#: Who sets replicas from git, by the names under which they write (``managedFields``).
_FROM_GIT: Final = {
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
}
#: Objects that Flux makes once, or not at all, and then leaves alone: https://fluxcd.io/flux/components/kustomize/.
_LEFT_ALONE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "kustomize.toolkit.fluxcd.io/ssa": frozenset({"IfNotPresent", "Ignore"}),
        "kustomize.toolkit.fluxcd.io/reconcile": frozenset({"disabled"}),
    }
)

_HINTS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.UNREACHABLE: "Check that the API server of the kubeconfig, or of this cluster, answers from "
        "here, and that the CA beside it is its own.",
        Kind.UNAUTHORISED: "The token or the client certificate is not taken (any more): renew it in the "
        "kubeconfig; in a cluster look at the ServiceAccount of this pod.",
        Kind.UNEXPECTED_ANSWER: "Let `server` in the kubeconfig be the API server itself, without a login "
        "page or a redirect in between.",
        Kind.REFUSED: "Look at the workload with kubectl describe; docs/runtimes/kubernetes.md says what is "
        "asked of it.",
        Kind.WRONG_BOT: "Compare `namespace` and `settings.workload` in the files with what kubectl get "
        "deployments,statefulsets shows.",
    }
)
_GRANT: Final = (
    "Grant get and patch on deployments/scale and statefulsets/scale in this namespace: "
    "examples/runtimes/kubernetes/rbac.yaml."
)


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """A Deployment or a StatefulSet. ``kind`` is as the files write it."""

    kind: str
    name: str

    @classmethod
    def of(cls, text: object) -> Workload | None:
        """``deployment/NAME`` or ``statefulset/NAME``; ``None`` for anything else."""
        found = _WORKLOAD.fullmatch(text) if isinstance(text, str) else None
        return cls(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        """Within its namespace."""
        return f"{self.kind}s/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many pods there should be, and are. ``uid`` and ``version`` are those of the workload itself."""

    uid: str
    version: str
    wanted: int
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What the workload itself tells. ``ready`` counts pods; ``stopping`` those on their way out, if told.

    ``current``: its controller has seen the replicas that are wanted now. ``owner`` sets them from git.
    """

    ready: int
    stopping: int
    current: bool
    owner: str | None


class Api:
    """One namespace of one API server. Every error is a ``RuntimeFailed`` with a hint about Kubernetes.

    ``learn`` is told each token before it is used, so that no output shows it.
    """

    def __init__(
        self, access: Access, namespace: str, *, timeout: float, learn: Callable[[Iterable[Secret]], None]
    ) -> None:
        self._http = Http(access.url, timeout=timeout, tls=access.tls())
        self._token = access.token
        self._learn = learn
        self._namespace = namespace

    async def scale(self, workload: Workload) -> Scale | None:
        """How it is scaled; ``None`` where there is no such workload."""
        call = f"GET {workload} scale"
        answer = await self._call("GET", self._scale(workload), answers={_UNKNOWN_WORKLOAD})
        if _is_status(answer):
            self._absent(call, answer, workload)
            return None
        return self._scaled(call, answer, workload)

    async def set_replicas(self, workload: Workload, replicas: int, *, version: str | None = None) -> bool:
        """Have it scaled; ``False``, and nothing is done, where it is gone, or no longer of ``version``."""
        metadata = {"metadata": {"resourceVersion": version}} if version is not None else {}
        answer = await self._call(
            "PATCH",
            self._scale(workload),
            body={**metadata, "spec": {"replicas": replicas}},
            headers={"Content-Type": _MERGE},
            answers={_UNKNOWN_WORKLOAD, _CONFLICT},
        )
        if _is_status(answer):
            return False
        self._scaled(f"PATCH {workload} scale", answer, workload, untouched=False)
        return True

    async def details(self, workload: Workload) -> Details | None:
        """What the workload itself tells; ``None`` where this tool may not read it, or it is gone."""
        answer = await self._allowed(f"/apis/apps/v1/namespaces/{self._namespace}/{workload.path}")
        if answer is None:
            return None
        call = f"GET {workload}"
        whole = Fields.of(call, answer)
        status, metadata = _inner(whole, "status"), _inner(whole, "metadata")
        return Details(
            ready=_count(status, "readyReplicas"),
            stopping=_count(status, "terminatingReplicas"),
            current=_count(status, "observedGeneration") >= _count(metadata, "generation"),
            owner=_owner(metadata.answer),
        )

    async def autoscaled(self, workload: Workload) -> bool | None:
        """Whether an autoscaler sets its replicas; ``None`` where this tool may not look."""
        path = f"/apis/autoscaling/v2/namespaces/{self._namespace}/horizontalpodautoscalers"
        answer = await self._allowed(path)
        if answer is None:
            return None
        whole = Fields.of("GET horizontalpodautoscalers", answer)
        items = whole.answer.get("items")
        if not isinstance(items, list):
            whole.refuse("has no list `items`")
        targets = (_dig(item, "spec", "scaleTargetRef") for item in items)
        wanted = (_KINDS[workload.kind], workload.name)
        return any((one.get("kind"), one.get("name")) == wanted for one in targets)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _scale(self, workload: Workload) -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace}/{workload.path}/scale"

    async def _allowed(self, path: str) -> Json:
        """The answer to a read that the operator need not allow; ``None`` where it is not, or of nothing."""
        answer = await self._call("GET", path, answers={_FORBIDDEN, _UNKNOWN_WORKLOAD})
        return None if _is_status(answer) else answer

    async def _call(
        self,
        method: str,
        path: str,
        *,
        answers: set[int],
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        given = {**(headers or {}), **self._login()}
        try:
            if method == "GET":
                return await self._http.get(path, headers=given, answers=answers)
            return await self._http.send(method, path, body=body, headers=given, answers=answers)
        except RuntimeFailed as error:
            hint = _GRANT if error.status == _FORBIDDEN else _HINTS.get(error.kind, error.hint)
            raise RuntimeFailed(
                error.message, kind=error.kind, untouched=error.untouched, hint=hint, status=error.status
            ) from None

    def _login(self) -> Mapping[str, str]:
        if self._token is None:
            return {}
        token = self._token()
        self._learn((token,))
        return {"Authorization": f"Bearer {token.reveal()}"}

    def _absent(self, call: str, answer: Json, workload: Workload) -> None:
        """Raise unless the server says that this very workload is not there: it may know no such path."""
        if _dig(answer, "details").get("name") != workload.name:
            Fields(call, answer).refuse("says that there is no such call")

    def _scaled(self, call: str, answer: Json, workload: Workload, *, untouched: bool = True) -> Scale:
        whole = Fields.of(call, answer, untouched=untouched)
        if whole.text("kind") != "Scale":
            whole.refuse("is no scale")
        metadata, spec = _inner(whole, "metadata"), Fields(call, _dig(answer, "spec"), untouched)
        if (metadata.text("namespace"), metadata.text("name")) != (self._namespace, workload.name):
            whole.refuse("is of another workload")
        return Scale(
            uid=metadata.text("uid"),
            version=metadata.text("resourceVersion"),
            wanted=_count(spec, "replicas"),
            pods=_count(_inner(whole, "status"), "replicas"),
        )


def failed(kind: Kind, message: str, *, untouched: bool = True) -> RuntimeFailed:
    """The error of this runtime, with what to do about it."""
    return failing.failed(kind, message, untouched=untouched, hint=_HINTS.get(kind, ""))


def _is_status(answer: Json) -> bool:
    """Whether it is the object by which an API server says no (``meta/v1`` Status)."""
    return isinstance(answer, Mapping) and answer.get("kind") == "Status"


def _owner(metadata: Mapping[str, Any]) -> str | None:
    """Who last set the replicas from git, unless told to leave the object alone."""
    annotations, entries = _dig(metadata, "annotations"), metadata.get("managedFields")
    if any(str(annotations.get(name)) in values for name, values in _LEFT_ALONE.items()):
        return None
    for entry in entries if isinstance(entries, list) else ():
        manager = str(_dig(entry).get("manager"))
        if manager in _FROM_GIT and "f:replicas" in _dig(entry, "fieldsV1", "f:spec"):
            return _FROM_GIT[manager]
    return None


def _dig(value: object, *names: str) -> Mapping[str, Any]:
    """What stands that deep; empty where nothing does, or no object."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _inner(fields: Fields, name: str) -> Fields:
    value = fields.answer.get(name)
    if not isinstance(value, Mapping):
        fields.refuse(f"has no object `{name}`")
    return Fields(fields.call, value, fields.untouched)


def _count(fields: Fields, name: str) -> int:
    """A whole number; 0 where it is left out, as Kubernetes does with 0."""
    number = fields.number(name)
    if number is None:
        return 0
    if not isinstance(number, int) or number < 0:
        fields.refuse(f"has no count `{name}`")
    return number
