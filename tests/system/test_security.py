"""Who may do what: credentials at the control port and over REST, sealed telemetry, key rotation."""
import json
import socket
import ssl
import struct
import subprocess

import pytest
from credentials import Authority, make_key
from network import Api, ApiError, Network, wait_for


def control_context(network: Network, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(network.dir / "central" / "authority.pem")
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def say_hello(network: Network, context: ssl.SSLContext, cp_id: str) -> str:
    """What a stranger gets from the control port: the type of the first answer, or 'closed'."""
    payload = json.dumps({"type": "hello", "cp_id": cp_id, "version": 1, "cause": "operator",
                          "program_version": "test"}).encode()
    try:
        with socket.create_connection(("127.0.0.1", network.control), timeout=10) as plain, \
                context.wrap_socket(plain) as tls:
            tls.sendall(struct.pack(">I", len(payload)) + payload)
            header = tls.recv(4)
            if len(header) < 4:
                return "closed"
            body = b""
            while len(body) < struct.unpack(">I", header)[0]:
                more = tls.recv(65536)
                if not more:
                    return "closed"
                body += more
            answer = json.loads(body)
            return answer["type"] + (":" + answer["code"] if answer["type"] == "refuse" else "")
    except (ssl.SSLError, ConnectionError, OSError):
        return "closed"


def refusals(network: Network) -> int:
    return len([e for e in network.audit() if e["action"] == "auth.failed"])


def test_a_charge_point_without_or_with_a_foreign_certificate_is_refused_and_audited(network: Network) -> None:
    network.charge_point("A-GOOD")
    before = refusals(network)
    assert say_hello(network, control_context(network), "A-GOOD") == "closed"
    stranger = Authority(network.dir / "stranger")
    certificate, key = stranger.issue("urn:ev:cp:A-GOOD")
    assert say_hello(network, control_context(network, certificate, key), "A-GOOD") == "closed"
    wait_for("the refusals to be audited", lambda: refusals(network) > before)
    assert network.admin.get("/charge-points/A-GOOD")["connected"]


def test_a_charge_point_cannot_speak_for_another(network: Network) -> None:
    point = network.charge_point("A-SELF")
    network.charge_point("A-OTHER")
    point.monitor.stop()
    state = point.monitor_state
    context = control_context(network, str(state / "certificate.pem"), str(state / "key.pem"))
    assert say_hello(network, context, "A-OTHER") == "refuse:wrong_id"
    assert say_hello(network, context, "A-SELF") == "welcome"
    driver = network.driver("a-driver")
    context = control_context(network, str(driver.state / "certificate.pem"), str(driver.state / "key.pem"))
    assert say_hello(network, context, "A-SELF") in ("closed", "refuse:wrong_id")


def test_an_expired_certificate_is_refused(network: Network) -> None:
    """Signed by the real authority's key, but over since an hour: refused in the handshake."""
    real = Authority.existing(network.dir / "registry")
    certificate, key = real.issue("urn:ev:cp:A-GOOD", hours_from=-48, hours_to=-1, directory=network.dir / "expired")
    assert say_hello(network, control_context(network, certificate, key), "A-GOOD") == "closed"
    # The same with a valid time gets as far as the key check: it is the time that was refused above.
    certificate, key = real.issue("urn:ev:cp:A-GOOD", directory=network.dir / "not-expired")
    assert say_hello(network, control_context(network, certificate, key), "A-GOOD") == "refuse:wrong_key"


def driver_api(network: Network, certificate: str | None, key: str | None) -> Api:
    context = ssl.create_default_context(cafile=str(network.dir / "central" / "authority.pem"))
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return Api(f"https://127.0.0.1:{network.https}", context)


def test_a_driver_without_with_a_foreign_or_an_expired_certificate_gets_no_key(network: Network) -> None:
    driver = network.driver("a-keys")
    good = driver_api(network, str(driver.state / "certificate.pem"), str(driver.state / "key.pem"))
    assert good.post("/keys")["epoch"] > 0
    with pytest.raises((ApiError, OSError)) as nobody:
        driver_api(network, None, None).post("/keys")
    assert getattr(nobody.value, "status", 401) in (401, 403)
    certificate, key = Authority(network.dir / "stranger2").issue("urn:ev:driver:a-keys")
    with pytest.raises((ApiError, OSError)) as foreign:
        driver_api(network, certificate, key).post("/keys")
    assert getattr(foreign.value, "status", 401) in (401, 403)
    real = Authority.existing(network.dir / "registry")
    certificate, key = real.issue("urn:ev:driver:a-keys", hours_from=-48, hours_to=-1, directory=network.dir / "old-driver")
    with pytest.raises((ApiError, OSError)) as expired:
        driver_api(network, certificate, key).post("/keys")
    assert getattr(expired.value, "status", 401) in (401, 403)


def test_a_driver_sees_its_own_sessions_and_no_others(network: Network) -> None:
    network.charge_point("A-OWN", speed="600")
    mine, other = network.driver("a-mine"), network.driver("a-other")
    mine.charge("A-OWN", "1")
    session = mine.wait_session("finished")
    api = driver_api(network, str(other.state / "certificate.pem"), str(other.state / "key.pem"))
    assert api.get("/sessions")["items"] == []
    with pytest.raises(ApiError) as hidden:
        api.get(f"/sessions/{session['id']}")
    assert hidden.value.status in (403, 404)
    own = driver_api(network, str(mine.state / "certificate.pem"), str(mine.state / "key.pem"))
    assert own.get(f"/sessions/{session['id']}")["energy_wh"] == 1000


def test_admin_calls_need_a_sign_in_and_public_views_hide_the_driver(network: Network) -> None:
    network.charge_point("A-PUBLIC")
    driver = network.driver("a-public")
    driver.charge("A-PUBLIC")
    driver.wait_session("charging")
    view = network.public.get("/charge-points/A-PUBLIC")
    assert view["session"]["driver_id"] is None and view["session"]["cost_cents"] is None
    assert network.admin.get("/charge-points/A-PUBLIC")["session"]["driver_id"] == "a-public"
    for method, path in [("POST", "/charge-points/A-PUBLIC/stop"), ("POST", "/charge-points/stop"),
                         ("POST", "/charge-points/A-PUBLIC/revoke"), ("GET", "/sessions"),
                         ("PATCH", "/charge-points/A-PUBLIC")]:
        with pytest.raises(ApiError) as refused:
            network.public.call(method, "/api/v1" + path, {} if method != "GET" else None)
        assert refused.value.status == 401, (method, path)
        assert refused.value.problem["status"] == 401 and refused.value.problem["title"]
    driver.service.command("stop")
    driver.wait_session("finished")
    trail = json.dumps(network.public.get("/audit?limit=1000"))
    assert "a-public" not in trail, "the public trail names no driver"
    assert all(entry["address"] is None for entry in network.public.get("/audit")["items"])
    assert "a-public" in json.dumps(network.audit())


def test_a_foreign_host_or_origin_is_refused(network: Network) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        with pytest.raises(ApiError) as refused:
            network.admin.call("POST", "/api/v1/charge-points/stop", {"ids": []}, headers=headers)
        assert 400 <= refused.value.status < 500


def consume(network: Network, topic: str) -> list[tuple[str, bytes]]:
    """All records of a topic so far, as (key, value), by an onlooker with no rights of its own."""
    done = subprocess.run(["kcat", "-b", network.kafka, "-C", "-t", topic, "-e", "-q", "-o", "beginning",
                           "-f", "%k %S %R%s"], check=True, capture_output=True, timeout=60)
    records, rest = [], done.stdout
    while rest:
        key, rest = rest.split(b" ", 1)
        size, rest = rest.split(b" ", 1)
        length = int.from_bytes(rest[:4], "big")
        assert length == int(size)
        records.append((key.decode(), rest[4:4 + length]))
        rest = rest[4 + length:]
    return records


def test_telemetry_is_sealed_and_opens_for_nobody_else(network: Network) -> None:
    from nacl import bindings, exceptions
    point = network.charge_point("A-SEAL", speed="600")
    driver = network.driver("a-seal")
    api = driver_api(network, str(driver.state / "certificate.pem"), str(driver.state / "key.pem"))
    driver.charge("A-SEAL", "20")
    session = driver.wait_session("finished")
    network.check_ticket(point, session["id"], "target")
    records = [value for key, value in consume(network, "ev.telemetry") if key == "A-SEAL"]
    assert len(records) >= 2
    for value in records:
        assert value[0] == 1 and len(value) == 1 + 4 + 8 + 24 + 44 + 16
        for readable in (b"A-SEAL", b"a-seal", session["id"].encode(), b"energy"):
            assert readable not in value[37:]
    # A key of somebody else opens nothing: a driver's own key is no key of the charge point.
    key = bytes.fromhex(api.post("/keys")["key"])
    value = records[0]
    additional = b"ev.telemetry\0A-SEAL\0" + value[:13]
    with pytest.raises(exceptions.CryptoError):
        bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(value[37:], additional, value[13:37], key)
    # And the driver did read its own telemetry.
    driver.service.wait_log(r"kWh")


def test_rotation_during_a_charge_loses_no_record(network: Network) -> None:
    point = network.charge_point("A-ROTATE", speed="60")
    driver = network.driver("a-rotate")
    driver.charge("A-ROTATE")
    session = driver.wait_session("charging")
    epochs = []
    for _ in range(3):
        epoch = point.view["key_epoch"]
        network.admin.post("/charge-points/A-ROTATE/rotate-key")
        wait_for("the next epoch", lambda: point.view["key_epoch"] > epoch)
        energy = point.view["session"]["energy_wh"]
        wait_for("energy under the new key", lambda: point.view["session"]["energy_wh"] > energy + 300)
        epochs.append(epoch)
    driver.service.command("stop")
    driver.wait_session("finished")
    network.check_ticket(point, session["id"], "driver")
    metrics = network.public.call("GET", "/metrics")
    refused = [e for e in network.audit() if e["action"] == "record.refused" and e["who"] == "cp:A-ROTATE"]
    assert refused == [], refused
    assert "ev_telemetry_records_applied_total" in metrics


def test_rubbish_on_the_topics_is_dropped_counted_and_audited_once_per_burst(network: Network) -> None:
    point = network.charge_point("A-RUBBISH")
    records = b"".join(b"A-RUBBISH:" + line + b"\n" for line in
                       (b'{"energy":99999}', b"x" * 3000, b"", b"\x01" + b"\0" * 60, b"\x02" + b"a" * 100))
    for topic in ("ev.telemetry", "ev.requests"):
        subprocess.run(["kcat", "-b", network.kafka, "-P", "-t", topic, "-K:"], input=records * 20, check=True, timeout=30)

    def audited() -> list:
        return [e for e in network.audit() if e["action"] == "record.refused" and e["who"] == "cp:A-RUBBISH"]
    wait_for("the burst to be audited", audited)
    assert len(audited()) <= 6, "once per burst and reason, not once a record"
    assert point.view["state"] == "Available"


def test_expected_names_are_in_the_metrics_and_in_health(network: Network) -> None:
    assert network.public.call("GET", "/healthz")
    text = network.public.call("GET", "/metrics")
    assert "# TYPE" in text and "ev_charge_points" in text
    assert make_key() is not None
