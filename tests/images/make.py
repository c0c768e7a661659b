"""Makes firmware images with esptool and espsecure, and manifest.json, which says what was asked of
them. Run by ./build."""

import hashlib
import random
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import espsecure

from flash import SMALL_TABLE, make_flashes, partition_table
from tools import merge, run, run_esptool, write_manifest

HERE = Path(__file__).resolve().parent
TEXT_SIZE = 230_000  # of the one image that is as big as real ones
PAGE_64K, PAGE_8K = 16, 13  # binary logarithms


@dataclass(frozen=True)
class Chip:
    id: int | None
    flash_data: int  # 0x20 into a page: image header and segment header are mapped too
    flash_code: int
    iram: int
    dram: int
    xtensa: bool = False


CHIPS = {
    "esp32": Chip(0, 0x3F400020, 0x400D0020, 0x40080000, 0x3FFB0000, xtensa=True),
    "esp32s2": Chip(2, 0x3F000020, 0x40080020, 0x40024000, 0x3FFC0000, xtensa=True),
    "esp32s3": Chip(9, 0x3C000020, 0x42000020, 0x40374000, 0x3FC90000, xtensa=True),
    "esp32c2": Chip(12, 0x3C000020, 0x42000020, 0x4037C000, 0x3FCA0000),
    "esp32c3": Chip(5, 0x3C000020, 0x42000020, 0x40380000, 0x3FC80000),
    # From here on, flash is one range, code first; esptool puts the descriptor first all the same.
    "esp32c5": Chip(23, 0x42100020, 0x42000020, 0x40800000, 0x40810000),
    "esp32c6": Chip(13, 0x42100020, 0x42000020, 0x40800000, 0x40810000),
    "esp32c61": Chip(20, 0x42100020, 0x42000020, 0x40800000, 0x40810000),
    "esp32h2": Chip(16, 0x42100020, 0x42000020, 0x40800000, 0x40810000),
    "esp32h21": Chip(25, 0x42100020, 0x42000020, 0x40800000, 0x40810000),
    "esp32h4": Chip(28, 0x42100020, 0x42000020, 0x40810000, 0x40820000),
    "esp32p4": Chip(18, 0x40100020, 0x40000020, 0x4FF00000, 0x4FF10000),
    "esp32e22": Chip(31, 0x3C100020, 0x3C000020, 0x31000000, 0x31010000),
    "esp32s31": Chip(32, 0x40100020, 0x40000020, 0x2F000000, 0x2F010000),
    "esp8266": Chip(None, 0x40210000, 0x40240000, 0x40100000, 0x3FFE8000, xtensa=True),
}


