"""wrk: one run of it, and what has to be true for its figures to count."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import CHECKIN_PATH, DOWNLOAD_PATH, HERE, BenchError, spawn, stop

# Nginx closes a kept-alive connection after 1,000 requests (its default): far from this few.
REQUESTS_PER_CONNECTION = 500


@dataclass(frozen=True)
class Row:
    letter: str
    name: str
    work: str
    connections: int
    goals: dict[str, float]  # the highest ratio to each peer that is good enough
    binding: bool = True  # a miss fails the whole bench
    key: str = "p256"
    tls: bool = False
    checkin: bool = True  # else a download
    close: bool = False  # a new connection for every request
    crowd: int = 0  # devices of crowd.py, in place of 1,000 of one board
    pause: int = 0  # milliseconds between an answer and the connection's next request
    above_signature: bool = False  # the goals hold for what comes on top of a bare signature

    @property
    def path(self) -> str:
        return CHECKIN_PATH if self.checkin else DOWNLOAD_PATH


@dataclass(frozen=True)
class Load:
    requests: int
    bytes: int
    seconds: float
    p99: float  # milliseconds

    def operations(self, row: Row, reply_size: int) -> float:
        """Completed requests; of downloads also the parts that wrk had of those that its
        end cut off, which would else be CPU time for nothing."""
        return self.requests if row.checkin else self.bytes / reply_size


class Wrk:
    """wrk with the TLS settings of this bench, made once for all rows."""

    def __init__(self, folder: Path, tls_version: str) -> None:
        self.settings = folder / "wrk-openssl.cnf"
        self.shim = folder / "forget_session.so"
        self.threads = min(4, os.cpu_count() or 1)
        self.settings.write_text(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n"
            f"MinProtocol = TLSv{tls_version}\nMaxProtocol = TLSv{tls_version}\n"
            "CipherString = ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256\n"
            "Ciphersuites = TLS_AES_128_GCM_SHA256\n"
            "Groups = X25519:P-256\n"
        )

    def build_shim(self) -> None:
        compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
        if not compiler:
            raise BenchError("no C compiler: forget_session.c cannot be built")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self.shim), str(HERE / "forget_session.c")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"forget_session.c does not compile: {done.stderr.strip()}")

    def run(self, row: Row, port: int, seconds: int) -> Load:
        env = {k: v for k, v in os.environ.items() if not k.startswith("BENCH_")}
        if row.tls:
            env["OPENSSL_CONF"] = str(self.settings)
        if row.checkin:
            env["BENCH_BODY"] = str(HERE / "checkin.json")
        if row.crowd:
            env["BENCH_CROWD"] = str(row.crowd)
        if row.pause:
            env["BENCH_PAUSE"] = str(row.pause)
        if row.close:
            env |= {"BENCH_CLOSE": "1", "LD_PRELOAD": str(self.shim)}
        url = f"https://localhost:{port}" if row.tls else f"http://127.0.0.1:{port}"
        command = ["wrk", f"-t{self.threads}", f"-c{row.connections}", f"-d{seconds}s", "--timeout", "10s"]
        command += ["-s", str(HERE / "load.lua"), url + row.path]
        process = spawn(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise BenchError(f"wrk did not end {60} s after its time") from None
        finally:
            stop(process)
        report = next((line for line in out.splitlines() if line.startswith("BENCH ")), None)
        if process.returncode or report is None:
            raise BenchError(f"wrk failed ({process.returncode}): {(err or out).strip()}")
        said = json.loads(report.removeprefix("BENCH "))
        load = Load(said.pop("requests"), said.pop("bytes"), said.pop("microseconds") / 1e6, said.pop("p99") / 1e3)
        if any(said.values()):
            faults = ", ".join(f"{count} {kind}" for kind, count in said.items() if count)
            raise BenchError(f"wrk counted errors among {load.requests} requests: {faults}")
        if not load.requests:
            raise BenchError("wrk completed no request at all")
        return load


def check_bytes(row: Row, load: Load, reply_size: int) -> None:
    """Every reply was the one that was looked at before: wrk itself takes a 302 for good."""
    least = load.requests * reply_size
    most = (load.requests + row.connections) * reply_size
    if not 0.995 * least <= load.bytes <= 1.005 * most:
        raise BenchError(
            f"{load.requests} replies of {reply_size} bytes should not make {load.bytes} bytes"
        )
