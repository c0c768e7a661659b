"""Makes full flash images with esptool for the partition tables that xiaozhi-esp32 has, and
flash/manifest.json, which says what is in them. Part of make.py."""

import hashlib
import random
import struct
from pathlib import Path

import espsecure

from tools import merge, run, write_manifest

# Lines of partition tables: label, type, subtype, place, size.
SMALL_TABLE = [
    ("nvs", 1, 0x02, 0x9000, 0x4000),
    ("otadata", 1, 0x00, 0xD000, 0x2000),
    ("phy_init", 1, 0x01, 0xF000, 0x1000),
    ("ota_0", 0, 0x10, 0x10000, 0x100000),
    ("ota_1", 0, 0x11, 0x110000, 0x100000),
]
MB = 1 << 20
USUAL = SMALL_TABLE[:3]
# The tables that xiaozhi-esp32 has in partitions/, by their names there, with a chip and the place of
# the table.
LAYOUTS = {
    "v1-16m": (
        "esp32s3",
        0x8000,
        [
            *USUAL,
            ("model", 1, 0x82, 0x10000, 0xF0000),
            ("ota_0", 0, 0x10, 0x100000, 6 * MB),
            ("ota_1", 0, 0x11, 0x700000, 6 * MB),
        ],
    ),
    "v2-16m": (
        "esp32s3",
        0x8000,
        [
            *USUAL,
            ("ota_0", 0, 0x10, 0x20000, 0x3F0000),
            ("ota_1", 0, 0x11, 0x410000, 0x3F0000),
            ("assets", 1, 0x82, 0x800000, 8 * MB),
        ],
    ),
    "v2-8m": (
        "esp32s3",
        0x8000,
        [
            *USUAL,
            ("ota_0", 0, 0x10, 0x20000, 0x2F0000),
            ("ota_1", 0, 0x11, 0x310000, 0x2F0000),
            ("assets", 1, 0x82, 0x600000, 2 * MB),
        ],
    ),
    "v2-16m_c3": (
        "esp32c3",
        0x8000,
        [
            *USUAL,
            ("ota_0", 0, 0x10, 0x20000, 0x3F0000),
            ("ota_1", 0, 0x11, 0x410000, 0x3F0000),
            ("assets", 1, 0x82, 0x800000, 4000 << 10),
        ],
    ),
    "v2-32m": (
        "esp32p4",
        0x8000,
        [
            ("nvsfactory", 1, 0x02, 0x9000, 200 << 10),
            ("nvs", 1, 0x02, 0x3B000, 840 << 10),
            ("otadata", 1, 0x00, 0x10D000, 0x2000),
            ("phy_init", 1, 0x01, 0x10F000, 0x1000),
            ("ota_0", 0, 0x10, 0x200000, 4 * MB),
            ("ota_1", 0, 0x11, 0x600000, 4 * MB),
            ("assets", 1, 0x82, 0xA00000, 16 * MB),
        ],
    ),
    # A build with a bootloader that needs more room.
    "table-at-0x9000": (
        "esp32",
        0x9000,
        [
            ("nvs", 1, 0x02, 0xA000, 0x4000),
            ("otadata", 1, 0x00, 0xE000, 0x2000),
            ("phy_init", 1, 0x01, 0x10000, 0x1000),
            ("ota_0", 0, 0x10, 0x20000, 0x3F0000),
            ("ota_1", 0, 0x11, 0x410000, 0x3F0000),
            ("assets", 1, 0x82, 0x800000, 8 * MB),
        ],
    ),
    # Without slots for updates.
    "v2-4m": (
        "esp32c3",
        0x8000,
        [
            *USUAL,
            ("factory", 0, 0x00, 0x10000, 0x270000),
            ("assets", 1, 0x82, 0x280000, 0x180000),
        ],
    ),
    "factory-and-slot": (
        "esp32c3",
        0x8000,
        [
            *USUAL,
            ("factory", 0, 0x00, 0x10000, 0x100000),
            ("ota_0", 0, 0x10, 0x110000, 0x100000),
        ],
    ),
    "without-slots": ("esp32c3", 0x8000, [*USUAL, ("assets", 1, 0x82, 0x10000, 0x3F0000)]),
}
# Where the boot ROM looks for the bootloader, if not at 0.
BOOTLOADERS = {"esp32": 0x1000, "esp32p4": 0x2000}


def partition_table(path: Path, lines: list[tuple]) -> Path:
    """As ESP-IDF's gen_esp32part.py makes it."""
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, at, size, label.encode(), 0)
        for label, kind, subtype, at, size in lines
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    path.write_bytes(table.ljust(0xC00, b"\xff"))
    return path


