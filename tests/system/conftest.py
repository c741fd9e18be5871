"""One Apache Kafka broker and one network for all tests of a run; tests add charge points and drivers of their own."""
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(ROOT / "tools"))

from launcher import kafka_native  # noqa: E402
from network import Network, free_port  # noqa: E402


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_native.NativeKafka]:
    running = kafka_native.start(tmp_path_factory.mktemp("kafka"), free_port())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def network(broker: kafka_native.NativeKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    whole = Network(tmp_path_factory.mktemp("network"), broker.bootstrap)
    try:
        whole.start()
        yield whole
        whole.stop()
        whole.check_database()
    finally:
        whole.kill_all()
