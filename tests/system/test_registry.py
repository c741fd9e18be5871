"""The Registry as a process: who is admitted, who is refused, what Central reads, over real TLS."""
import base64
import hashlib
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from credentials import Authority
from network import BIN, PATIENCE, Api, ApiError, Service, free_port, wait_for

PLACE = {"city": "Madrid", "lat": 40.42, "lon": -3.7, "price_cents_per_kwh": 54}


class Node:
    """A key, what Registry issued for it, and calls that carry it."""

    def __init__(self, registry: "Registry", role: str, name: str, key: Any = None) -> None:
        self.registry, self.role, self.name = registry, role, name
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = ""
        self._files = registry.dir / f"node-{role}-{name}-{id(self)}"

    def csr(self, key: Any = None, claims: Optional[list[x509.GeneralName]] = None) -> str:
        signer = key or self.key
        builder = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
        if claims:
            builder = builder.add_extension(x509.SubjectAlternativeName(claims), critical=False)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_sha256(self) -> str:
        return hashlib.sha256(self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def register(self, invitation: str, **changes: Any) -> dict[str, Any]:
        path = {"cp": "/charge-points", "driver": "/drivers"}.get(self.role, "/services")
        body: dict[str, Any] = {"invitation": invitation, "csr": self.csr(), "id": self.name}
        body |= PLACE if self.role == "cp" else {}
        body |= {"role": self.role} if path == "/services" else {}
        body |= changes
        return self.take(self.registry.api().call("POST", path, {k: v for k, v in body.items() if v is not None}))

    def take(self, answer: dict[str, Any]) -> dict[str, Any]:
        self.certificate = answer["certificate"]
        return answer

    def api(self) -> Api:
        """A fresh connection that presents the certificate."""
        self._files.mkdir(exist_ok=True)
        (self._files / "c.pem").write_text(self.certificate)
        (self._files / "k.pem").write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = self.registry.context()
        context.load_cert_chain(self._files / "c.pem", self._files / "k.pem")
        return Api(self.registry.url, context)

    def renew(self, **body: Any) -> dict[str, Any]:
        return self.take(self.api().call("POST", "/renew", {"csr": self.csr()} | body))

    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.encode())


class Registry(Service):
    def __init__(self, directory: Path, *flags: str) -> None:
        self.dir = directory
        self.state = directory / "state"
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        super().__init__("registry", [str(BIN / "ev_registry"), "--state-dir", str(self.state),
                                      "--https", f"127.0.0.1:{self.port}", *flags], directory)

    def invite(self, role: str = "cp", *flags: str) -> str:
        done = subprocess.run([BIN / "ev_registry", "invite", "--state-dir", self.state, "--role", role, *flags],
                              capture_output=True, text=True, timeout=30 * PATIENCE, check=True)
        return done.stdout.strip()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.state / "authority.pem"))

    def api(self) -> Api:
        return Api(self.url, self.context())

    def start(self) -> "Registry":
        super().start()
        wait_for("Registry answers", lambda: (self.state / "authority.pem").exists()
                 and self.api().call("GET", "/healthz")["status"] == "ok")
        return self

    def node(self, role: str, name: str, key: Any = None) -> Node:
        return Node(self, role, name, key)

    def central(self) -> Node:
        central = self.node("central", f"central-{free_port()}")
        central.register(self.invite("central"))
        return central


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(tmp_path_factory.mktemp("registry"), "--public-host", "lab1,192.0.2.7").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def central(registry: Registry) -> Node:
    return registry.central()


def refused(status: int, call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ApiError) as error:
        call(*arguments, **named)
    problem = error.value.problem
    assert error.value.status == status, problem
    assert error.value.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["type"] and problem["title"] and problem["detail"]
    return str(problem["detail"])


