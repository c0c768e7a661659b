"""The machine: what has to be installed and built on it, and what it counts itself."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from servers import HERE, TICK, BenchError

ROOT = HERE.parent.parent


def install(with_compiler: bool, with_ip: bool = False) -> None:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    wanted = {"nginx": ["nginx-light"], "haproxy": ["haproxy"], "wrk": ["wrk"], "openssl": ["openssl"], "time": ["time"]}
    if with_compiler:
        wanted["cc"] = ["gcc", "libc6-dev"]
    if with_ip:
        wanted["ip"] = ["iproute2"]
    missing = [p for program, names in wanted.items() if not shutil.which(program, path=path) for p in names]
    if missing:
        install_packages(missing)


def install_aiohttp() -> None:
    """For Debian's own Python, which need not be the one that runs this."""
    install_packages(["python3-aiohttp"])


def install_packages(missing: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise BenchError(f"please install: {' '.join(missing)} (there is no apt-get here)")
    say(f"installing {' '.join(missing)}")
    if not apt_get("install", "--yes", "--no-install-recommends", *missing):
        apt_get("update")
        if not apt_get("install", "--yes", "--no-install-recommends", *missing):
            raise BenchError(f"apt-get could not install {' '.join(missing)}")


def apt_get(*arguments: str) -> bool:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    command = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments]
    return subprocess.run(command, stdout=sys.stderr).returncode == 0


def build() -> Path:
    say("cargo build --release")
    if subprocess.run(["cargo", "build", "--release"], cwd=ROOT, stdout=sys.stderr).returncode:
        raise BenchError("cargo build failed")
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    done = subprocess.run(metadata, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"cargo metadata failed: {done.stderr.strip()}")
    return Path(json.loads(done.stdout)["target_directory"]) / "release/xiaozhi-ota"


def machine_busy() -> tuple[float, float, float]:
    """Wall clock, CPU seconds of the whole machine (with those that the hypervisor took), and
    those of this bench but for its servers."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    mine = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        mine += usage.ru_utime + usage.ru_stime
    return time.monotonic(), (user + nice + system + irq + softirq + steal) / TICK, mine


def passive_opens() -> int:
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return int(values[names.index("PassiveOpens")])


def found(match: re.Match | None) -> str:
    return match.group(1) if match else "unknown"


def output(*command: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
