"""A Central for one test: TLS with both certificates, frames, and answers that the test can change."""
import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Message = dict[str, Any]


class Authority:
    """Issues what Registry would issue."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self.certificate = (self._builder(name, name, self.key.public_key())
                            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                            .sign(self.key, hashes.SHA256()))
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        (directory / "authority.pem").write_bytes(self.pem)

    @staticmethod
    def _builder(subject: x509.Name, issuer: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
                .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=2))
                .not_valid_after(now + datetime.timedelta(hours=168)))

    def issue(self, role: str, node_id: str, directory: Path) -> None:
        """key.pem, certificate.pem and authority.pem, as a node keeps them."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"urn:ev:{role}:{node_id}")]
        if role == "central":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id)])
        certificate = (self._builder(subject, self.certificate.subject, key.public_key())
                       .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                       .add_extension(x509.SubjectAlternativeName(names), critical=False)
                       .sign(self.key, hashes.SHA256()))
        key_path = directory / "key.pem"
        key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        key_path.chmod(0o600)
        (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (directory / "authority.pem").write_bytes(self.pem)


class FakeCentral:
    """Answers hello, heartbeats, syncs and reports as Central would; keeps every message that came."""

    def __init__(self, authority: Authority, kafka: str, heartbeat_ms: int = 1000) -> None:
        authority.issue("central", "central", authority.directory / "central")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.num_tickets = 0
        self.context.load_cert_chain(authority.directory / "central" / "certificate.pem",
                                     authority.directory / "central" / "key.pem")
        self.context.load_verify_locations(authority.directory / "authority.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.kafka = kafka
        self.heartbeat_ms = heartbeat_ms
        self.refuse_code: Optional[str] = None
        self.settles = True
        self.listening = True
        self.epoch = 0
        self.keys: dict[int, str] = {}
        self.received: list[Message] = []
        self._lock = threading.Lock()
        self._connections: dict[str, ssl.SSLSocket] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._running = True
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    # ---- the network's side

    def _accept(self) -> None:
        while self._running:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        if not self.listening:
            plain.close()
            return
        try:
            with self.context.wrap_socket(plain, server_side=True) as connection:
                while True:
                    (length,) = (int.from_bytes(self._read(connection, 4), "big"),)
                    self._take(connection, json.loads(self._read(connection, length)))
        except (OSError, EOFError):
            return

    @staticmethod
    def _read(connection: ssl.SSLSocket, length: int) -> bytes:
        got = b""
        while len(got) < length:
            piece = connection.recv(length - len(got))
            if not piece:
                raise EOFError
            got += piece
        return got

    def _take(self, connection: ssl.SSLSocket, message: Message) -> None:
        cp_id = message["cp_id"]
        if message["type"] == "hello":
            if self.refuse_code is not None:
                self._send_on(connection, {"type": "refuse", "cp_id": cp_id, "code": self.refuse_code, "detail": "test"})
            else:
                with self._lock:
                    self._connections[cp_id] = connection
                self._send_on(connection, {"type": "welcome", "cp_id": cp_id, "heartbeat_ms": self.heartbeat_ms,
                                           "kafka": self.kafka, "price_cents_per_kwh": 54, "holds": [],
                                           "server_time_ms": int(time.time() * 1000)})
        if message["type"] == "status" and message["sync"]:
            self.send_key(cp_id)
        if message["type"] == "supply_ended" and self.settles:
            energy_wh = int(message["energy_wms"]) // 3_600_000
            self.send(cp_id, {"type": "settled", "session_id": message["session_id"], "energy_wh": energy_wh,
                              "cost_cents": (energy_wh * 54 + 500) // 1000})
        message["arrived"] = time.monotonic()
        with self._lock:
            self.received.append(message)

    def _beat(self) -> None:
        while self._running:
            time.sleep(self.heartbeat_ms / 1000)
            with self._lock:
                ids = list(self._connections)
            for cp_id in ids:
                self.send(cp_id, {"type": "heartbeat"})

    def _send_on(self, connection: ssl.SSLSocket, message: Message) -> None:
        payload = json.dumps(message).encode()
        try:
            connection.sendall(len(payload).to_bytes(4, "big") + payload)
        except OSError:
            return

    # ---- the test's side

    def send(self, cp_id: str, message: Message) -> None:
        with self._lock:
            connection = self._connections.get(cp_id)
        if connection is not None:
            self._send_on(connection, {"cp_id": cp_id, **message})

    def send_key(self, cp_id: str) -> int:
        with self._lock:
            self.epoch += 1
            epoch = self.epoch
            self.keys[epoch] = bytes([epoch % 256] * 32).hex()
        self.send(cp_id, {"type": "key", "epoch": epoch, "key": self.keys[epoch], "kafka": self.kafka,
                          "expires_in_ms": 300000})
        return epoch

    def authorise(self, cp_id: str, session_id: str, target_wh: int = 0, prepare_ms: int = 60000) -> None:
        self.send(cp_id, {"type": "authorise", "session_id": session_id, "driver_id": "anna", "target_wh": target_wh,
                          "price_cents_per_kwh": 54, "prepare_ms": prepare_ms})

    def cut(self) -> None:
        """Every control connection breaks, and no new one is made until `listening` is set again."""
        self.listening = False
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def messages(self, kind: str, **members: Any) -> list[Message]:
        with self._lock:
            return [m for m in self.received
                    if m["type"] == kind and all(m.get(name) == value for name, value in members.items())]

    def wait(self, kind: str, seconds: float = 15, after: float = 0, **members: Any) -> Message:
        return wait_for(f"{kind} {members}",
                        lambda: next((m for m in self.messages(kind, **members) if m["arrived"] > after), None), seconds)

    def stop(self) -> None:
        self._running = False
        self._listener.close()
        self.cut()


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")
