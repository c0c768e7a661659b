"""The servers: their files, configurations and processes, and the CPU and memory they use."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import image

HERE = Path(__file__).resolve().parent
OURS, NGINX, HAPROXY, BEHIND = "xiaozhi-ota", "Nginx", "HAProxy", "Nginx + aiohttp"
BOARD, OFFERED = "bench-board", "1.6.0"
FIRMWARE = f"{BOARD}_{OFFERED}.bin"
CHECKIN_PATH = "/xiaozhi/ota/"
DOWNLOAD_PATH = f"/xiaozhi/ota/download/{FIRMWARE}"
KEYS = {
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa2048": ["-newkey", "rsa:2048"],
}
# For our section `gateway`: no line is left out, none is turned over for good, and servers
# side by side don't want one admin address, nor one folder of what they know.
OF_BENCH = "  log: {{rate: 1GiB, keep: 1000}}\n  admin: {{listen: {admin}}}\n  state: state/{slug}\n"
TICK = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """Why a row, or the whole bench, cannot give a figure that could be trusted."""


# --- Files


def prepare(folder: Path) -> str:
    """Makes certificates and firmware in `folder`; returns the firmware's SHA-256."""
    (folder / "certs").mkdir()
    (folder / "data/bin").mkdir(parents=True)
    request = folder / "certs/request.cnf"
    request.write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n"
        "[dn]\nCN = localhost\n"
        "[ext]\nsubjectAltName = DNS:localhost, IP:127.0.0.1\n"
        "basicConstraints = critical, CA:FALSE\n"
        "keyUsage = critical, digitalSignature, keyEncipherment\n"
        "extendedKeyUsage = serverAuth\n"
    )
    for name, key in KEYS.items():
        command = ["openssl", "req", "-x509", *key, "-nodes", "-sha256", "-days", "30"]
        command += ["-config", str(request), "-keyout", f"certs/{name}.key", "-out", f"certs/{name}.pem"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"openssl could not make the {name} certificate: {done.stderr.strip()}")
    return image.write(folder / "data/bin" / FIRMWARE, OFFERED)


# --- Processes


@dataclass
class Server:
    """One running server, with a plain and a TLS port of 127.0.0.1."""

    name: str
    plain: int
    tls: int
    process: subprocess.Popen
    logs: list[Path]
    said: Path
    behind: list[subprocess.Popen] = field(default_factory=list)  # what it passes requests to

    def cpu_seconds(self) -> float:
        """CPU time of all its processes since they began.

        The kernel's per-process CPU clock (the one that clock_getcpuclockid(3) names) is
        the sum of utime and stime over all threads, those that have ended included, in
        nanoseconds. /proc/PID/stat holds the same sum in ticks of 10 ms, and
        /proc/PID/task/*/schedstat loses the threads that have ended.
        """
        total = 0
        for pid in self.pids():
            try:
                total += time.clock_gettime_ns((~pid << 3) | 2)
            except OSError as error:
                raise BenchError(f"{self.name}: no CPU clock for process {pid}: {error}") from error
        return total / 1e9

    def cpu_ticks(self) -> float:
        """The same from /proc/PID/stat, as a check: seconds, but in steps of a tick."""
        total = 0
        for pid in self.pids():
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(stat[11]) + int(stat[12])
        return total / TICK

    def settled_cpu_seconds(self) -> float:
        """`cpu_seconds` once the server has come to rest: what it does after the last
        reply (closing, writing its log) belongs to the requests too."""
        last, deadline = self.cpu_seconds(), time.monotonic() + 3
        while True:
            time.sleep(0.1)
            now = self.cpu_seconds()
            if now - last < 0.001 or time.monotonic() > deadline:
                return now
            last = now

    def pss(self) -> int:
        """Bytes of memory of all its processes; what several share counts once in all."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids()]
        return sum(int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1)) for text in rollups) * 1024

    def pids(self) -> list[int]:
        """The process, those behind it, and all their descendants."""
        children: dict[int, list[int]] = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    stat = Path(f"/proc/{entry.name}/stat").read_text()
                except OSError:
                    continue
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
        found = [process.pid for process in (self.process, *self.behind)]
        for pid in found:
            found += children.get(pid, [])
        return sorted(found)

    def threads(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.pids())

    def workers(self) -> str:
        """How many of it work at once, as its documents count."""
        if self.name == "Nginx":
            return f"{len(self.pids()) - 1} Nginx workers"
        return f"{self.threads()} threads of {self.name}"

    def logged_lines(self) -> int:
        """Lines of its log, with those of which the log itself says that they are left out."""
        files = self.log_files()
        return sum(map(count_lines, files)) + sum(map(count_left_out, files))

    def log_files(self) -> list[Path]:
        files = []
        for path in self.logs:
            files += [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        return [p for p in files if p.exists()]

    def stop(self) -> None:
        for process in (self.process, *self.behind):
            stop(process)

    def last_words(self) -> str:
        texts = [p.read_text(errors="replace") for p in [self.said, *self.log_files()] if p.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-8:])


def start_ours(
    folder: Path,
    binary: Path,
    key: str,
    *,
    name: str = OURS,
    ip: str = "127.0.0.1",
    image_over_tls: bool = False,
    admin: str = "off",
    more: str = "",
) -> Server:
    """Ours as it comes, but for its log: it is asked thousands of times a second from one
    address, and has to write a line for each, as the others do; to leave lines out would be
    less work. Images are where check-ins go, unless they are to come over TLS."""
    plain, tls = free_ports(2)
    public = f"https://localhost:{tls}" if image_over_tls else f"http://{ip}:{plain}"
    slug = slug_of(name)
    of_bench = OF_BENCH.format(admin=admin, slug=slug)
    (folder / "state").mkdir(exist_ok=True)
    config = folder / f"{slug}.yaml"
    config.write_text(
        f"""\
