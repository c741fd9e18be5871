"""Just enough of Kafka's protocol to ask a broker whether it serves: one Metadata request, version 1."""
import socket
import struct

_METADATA = 3
_ANSWER_BYTES_MAX = 1 << 20


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("the broker closed the connection")
        data += part
    return data


def count_brokers(host: str, port: int, timeout_s: float = 1.0) -> int:
    """How many brokers the cluster says it has; 0 where none answers (yet)."""
    client = b"evnet"
    body = struct.pack(">hhih", _METADATA, 1, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            if not 8 <= size <= _ANSWER_BYTES_MAX:
                return 0
            answer = _receive(connection, size)
    except OSError:
        return 0
    (brokers,) = struct.unpack(">i", answer[4:8])
    return max(int(brokers), 0)
