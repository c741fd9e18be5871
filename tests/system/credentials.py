"""Certificates for the tests: of strangers, and forged ones signed by the network's own authority."""
import datetime
from pathlib import Path
from typing import Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))


class Authority:
    """A certification authority of our own; `existing` borrows the key of the network's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.key = make_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stranger")])
        now = datetime.datetime.utcnow()
        self.certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                            .not_valid_before(now - datetime.timedelta(hours=1))
                            .not_valid_after(now + datetime.timedelta(days=1))
                            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                            .sign(self.key, hashes.SHA256()))

    @classmethod
    def existing(cls, registry_state: Path) -> "Authority":
        borrowed = cls.__new__(cls)
        borrowed.directory = registry_state
        key = next(p for p in sorted(registry_state.glob("*key*.pem")) if "authority" in p.name)
        borrowed.key = serialization.load_pem_private_key(key.read_bytes(), None)
        borrowed.certificate = x509.load_pem_x509_certificate((registry_state / "authority.pem").read_bytes())
        return borrowed

    def issue(self, uri: str, hours_from: int = -1, hours_to: int = 24,
              directory: Optional[Path] = None) -> tuple[str, str]:
        """Paths of a certificate and its key for the node named by `uri`."""
        where = directory or self.directory
        where.mkdir(parents=True, exist_ok=True)
        key = make_key()
        now = datetime.datetime.utcnow()
        certificate = (x509.CertificateBuilder()
                       .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, uri.rsplit(":", 1)[-1])]))
                       .issuer_name(self.certificate.subject).public_key(key.public_key())
                       .serial_number(x509.random_serial_number())
                       .not_valid_before(now + datetime.timedelta(hours=hours_from))
                       .not_valid_after(now + datetime.timedelta(hours=hours_to))
                       .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
                       .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                       .sign(self.key, hashes.SHA256()))
        (where / "leaf.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(where / "leaf-key.pem", key)
        return str(where / "leaf.pem"), str(where / "leaf-key.pem")
