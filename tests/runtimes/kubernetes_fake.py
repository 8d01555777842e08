"""An API server as far as the driver may go: its paths, objects, refusals and permissions.

Built from what Kubernetes publishes: the OpenAPI shapes that ``kubernetes-validate`` ships (the tests
validate every object that is answered), and how a real kube-apiserver was heard to answer: ``spec`` is
``{}`` at 0 replicas, and a stale ``resourceVersion`` is a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

NAMESPACE = "trading"
GRANTED = frozenset({("get", "scale"), ("patch", "scale")})
EVERYTHING = GRANTED | {("get", "workload"), ("list", "horizontalpodautoscalers")}
KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
BORN = "2026-11-25T09:00:00Z"
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


@dataclass
class FakeWorkload:
    """One of a ``kind`` (plural). Its controller acts when time passes, by :meth:`tick`."""

    kind: str
    name: str
    replicas: int = 0
    pods: int = 0
    ready: int = 0
    stopping: int = 0
    uid: str = "7d0e6c0a-0000-4000-8000-000000000001"
    version: int = 100
    generation: int = 1
    observed: int = 1
    starts: bool = True
    stops: bool = True
    manager: str = "kubectl-client-side-apply"
    annotations: dict[str, str] = field(default_factory=dict)
    tells_stopping: bool = True

    def put(self, replicas: int) -> None:
        self.replicas = replicas
        self.version += 1
        self.generation += 1

    def settle(self, replicas: int) -> None:
        self.put(replicas)
        self.pods = self.ready = replicas
        self.stopping, self.observed = 0, self.generation

    def tick(self) -> None:
        self.version += 1
        self.observed = self.generation
        if self.replicas and self.starts:
            self.ready, self.pods = self.pods, self.replicas
        if not self.replicas and self.stops:
            if self.kind == "statefulsets":  # its count holds pods until they are gone
                self.pods, self.ready = (self.pods if self.ready else 0), 0
            else:  # its count leaves out what is on its way
                self.stopping, self.pods, self.ready = self.pods, 0, 0

    def metadata(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "namespace": NAMESPACE,
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": BORN,
        }

    def scale(self) -> dict[str, Any]:
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": self.metadata(),
            "spec": {"replicas": self.replicas} if self.replicas else {},
            "status": {"replicas": self.pods, "selector": f"app={self.name}"},
        }

    def whole(self) -> dict[str, Any]:
        labels = {"app": self.name}
        status: dict[str, Any] = {"observedGeneration": self.observed, "replicas": self.pods}
        if self.ready:
            status["readyReplicas"] = self.ready
        if self.kind == "deployments" and self.tells_stopping:
            status["terminatingReplicas"] = self.stopping
        spec: dict[str, Any] = {
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "bot", "image": "example.test/bot:1"}]},
            },
        }
        if self.kind == "statefulsets":
            spec["serviceName"] = self.name
        owned = {
            "manager": self.manager,
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": BORN,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}},
        }
        metadata = self.metadata() | {
            "generation": self.generation,
            "managedFields": [owned],
            "annotations": dict(self.annotations),
        }
        kind = KINDS[self.kind]
        return {
            "kind": kind,
            "apiVersion": "apps/v1",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }


class FakeApi:
    """The server. ``acts`` are the patches that changed something; ``answers`` all objects, in order.

    ``granted`` are (verb, resource) pairs; ``forbidden`` names of workloads that ``resourceNames`` leave out.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.granted = EVERYTHING
        self.forbidden: set[str] = set()
        self.workloads: dict[tuple[str, str], FakeWorkload] = {}
        self.autoscaled: list[tuple[str, str]] = []
        self.acts: list[tuple[str, int]] = []
        self.answers: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.before_patch: list[Any] = []
        self.after_patch: list[Any] = []

    def add(self, kind: str, name: str, **state: Any) -> FakeWorkload:
        self.workloads[kind, name] = FakeWorkload(kind, name, **state)
        return self.workloads[kind, name]

    def tick(self) -> None:
        for one in self.workloads.values():
            one.tick()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return self._refuse(401, "", "")
        match request.path.strip("/").split("/"):
            case ["apis", "apps", "v1", "namespaces", space, kind, name, "scale"] if kind in KINDS:
                return await self._scale(request, space, kind, name)
            case ["apis", "apps", "v1", "namespaces", space, kind, name] if kind in KINDS:
                found = self._find(space, kind, name)
                if ("get", "workload") not in self.granted:
                    return self._refuse(403, kind, name)
                return self._show(found.whole()) if found else self._refuse(404, kind, name)
            case ["apis", "autoscaling", "v2", "namespaces", _, "horizontalpodautoscalers" as kind]:
                return self._autoscalers(kind)
        return web.Response(status=404, text="404 page not found\n")

    async def _scale(self, request: web.Request, space: str, kind: str, name: str) -> web.Response:
        verb = {"GET": "get", "PATCH": "patch"}.get(request.method, "update")
        if (verb, "scale") not in self.granted or name in self.forbidden:
            return self._refuse(403, kind, name)
        if verb == "get":
            found = self._find(space, kind, name)
            return self._show(found.scale()) if found else self._refuse(404, kind, name)
        if self.before_patch:
            self.before_patch.pop(0)()
        found = self._find(space, kind, name)
        if found is None:
            return self._refuse(404, kind, name)
        if request.content_type != "application/merge-patch+json":
            return web.json_response({}, status=415)
        response = self._patched(found, await request.json())
        if self.after_patch:
            self.after_patch.pop(0)()
        return response

    def _patched(self, found: FakeWorkload, patch: dict[str, Any]) -> web.Response:
        stale = patch.get("metadata", {}).get("resourceVersion", str(found.version)) != str(found.version)
        if stale:
            return self._refuse(409, found.kind, found.name)
        replicas = patch["spec"]["replicas"]
        if not isinstance(replicas, int) or replicas < 0:
            return self._refuse(422, found.kind, found.name)
        if replicas != found.replicas:
            self.acts.append((found.name, replicas))
            found.put(replicas)
        return self._show(found.scale())

    def _autoscalers(self, kind: str) -> web.Response:
        if ("list", kind) not in self.granted:
            return self._refuse(403, kind, "", group="autoscaling")
        items = [
            {
                "metadata": {"name": f"hpa-{name}", "namespace": NAMESPACE},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": target, "name": name},
                    "minReplicas": 1,
                    "maxReplicas": 3,
                },
            }
            for target, name in self.autoscaled
        ]
        return self._show(
            {
                "kind": "HorizontalPodAutoscalerList",
                "apiVersion": "autoscaling/v2",
                "metadata": {"resourceVersion": "9"},
                "items": items,
            }
        )

    def _find(self, space: str, kind: str, name: str) -> FakeWorkload | None:
        return self.workloads.get((kind, name)) if space == NAMESPACE else None

    def _show(self, answer: dict[str, Any], status: int = 200) -> web.Response:
        self.answers.append(answer)
        return web.json_response(answer, status=status)

    def _refuse(self, code: int, kind: str, name: str, group: str = "apps") -> web.Response:
        details = {"name": name, "group": group, "kind": kind} if name else {}
        return self._show(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": f'{kind}.{group} "{name}" {_REASONS[code]}',
                "reason": _REASONS[code],
                "details": details,
                "code": code,
            },
            status=code,
        )