def changes_of(central: Node, name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    since = 0
    while True:
        page = central.api().call("GET", f"/changes?since={since}&limit=7")
        assert len(page["items"]) <= 7
        items += page["items"]
        if page["next"] == since:
            seqs = [item["seq"] for item in items]
            assert seqs == sorted(set(seqs)), "the feed is in order, each change once"
            return [item for item in items if item["id"] == name]
        since = page["next"]


# ---- what a certificate says ----

def test_a_certificate_says_who_the_node_is_and_nothing_it_asked_for(registry: Registry) -> None:
    node = registry.node("cp", "MAD")
    csr = node.csr(claims=[x509.DNSName("localhost"), x509.UniformResourceIdentifier("urn:ev:central:central")])
    answer = node.register(registry.invite(), csr=csr)
    leaf = node.parsed()
    extensions = {e.oid: e for e in leaf.extensions}
    names = extensions[ExtensionOID.SUBJECT_ALTERNATIVE_NAME].value
    assert [name.value for name in names] == ["urn:ev:cp:MAD"]
    assert extensions[ExtensionOID.BASIC_CONSTRAINTS].value.ca is False
    assert extensions[ExtensionOID.BASIC_CONSTRAINTS].critical and extensions[ExtensionOID.KEY_USAGE].critical
    assert list(extensions[ExtensionOID.EXTENDED_KEY_USAGE].value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert leaf.public_key().public_numbers() == node.key.public_key().public_numbers()
    hours = (leaf.not_valid_after - leaf.not_valid_before).total_seconds() / 3600
    assert abs(hours - 170) < 0.01, "168 hours from now, and 2 hours back"
    root = x509.load_pem_x509_certificate(answer["authority"].encode())
    root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    assert root.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value.path_length == 0
    assert answer["expires_at"].startswith(leaf.not_valid_after.strftime("%Y-%m-%dT%H:%M:%S"))


def test_central_alone_gets_names_and_serves(registry: Registry) -> None:
    node = registry.node("central", "c-names")
    node.register(registry.invite("central"), hosts=["lab2", "192.0.2.8", "::1"])
    names = node.parsed().extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert names.get_values_for_type(x509.DNSName) == ["lab2"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.8", "::1"]
    usage = node.parsed().extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    node.renew()
    again = node.parsed().extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert again.get_values_for_type(x509.DNSName) == ["lab2"], "a renewal without hosts keeps them"
    node.renew(hosts=["lab3"])
    again = node.parsed().extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert again.get_values_for_type(x509.DNSName) == ["lab3"] and not again.get_values_for_type(x509.IPAddress)


def test_its_own_certificate_carries_the_public_names(registry: Registry) -> None:
    leaf = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", registry.port)).encode())
    names = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert {"localhost", "lab1"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1", "192.0.2.7"} <= {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert registry.api().call("GET", "/ca.pem") == (registry.state / "authority.pem").read_text()


# ---- invitations ----

def test_an_invitation_is_the_code_of_the_protocol(registry: Registry) -> None:
    code = registry.invite()
    raw = base64.b32decode(code + "====")
    root = x509.load_pem_x509_certificate((registry.state / "authority.pem").read_bytes())
    assert len(code) == 52 and len(raw) == 32 and raw[16:] == root.fingerprint(hashes.SHA256())[:16]
    database = (registry.state / "registry.db").read_bytes() + (registry.state / "registry.db-wal").read_bytes()
    assert raw[:16] not in database and code.encode() not in database, "only a hash of it is kept"
    assert hashlib.sha256(raw[:16]).digest() in database


def test_an_invitation_serves_as_often_as_it_says(registry: Registry) -> None:
    twice = registry.invite("driver", "--uses", "2")
    registry.node("driver", "u-1").register(twice)
    registry.node("driver", "u-2").register(twice)
    assert "used up" in refused(403, registry.node("driver", "u-3").register, twice)


def test_invitations_that_do_not_hold_are_refused(registry: Registry) -> None:
    node = registry.node("cp", "refused")
    good = registry.invite()
    other = base64.b32encode(base64.b32decode(good + "====")[:16] + bytes(16)).decode().rstrip("=")
    unknown = base64.b32encode(bytes(16) + base64.b32decode(good + "====")[16:]).decode().rstrip("=")
    for code in (unknown, other, "nonsense", "", good[:-1]):
        assert "unknown" in refused(403, node.register, code)
    assert "role" in refused(403, node.register, registry.invite("driver"))
    refused(422, node.register, None)
    brief = registry.invite("cp", "--hours", "0.0005")
    time.sleep(2)  # what is tested is that time passes
    assert "expired" in refused(403, node.register, brief)
    node.register(good)  # still whole


def test_a_lost_answer_is_repeated_without_a_second_use(registry: Registry, central: Node) -> None:
    once = registry.invite()
    node = registry.node("cp", "again")
    first = node.register(once)["certificate"]
    second = node.register(once)["certificate"]
    assert first != second, "another certificate of the same key"
    assert [c["kind"] for c in changes_of(central, "again")] == ["registered", "renewed"]
    refused(403, registry.node("cp", "again").register, once)  # another key: the code is spent


def test_an_id_is_held_by_its_key(registry: Registry) -> None:
    registry.node("cp", "held").register(registry.invite())
    thief = registry.node("cp", "held")
    code = registry.invite()
    assert "held" in refused(409, thief.register, code)
    registry.node("cp", "free").register(code)  # the refusal cost nothing
    node = registry.node("cp", "held-2")
    node.register(registry.invite())
    twin = registry.node("cp", "held-3", node.key)
    assert "key" in refused(409, twin.register, registry.invite())
    registry.node("driver", "held").register(registry.invite("driver"))  # another role is another name


def test_two_at_once_for_one_id_end_with_one_holder(registry: Registry, central: Node) -> None:
    code = registry.invite("cp", "--uses", "8")
    nodes = [registry.node("cp", "race") for _ in range(8)]

    def attempt(node: Node) -> int:
        try:
            node.register(code)
            return 201
        except ApiError as error:
            return error.status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(attempt, nodes))
    assert statuses == [201] + [409] * 7
    assert [c["kind"] for c in changes_of(central, "race")] == ["registered"]


def test_guessing_is_slowed_and_hinders_nobody_else(tmp_path: Path) -> None:
    registry = Registry(tmp_path).start()
    node = registry.node("cp", "guess")
    good = registry.invite()
    pin = base64.b32decode(good + "====")[16:]
    for i in range(20):
        refused(403, node.register, base64.b32encode(bytes(15) + bytes([i]) + pin).decode().rstrip("="))
    with pytest.raises(ApiError) as error:
        node.register(base64.b32encode(bytes([9] * 16) + pin).decode().rstrip("="))
    assert error.value.status == 429 and 1 <= int(error.value.headers["Retry-After"]) <= 60
    node.register(good)
    registry.stop()


# ---- fields ----

@pytest.mark.parametrize("change", [
    {"id": ""}, {"id": "a" * 33}, {"id": "MAD RID"}, {"id": "../x"}, {"id": 7}, {"id": None},
    {"city": ""}, {"city": "x" * 65}, {"city": "a\nb"}, {"city": "\u202eMadrid"}, {"city": 3}, {"city": None},
    {"city": " Madrid"}, {"lat": 90.01}, {"lat": "40"}, {"lat": None}, {"lon": -180.5}, {"lon": True},
    {"price_cents_per_kwh": -1}, {"price_cents_per_kwh": 1001}, {"price_cents_per_kwh": 5.5},
    {"csr": "no request"}, {"csr": None}, {"csr": 1}, {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n"},
])
def test_a_field_that_does_not_hold_is_named(registry: Registry, change: dict[str, Any]) -> None:
    detail = refused(422, registry.node("cp", "fields").register, registry.invite(), **change)
    assert next(iter(change)) in detail


def test_a_city_is_kept_in_normal_form(registry: Registry, central: Node) -> None:
    registry.node("cp", "nfc").register(registry.invite(), city="Co\u0301rdoba <b>")
    assert changes_of(central, "nfc")[0]["city"] == "C\u00f3rdoba <b>"


def test_requests_must_be_signed_by_a_p256_key_of_their_own(registry: Registry) -> None:
    node = registry.node("cp", "csr")
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        assert "P-256" in refused(422, node.register, registry.invite(), csr=node.csr(key))
    good = x509.load_pem_x509_csr(node.csr().encode()).public_bytes(serialization.Encoding.DER)
    forged = base64.encodebytes(good[:-1] + bytes([good[-1] ^ 1])).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{forged}-----END CERTIFICATE REQUEST-----\n"
    refused(422, node.register, registry.invite(), csr=pem)


@pytest.mark.parametrize("raw,status", [
    (b"", 400), (b"{", 400), (b"[]", 422), (b"null", 422), (b'{"id":"a","id":"b"}', 422),
    (b'{"a":' * 200 + b"1" + b"}" * 200, 400), (b"\xff\xfe", 400), (b'{"x":"' + b"y" * 70000 + b'"}', 413),
])
def test_bodies_that_are_no_request(registry: Registry, raw: bytes, status: int) -> None:
    refused(status, registry.api().call, "POST", "/charge-points", raw=raw)


def test_what_is_not_there_is_said(registry: Registry) -> None:
    refused(404, registry.api().call, "GET", "/nothing")
    with pytest.raises(ApiError) as error:
        registry.api().call("PUT", "/renew", {})
    assert error.value.status == 405 and error.value.headers["Allow"] == "POST"
    refused(415, registry.api().call, "POST", "/drivers", raw=b"a=b", headers={"Content-Type": "text/plain"})
    refused(421, registry.api().call, "GET", "/healthz", headers={"Host": "evil.example"})
    refused(403, registry.api().call, "POST", "/drivers", {}, headers={"Origin": "https://evil.example"})


# ---- renewing ----

def test_a_node_renews_itself_and_nobody_else(registry: Registry, central: Node) -> None:
    node = registry.node("driver", "renew")
    first = node.register(registry.invite("driver"))["certificate"]
    assert node.renew()["certificate"] != first
    mine = changes_of(central, "renew")
    assert [c["kind"] for c in mine] == ["registered", "renewed"]
    assert mine[1]["serial"] == format(node.parsed().serial_number, "x")
    stranger = registry.node("driver", "renew-2")
    refused(409, node.api().call, "POST", "/renew", {"csr": stranger.csr()})
    refused(401, registry.api().call, "POST", "/renew", {"csr": node.csr()})


def test_a_certificate_of_a_stranger_is_no_certificate(registry: Registry, tmp_path: Path) -> None:
    strangers = Authority(tmp_path)
    context = registry.context()
    context.load_cert_chain(*strangers.issue("urn:ev:central:central"))
    refused(401, Api(registry.url, context).call, "GET", "/changes")
    # Signed by the right authority, but never registered: a stolen authority's key cannot pass for Central here.
    forged = Authority.existing(registry.state)
    context = registry.context()
    context.load_cert_chain(*forged.issue("urn:ev:central:nobody", directory=tmp_path / "forged"))
    with pytest.raises(ApiError) as error:
        Api(registry.url, context).call("GET", "/changes")
    assert error.value.status in (401, 403)


def test_expired_certificates_renew_themselves_and_do_nothing_else(tmp_path: Path) -> None:
    registry = Registry(tmp_path, "--certificate-hours", "0.001").start()
    node = registry.node("cp", "late")
    node.register(registry.invite())
    central = registry.node("central", "late")
    central.register(registry.invite("central"))

    def expired() -> bool:
        ends = max(node.parsed().not_valid_after, central.parsed().not_valid_after)
        return datetime.utcnow() > ends + timedelta(seconds=1.5)

    wait_for("the certificates have expired", expired)
    assert "expired" in refused(401, central.api().call, "GET", "/changes")
    assert "expired" in refused(401, node.api().call, "DELETE", "/charge-points/late")
    central.renew()
    assert central.api().call("GET", "/changes")["items"], "good again at once"
    central.renew()
    central.api().call("POST", "/revocations", {"role": "cp", "id": "late"})
    assert "revoked" in refused(403, node.renew)
    registry.stop()


# ---- leaving ----

def test_deregistering_frees_the_id(registry: Registry, central: Node) -> None:
    node, other = registry.node("cp", "leave"), registry.node("cp", "leave-other")
    node.register(registry.invite())
    other.register(registry.invite())
    refused(401, registry.api().call, "DELETE", "/charge-points/leave")
    refused(403, other.api().call, "DELETE", "/charge-points/leave")
    node.api().call("DELETE", "/charge-points/leave")
    node.api().call("DELETE", "/charge-points/leave")  # the answer was lost
    refused(403, node.renew)
    registry.node("cp", "leave").register(registry.invite())  # another key may have it now
    assert [c["kind"] for c in changes_of(central, "leave")] == ["registered", "deregistered", "registered"]
    central.api().call("DELETE", "/charge-points/leave-other")
    refused(404, central.api().call, "DELETE", "/charge-points/never-was")


def test_a_revocation_bars_id_and_key(registry: Registry, central: Node) -> None:
    many = registry.invite("cp", "--uses", "9")
    node = registry.node("cp", "revoke")
    node.register(many)
    for _ in range(2):  # idempotent
        assert central.api().call("POST", "/revocations", {"role": "cp", "id": "revoke"})["status"] == "revoked"
    assert "revoked" in refused(403, node.renew)
    assert "revoked" in refused(403, node.register, many)
    assert "revoked" in refused(403, node.register, registry.invite()), "the key is barred, also with a new code"
    assert "revoked" in refused(403, registry.node("cp", "revoke-2", node.key).register, registry.invite())
    fresh = registry.node("cp", "revoke")
    assert "new invitation" in refused(403, fresh.register, many), "an older code does not bring the id back"
    fresh.register(registry.invite())
    fresh.renew()
    assert "revoked" in refused(403, node.renew), "the old key stays out"
    refused(403, node.api().call, "DELETE", "/charge-points/revoke")
    assert [c["kind"] for c in changes_of(central, "revoke")] == ["registered", "revoked", "registered", "renewed"]


def test_revocations_and_the_feed_are_centrals_alone(registry: Registry, central: Node) -> None:
    node = registry.node("weather", "w")
    node.register(registry.invite("weather"))
    refused(403, node.api().call, "GET", "/changes")
    refused(403, node.api().call, "POST", "/revocations", {"role": "cp", "id": "MAD"})
    refused(401, registry.api().call, "GET", "/changes")
    refused(422, central.api().call, "POST", "/revocations", {"role": "registry", "id": "registry"})
    refused(422, central.api().call, "POST", "/revocations", {"id": "x"})
    refused(400, central.api().call, "GET", "/changes?since=-1")
    refused(400, central.api().call, "GET", "/changes?limit=0")
    assert central.api().call("POST", "/revocations", {"role": "driver", "id": "unheard-of"})["status"] == "revoked"
    early = registry.node("driver", "unheard-of")
    early.register(registry.invite("driver"))


def test_the_feed_tells_what_central_needs(registry: Registry, central: Node) -> None:
    node = registry.node("cp", "feed")
    node.register(registry.invite(), city="O'Higgins; DROP TABLE node;--")
    item, = changes_of(central, "feed")
    assert item["key_sha256"] == node.key_sha256 and item["role"] == "cp"
    assert item["city"] == "O'Higgins; DROP TABLE node;--"
    assert (item["lat"], item["lon"], item["price_cents_per_kwh"]) == (40.42, -3.7, 54)
    last = central.api().call("GET", "/healthz")["last_seq"]
    assert central.api().call("GET", f"/changes?since={last}") == {"items": [], "next": last}
    assert central.api().call("GET", f"/changes?since={last + 1000}&limit=1")["items"][0]["seq"] == 1


# ---- life ----

def test_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    registry = Registry(tmp_path).start()
    central = registry.central()
    code = registry.invite("driver", "--uses", "500")
    answered: list[str] = []

    def enrol(i: int) -> None:
        node = registry.node("driver", f"k-{i}")
        try:
            node.register(code)
            answered.append(node.name)
        except (OSError, ApiError):
            pass

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(enrol, i) for i in range(60)]
        wait_for("some are registered", lambda: len(answered) >= 10)
        registry.kill()
        for job in jobs:
            job.result()
    registry.start()
    seen = {c["id"] for c in central.api().call("GET", "/changes?limit=1000")["items"]}
    assert set(answered) <= seen
    registry.stop()


def test_invitations_and_the_first_start_may_race(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: registry.invite(), range(4)))
    registry.start()
    for i, code in enumerate(codes):
        registry.node("cp", f"r-{i}").register(code)
    modes = {path.name: path.stat().st_mode & 0o777 for path in registry.state.iterdir()}
    assert {modes[n] for n in ("authority-key.pem", "key.pem", "registry.db")} == {0o600}
    assert registry.state.stat().st_mode & 0o777 == 0o700
    registry.stop()


def test_a_start_that_cannot_work_says_why(registry: Registry, tmp_path: Path) -> None:
    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([BIN / "ev_registry", *flags], capture_output=True, text=True, timeout=30 * PATIENCE)

    taken = run("--state-dir", str(tmp_path / "a"), "--https", f"127.0.0.1:{registry.port}")
    assert taken.returncode == 1 and "in use" in taken.stderr.splitlines()[-1]
    beside = run("--state-dir", str(registry.state), "--https", f"127.0.0.1:{free_port()}")
    assert beside.returncode == 1 and "already in use" in beside.stderr
    assert run("invite", "--state-dir", str(tmp_path / "b"), "--role", "king").returncode == 2
    assert run("--public-host", "a b").returncode == 2
    orphan = tmp_path / "c"
    orphan.mkdir()
    (orphan / "authority.pem").write_bytes((registry.state / "authority.pem").read_bytes())
    missing = run("--state-dir", str(orphan), "--https", f"127.0.0.1:{free_port()}")
    assert missing.returncode == 1 and "missing" in missing.stderr
