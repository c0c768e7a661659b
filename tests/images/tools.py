"""Espressif's own programs, and what was asked of them."""

import json
from pathlib import Path

import esptool


def run(tool, arguments):
    arguments = [str(argument) for argument in arguments]
    print(f"$ {tool.__name__} {' '.join(arguments)}", flush=True)
    tool.main(arguments)


def run_esptool(chip, arguments):
    run(esptool, ["--chip", chip, *arguments])


def merge(image, chip, parts, arguments=()):
    """`parts` are places and files."""
    placed = [text for at, part in parts for text in (hex(at), part)]
    run_esptool(chip, ["merge-bin", "--output", image, *arguments, *placed])


def write_manifest(folder: Path, manifest: list[dict]) -> None:
    text = ",\n".join(json.dumps(entry) for entry in manifest)
    (folder / "manifest.json").write_text(f"[\n{text}\n]\n")
