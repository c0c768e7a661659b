"""What esptool says of images, one line each: "valid CHIP" if all that `esptool image-info` checks is
valid to it, else "invalid: why".

--flips   then also of the file with one bit flipped, one `flip OFFSET BIT VERDICT` a line
--cuts    then also of the file cut off, one `cut LENGTH VERDICT` a line

Every flip and cut of a small file is judged, a fixed sample of a big one. Run by the Python that has
esptool.
"""

import argparse
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from esptool.cmds import image_info
from esptool.logger import TemplateLogger, log

SMALL = 2560
BUDGET = 30_000_000  # bytes that esptool may read for one file's flips: some two seconds


class Listener(TemplateLogger):
    """Keeps what image-info prints."""

    def __init__(self):
        self.lines: list[str] = []

    def print(self, *args, **kwargs):
        self.lines.append(" ".join(map(str, args)))

    def note(self, message):
        pass

    def warning(self, message):
        pass  # a warning is no verdict

    def error(self, message):
        self.lines.append(f"error (invalid): {message}")

    def stage(self, finish=False):
        pass

    def progress_bar(self, *args, **kwargs):
        pass

    def set_verbosity(self, verbosity):
        pass


def judge(listener: Listener, image: bytes) -> str:
    listener.lines.clear()
    failure = None
    try:
        image_info(image)
    except Exception as error:  # whatever it is, image-info would have ended with it
        failure = f"invalid: {type(error).__name__}: {error}"
    chip, sums = None, 0
    for line in listener.lines:
        if "(invalid" in line:
            return f"invalid: {line}"
        if line.startswith("Detected image type: "):
            chip = line.split(": ")[1]
        sums += re.match(r"(Checksum|Validation hash): .*\(valid\)$", line) is not None
    # Behind the sums it only shows the descriptor, and stumbles where it takes another segment for it.
    if failure and sums == 0:
        return failure
    if chip is None or sums == 0:
        sys.exit(f"esptool prints something new: {listener.lines}")
    return f"valid {chip.lower().replace('-', '')}"


def flips(image: bytes) -> list[tuple[int, int]]:
    every = [(offset, bit) for offset in range(len(image)) for bit in range(8)]
    if len(image) <= SMALL:
        return every
    ends = [(at, bit) for at, bit in every if at < 512 or at >= len(image) - 128]
    affordable = BUDGET // len(image)
    sample = random.Random(1)
    chosen = ends if len(ends) <= affordable else sample.sample(ends, affordable // 2)
    return sorted({*chosen, *sample.sample(every, min(2000, affordable // 2))})


def cuts(image: bytes) -> list[int]:
    every = range(len(image))
    if len(image) <= SMALL:
        return list(every)
    affordable = BUDGET // len(image) // 4
    sample = random.Random(1).sample(every, min(500, affordable))
    return sorted({0, 1, 8, 23, 24, 32, 288, len(image) - 32, len(image) - 1, *sample})


def verdicts(listener: Listener, image: bytes, of_flips: bool, of_cuts: bool) -> Iterator[str]:
    yield judge(listener, image)
    if of_flips:
        flipped = bytearray(image)
        for offset, bit in flips(image):
            flipped[offset] ^= 1 << bit
            yield f"flip {offset} {bit} {judge(listener, bytes(flipped)).split(':')[0]}"
            flipped[offset] ^= 1 << bit
    if of_cuts:
        for length in cuts(image):
            yield f"cut {length} {judge(listener, image[:length]).split(':')[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--cuts", action="store_true")
    asked = parser.parse_args()
    listener = Listener()
    log.set_logger(listener)
    for file in asked.files:
        for verdict in verdicts(listener, file.read_bytes(), asked.flips, asked.cuts):
            print(verdict)


if __name__ == "__main__":
    main()
