"""Makes the firmware that tests of the pages upload and serve: app images, a full flash image, and a
release's archive.

usage: images.py FOLDER
"""

import hashlib
import struct
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import image

SIZE = 256 * 1024
# Lines of a partition table: label, type, subtype, place, size.
TABLE = [
    ("nvs", 1, 0x02, 0x9000, 0x4000),
    ("otadata", 1, 0x00, 0xD000, 0x2000),
    ("phy_init", 1, 0x01, 0xF000, 0x1000),
    ("ota_0", 0, 0x10, 0x10000, 0x100000),
    ("ota_1", 0, 0x11, 0x110000, 0x100000),
]


def table() -> bytes:
    lines = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, place, size, label.encode(), 0)
        for label, kind, subtype, place, size in TABLE
    )
    summed = b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(lines).digest()
    return (lines + summed).ljust(0xC00, b"\xff")


def flash(app: bytes) -> bytes:
    """What `esptool merge-bin` makes of a bootloader, the table and an app."""
    bootloader = bytearray(image.build("bootloader", 16 * 1024))
    # It has no app's description, by which an app is known.
    bootloader[32:36] = bytes(4)
    whole = bytes(bootloader).ljust(0x8000, b"\xff") + table()
    return whole.ljust(0x10000, b"\xff") + app


def main() -> None:
    out = Path(sys.argv[1])
    for version in ("1.7.0", "1.7.1", "1.8.0", "1.9.0"):
        image.write(out / f"app-{version}.bin", version, SIZE)
    # The same version, and other bytes.
    image.write(out / "other-1.7.0.bin", "1.7.0", SIZE // 2)
    full = flash(image.build("2.1.0", SIZE))
    (out / "merged-binary.bin").write_bytes(full)
    with zipfile.ZipFile(out / "v2.1.0_bread-compact-wifi.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("merged-binary.bin", full)
    # Large enough that an upload can be cut in the middle.
    image.write(out / "app-large.bin", "1.9.9", 4 * 1024 * 1024)


main()
