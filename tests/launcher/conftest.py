import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from supervised import Network  # noqa: E402


@pytest.fixture
def net(tmp_path):
    """A small network of shell processes under the real supervisor, driven by the real ./evnet."""
    network = Network(tmp_path / "state")
    yield network
    network.clean_up()