class Maker:
    def __init__(self, out: Path):
        self.out = out
        self.work = out / "made-from"  # what the images are made from is no image itself
        self.work.mkdir(parents=True)
        self.noise = self.work / "noise"
        self.noise.write_bytes(random.Random(1).randbytes(TEXT_SIZE))
        self.manifest: list[dict] = []

    def app(self, name, chip, version="1.6.6", project="xiaozhi", idf="v5.4.1", **options):
        """An app as ESP-IDF's build makes it."""
        descriptor = {"VERSION": version, "PROJECT": project, "IDF_VERSION": idf}
        return self._app(name, chip, descriptor, **options)

    def _app(
        self,
        name,
        chip,
        descriptor,
        *,
        hash=True,
        min_rev=None,
        max_rev=None,
        old_min_rev=None,
        page=PAGE_64K,
        text=False,
        arguments=(),
        elf_sha256=True,
        unsafe=False,
        listed=True,
    ):
        """`unsafe`: that the device's own parser throws at this version."""
        defines = [f'-D{key}="{value}"' for key, value in descriptor.items()]
        defines += ["-DIN_FLASH", f"-DMMU_PAGE_SIZE={page}"]
        if text:
            defines.append(f'-DNOISE="{self.noise}"')
        elf = self._link(name, chip, defines)
        more = list(arguments)
        if elf_sha256:
            more += ["--elf-sha256-offset", "0xb0"]
        if not hash:
            more.append("--dont-append-digest")
        if min_rev is not None:
            more += ["--min-rev-full", str(min_rev)]
        if max_rev is not None:
            more += ["--max-rev-full", str(max_rev)]
        if old_min_rev is not None:
            more += ["--min-rev", str(old_min_rev)]
            # esp_app_format.h: a major number, "and a Minor version for the ESP32-C3".
            min_rev = old_min_rev if chip == "esp32c3" else 100 * old_min_rev
        image = self._elf2image(name, chip, elf, more)
        entry = {
            "kind": "app",
            "chip": chip,
            "chip_id": CHIPS[chip].id,
            "version": descriptor["VERSION"],
            "project": descriptor["PROJECT"],
            "idf_version": descriptor["IDF_VERSION"],
            "elf_sha256": hashlib.sha256(elf.read_bytes() if elf_sha256 else b"").hexdigest(),
            "hash_appended": hash,
            "min_rev": min_rev,
            "max_rev": max_rev,
            "signed": None,
            "key_digests": [],
            "unsafe_version": unsafe,
            "image_length": image.stat().st_size,
        }
        if not elf_sha256:
            entry["elf_sha256"] = "00" * 32
        if listed:
            self._list(image, entry)
        return image, entry

    def padded(self, name, size, **options):
        """The same app twice, for only the one without padding tells where the image ends."""
        _, plain = self.app(f"{name}-plain", listed=False, **options)
        image, entry = self.app(name, listed=False, arguments=["--pad-to-size", size], **options)
        (self.out / f"{name}-plain.bin").unlink()
        # The name of the ELF file is not in it: both are from the same bytes.
        assert plain["elf_sha256"] == entry["elf_sha256"]
        self._list(image, entry | {"image_length": plain["image_length"]})

    def signed(self, name, scheme, keys, **options):
        """Keys as espsecure names them; none for version 1, which knows but one kind."""
        version = "1" if scheme == "v1" else "2"
        image, entry = self.app(name, listed=False, **options)
        keyfiles = []
        for number, kind in enumerate(keys or [None]):
            key = self.work / f"{name}.{number}.pem"
            of_kind = ["--scheme", kind] if kind else []
            run(espsecure, ["generate-signing-key", "--version", version, *of_kind, key])
            keyfiles += ["--keyfile", key]
        signed = image.with_suffix(".signed")
        run(
            espsecure,
            ["sign-data", "--version", version, *keyfiles, "--output", signed, image],
        )
        key = self.work / f"{name}.0.pem"
        run(espsecure, ["verify-signature", "--version", version, "--keyfile", key, signed])
        signed.rename(image)
        digests = [self._digest(key) for key in keyfiles[1::2]] if scheme == "v2" else []
        self._list(image, entry | {"signed": scheme, "key_digests": digests})

    def _digest(self, key):
        """What a device's eFuses hold of a key."""
        digest = self.work / "digest"
        digest.unlink(missing_ok=True)
        run(espsecure, ["digest-sbv2-public-key", "--keyfile", key, "--output", digest])
        return digest.read_bytes().hex()

    def bootloader(self, name, chip, *, descriptor):
        """What stands before an app: an image without an app descriptor."""
        defines = ["-DBOOTLOADER_DESCRIPTOR", '-DIDF_VERSION="v5.4.1"'] if descriptor else []
        elf = self._link(name, chip, defines)
        image = self._elf2image(name, chip, elf, [])
        self._list(image, self._without_app("bootloader", chip))
        return image

    def ram_only(self, name, chip):
        """What the boot ROM loads instead of a bootloader, with an app hidden behind it."""
        image, _ = self.app(name, chip, arguments=["--ram-only-header"], listed=False)
        self._list(image, self._without_app("bootloader", chip))

    def merged(self, name, chip, parts, arguments=()):
        """A full flash image, as `idf.py merge-bin` makes it."""
        image = self.out / f"{name}.bin"
        merge(image, chip, parts, arguments)
        self._list(image, self._without_app("merged", chip))

    def esp8266(self, version):
        """Version 1 is what the boot ROM loads, 2 an SDK's, 3 the RTOS SDK's."""
        name = f"esp8266-v{version}"
        elf = self._link(name, "esp8266", ["-DIN_FLASH"])
        output = self.out / (f"{name}-" if version == 1 else f"{name}.bin")
        run_esptool("esp8266", ["elf2image", "--version", str(version), "--output", output, elf])
        image = self.out / f"{name}.bin"
        if version == 1:
            (self.out / f"{name}-0x00000.bin").rename(image)
            (self.out / f"{name}-0x10000.bin").unlink()  # bare code without a header
        self._list(image, self._without_app("esp8266", "esp8266"))

    def _link(self, name, chip, defines):
        at = CHIPS[chip]
        elf = self.work / f"{name}.elf"
        symbols = {
            "flash_data": at.flash_data,
            "flash_code": at.flash_code,
            "iram": at.iram,
            "dram": at.dram,
        }
        command = ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "-std=gnu11", "-Os"]
        command += ["-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", *defines]
        # Segments are to end at each of the four places before the checksum's.
        command.append(f"-DWORDS={16 + (at.id or 0) % 4}")
        command += [f"-Wl,--defsym={symbol}={address:#x}" for symbol, address in symbols.items()]
        # -n: no ELF header in a segment.
        command += ["-Wl,-n,--build-id=none,--no-warn-rwx-segments", "-T", HERE / "app.ld"]
        subprocess.run([*command, "-o", elf, HERE / "app.c"], check=True)
        if at.xtensa:
            # Debian has no linker for Xtensa. Nothing runs the code: the format is esptool's.
            content = bytearray(elf.read_bytes())
            struct.pack_into("<H", content, 18, 94)  # e_machine = EM_XTENSA
            elf.write_bytes(content)
        return elf

    def _elf2image(self, name, chip, elf, arguments):
        image = self.out / f"{name}.bin"
        run_esptool(chip, ["elf2image", "--output", image, *arguments, elf])
        return image

    def _without_app(self, kind, chip):
        told = ["version", "project", "idf_version", "elf_sha256", "hash_appended"]
        told += ["min_rev", "max_rev", "signed", "key_digests", "image_length"]
        entry = {"kind": kind, "chip": chip, "chip_id": CHIPS[chip].id}
        return entry | dict.fromkeys(told) | {"unsafe_version": False}

    def _list(self, image, entry):
        self.manifest.append({"file": image.name} | entry)

    def finish(self):
        write_manifest(self.out, self.manifest)