server:
  http_port: {plain}
  vision_explain: "{public}/mcp/vision/explain"
  websocket: "ws://127.0.0.1:8000/xiaozhi/v1/"
log: {{log_dir: logs/{slug}, log_file: server.log, log_level: INFO}}
gateway:
  ip: {ip}
  ports: [{plain}, {tls}]
  tls: {{mode: files, certificates: [{{cert: certs/{key}.pem, key: certs/{key}.key}}]}}
  firmware: {{dir: data/bin}}
{more}{of_bench}"""
    )
    # An older build has no such keys, and refuses them.
    if subprocess.run([str(binary), "validate", config.name], cwd=folder, capture_output=True).returncode:
        config.write_text(config.read_text().removesuffix(of_bench))
    command = [str(binary), "--config", config.name]
    return start(name, command, folder, plain, tls, [folder / "logs" / slug], ip=ip)


def slug_of(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def constant(reply: bytes, path: str = CHECKIN_PATH) -> str:
    """An Nginx location that answers every check-in with the same bytes."""
    return (
        f"location = {path} {{\n            default_type application/json;\n"
        f"            return 200 {quoted(reply)};\n        }}"
    )


def start_nginx(
    folder: Path,
    key: str,
    answers: Callable[[int, int], str],
    *,
    name: str = NGINX,
    upstream: str = "",
    connections: int = 0,
) -> Server:
    """Nginx as it comes, but for TLS 1.3, which 1.22 leaves off unless asked, and room for so
    many `connections` in each worker, where its own 512 are too few. `answers` makes the
    location of check-ins, for the two ports."""
    plain, tls = free_ports(2)
    temporary = "\n".join(
        f"    {kind}_temp_path {folder}/nginx-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    (folder / "nginx.conf").write_text(
        f"""\
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes auto;
{f"worker_rlimit_nofile {files};" if connections else ""}
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{
    {f"worker_connections {connections};" if connections else ""}
}}
http {{
{temporary}
    access_log {folder}/nginx-access.log;
    sendfile on;
    {upstream}
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/certs/{key}.pem;
        ssl_certificate_key {folder}/certs/{key}.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        {answers(plain, tls)}
        location /xiaozhi/ota/download/ {{
            default_type application/octet-stream;
            alias {folder}/data/bin/;
        }}
    }}
}}
"""
    )
    command = [program("nginx"), "-e", f"{folder}/nginx-error.log", "-p", str(folder), "-c", "nginx.conf"]
    return start(name, command, folder, plain, tls, [folder / "nginx-access.log"])


def start_behind(folder: Path, key: str, connections: int) -> Server:
    """Nginx that keeps connections to an aiohttp handler (stand_in.py), one process as
    xiaozhi-server is."""
    [port] = free_ports(1)
    said = folder / "stand-in.stderr"
    command = [python_with_aiohttp() or sys.executable, str(HERE / "stand_in.py"), str(port)]
    command += [str(folder / "data/bin"), str(folder / "stand-in.log")]
    with said.open("wb") as stderr:
        handler = spawn(command, stdout=stderr, stderr=stderr)
    try:
        await_port(port, handler, "aiohttp", said)
        location = (
            f"location = {CHECKIN_PATH} {{\n            proxy_pass http://behind;\n"
            "            proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n        }"
        )
        upstream = f"upstream behind {{ server 127.0.0.1:{port}; keepalive 64; }}"
        server = start_nginx(
            folder, key, lambda _plain, _tls: location, name=BEHIND, upstream=upstream, connections=connections
        )
    except BaseException:
        stop(handler)
        raise
    server.behind.append(handler)
    return server


def python_with_aiohttp() -> str | None:
    """An interpreter that has aiohttp: this one, or Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if Path(python).exists() and not subprocess.run([python, "-c", "import aiohttp"], capture_output=True).returncode:
            return python
    return None


