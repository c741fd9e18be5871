"""A picture of an X screen without an image program: Xvfb's framebuffer file (XWD) written out as PNG."""
import struct
import zlib
from pathlib import Path

_FIELDS = 25  # of 32 bits each, big-endian; X11/XWDFile.h


def read_screen(path: Path) -> tuple[int, int, bytes]:
    """Width, height, rows of RGB, from a framebuffer of 24 or 32 bits a pixel."""
    data = path.read_bytes()
    header = struct.unpack(f">{_FIELDS}I", data[:4 * _FIELDS])
    header_bytes, width, height, bits, line_bytes, colours = (header[0], header[4], header[5], header[11], header[12],
                                                             header[19])
    if bits != 32:
        raise ValueError(f"{bits} bits a pixel: 32 expected")
    start = header_bytes + colours * 12
    rows = bytearray()
    for y in range(height):
        line = data[start + y * line_bytes:start + y * line_bytes + width * 4]
        rgb = bytearray(width * 3)
        rgb[0::3], rgb[1::3], rgb[2::3] = line[2::4], line[1::4], line[0::4]
        rows += rgb
    return width, height, bytes(rows)


def write_png(path: Path, width: int, height: int, rgb: bytes) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    lines = b"".join(b"\0" + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def is_uniform(rgb: bytes) -> bool:
    """Whether nothing has been drawn yet."""
    return rgb == rgb[:3] * (len(rgb) // 3)
