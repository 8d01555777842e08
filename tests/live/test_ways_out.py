"""Reads through real proxies, over TLS and over IPv6: what leaves, where it goes, how trouble is told."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reconciler.live.egress import Exits
from reconciler.model.desired import Egress
from reconciler.model.errors import Mark, UsageError
from reconciler.model.live import FailureKind as Kind

MARK = Mark(file="connections.yaml", line=1)
ADDRESS = ipaddress.ip_network("198.51.100.7/32")


def leaving(proxy=None, *, name="eu", family="ipv4"):
    return Egress(id=name, addresses=(ADDRESS,), mark=MARK, proxy=proxy, family=family)


async def copy_all(reader, writer):
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def join(one, other):
    await asyncio.gather(copy_all(one[0], other[1]), copy_all(other[0], one[1]))


class Relay:
    """A server on loopback that hands every connection to ``self.meet``, and its own record."""

    def __init__(self):
        self.asked = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    host, tls = "127.0.0.1", None

    async def _serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await self.meet(reader, writer)
        writer.close()


class HttpProxy(Relay):
    """A forward proxy: ``CONNECT`` for TLS, the absolute form for plain HTTP."""

    status = None

    async def meet(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        self.asked.append((method.decode(), target.decode().partition("?")[0]))
        if self.status:
            writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        place = target if method == b"CONNECT" else target.split(b"/")[2]
        host, _, port = place.decode().rpartition(":")
        there = await asyncio.open_connection(host.strip("[]"), int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = b"/" + target.split(b"/", 3)[3]
            there[1].write(head.replace(target, path, 1).replace(b"Host:", b"Connection: close\r\nHost:", 1))
        await join((reader, writer), there)


class Socks5(Relay):
    """A SOCKS5 proxy without authentication (RFC 1928)."""

    refusal = 0

    async def meet(self, reader, writer):
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        size = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        raw = await reader.readexactly(size)
        host = raw.decode() if kind == 3 else str(ipaddress.ip_address(raw))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((host, port))
        writer.write(bytes([5, self.refusal, 0, 1, 0, 0, 0, 0, 0, 0]))
        if not self.refusal:
            await join((reader, writer), await asyncio.open_connection(host, port))


class Front(Relay):
    """Stands before the sandbox and passes everything on: the end of TLS, or an IPv6 address."""

    def __init__(self, sandbox, *, host="127.0.0.1", tls=None):
        super().__init__()
        self.host, self.tls = host, tls
        self._behind = int(sandbox.endpoints["mexc"].rpartition(":")[2])

    async def meet(self, reader, writer):
        self.asked.append(writer.get_extra_info("peername")[0])
        await join((reader, writer), await asyncio.open_connection("127.0.0.1", self._behind))


@pytest.fixture
async def opened():
    """Starts relays; all are closed when the test ends."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack.enter_async_context


def certificate(name, key, *, issuer=None, signer=None, days=1):
    """A certificate for loopback, signed by ``issuer`` or by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # What Python 3.13 and newer ask for in a chain that they verify strictly.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issued_by(signer or key), critical=False)
        .add_extension(_usage(signs=issuer is None), critical=True)
        .sign(signer or key, hashes.SHA256())
    )


def _issued_by(signer):
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _usage(*, signs):
    uses = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*uses, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, crl_sign=signs, **never)


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """Makes server contexts whose certificates come from the one authority that the tool trusts."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("root", root_key)
    (tmp_path / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setattr(certifi, "where", lambda: str(tmp_path / "root.pem"))

    def make(*, trusted=True, days=1):
        key = ec.generate_private_key(ec.SECP256R1())
        by = {"issuer": root, "signer": root_key} if trusted else {}
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        whole = pem + certificate("leaf", key, days=days, **by).public_bytes(serialization.Encoding.PEM)
        (tmp_path / "leaf.pem").write_bytes(whole)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "leaf.pem")
        return context

    return make