def make(out: Path) -> None:
    maker = Maker(out)

    # Every chip; the big one has what real ones have: several pages, and padding between them.
    maker.app("esp32", "esp32", "2.0.3", idf="v5.5.2", min_rev=0, max_rev=399)
    maker.app("esp32s2", "esp32s2", "2.0.3", max_rev=199)
    maker.app("esp32s3", "esp32s3", "1.6.6", idf="v5.3.2", min_rev=0, max_rev=99)
    maker.app("esp32s3-big", "esp32s3", "2.0.3", idf="v5.5.2", min_rev=1, max_rev=99, text=True)
    maker.app("esp32c2", "esp32c2", "2.0.3", min_rev=100, max_rev=199)
    maker.app("esp32c3", "esp32c3", "1.6.6", min_rev=3, max_rev=199)
    maker.app("esp32c5", "esp32c5", "2.0.3", idf="v5.5.1", min_rev=100, max_rev=199)
    maker.app("esp32c6", "esp32c6", "2.0.3", max_rev=99, page=PAGE_8K)
    maker.app("esp32c61", "esp32c61", "2.0.3", idf="v5.5.1", min_rev=100)
    maker.app("esp32h2", "esp32h2", "2.0.3", max_rev=199)
    maker.app("esp32h21", "esp32h21", "2.0.3", idf="v6.0-dev-1002-gbfe5caf58f")
    maker.app("esp32h4", "esp32h4", "2.0.3", idf="v6.0-dev-1002-gbfe5caf58f")
    maker.app("esp32p4", "esp32p4", "2.0.3", idf="v5.5", min_rev=1, max_rev=199)
    maker.app("esp32s31", "esp32s31", "2.0.3", idf="v6.0-dev-1002-gbfe5caf58f")
    maker.app("esp32e22", "esp32e22", "2.0.3", idf="v6.0-dev-1002-gbfe5caf58f")

    # Every way of asking.
    for chip in ("esp32", "esp32s3", "esp32c3", "esp32c6"):
        maker.app(f"{chip}-without-hash", chip, "1.6.6", hash=False, min_rev=3, max_rev=199)
    for chip in ("esp32", "esp32c3"):
        maker.app(f"{chip}-before-idf-5", chip, "1.0.0", idf="v4.4.8", old_min_rev=3)
    maker.padded("esp32c3-padded", "4KB", chip="esp32c3")
    maker.app("esp32c3-by-segments", "esp32c3", arguments=["--use-segments"])
    maker.app(
        "esp32c3-without-elf-sha256", "esp32c3", arguments=["--use-segments"], elf_sha256=False
    )
    maker.app("esp32c3-long-version", "esp32c3", "1.6.6-abcdefghijklmnopqrstuvwxyz")
    maker.app("esp32c3-unsafe", "esp32c3", "2.0.x", unsafe=True)
    maker.app("esp32s3-unsafe-described", "esp32s3", "v2.0.3-5-gabc1234-dirty", unsafe=True)
    maker.app("esp32c3-other-project", "esp32c3", "v1.0-dirty", project="lamp", unsafe=True)

    # Signed. Without --secure-pad-v2, espsecure itself pads to the next sector.
    maker.signed("esp32c3-signed-rsa", "v2", ["rsa3072"], chip="esp32c3", arguments=["--secure-pad-v2"])
    maker.signed("esp32p4-signed-rsa", "v2", ["rsa3072"], chip="esp32p4")
    maker.signed("esp32s3-signed-by-three", "v2", ["rsa3072"] * 3, chip="esp32s3")
    maker.signed(
        "esp32c6-signed-ecdsa256",
        "v2",
        ["ecdsa256"],
        chip="esp32c6",
        page=PAGE_8K,
        arguments=["--secure-pad-v2"],
    )
    maker.signed("esp32c2-signed-ecdsa192", "v2", ["ecdsa192"], chip="esp32c2")
    maker.signed("esp32c5-signed-ecdsa384", "v2", ["ecdsa384"], chip="esp32c5")
    maker.signed("esp32-signed-v1", "v1", [], chip="esp32", arguments=["--secure-pad"])
    maker.signed("esp32-signed-v1-unpadded", "v1", [], chip="esp32")

    # What stands where a bootloader does: nothing that can be updated to.
    loaders = {
        chip: maker.bootloader(f"{chip}-bootloader", chip, descriptor=descriptor)
        for chip, descriptor in [
            ("esp32", False),
            ("esp32c3", True),
            ("esp32c5", True),
            ("esp32p4", True),
            ("esp32s3", True),
        ]
    }
    maker.ram_only("esp32c3-ram-only", "esp32c3")

    # Full flash images.
    table = partition_table(maker.work / "partition-table", SMALL_TABLE)
    for chip, at in [("esp32", 0x1000), ("esp32c3", 0), ("esp32c5", 0x2000), ("esp32p4", 0x2000)]:
        parts = [(at, loaders[chip]), (0x8000, table), (0x10000, out / f"{chip}.bin")]
        maker.merged(f"{chip}-merged", chip, parts)
    # For flashing from 0x1000 on: begins with the bootloader, and has its table at 0x7000.
    parts = [(0x1000, loaders["esp32"]), (0x8000, table), (0x10000, out / "esp32.bin")]
    maker.merged("esp32-merged-from-0x1000", "esp32", parts, ["--target-offset", "0x1000"])
    app = out / "esp32c3.bin"
    maker.merged("esp32c3-merged-twice", "esp32c3", [(0, app), (0x10000, app)])
    maker.merged("esp32c3-merged-with-table", "esp32c3", [(0, app), (0x8000, table)])
    # Nothing stands where it usually does.
    parts = [(0, app), (0x3000, table)]
    maker.merged("esp32c3-merged-oddly", "esp32c3", parts, ["--pad-to-size", "256KB"])

    for version in (1, 2, 3):
        maker.esp8266(version)

    maker.finish()
    make_flashes(out, maker.work, maker.noise, loaders, maker.manifest)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
