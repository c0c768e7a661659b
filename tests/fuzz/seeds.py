#!/usr/bin/env python3
"""Writes the corpus that fuzzing starts from: corpus/{archive,check_in,flash,http_answer,image,upstream}/*.

The files are checked in; this says what is in them, and makes them anew when a seed is added.
Files of other names in there (an input that once crashed) are left alone.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
SECTOR = 4096


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


# --- images: ESP-IDF's esp_app_format.h, esp_app_desc.h, esp_image_format.c, secure_boot_signature.h


def descriptor(version="1.6.6", project="xiaozhi", idf="v5.4.1", elf=True):
    """`esp_app_desc_t`, 256 bytes."""
    elf_sha256 = hashlib.sha256(version.encode()).digest() if elf else bytes(32)
    texts = (version.encode(), project.encode(), b"12:34:56", b"Nov 21 2026", idf.encode(), elf_sha256)
    head = struct.pack("<II8x32s32s16s16s32s32s", 0xABCD5432, 0, *texts)
    return head + struct.pack("<HHB", 0, 199, 16) + bytes(256 - len(head) - 5)


def image(*segments, chip=9, old_min=0, revisions=(0, 0), hashed=True, count=None, flag=None):
    """An image of these segments, checksum and, if `hashed`, SHA-256 included."""
    count = len(segments) if count is None else count
    flag = int(hashed) if flag is None else flag
    out = struct.pack("<BBBBI", 0xE9, count, 2, 0x4F, 0x40375000) + b"\xee\0\0\0"
    out += struct.pack("<HBHH4xB", chip, old_min, *revisions, flag)
    checksum = 0xEF
    for number, data in enumerate(segments):
        out += words(0x3C000020 + number * 0x10000, len(data)) + data
        for byte in data:
            checksum ^= byte
    out += bytes(15 - len(out) % 16) + bytes([checksum])
    return out + hashlib.sha256(out).digest() if hashed else out


def filled(data, sectors):
    """`data`, and 0xFF up to the end of so many sectors."""
    return data + b"\xff" * (sectors * SECTOR - len(data))


def folded(*parts):
    """Parts and the sector that each of them begins in, as the targets unfold them: eight bytes of
    0xFF and a number stand for 0xFF up to the sector of that number."""
    out = b""
    for part in parts:
        out += b"\xff" * 8 + bytes([part]) if isinstance(part, int) else part
    return out


def signature(signed, version):
    """A block of secure boot v2 behind `signed`, which must end with a sector."""
    block = bytes([0xE7, version, 0, 0]) + hashlib.sha256(signed).digest()
    block += bytes(1196 - len(block))
    return block + words(zlib.crc32(block)) + bytes(16)


def table():
    """Three lines of a partition table: otadata, ota_0, ota_1."""
    lines = [
        (1, 0, 0xD000, 0x2000, b"otadata"),
        (0, 16, 0x10000, 0x3F0000, b"ota_0"),
        (0, 17, 0x400000, 0x3F0000, b"ota_1"),
    ]
    return b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", *line, 0) for line in lines)


def images():
    payload = bytes(range(64))
    app = image(descriptor(), payload)
    tiny = image(descriptor(), hashed=False)
    bootloader = image(b"P" * 256, payload)
    second = image(payload, descriptor(), hashed=False)
    esp8266 = struct.pack("<BBBBIII", 0xE9, 1, 2, 0x40, 0x40100000, 0x40100000, 16) + bytes(48)
    damaged = bytearray(app)
    damaged[150] ^= 4
    yield "app", app
    yield "app-without-hash", tiny
    yield "app-16-segments", image(descriptor(), *[words(n) for n in range(15)])
    yield "app-empty-segment", image(descriptor(), b"", payload)
    yield "app-esp32-old", image(descriptor("v4.4-dirty", "blink", "v4.4.1", elf=False), chip=0, old_min=3)
    yield "app-esp32c3-2.9.2_2", image(descriptor("2.9.2_2"), chip=5, revisions=(101, 199))
    yield "app-esp32c3-2.9.2_3", image(descriptor("2.9.2_3"), chip=5, revisions=(101, 199))
    homes = b"Ota\0see https://api.example.com/xiaozhi/ota/\0http://[::1]:8003/ota\0https://%s/ota\0"
    yield "app-homes", image(descriptor("2.0.0") + homes + bytes(-len(homes) % 4), payload)
    yield "app-unknown-chip", image(descriptor(), chip=77)
    yield "app-0.9", image(descriptor("0.9"))
    yield "app-2.0.0", image(descriptor("2.0.0"))
    yield "app-full-strings", image(descriptor("1." + "9" * 40, "\u5c0f\u667a" * 6, "v" * 40))
    yield "app-padded-ff", app + b"\xff" * 21
    yield "app-padded-00", app + bytes(21)
    yield "app-padded-sector", folded(app, 2)
    yield "app-signed-v1", app + words(0) + bytes(range(64))
    for version in (2, 3, 4):
        yield f"app-signed-v2-block-{version}", folded(app, 1, signature(filled(app, 1), version), 2)
    yield "app-signed-v2-other", folded(app, 1, signature(filled(tiny, 1), 2), 2)
    yield "app-version-unsafe", image(descriptor("2.0.x"))
    yield "full-flash-s3", folded(bootloader, 8, table(), 16, app)
    yield "full-flash-esp32", folded(1, bootloader, 8, table(), 16, app[:64])
    yield "full-flash-c5", folded(2, bootloader)
    yield "full-flash-cut", folded(bootloader, 8, table()[:32], b"\xeb\xeb", bytes(30))
    yield "bootloader", bootloader
    yield "descriptor-second", second
    yield "esp8266-v1", esp8266
    yield "esp8266-v2", b"\xea\x04" + esp8266[2:]
    yield "cut-header", app[:20]
    yield "cut-segment-header", app[:28]
    yield "cut-descriptor", app[:200]
    yield "cut-checksum", image(descriptor(), payload, hashed=False)[:-1]
    yield "cut-hash", app[:-1]
    yield "bad-first-byte", b"\0" + app[1:]
    yield "bad-checksum", tiny[:-1] + bytes([tiny[-1] ^ 1])
    yield "bad-hash", bytes(damaged)
    yield "bad-hash-flag", image(descriptor(), flag=2)
    yield "bad-count-0", image(descriptor(), count=0)
    yield "bad-count-17", image(descriptor(), count=17)
    yield "bad-length-odd", tiny[:28] + words(255) + tiny[32:]
    yield "bad-length-16-mb", tiny[:28] + words(1 << 24) + tiny[32:]
    yield "bad-length-beyond", tiny[:28] + words((1 << 24) - 4) + tiny[32:]
    yield "trailing", tiny + tiny
    yield "blank-00", bytes(40)
    yield "blank-ff", b"\xff" * 40
    yield "empty", b""
    yield "foreign-elf", b"\x7fELF\x01\x01\x01" + bytes(9)
    yield "foreign-zip", b"PK\x03\x04\x14\0\0\0"
    yield "foreign-gzip", b"\x1f\x8b\x08\0\0\0\0\0"
    yield "foreign-html", b"<!DOCTYPE html>\n<html><body>404"
    yield "foreign-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "foreign-text", b"firmware"


# --- full flash images: ESP-IDF's esp_flash_partitions.h, gen_esp32part.py


SLOT = (0, 0x10, 0x10000, 0x10000, b"ota_0")
SECOND = (0, 0x11, 0x20000, 0x10000, b"ota_1")
FACTORY = (0, 0, 0xB000, 0x4000, b"factory")
NVS = (1, 2, 0x9000, 0x1000, b"nvs")
ASSETS = (1, 0x82, 0xF000, 0x1000, b"assets")


def partitions(*lines, summed=True, end=True):
    """A partition table, and the first bytes of what stands behind its end."""
    out = b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", *line, 0) for line in lines)
    if summed:
        out += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(out).digest()
    return out if end else out + bytes(32)


def flashes():
    app = image(descriptor(), bytes(range(64)))
    tiny = image(descriptor("1.6.5"), hashed=False)
    bootloader = image(b"P" * 256)
    usual = partitions(NVS, SLOT, SECOND)
    plain = partitions(NVS, SLOT, SECOND, summed=False)
    both = partitions(FACTORY, SLOT, summed=False)
    damaged = bytearray(app)
    damaged[150] ^= 4
    yield "slot", folded(bootloader, 8, usual, 16, app)
    yield "slot-without-sum", folded(bootloader, 8, plain, 16, app)
    yield "slot-esp32", folded(1, bootloader, 8, usual, 16, tiny)
    yield "slot-esp32p4", folded(2, bootloader, 8, usual, 16, tiny)
    yield "slot-without-bootloader", folded(8, usual, 16, app)
    yield "table-at-9000", folded(bootloader, 9, partitions(ASSETS, SLOT), 16, app)
    yield "from-1000", folded(image(b"P" * 256, chip=0), 7, partitions(SLOT), 15, app)
    yield "factory", folded(bootloader, 8, partitions(NVS, FACTORY), 11, app)
    yield "factory-and-slot", folded(bootloader, 8, both, 11, app, 16, app)
    yield "factory-and-other", folded(bootloader, 8, both, 11, tiny, 16, app)
    yield "factory-alone", folded(bootloader, 8, both, 11, app)
    yield "assets", folded(bootloader, 8, partitions(NVS, ASSETS, SLOT), 9, b"nvs", 15, b"pictures", 16, app)
    yield "itself-named", folded(
        bootloader, 8, partitions((2, 0, 0, 0x8000, b"bootloader"), (3, 0, 0x8000, 0x1000, b"table"), SLOT), 16, tiny
    )
    yield "signed-v1", folded(bootloader, 8, plain, 16, app + words(0) + bytes(range(64)))
    early = partitions(FACTORY, summed=False)  # folds end at sector 16
    for version in (2, 3, 4):
        block = signature(filled(app, 1), version)
        yield f"signed-v2-block-{version}", folded(bootloader, 8, early, 11, app, 12, block, 13)
    yield "slot-empty", folded(bootloader, 8, both, 16, b"\xff" * 4)
    yield "slot-beyond", folded(bootloader, 8, usual, 9)
    yield "slot-encrypted", folded(bootloader, 8, plain, 16, hashlib.sha512(b"noise").digest())
    yield "slot-damaged", folded(bootloader, 8, plain, 16, bytes(damaged))
    yield "slot-cut", folded(bootloader, 8, plain, 16, app[:-1])
    yield "slots-none", folded(bootloader, 8, partitions(NVS, ASSETS), 9, b"nvs")
    yield "slots-twice", folded(bootloader, 8, partitions(SLOT, SLOT), 16, app)
    yield "label-odd", folded(bootloader, 8, partitions((0, 0x10, 0x10000, 0x10000, b"\x1b[31m\xff")), 16, tiny)
    yield "label-none", folded(bootloader, 8, partitions((0, 0x10, 0x10000, 0x10000, b"")), 16, tiny)
    yield "table-bad-sum", folded(bootloader, 8, partitions(NVS, SLOT)[:-1], b"\0", 16, app)
    yield "table-bad-line", folded(bootloader, 8, plain + b"\xaa\x51" + bytes(30), 16, app)
    yield "table-without-end", folded(bootloader, 8, partitions(NVS, SLOT, end=False), 16, app)
    yield "table-alone", usual
    yield "app", app


# --- check-ins: GetSystemInfoJson in boards/common/board.cc of xiaozhi-esp32


TABLE_V1 = [
    ("nvs", 1, 2, 0x9000, 0x4000),
    ("otadata", 1, 0, 0xD000, 0x2000),
    ("phy_init", 1, 1, 0xF000, 0x1000),
    ("model", 1, 130, 0x10000, 0xF0000),
    ("ota_0", 0, 16, 0x100000, 0x600000),
    ("ota_1", 0, 17, 0x700000, 0x600000),
]
TABLE_V2 = [
    ("nvs", 1, 2, 0x9000, 0x4000),
    ("otadata", 1, 0, 0xD000, 0x2000),
    ("ota_0", 0, 16, 0x20000, 0x3F0000),
    ("ota_1", 0, 17, 0x410000, 0x3F0000),
    ("assets", 1, 130, 0x800000, 0x800000),
]
TABLE_SLOTS = [line for line in TABLE_V1 if line[0].startswith("ota_")]
TABLE_4MB = [("nvs", 1, 2, 0x9000, 0x4000), ("factory", 0, 0, 0x100000, 0x300000)]


def body(
    version="1.6.0",
    kind="esp32s3",
    project="xiaozhi",
    chip=("esp32s3", 9, 2),
    idf="v5.4.1",
    elf=hashlib.sha256(b"else").hexdigest(),
    table=TABLE_SLOTS,
    slot="ota_0",
    ssid="home-2.4G",
):
    """What a device posts. Like the firmware, it does not escape the name of the Wi-Fi."""
    lines = ",".join(
        '{"label":"%s","type":%d,"subtype":%d,"address":%d,"size":%d}' % line for line in table
    )
    return (
        '{"version":2,"language":"zh-CN","flash_size":16777216,"minimum_free_heap_size":"8318916",'
        '"mac_address":"30:ed:a0:00:00:01","uuid":"7b94d69a-9808-4c59-9c9b-704333b38aff",'
        f'"chip_model_name":"{chip[0]}","chip_info":{{"model":{chip[1]},"cores":2,"revision":{chip[2]},"features":18}},'
        f'"application":{{"name":"{project}","version":"{version}","compile_time":"Mar 28 2025T10:41:07Z",'
        f'"idf_version":"{idf}","elf_sha256":"{elf}"}},'
        f'"partition_table": [{lines}],"ota":{{"label":"{slot}"}},'
        '"display":{"monochrome":false,"width":320,"height":240},'
        f'"board":{{"type":"{kind}","name":"{kind}","manufacturer":"espressif","ssid":"{ssid}","rssi":-51,'
        '"channel":6,"ip":"192.168.1.57","mac":"30:ed:a0:00:00:01"}}'
    )


def check_ins():
    whole = body(table=TABLE_V1)
    yield "device", whole
    yield "device-current", body(version="1.6.6")
    yield "device-ahead", body(version="9.0.0")
    yield "device-running-this", body(version="1.6.5", elf=hashlib.sha256(b"1.6.6").hexdigest())
    yield "device-needs-force", body(version="2.9.2", kind="lichuang-dev", chip=("esp32c3", 5, 101))
    yield "device-old-revision", body(version="2.9.1", kind="lichuang-dev", chip=("esp32c3", 5, 3))
    yield "device-new-revision", body(version="2.9.1", kind="lichuang-dev", chip=("esp32c3", 5, 200))
    yield "device-other-chip", body(chip=("esp32c3", 5, 4))
    yield "device-part-number", body(chip=("ESP32-S3-WROOM-1", 0, 2))
    yield "device-future-chip", body(chip=("esp32x9", 99, 0))
    yield "device-4mb", body(table=TABLE_4MB, slot="factory")
    yield "device-no-assets", body(version="1.7.0")
    yield "device-v2", body(version="1.7.0", table=TABLE_V2, slot="ota_1")
    yield "device-pinned", body(version="1.0", kind="pinned-board")
    yield "device-unknown-board", body(version="0.9.9", kind="no-such-board")
    yield "device-other-project", body(version="0.9.9", kind="no-such-board", project="blink", chip=("esp8266", 0, 0))
    yield "device-old-idf", body(idf="v4.4.1")
    yield "device-no-slot-reported", body(slot="")
    for name, version in [
        ("letters", "v1.6.0"),
        ("hole", "1..2"),
        ("date", "1.202511211530"),
        ("odd", "2.0.x"),
        ("long", "1." * 150 + "1"),
    ]:
        yield f"version-{name}", body(version=version)
    for name, ssid in [
        ("quotes", 'my "wifi"'),
        ("backslash", "back\\"),
        ("escape", "a\\u00e9\\ud83d\\ude00\\ud800\\q"),
        ("keys", 'x","type":"other","name":"other'),
        ("model", 'x"},"model":"other","y":{"z":"'),
        ("table", 'x"},"partition_table":[{"label":"assets"}],"y":{"z":"'),
        ("control", "\x01\n\t\0"),
        ("chinese", "\u5c0f\u667a\u7684\u5bb6"),
    ]:
        yield f"ssid-{name}", body(ssid=ssid)
    yield "ssid-latin1", body(ssid="caf\u00e9").encode("latin-1")
    yield "cut-in-table", whole[: whole.index("ota_0")]
    yield "cut-in-board", whole[: whole.index('","name":"esp')]
    yield "cut-behind-type", whole[: whole.index(',"name":"esp')]
    yield "upstream-minimal", '{"application": {"name": "xiaozhi", "version": "1.6.0"}, "board": {"type": "esp32s3"}}'
    yield "upstream-model", '{"model": "xiaozhi-v2", "application": {"version": "1.0.0"}}'
    yield "upstream-no-model", '{"application": {"version": "0.9.0"}}'
    yield "upstream-escaped", json.dumps({"board": {"type": 'a"\\\n\u5c0f\U0001f600', "name": "bread compact:wifi"}})
    yield "quoted-name", '{"board":{"type":"esp32s3","name":"my "dev" board"}}'
    yield "twice", '{"board":{"type":"","type":"b"},"board":{"type":"c"},"chip_info":{"model":1,"model":9}}'
    yield "wrong-types", (
        '{"application":{"version":7},"board":{"type":null,"name":["x"]},"model":{},'
        '"chip_info":{"model":"9","revision":-1}}'
    )
    yield "numbers", '{"chip_info":{"model":18446744073709551616,"revision":1e3},"a":-0.5E-7,"b":[1,true,false,null]}'
    yield "table-odd", (
        '{"partition_table":[{"label":"a","type":0,"subtype":31,"size":0},{"type":0},{},{"size":1,"size":2}],'
        '"ota":{"label":"a"}}'
    )
    yield "table-no-objects", '{"partition_table":[1,[2],"]"]}'
    yield "table-long", '{"partition_table":[' + ",".join(['{"size":1}'] * 100) + "]}"
    yield "deep", '{"board":{"type":"a","x":' + "[{" * 200 + '"k"' + "}]" * 200 + "}}"
    yield "deep-open", '{"a":' * 300
    yield "space", ' \t\r\n{ "model" : "m" , "board" : { } } \n'
    yield "empty", ""
    yield "bracket", "]"


# --- archives: as Python packs them, and with what no program writes put in later


class Pipe(io.RawIOBase):
    """Takes bytes, and lets nobody go back in them."""

    def __init__(self):
        super().__init__()
        self.taken = bytearray()

    def writable(self):
        return True

    def write(self, piece):
        self.taken += piece
        return len(piece)


def packed(*members, comment=b"", pipe=False, zip64=False):
    """An archive of members: name, content, and what else `zipfile.ZipInfo` is to say."""
    out = Pipe() if pipe else io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment
        for name, content, *more in members:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            for key, value in dict(*more).items():
                setattr(member, key, value)
            with archive.open(member, "w", force_zip64=zip64) as file:
                file.write(content)
    return bytes(out.taken) if pipe else out.getvalue()


def patched(archive, old, new, count=-1):
    """An archive with other bytes of the same number in their place."""
    assert len(old) == len(new) and old in archive
    return archive.replace(old, new, count)


def archives():
    app = image(descriptor(), bytes(range(64)))
    other = image(descriptor("1.6.7"))
    full = filled(image(b"P" * 256, bytes(range(64))), 8) + table()
    full += b"\xff" * (16 * SECTOR - len(full)) + app
    release = packed(("merged-binary.bin", full))
    stored = {"compress_type": zipfile.ZIP_STORED}
    yield "release", release
    yield "app-stored", packed(("xiaozhi.bin", app, stored))
    yield "piped", packed(("xiaozhi.bin", app), pipe=True)
    yield "piped-zip64", packed(("xiaozhi.bin", app), pipe=True, zip64=True)
    yield "comment", packed(("xiaozhi.bin", app, stored), comment=b"built by somebody")
    yield "build-folder", packed(
        ("build/", b"", {"external_attr": 0o40755 << 16 | 16, **stored}),
        ("build/bootloader/bootloader.bin", image(b"P" * 256)),
        ("build/partition_table/partition-table.bin", table()),
        ("build/xiaozhi.bin", app),
        ("build/merged-binary.bin", full),
        ("build/xiaozhi.elf", b"\x7fELF\x01\x01\x01" + bytes(9)),
        ("__MACOSX/._xiaozhi.bin", b"\0\x05\x16\x07"),
        ("README.md", b"# Hello\n"),
    )
    yield "empty", packed()
    yield "no-image", packed(("README.md", b"# Hello\n"))
    yield "two-images", packed(("a.bin", app), ("b.bin", other))
    yield "app-and-other-flash", packed(("merged-binary.bin", full), ("xiaozhi.bin", other))
    yield "nested", packed(("release.zip", release, stored))
    yield "name-unicode", packed(("\u56fa\u4ef6.bin", app))
    names = {"out": "../xiaozhi.b", "root": "/xiaozhi.bin", "windows": "a\\xiaozhi.bi", "drive": "C:xiaozhi.bi"}
    for kind, name in names.items():
        whole = packed(("a/xiaozhi.bi", app, stored))
        yield f"name-{kind}", patched(whole, b"a/xiaozhi.bi", name.encode())
    yield "twice", patched(packed(("a.bin", app), ("b.txt", b"text")), b"b.txt", b"a.bin")
    yield "link", packed(("xiaozhi.bin", app), ("link", b"/etc/passwd", {"external_attr": 0o120777 << 16}))
    yield "device", packed(("xiaozhi.bin", app), ("null", b"", {"external_attr": 0o20666 << 16}))
    yield "encrypted", patched(packed(("a.bin", app, stored)), b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1")
    yield "bomb", packed(("xiaozhi.bin", app), ("zeros", bytes(1 << 20)))
    yield "bzip2", packed(("xiaozhi.bin", app, {"compress_type": zipfile.ZIP_BZIP2}))
    one = packed(("xiaozhi.bin", app, stored))
    yield "lies-checksum", patched(one, struct.pack("<I", zlib.crc32(app)), b"\0\0\0\1")
    yield "lies-size", patched(one, words(len(app), len(app)), words(len(app), len(app) + 1))
    yield "lies-header", patched(one, words(len(app), len(app)), words(len(app), len(app) + 1), 1)
    yield "stray", one[:30] + one[30:].replace(b"PK\x01\x02", b"hidden" + b"PK\x01\x02")
    yield "cut", release[:-30]
    yield "names", b"waveshare-esp32-s3-touch-amoled-1.75 (1)"


# --- answers of a server behind


def http_answers():
    ok = "HTTP/1.1 200 OK\r\n"
    chunked = f"{ok}Transfer-Encoding: chunked\r\n\r\n"
    yield "length", f"{ok}Content-Length: 2\r\n\r\n{{}}"
    yield "chunks", f"{chunked}1;x=y\r\n{{\r\n1\r\n}}\r\n0\r\nX: y\r\n\r\n"
    yield "until-end", "HTTP/1.0 200 OK\r\n\r\n{}"
    yield "early", f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{ok}Content-Length: 0\r\n\r\n"
    yield "redirect", "HTTP/1.1 301 Moved\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n"
    yield "coded", f"{ok}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"
    yield "both", f"{ok}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    yield "twice", f"{ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
    yield "long-line", f"{chunked}1;{'x' * 3000}\r\n"
    yield "another", "HTTP/1.1 101 Switching Protocols\r\n\r\n"
    yield "none", "SSH-2.0-OpenSSH_9.2\r\n"


# --- replies of other xiaozhi servers


def upstreams():
    time = '"server_time":{"timestamp":1700000000123,"timeZone":"Asia/Shanghai","timezone_offset":480}'
    voice = '"websocket":{"url":"ws://192.168.1.25:8000/xiaozhi/v1/","token":"t"}'
    mqtt = '"mqtt":{"endpoint":"mqtt.h:8883","client_id":"c","username":"u","password":"p","publish_topic":"t"}'
    none = '"firmware":{"version":"1.0.0","url":"http://h/NOT_ACTIVATED_FIRMWARE"}'
    code = '"activation":{"code":"123456","message":"h\\n123456","challenge":"02:00:00:00:00:01","timeout_ms":30000}'
    yield "bound", f"{{{time},{none},{voice}}}"
    yield "unbound", f"{{{time},{none},{voice},{code}}}"
    yield "updates-off", f"{{{time},{voice}}}"
    yield "both", f"{{{time},{mqtt},{voice}}}"
    yield "empty-keys", f'{{{time},"activation":null,"mqtt":null,"firmware":null,{voice}}}'
    yield "error", '{"code":500,"msg":"x","data":null}'
    yield "case", f'{{"WebSocket":{{"url":"ws://h/"}},{voice},"Firmware":1}}'
    yield "null", f'{{{mqtt},"websocket":{{"url":"ws://h/","token":null}}}}'
    yield "port", f'{{{mqtt},"websocket":{{"url":"ws://h:x/"}}}}'
    yield "deep", f'{{{voice},"own":{"[" * 40}{"]" * 40}}}'
    yield "own", f'{{{voice},"own":"{"v" * 3000}"}}'
    yield "surrogate", f'{{{mqtt},"websocket":{{"url":"ws://h/","a":"\\ud800"}}}}'
    yield "mark", "\ufeff" + f"{{{voice}}}"


def write(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds:
        content = content if isinstance(content, bytes) else content.encode()
        assert len(content) <= 4096, f"{target}/{name} has {len(content)} bytes"
        (folder / name).write_bytes(content)


write("archive", archives())
write("image", images())
write("flash", flashes())
write("check_in", check_ins())
write("http_answer", http_answers())
write("upstream", upstreams())