@pytest.fixture
def both_families(monkeypatch):
    """``localhost`` answers with an address of each family, as hosts of exchanges do."""
    real = socket.getaddrinfo

    def getaddrinfo(host, port, family=0, *rest, **options):
        if host != "localhost":
            return real(host, port, family, *rest, **options)
        wanted = {socket.AF_INET: ["127.0.0.1"], socket.AF_INET6: ["::1"]}.get(family, ["127.0.0.1", "::1"])
        return [entry for each in wanted for entry in real(each, port, 0, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


PROXIES = {"http": HttpProxy, "socks5": Socks5}
BOTH = pytest.mark.parametrize("scheme", list(PROXIES))


@BOTH
async def test_a_key_is_read_through_a_proxy_and_never_beside_it(world, opened, scheme):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    proxy = await opened(PROXIES[scheme]())
    way = leaving(f"{scheme}://127.0.0.1:{proxy.port}")
    seen = (await world.look(sandbox, world.target(key, egress=way)))["mexc-main"]
    assert seen.failure is None
    assert seen.report.permissions.withdraw is False
    assert not [proof for proof in seen.proofs.values() if proof.failure]
    assert proxy.asked
    port = sandbox.endpoints["mexc"].rpartition(":")[2]
    assert all(port in repr(asked) for asked in proxy.asked)


@BOTH
async def test_tls_goes_through_a_proxy_to_the_exchange_itself(world, opened, tls, scheme):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    front, proxy = await opened(Front(sandbox, tls=tls())), await opened(PROXIES[scheme]())
    way = leaving(f"{scheme}://127.0.0.1:{proxy.port}")
    ends = {"mexc": f"https://localhost:{front.port}"}
    seen = (await world.look(sandbox, world.target(key, egress=way), endpoints=ends))["mexc-main"]
    assert seen.failure is None
    # The name itself: the proxy resolves it, in the country that counts.
    expected = ("CONNECT", f"localhost:{front.port}") if scheme == "http" else ("localhost", front.port)
    assert set(proxy.asked) == {expected}


@pytest.mark.parametrize("through", [None, "http", "socks5"])
@pytest.mark.parametrize("fault", ["stranger", "expired", "name"])
async def test_a_certificate_that_is_not_accepted_is_told_and_nothing_is_sent(
    world, opened, tls, through, fault
):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    context = tls(trusted=fault != "stranger", days=-1 if fault == "expired" else 1)
    # The certificate names 127.0.0.1, not 127.0.0.2.
    front = await opened(Front(sandbox, host=f"127.0.0.{2 if fault == 'name' else 1}", tls=context))
    proxy = await opened(PROXIES[through]()) if through else None
    way = leaving(f"{through}://127.0.0.1:{proxy.port}" if proxy else None)
    ends = {"mexc": f"https://{front.host}:{front.port}"}
    seen = (await world.look(sandbox, world.target(key, egress=way), endpoints=ends))["mexc-main"]
    assert seen.failure.kind is Kind.UNAVAILABLE
    assert "certificate" in seen.failure.message
    assert seen.report is None
    assert not sandbox.requests


async def test_plain_http_where_tls_is_spoken_is_told_as_tls(world):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    ends = {"mexc": sandbox.endpoints["mexc"].replace("http:", "https:")}
    seen = (await world.look(sandbox, world.target(key), endpoints=ends))["mexc-main"]
    assert seen.failure.kind is Kind.UNAVAILABLE
    assert "TLS" in seen.failure.message
    assert not sandbox.requests


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_a_proxy_that_refuses_says_nothing_of_the_key(world, opened, tls, status):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    front, proxy = await opened(Front(sandbox, tls=tls())), await opened(HttpProxy())
    proxy.status = status
    ends = {"mexc": f"https://localhost:{front.port}"}
    way = leaving(f"http://127.0.0.1:{proxy.port}")
    seen = (await world.look(sandbox, world.target(key, egress=way), endpoints=ends))["mexc-main"]
    assert seen.failure.kind is Kind.UNAVAILABLE
    assert "proxy" in seen.failure.message
    assert not sandbox.requests


async def test_a_socks_proxy_that_refuses_says_nothing_of_the_key(world, opened):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    proxy = await opened(Socks5())
    proxy.refusal = 2
    way = leaving(f"socks5://127.0.0.1:{proxy.port}")
    seen = (await world.look(sandbox, world.target(key, egress=way)))["mexc-main"]
    assert seen.failure.kind is Kind.UNAVAILABLE
    assert "proxy" in seen.failure.message
    assert not sandbox.requests


async def test_an_ipv6_egress_calls_names_by_ipv6(world, opened, both_families):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    front = await opened(Front(sandbox, host="::1"))
    ends = {"mexc": f"http://localhost:{front.port}"}
    target = world.target(key, egress=leaving(family="ipv6"))
    assert (await world.look(sandbox, target, endpoints=ends))["mexc-main"].failure is None
    assert set(front.asked) == {"::1"}


@pytest.mark.parametrize(("family", "host"), [("ipv6", "127.0.0.1"), ("ipv4", "::1")])
async def test_a_name_never_leaves_by_the_other_family(world, opened, both_families, family, host):
    """A host with both would else answer to an address that no whitelist of this family holds."""
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    front = await opened(Front(sandbox, host=host))
    target, ends = (
        world.target(key, egress=leaving(family=family)),
        {"mexc": f"http://localhost:{front.port}"},
    )
    seen = (await world.look(sandbox, target, endpoints=ends))["mexc-main"]
    assert seen.failure.kind is Kind.UNAVAILABLE
    assert front.asked == []


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_operators_own_address_is_reached_whatever_its_family(world, opened, family, host):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    front = await opened(Front(sandbox, host=host))
    shown = f"[{host}]" if ":" in host else host
    target, ends = world.target(key, egress=leaving(family=family)), {"mexc": f"http://{shown}:{front.port}"}
    assert (await world.look(sandbox, target, endpoints=ends))["mexc-main"].failure is None


@BOTH
@pytest.mark.parametrize(("family", "host"), [("ipv6", "127.0.0.1"), ("ipv4", "::1")])
async def test_the_way_to_a_proxy_is_not_the_way_out_of_it(world, opened, scheme, family, host):
    """An egress of either family may be reached by a proxy whose own address is of the other."""
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    proxy = PROXIES[scheme]()
    proxy.host = host
    await opened(proxy)
    shown = f"[{host}]" if ":" in host else host
    way = leaving(f"{scheme}://{shown}:{proxy.port}", family=family)
    seen = (await world.look(sandbox, world.target(key, egress=way)))["mexc-main"]
    assert seen.failure is None
    assert proxy.asked


@BOTH
async def test_nothing_goes_in_clear_to_a_proxy_on_another_machine(world, scheme):
    """A file names the proxy: it must not see, nor answer, what the operator sends in clear."""
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    way = leaving(f"{scheme}://proxy.example:1080")
    with pytest.raises(UsageError, match="in clear"):
        await world.look(sandbox, world.target(key, egress=way))


class Baker(Relay):
    """Gives every caller a cookie, and notes what callers bring."""

    async def meet(self, reader, writer):
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).lower())
        head = b"HTTP/1.1 200 OK\r\nSet-Cookie: whose=one\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        writer.write(head)
        await writer.drain()


async def test_no_cookie_of_one_answer_goes_with_another_request(opened):
    baker = await opened(Baker())
    async with Exits(limit=2) as exits:
        session = (await exits.get(None)).session
        for _ in range(2):
            async with session.get(f"http://localhost:{baker.port}/") as answer:
                assert answer.headers["Set-Cookie"]
    assert len(baker.asked) == 2
    assert not [head for head in baker.asked if b"cookie" in head]


async def test_a_proxy_of_the_environment_is_not_used(world, monkeypatch):
    """It would be an address that no file and no operator named."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    assert (await world.look(sandbox, world.target(key)))["mexc-main"].failure is None
