"""A GitHub of our own on loopback that behaves as its REST documentation says, and the action's scripts."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "ghs_CanaryOfTheTokenThatNobodyMayPrint"
BOT = "github-actions[bot]"


@dataclass
class GitHub:
    """The state of one repository, ``octo/desk``, and every request that came."""

    login: str = BOT
    is_user: bool = False  # an installation's token may not ask who it is
    page: int = 100
    writes: bool = True
    drops_labels: bool = False
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)  # method, path (a pattern), status, headers, after
    requests: list[tuple[str, str]] = field(default_factory=list)
    foreign_next: str | None = None
    url: str = ""
    _ids: int = 0

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def add_comment(self, body: str, login: str, number: int = 7) -> int:
        made = self.new_id()
        self.comments[made] = {"id": made, "body": body, "user": {"login": login}, "of": number}
        return made

    def add_issue(self, body: str, login: str, *, label: str = "reconciler-drift", **more: Any) -> int:
        number = self.new_id()
        self.issues[number] = {
            "number": number, "title": "t", "body": body, "state": "open", "user": {"login": login},
            "labels": [{"name": label}], **more,
        }  # fmt: skip
        return number

    def sent(self, *methods: str) -> list[str]:
        return [f"{method} {path}" for method, path in self.requests if method in methods]

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """What the documentation says comes back: ``(status, JSON)``."""
        if path == "/user":
            refused = (403, {"message": "Resource not accessible by integration"})
            return (200, {"login": self.login}) if self.is_user else refused
        if method != "GET" and not self.writes:
            return 403, {"message": "Resource not accessible by integration"}
        for verb, pattern, act in self._routes():
            found = re.fullmatch(r"/repos/octo/desk/" + pattern, path)
            if found and verb == method:
                return act(query, body, *map(int, found.groups()))
        return 404, {"message": "Not Found"}

    def _routes(self) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        return [
            ("GET", r"issues/(\d+)/comments", self._list_comments),
            ("POST", r"issues/(\d+)/comments", self._make_comment),
            ("PATCH", r"issues/comments/(\d+)", partial(self._edit, self.comments)),
            ("DELETE", r"issues/comments/(\d+)", self._delete_comment),
            ("GET", r"issues", self._list_issues),
            ("POST", r"issues", self._make_issue),
            ("PATCH", r"issues/(\d+)", partial(self._edit, self.issues)),
        ]

    def _list_comments(self, query: dict[str, str], body: Any, number: int) -> tuple[int, Any]:
        return 200, [item for item in self.comments.values() if item["of"] == number]

    def _make_comment(self, query: dict[str, str], body: Any, number: int) -> tuple[int, Any]:
        if len(body.get("body", "")) > 65536:
            return 422, {"message": "Validation Failed: body is too long (maximum is 65536 characters)"}
        return 201, self.comments[self.add_comment(body["body"], self.login, number)]

    def _delete_comment(self, query: dict[str, str], body: Any, number: int) -> tuple[int, Any]:
        return (204, None) if self.comments.pop(number, None) else (404, {"message": "Not Found"})

    def _list_issues(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        def fits(item: dict[str, Any]) -> bool:
            labelled = query.get("labels", "") in {label["name"] for label in item["labels"]}
            return labelled and query.get("state", "open") in {"all", item["state"]}

        return 200, [item for item in self.issues.values() if fits(item)]

    def _make_issue(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if not body.get("title"):
            return 422, {"message": "Validation Failed"}
        number = self.add_issue(body["body"], self.login, label=body["labels"][0], title=body["title"])
        if self.drops_labels:
            self.issues[number]["labels"] = []
        return 201, self.issues[number]

    def _edit(
        self, where: dict[int, dict[str, Any]], query: dict[str, str], body: Any, number: int
    ) -> tuple[int, Any]:
        if number not in where:
            return 404, {"message": "Not Found"}
        where[number].update(body)
        return 200, where[number]


class _Handler(BaseHTTPRequestHandler):
    hub: GitHub
    wbufsize = -1  # one packet an answer

    def _serve(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        hub.requests.append((self.command, self.path))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._reply(401, {"message": "Bad credentials"}, {})
        fault = next(
            (f for f in hub.faults if f.method == self.command and re.search(f.path, self.path)), None
        )
        if fault:
            hub.faults.remove(fault)
            if fault.after:
                hub.answer(self.command, url.path, query, body)
            return self._reply(fault.status, {"message": f"fault\n::error::{fault.status}"}, fault.headers)
        status, found = hub.answer(self.command, url.path, query, body)
        headers = {}
        if isinstance(found, list):
            found, headers = self._page(found, url.path, query)
        return self._reply(status, found, headers)

    def _page(self, items: list[Any], path: str, query: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
        size, page = min(self.hub.page, int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        kept = items[(page - 1) * size : page * size]
        if page * size >= len(items):
            return kept, {}
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        base = self.hub.foreign_next or self.hub.url
        link = f'<{base}{path}?{rest}&page={page + 1}>; rel="next", <{base}{path}?{rest}&page=9>; rel="last"'
        return kept, {"Link": link}

    def _reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[GitHub]:
    """A GitHub that answers on loopback until the test ends."""
    state = GitHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def tool() -> Callable[..., tuple[int, str, str]]:
    """Run a program that the ``test`` extra installs: ``(exit code, stdout, stderr)``."""

    def run(name: str, *arguments: str, **more: Any) -> tuple[int, str, str]:
        path = str(Path(sys.executable).parent / name)
        done = subprocess.run([path, *arguments], text=True, capture_output=True, check=False, **more)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module ``action/publish.py``, which imports its neighbours by their folder."""
    monkeypatch.syspath_prepend(str(ROOT / "action"))
    yield importlib.import_module("publish")
    for name in ("publish", "report", "rest"):
        sys.modules.pop(name, None)