class Flashes:
    def __init__(self, out: Path, work: Path, lengths: dict):
        self.folder = out / "flash"
        self.folder.mkdir()
        self.work = work
        self.lengths = lengths
        self.manifest: list[dict] = []

    def flash(self, layout, what, loader, contents, *, slot=None, fault=None, arguments=(), base=0):
        """A full flash image of one of `LAYOUTS`, and what is to come out of it: the app of `slot`,
        or a fault. `contents` are files, by the labels of their partitions."""
        chip, table_at, lines = LAYOUTS[layout]
        places = {label: at for label, _, _, at, _ in lines}
        table = partition_table(self.work / f"table-{layout}", lines)
        parts = [(BOOTLOADERS.get(chip, 0), loader), (table_at, table)]
        parts += [(places[label], part) for label, part in contents.items()]
        image = self.folder / f"{layout}-{what}.bin"
        # As a build's flash_args have it: what it changes is the bootloader's header.
        merge(image, chip, parts, ["--flash-mode", "dio", "--flash-size", "4MB", *arguments])
        entry = {"file": image.name, "layout": layout, "fault": fault, "slot": slot}
        if slot is not None:
            app = contents[slot]
            is_padded = app.stem.endswith("-padded")
            left = contents.keys() - {slot, "otadata"}
            entry |= {
                "app": app.name,
                # What a build pads its image with is no part of it; what it signs is.
                "length": self.lengths[app.name] if is_padded else app.stat().st_size,
                "offset": places[slot] - base,
                "left": sorted(left, key=places.get),
            }
        self.manifest.append(entry)

    def encrypted(self, app, chip, at):
        """An app as it stands in the flash of a device that encrypts it; the key is always the same."""
        key = self.work / "encryption.key"
        key.write_bytes(random.Random(2).randbytes(32))
        output = self.work / f"{app.stem}.encrypted"
        method = [] if chip == "esp32" else ["--aes-xts"]
        place = ["--keyfile", key, "--address", hex(at), "--output", output]
        run(espsecure, ["encrypt-flash-data", *method, *place, app])
        return output


def make_flashes(out: Path, work: Path, noise: Path, loaders: dict, images: list[dict]) -> None:
    """Those of every layout: with the app alone, signed, with all that a release has, encrypted."""

    def app(name):
        return out / f"{name}.bin"

    maker = Flashes(out, work, {entry["file"]: entry["image_length"] for entry in images})
    signed = {
        "esp32": ["esp32-signed-v1", "esp32-signed-v1-unpadded"],
        "esp32c3": ["esp32c3-signed-rsa"],
        "esp32p4": ["esp32p4-signed-rsa"],
        "esp32s3": ["esp32s3-signed-by-three"],
    }
    blank = work / "ota_data_initial"
    blank.write_bytes(b"\xff" * 0x2000)
    for layout, (chip, _, lines) in LAYOUTS.items():
        places = {label: at for label, _, _, at, _ in lines}
        if layout in ("factory-and-slot", "without-slots"):
            continue
        slot = "ota_0" if "ota_0" in places else "factory"
        loader, plain = loaders[chip], app("esp32s3-big" if chip == "esp32s3" else chip)
        maker.flash(layout, "app", loader, {slot: plain}, slot=slot)
        for name in signed[chip]:
            maker.flash(layout, name, loader, {slot: app(name)}, slot=slot)
        whole = {"otadata": blank, slot: plain}
        whole |= {label: noise for label in ("model", "assets") if label in places}
        if "ota_1" in places:
            whole["ota_1"] = app(signed[chip][0])
        maker.flash(layout, "whole", loader, whole, slot=slot)
        encrypted = {slot: maker.encrypted(plain, chip, places[slot])}
        maker.flash(layout, "encrypted", loader, encrypted, fault="unreadable")
        maker.flash(layout, "bare", loader, {"otadata": blank}, fault="beyond")

    loader, contents = loaders["esp32s3"], {"ota_0": app("esp32s3-signed-by-three")}
    padding = ["--pad-to-size", "8MB"]
    maker.flash("v2-8m", "to-its-end", loader, contents, slot="ota_0", arguments=padding)
    loader, plain = loaders["esp32c3"], app("esp32c3")
    for what in ("padded", "without-hash"):
        contents = {"ota_0": app(f"esp32c3-{what}")}
        maker.flash("v2-16m_c3", what, loader, contents, slot="ota_0")
    maker.flash("without-slots", "assets", loader, {"assets": noise}, fault="no-slot")
    both = {"factory": plain, "ota_0": plain}
    maker.flash("factory-and-slot", "same", loader, both, slot="ota_0")
    both = {"factory": app("esp32c3-signed-rsa"), "ota_0": plain}
    maker.flash("factory-and-slot", "different", loader, both, fault="different")
    maker.flash("factory-and-slot", "factory", loader, {"factory": plain}, slot="factory")
    # For flashing from 0x1000 on: all stands so much further in front.
    loader, contents = loaders["esp32"], {"ota_0": app("esp32")}
    first = {"arguments": ["--target-offset", "0x1000"], "base": 0x1000}
    maker.flash("table-at-0x9000", "from-0x1000", loader, contents, slot="ota_0", **first)
    write_manifest(maker.folder, maker.manifest)
