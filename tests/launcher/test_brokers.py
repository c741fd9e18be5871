"""The brokers that we start: embedded and native. Real clients (kcat), real crashes."""
import os
import signal
import subprocess
from pathlib import Path

import pytest

from launcher import kafka_native, kafka_wire, ports
from launcher.errors import EvnetError
from supervised import ROOT, free_port, wait_for

BROKER = Path(os.environ.get("EV_BUILD_DIR", ROOT / "build" / "dev")) / "bin" / "ev_broker"
TOPICS = {"ev.telemetry": 16, "ev.requests": 4, "ev.notices": 4, "ev.status": 4}


def kcat(bootstrap, *words, text=""):
    done = subprocess.run(["kcat", "-b", bootstrap, "-m", "10", *words], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def partitions(bootstrap):
    """Name -> number of partitions, of the topics that are there without asking for one."""
    found = {}
    for line in kcat(bootstrap, "-L").splitlines():
        words = line.split('"')
        if len(words) == 3 and words[0].strip() == "topic":
            found[words[1]] = int(words[2].split()[1])
    return found


@pytest.fixture
def embedded(tmp_path):
    port = free_port()
    children = []

    def start():
        with open(tmp_path / "log", "ab") as log:
            child = subprocess.Popen([str(BROKER), "--listen", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, cwd=tmp_path)
        children.append(child)
        wait_for(lambda: kafka_wire.count_brokers("127.0.0.1", port) == 1, "ev_broker to serve")
        return child
    yield start, port, tmp_path / "log"
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_the_embedded_broker_has_the_topics_carries_records_and_stops_in_order(embedded):
    start, port, log = embedded
    child = start()
    bootstrap = f"127.0.0.1:{port}"
    assert partitions(bootstrap) == TOPICS
    kcat(bootstrap, "-P", "-t", "ev.requests", "-K", ":", text="driver-1:hello\n")
    assert kcat(bootstrap, "-C", "-t", "ev.requests", "-e", "-q", "-K", ":") == "driver-1:hello\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    text = log.read_text(encoding="utf-8")
    assert "broker.listening" in text and "in memory only" in text and "broker.stopped" in text


def test_the_embedded_broker_returns_at_once_on_the_same_port_with_the_topics_and_without_the_records(embedded):
    start, port, _ = embedded
    child = start()
    bootstrap = f"127.0.0.1:{port}"
    kcat(bootstrap, "-P", "-t", "ev.status", text="gone\n")
    child.kill()
    child.wait()
    start()
    assert partitions(bootstrap) == TOPICS
    assert kcat(bootstrap, "-C", "-t", "ev.status", "-e", "-q") == ""


def test_the_embedded_broker_says_in_one_line_that_its_port_is_taken(embedded):
    start, port, _ = embedded
    start()
    done = subprocess.run([str(BROKER), "--listen", f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1
    assert done.stderr == f"ev_broker: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize("address, code, word", [("0.0.0.0:1", 1, "one address"), ("::1:9", 2, "listen"),
                                                 ("nowhere", 2, "listen"), ("203.0.113.7:9092", 1, "cannot listen")])
def test_the_embedded_broker_refuses_addresses_that_cannot_work(address, code, word):
    done = subprocess.run([str(BROKER), "--listen", address], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == code, done.stderr
    assert word in done.stderr and len(done.stderr.splitlines()) == 1


def test_native_kafka_keeps_its_data_over_a_crash_and_creates_no_topic_by_itself(tmp_path):
    port = free_port()
    broker = kafka_native.start(tmp_path / "kafka", port)
    try:
        assert broker.bootstrap == f"127.0.0.1:{port}"
        done = subprocess.run(["kcat", "-b", broker.bootstrap, "-P", "-t", "nobody.made.this", "-m", "5"], input="x\n",
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0, "auto.create.topics.enable=false"
        cluster = (tmp_path / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8")
        pid = broker.pid
        broker.kill()
        assert not ports.is_listening(port)
        broker.start()
        assert broker.pid != pid
        assert kafka_wire.count_brokers("127.0.0.1", port) == 1
        assert (tmp_path / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8") == cluster
        with pytest.raises(EvnetError, match="runs already"):
            broker.start()
    finally:
        broker.stop()
    assert not ports.is_listening(port)


def test_native_kafka_that_cannot_start_says_why(tmp_path):
    port = free_port()
    data = tmp_path / "kafka"
    (data / "data").mkdir(parents=True)
    (data / "data" / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n",
                                                   encoding="utf-8")
    with pytest.raises(EvnetError, match="Kafka ended with"):
        kafka_native.start(data, port)
