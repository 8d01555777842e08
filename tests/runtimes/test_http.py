"""The client of runtimes: bounded, never led elsewhere, and silent about secrets."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess

import pytest
from aiohttp import web

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes import http
from reconciler.runtimes.http import Http

CANARY = "canary-7fK2-do-not-show"
AUTH = {"Authorization": f"Bearer {CANARY}"}


@pytest.fixture
async def client():
    """Makes clients, and closes them."""
    made = []

    def make(url, timeout=2.0):
        made.append(Http(url, timeout=timeout))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def failure(call):
    with pytest.raises(RuntimeFailed) as caught:
        await call
    assert caught.value.hint
    assert CANARY not in repr(caught.value) + str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_success_is_its_json(serve, client):
    seen = []

    async def answer(request):
        seen.append((request.method, request.raw_path, await request.text(), request.headers["Accept"]))
        return web.json_response({"all": "well"})

    api = client(await serve(answer) + "/deep")
    assert await api.get("/ping?x=1", headers=AUTH) == {"all": "well"}
    assert await api.send("PATCH", "/put", body={"a": 1}) == {"all": "well"}
    assert seen == [
        ("GET", "/deep/ping?x=1", "", "application/json"),
        ("PATCH", "/deep/put", '{"a": 1}', "application/json"),
    ]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_refusal_that_says_what_it_is_can_be_asked_for(serve, client, method):
    async def answer(request):
        return web.json_response({"code": 404}, status=404)

    api = client(await serve(answer))
    assert await api.send(method, "/x", answers={404}) == {"code": 404}
    failed = await failure(api.send(method, "/x", answers={409}))
    assert (failed.kind, failed.status) == (Kind.REFUSED, 404)


async def test_a_refusal_that_was_asked_for_is_json_all_the_same(serve, client):
    async def answer(request):
        return web.Response(text="404 page not found", status=404)

    failed = await failure(client(await serve(answer)).get("/x", answers={404}))
    assert (failed.kind, failed.status) == (Kind.UNEXPECTED_ANSWER, 404)


async def test_no_content_is_nothing(serve, client):
    async def answer(request):
        return web.Response(status=204)

    assert await client(await serve(answer)).send("POST", "/act") is None


@pytest.mark.parametrize(
    ("status", "kind", "acted"),
    [
        (401, Kind.UNAUTHORISED, False),
        (403, Kind.UNAUTHORISED, False),
        (301, Kind.UNEXPECTED_ANSWER, True),
        (307, Kind.UNEXPECTED_ANSWER, True),
        (404, Kind.REFUSED, False),
        (409, Kind.REFUSED, False),
        (500, Kind.REFUSED, True),
        (502, Kind.REFUSED, True),
    ],
)
async def test_what_an_answer_means(serve, client, status, kind, acted):
    """Asking leaves a runtime untouched whatever the answer; an act only where it was surely refused."""
    elsewhere = []

    async def trap(request):
        elsewhere.append(request.headers)
        return web.json_response({})

    target = await serve(trap)

    async def answer(request):
        return web.json_response({"secret": CANARY}, status=status, headers={"Location": f"{target}/x"})

    api = client(await serve(answer))
    asked = await failure(api.get("/a", headers=AUTH))
    told = await failure(api.send("POST", "/a", headers=AUTH))
    assert (asked.kind, asked.status, asked.untouched) == (kind, status, True)
    assert (told.kind, told.status, told.untouched) == (kind, status, not acted)
    assert elsewhere == []


async def test_what_is_no_json_is_no_success(serve, client):
    for body in (b"<html>Log in</html>", b"{", b"\xff", b"[" * 100_000):

        async def answer(request, body=body):
            return web.Response(body=body)

        failed = await failure(client(await serve(answer)).get("/a"))
        assert failed.kind is Kind.UNEXPECTED_ANSWER


async def test_a_body_without_end_is_cut(serve, client, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY", 1000)

    async def plain(request):
        return web.Response(body=b'"' + b"x" * 1000 + b'"')

    async def packed(request):
        bomb = gzip.compress(b'"' + b"x" * 100_000 + b'"')
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    for answer in (plain, packed):
        failed = await failure(client(await serve(answer)).get("/a"))
        assert failed.kind is Kind.UNEXPECTED_ANSWER
        assert "more than 1,000 bytes" in str(failed)


async def test_what_hangs_is_given_up_and_asked_again_only_where_that_is_safe(serve, client, let_pass):
    calls = []
    release = asyncio.Event()

    async def answer(request):
        calls.append(request.method)
        let_pass(60)
        await release.wait()
        return web.json_response({})

    api = client(await serve(answer), timeout=30)
    asked, acted = await failure(api.get("/a")), await failure(api.send("POST", "/a"))
    release.set()
    assert asked.kind is acted.kind is Kind.UNREACHABLE
    assert (asked.untouched, acted.untouched) == (True, False)
    assert calls == ["GET", "GET", "GET", "POST"]


async def test_an_answer_that_stalls_half_way_does_not_hold_longer_than_the_limit(serve, client, let_pass):
    release = asyncio.Event()

    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"half":')
        let_pass(60)
        await release.wait()
        return response

    failed = await failure(client(await serve(answer), timeout=30).send("POST", "/a"))
    release.set()
    assert (failed.kind, failed.untouched) == (Kind.UNREACHABLE, False)


async def test_nothing_there_means_that_nothing_was_done(client):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        failed = await failure(client(f"http://127.0.0.1:{bound.getsockname()[1]}").send("POST", "/a"))
    assert (failed.kind, failed.untouched) == (Kind.UNREACHABLE, True)


async def test_a_connection_that_breaks_off_leaves_an_act_in_doubt(client):
    async def hang_up(reader, writer):
        await reader.read(10)
        writer.close()

    async def garbage(reader, writer):
        await reader.read(10)
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    for handler, kind in ((hang_up, Kind.UNREACHABLE), (garbage, Kind.UNEXPECTED_ANSWER)):
        async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            failed = await failure(client(f"http://127.0.0.1:{port}").send("POST", "/a"))
            assert (failed.kind, failed.untouched) == (kind, False)


def self_signed(folder):
    """A certificate and its key, for localhost."""
    pair = folder / "cert.pem", folder / "key.pem"
    make = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    )
    subprocess.run([*make, "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


async def test_a_certificate_that_nobody_vouches_for_is_refused(client, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path))
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        failed = await failure(client(f"https://localhost:{port}").get("/a"))
    assert "certificate" in str(failed)


async def test_a_proxy_of_the_environment_sees_nothing(serve, client, monkeypatch):
    seen = []

    async def proxy(request):
        seen.append(request)
        return web.json_response({"from": "proxy"})

    async def answer(request):
        return web.json_response({"from": "runtime"})

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, await serve(proxy))
    monkeypatch.delenv("no_proxy", raising=False)
    assert await client(await serve(answer)).get("/a", headers=AUTH) == {"from": "runtime"}
    assert seen == []


async def test_cookies_are_not_kept(serve, client):
    seen = []

    async def answer(request):
        seen.append(request.headers.get("Cookie"))
        return web.json_response({}, headers={"Set-Cookie": "session=1"})

    api = client(await serve(answer))
    await api.get("/a")
    await api.get("/a")
    assert seen == [None, None]
