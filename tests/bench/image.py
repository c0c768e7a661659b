"""An ESP32-S3 app image that passes every check an OTA server can make.

Random bytes that only begin with 0xE9 would be a corrupt image, and a server
that looks inside its files would rightly not offer it.
"""

import hashlib
import random
import struct
from functools import reduce
from pathlib import Path

SIZE = 4 * 1024 * 1024
CHIP_ESP32S3 = 9
LOAD_ADDRESSES = (0x3C0D0020, 0x42000020)  # data ROM, instruction ROM
FIRST_SEGMENT = 1024 * 1024 - 32


def write(path: Path, version: str, size: int = SIZE) -> str:
    """Writes an image of `size` bytes, a multiple of 64, and returns its SHA-256 in hex. The
    same bytes every time."""
    image = build(version, size)
    path.write_bytes(image)
    return hashlib.sha256(image).hexdigest()


def build(version: str, size: int) -> bytes:
    noise = random.Random(version)
    end = size - 32  # the appended SHA-256
    data_end = end - 16  # the checksum's own 16-byte line
    first = descriptor(version, noise.randbytes(32))
    first += noise.randbytes(min(FIRST_SEGMENT, size // 2 - 32) - len(first))
    second = noise.randbytes(data_end - 24 - 8 - len(first) - 8)

    header = struct.pack(
        "<BBBBI4sHBHH4sB",
        0xE9,
        2,  # segments
        2,  # DIO
        0x4F,  # 16 MB, 80 MHz
        0x40379E5C,  # entry
        bytes([0xEE, 0, 0, 0]),
        CHIP_ESP32S3,
        0,
        0,  # chip revision: from v0.0
        99,  # to v0.99
        bytes(4),
        1,  # hash appended
    )
    body = header
    for address, data in zip(LOAD_ADDRESSES, (first, second)):
        body += struct.pack("<II", address, len(data)) + data
    body += bytes(15) + bytes([checksum(first + second)])
    return body + hashlib.sha256(body).digest()


def descriptor(version: str, elf_sha256: bytes) -> bytes:
    head = struct.pack(
        "<II8s32s32s16s16s32s32sHHB",
        0xABCD5432,
        0,
        bytes(8),
        version.encode(),
        b"xiaozhi",
        b"10:00:00",
        b"Apr 30 2025",
        b"v5.3.2",
        elf_sha256,
        0,
        99,
        16,  # log2 of the MMU page
    )
    return head.ljust(256, b"\0")


def checksum(data: bytes) -> int:
    words = struct.unpack(f"<{len(data) // 4}I", data)
    folded = reduce(lambda a, b: a ^ b, words, 0)
    return 0xEF ^ reduce(lambda a, b: a ^ b, folded.to_bytes(4, "little"), 0)
