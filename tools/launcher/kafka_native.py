"""Apache Kafka on this machine's Java: brought by Maven, formatted, run as plain `java -cp`.

The launcher supervises it as one of its services (`prepare` gives the command line). Tests use

    broker = kafka_native.start(data_dir, port)     # loopback; data_dir may hold data already
    broker.bootstrap                                # "127.0.0.1:PORT"
    broker.kill(); broker.start(); broker.stop()    # crash, return with the data kept, orderly stop
"""
import base64
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Optional

from launcher import kafka_wire, paths, process, ui
from launcher.errors import EvnetError

LIB_DIR = paths.KAFKA_DIR / "target" / "lib"
_POM = paths.KAFKA_DIR / "pom.xml"
_START_SECONDS = 90.0
_STOP_SECONDS = 30.0
# A small machine's broker: little heap, the plainest collector, no time spent on the last optimisation.
_JVM = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        "-Djava.awt.headless=true"]

_SERVER = """\
# Written by evnet at each start; changes here are lost.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{advertised}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After a crash the old incarnation's session has to end before the broker is let in again.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
background.threads=2
log.segment.bytes=67108864
log.retention.hours=168
"""

_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.target=SYSTEM_ERR
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}{UTC} %-5p kafka.%c{1} %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""


def find_java() -> str:
    java = shutil.which("java")
    if java is None:
        raise EvnetError("there is no java on this machine (packages of group `native` in cmake/packages.txt)")
    return java


def java_major(version_text: str) -> int:
    """The major version out of `java -version`; 0 where it cannot be told."""
    match = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(match.group(1)) if match else 0


def _check_java() -> str:
    java = find_java()
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    major = java_major(done.stderr + done.stdout)
    if major < 17:
        raise EvnetError(f"Apache Kafka 4 needs Java 17 or newer, and `java` here is {major or 'something unknown'}")
    return java


def ensure_jars() -> Path:
    """Runs Maven once for each version of the pom; returns the directory of jars."""
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()
    stamp = LIB_DIR.parent / "brought"
    LIB_DIR.parent.mkdir(parents=True, exist_ok=True)
    with open(LIB_DIR.parent / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may ask at once
        if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
            return LIB_DIR
        if shutil.which("mvn") is None:
            raise EvnetError("there is no mvn on this machine (packages of group `native` in cmake/packages.txt)")
        ui.say("bringing Apache Kafka (about 45 MB, once)")
        shutil.rmtree(LIB_DIR, ignore_errors=True)
        done = subprocess.run(["mvn", "-q", "-B", "-f", str(_POM), "package"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise EvnetError(f"Maven could not bring Apache Kafka:\n{done.stdout.strip()[-2000:]}")
        stamp.write_text(digest, encoding="ascii")
    return LIB_DIR


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _new_cluster_id() -> str:
    """Kafka's own form (22 characters of URL-safe base 64), never starting with what looks like an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")
        if not text.startswith("-"):
            return text


def _java(*jvm: str) -> list[str]:
    return [_check_java(), *_JVM, *jvm, "-cp", f"{LIB_DIR}/*"]


def prepare(data_dir: Path, port: int = 9092, host: str = "127.0.0.1") -> list[str]:
    """Writes the configuration, formats an empty data directory, returns the broker's command line."""
    ensure_jars()
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = data_dir / "server.properties"
    logging = data_dir / "log4j2.properties"
    advertised = f"[{host}]" if ":" in host else host
    config.write_text(_SERVER.format(host=advertised, advertised=advertised, port=port, controller_port=_free_port(),
                                     data=data_dir / "data"), encoding="utf-8")
    logging.write_text(_LOGGING, encoding="utf-8")
    if not (data_dir / "data" / "meta.properties").exists():
        shutil.rmtree(data_dir / "data", ignore_errors=True)  # a format that was cut short
        done = subprocess.run([*_java(), "kafka.tools.StorageTool", "format", "-t", _new_cluster_id(), "-c", str(config)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            raise EvnetError(f"Kafka could not format {data_dir}:\n{done.stdout.strip()[-2000:]}")
    return [*_java(f"-Dlog4j2.configurationFile={logging}"), "kafka.Kafka", str(config)]


class NativeKafka:
    """One broker on one data directory, which it keeps over kill() and start()."""

    def __init__(self, data_dir: Path, port: int, host: str) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.host = host
        self.log = self.data_dir / "kafka.log"
        self._child: Optional[subprocess.Popen[bytes]] = None

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> Optional[int]:
        return self._child.pid if self._child is not None else None

    def start(self, timeout_s: float = _START_SECONDS) -> None:
        """Returns when the broker answers; raises EvnetError, with the end of its log, if it does not."""
        if self._child is not None and self._child.poll() is None:
            raise EvnetError("this broker runs already")
        argv = prepare(self.data_dir, self.port, self.host)
        child = process.spawn(argv, log=self.log, cwd=self.data_dir)
        self._child = child
        deadline = time.monotonic() + timeout_s
        while kafka_wire.count_brokers(self.host, self.port) == 0:
            if child.poll() is not None or time.monotonic() > deadline:
                why = f"ended with {child.returncode}" if child.returncode is not None else "is not ready in time"
                self.kill()
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                raise EvnetError(f"Kafka {why}:\n{tail}")
            time.sleep(0.05)

    def stop(self, timeout_s: float = _STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL after the deadline."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def kill(self) -> None:
        """SIGKILL: a crash. start() returns with the data kept."""
        if self._child is None:
            return
        if self._child.poll() is None:
            os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None


def start(data_dir: os.PathLike[str], port: int = 9092, host: str = "127.0.0.1") -> NativeKafka:
    """Starts a broker and waits until it serves."""
    broker = NativeKafka(Path(data_dir), port, host)
    broker.start()
    return broker