def start_haproxy(folder: Path, key: str, reply: bytes) -> Server:
    """HAProxy as the fastest that answers by itself: two threads, a line for each request."""
    plain, tls = free_ports(2)
    (folder / "haproxy.pem").write_text(
        (folder / f"certs/{key}.pem").read_text() + (folder / f"certs/{key}.key").read_text()
    )
    (folder / "haproxy-reply").write_bytes(reply)
    (folder / "haproxy.cfg").write_text(
        f"""\
global
    nbthread 2
    maxconn 4000
    log stdout format raw local0 info
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    log global
    option httplog
    timeout client 30s
    timeout connect 5s
    timeout server 30s
    timeout http-request 10s
frontend bench
    bind 127.0.0.1:{plain}
    bind 127.0.0.1:{tls} ssl crt {folder}/haproxy.pem alpn http/1.1
    http-request return status 200 content-type application/json file {folder}/haproxy-reply if {{ path {CHECKIN_PATH} }}
"""
    )
    command = [program("haproxy"), "-db", "-f", "haproxy.cfg"]
    log = folder / "haproxy-access.log"
    return start(HAPROXY, command, folder, plain, tls, [log], stdout=log)


def quoted(reply: bytes) -> str:
    """Our reply as an Nginx string of the same size. Nginx cannot escape a '$'."""
    text = reply.decode().replace("$", "S")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def start(
    name: str,
    command: list[str],
    folder: Path,
    plain: int,
    tls: int,
    logs: list[Path],
    *,
    stdout: Path = Path(os.devnull),
    ip: str = "127.0.0.1",
    env: dict[str, str] | None = None,
) -> Server:
    said = folder / f"{re.sub(r'[^A-Za-z]+', '-', name)}.stderr"
    with said.open("wb") as stderr, stdout.open("wb") as out:
        process = spawn(command, cwd=folder, stdout=out, stderr=stderr, env=env)
    server = Server(name, plain, tls, process, logs, said)
    try:
        for port in (plain, tls):
            await_port(port, process, name, said, ip)
    except BaseException:
        server.stop()
        raise
    return server


def await_port(
    port: int, process: subprocess.Popen, name: str, said: Path, ip: str = "127.0.0.1", patience: int = 15
) -> None:
    deadline = time.monotonic() + patience
    while not accepts(ip, port):
        if process.poll() is not None or time.monotonic() > deadline:
            why = "ended at once" if process.poll() is not None else f"does not listen on {port}"
            raise BenchError(f"{name} {why}:\n{said.read_text(errors='replace')[-800:]}")
        time.sleep(0.05)


def spawn(command: list[str], **options) -> subprocess.Popen:
    """A child in its own session (Ctrl-C is ours to handle) that ends when we do, even
    if we are killed."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        **options,
    )


def stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what is left of its session
    except ProcessLookupError:
        pass
    process.wait()


def program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise BenchError(f"{name} is not installed")
    return found


# --- Talking to them


def exchange(
    port: int, request: bytes, context: ssl.SSLContext | None = None, ip: str = "127.0.0.1"
) -> tuple[bytes, bytes, bytes | None]:
    """Sends one request; returns the reply's head, its body and the peer's certificate."""
    certificate = None
    with socket.create_connection((ip, port), timeout=10) as raw:
        stream = context.wrap_socket(raw, server_hostname="localhost") if context else raw
        with stream:
            if context:
                certificate = stream.getpeercert(True)
            stream.sendall(request)
            head, body = read_reply(stream)
    return head, body, certificate


def read_reply(stream: socket.socket) -> tuple[bytes, bytes]:
    """The head of a reply, and its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += receive(stream)
    head, _, body = received.partition(b"\r\n\r\n")
    parts, have, length = [body], len(body), content_length(head)
    while have < length:
        parts.append(receive(stream))
        have += len(parts[-1])
    return head, b"".join(parts)


def receive(stream: socket.socket) -> bytes:
    data = stream.recv(256 * 1024)
    if not data:
        raise BenchError("the connection was closed before the end of the reply")
    return data


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BenchError(f"a reply without Content-Length: {head!r}")


def accepts(ip: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ip, port)) == 0


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


# As it is said now, and was before.
LEFT_OUT = re.compile(r"\blines=(\d+)|left out within \d+ s: (\d+)|(\d+) lines of \d+ bytes were left out")


def count_left_out(path: Path) -> int:
    """What our own log tells of lines that it does not hold (`log.…`, with their number)."""
    with path.open(errors="replace") as file:
        said = (LEFT_OUT.search(line) for line in file if " event=log." in line)
        return sum(int(match[match.lastindex]) for match in said if match)
