"""Posts a report: as ONE comment on a pull request, or as ONE issue that is closed when all is well again.

    python3 -E -s publish.py comment     needs PUBLISH_REPORT and PUBLISH_PULL_REQUEST
    python3 -E -s publish.py issue       needs PUBLISH_REPORT, PUBLISH_EXIT_CODE and PUBLISH_LABEL

Everything comes from the environment (GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN as well) and the text
from a file, so nothing is too long for a command line or visible on one. What was posted before is found by
the report's first line, a hidden marker, and only among what the token's own account wrote: anybody can write
a marker into a comment. Exit codes: 0 posted, or no right to comment, with a warning; 1 GitHub failed;
3 wrong input.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from report import WrongInput, read, same
from rest import ApiError, Client, Uncertain, plain

_ACTIONS: Final = "github-actions[bot]"
_FORBIDDEN: Final = 403
_GONE: Final = 404
_TRIES: Final = 3
_TITLES: Final = {
    1: "reconcile: a connection could not be checked",
    2: "reconcile: what runs differs from git",
    3: "reconcile: the configuration is wrong",
    4: "reconcile: secrets cannot be read, or must not be",
    5: "reconcile: an API key or its account fails a blocking check",
    6: "reconcile: a threshold is exceeded or an approval is missing",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository through ``client``; ``author`` is who the token posts as."""

    client: Client
    name: str
    author: str

    def call(self, method: str, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
        """The JSON of one call below this repository."""
        return self.client.call(method, f"repos/{self.name}/{path}", body or None)

    def own(self, path: str, body: str) -> Iterator[dict[str, Any]]:
        """Those of a list that our account wrote with the marker of ``body``; pull requests are no issues."""
        for item in self.client.pages(f"repos/{self.name}/{path}"):
            login = (item.get("user") or {}).get("login")
            if login == self.author and "pull_request" not in item and same(str(item.get("body")), body):
                yield item


def main(
    environ: Mapping[str, str], arguments: list[str], sleep: Callable[[float], None] = time.sleep
) -> int:
    """Post what ``environ`` describes and give the exit code."""
    post = {"comment": _comment, "issue": _issue}.get(arguments[0]) if len(arguments) == 1 else None
    if post is None:
        return _say("error", "usage: publish.py comment | issue", 3)
    try:
        return _say("notice", _certainly(post, _repository(environ, sleep), environ, sleep))
    except WrongInput as wrong:
        return _say("error", str(wrong), 3)
    except ApiError as error:
        if post is _comment and error.status == _FORBIDDEN:
            return _say("warning", f"{error}; there is no comment, the run's summary has the report", 0)
        return _say("error", str(error), 1)


def _repository(environ: Mapping[str, str], sleep: Callable[[float], None]) -> Repository:
    name = _match(environ, "GITHUB_REPOSITORY", r"[\w.-]+/[\w.-]+")
    client = Client(environ.get("GITHUB_API_URL", ""), environ.get("GITHUB_TOKEN", ""), sleep=sleep)
    return Repository(client, name, environ.get("PUBLISH_AUTHOR") or _author(client))


def _certainly(
    post: Callable[[Repository, Mapping[str, str], str], str],
    repository: Repository,
    environ: Mapping[str, str],
    sleep: Callable[[float], None],
) -> str:
    """Post once: what was sent and not answered is looked for before it is sent again."""
    body = read(environ.get("PUBLISH_REPORT", ""))
    for attempt in range(1, _TRIES):
        try:
            return post(repository, environ, body)
        except Uncertain:
            sleep(2.0**attempt)
    return post(repository, environ, body)


def _comment(repository: Repository, environ: Mapping[str, str], body: str) -> str:
    """One comment: the first of ours is updated, and any further one, of two runs at once, removed."""
    number = _match(environ, "PUBLISH_PULL_REQUEST", r"[1-9]\d{0,9}")
    mine = list(repository.own(f"issues/{number}/comments?per_page=100", body))
    for extra in mine[1:]:
        _remove(repository, int(extra["id"]))
    if not mine:
        made = repository.call("POST", f"issues/{number}/comments", body=body)
        _known_again(made, repository.author)
        return f"commented on pull request {number}"
    if mine[0]["body"].strip() == body.strip():
        return f"the comment on pull request {number} says so already"
    repository.call("PATCH", f"issues/comments/{int(mine[0]['id'])}", body=body)
    return f"updated the comment on pull request {number}"


def _remove(repository: Repository, comment: int) -> None:
    try:
        repository.call("DELETE", f"issues/comments/{comment}")
    except ApiError as error:
        if error.status != _GONE:  # the other run was quicker
            raise


def _issue(repository: Repository, environ: Mapping[str, str], body: str) -> str:
    """One issue: open while the exit code is not 0, closed at 0, the same one each time."""
    code = int(_match(environ, "PUBLISH_EXIT_CODE", r"\d{1,3}"))
    label = _match(environ, "PUBLISH_LABEL", r"[\w][\w .:/-]{0,49}")
    listed = f"issues?state=all&labels={quote(label, safe='')}&sort=created&direction=asc&per_page=100"
    mine = list(repository.own(listed, body))
    issue = next((item for item in mine if item["state"] == "open"), mine[-1] if mine else None)
    if code == 0:
        return _close(repository, issue, body)
    title = _TITLES.get(code, f"reconcile: the audit ended with exit code {code}")
    if issue is None:
        made = repository.call("POST", "issues", title=title, body=body, labels=[label])
        _known_again(made, repository.author)
        if label not in {item.get("name") for item in made.get("labels", ())}:
            _say(
                "warning",
                "GitHub dropped the label, so the next run will open another issue; may the token push?",
            )
        return f"opened issue {int(made['number'])}"
    number, reopened = int(issue["number"]), issue["state"] != "open"
    state = {"state": "open", "state_reason": "reopened"} if reopened else {}
    if reopened or issue["title"] != title or issue["body"].strip() != body.strip():
        repository.call("PATCH", f"issues/{number}", title=title, body=body, **state)
    return f"{'reopened' if reopened else 'updated'} issue {number}"


def _close(repository: Repository, issue: dict[str, Any] | None, body: str) -> str:
    if issue is None or issue["state"] != "open":
        return "all is well, and no issue is open"
    number = int(issue["number"])
    repository.call("PATCH", f"issues/{number}", body=body, state="closed", state_reason="completed")
    return f"closed issue {number}"


def _author(client: Client) -> str:
    """Who the token posts as: its user, or the workflow's own bot, which may not ask who it is."""
    try:
        return str(client.call("GET", "user")["login"])
    except ApiError as error:
        if error.status not in {_FORBIDDEN, _GONE}:
            raise
        return _ACTIONS


def _known_again(made: dict[str, Any], author: str) -> None:
    login = (made.get("user") or {}).get("login")
    if login != author:
        _say(
            "warning", f"posted as {plain(login)}: set the input author to it, or the next run will post anew"
        )


def _match(environ: Mapping[str, str], name: str, pattern: str) -> str:
    value = environ.get(name, "")
    if not re.fullmatch(pattern, value, re.ASCII):
        raise WrongInput(f"{name} is missing or not what it should be")
    return value


def _say(level: str, text: str, code: int = 0) -> int:
    sys.stdout.write(f"::{level} title=reconcile::{plain(text).replace('%', '%25')}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(os.environ, sys.argv[1:]))
