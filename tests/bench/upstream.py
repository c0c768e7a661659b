"""Row j: check-ins in upstream mode, beside Nginx that passes the same on to the same server."""

from contextlib import ExitStack
from dataclasses import dataclass

from by_request import await_offer, look, measure
from load import Row, Wrk
from machine import say
from outcome import Bench, Figure, Outcome
from servers import CHECKIN_PATH, NGINX, constant, start_nginx

BEHIND = "the server behind"
# What manager-api answers a device that is bound, and has updates on.
REPLY = (
    b'{"server_time":{"timestamp":1700000000123,"timeZone":"Asia/Shanghai","timezone_offset":480},'
    b'"firmware":{"version":"1.0.0","url":"http://xiaozhi.server.com:8002/xiaozhi/otaMag/download/'
    b'NOT_ACTIVATED_FIRMWARE_THIS_IS_A_INVALID_URL"},'
    b'"websocket":{"url":"ws://192.168.1.25:8000/xiaozhi/v1/","token":"0123456789abcdef0123456789abcdef"}}'
)
PASSED_ON = (
    f"location = {CHECKIN_PATH} {{\n            proxy_pass http://behind;\n"
    "            proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n"
    "            proxy_set_header X-Forwarded-For $remote_addr;\n        }"
)
ROW = Row("j", "upstream", "check-in passed on, kept alive, plain", 32, {NGINX: 1.2})


@dataclass(frozen=True)
class Upstream:
    """Row j."""

    letter: str = ROW.letter
    name: str = ROW.name
    work: str = ROW.work

    def measure(self, bench: Bench, outcome: Outcome, stack: ExitStack) -> None:
        options = bench.options
        # An Nginx of its own, in a folder of its own: it answers both alike, and counts for neither.
        apart = bench.folder / "behind"
        apart.mkdir()
        for shared in ("certs", "data"):
            (apart / shared).symlink_to(bench.folder / shared)
        behind = start_nginx(apart, ROW.key, lambda _plain, _tls: constant(REPLY), name=BEHIND)
        stack.callback(behind.stop)
        there = f"127.0.0.1:{behind.plain}"
        more = f"  upstream: {{url: 'http://{there}{CHECKIN_PATH}', kind: manager-api}}\n"
        servers = bench.start_ours(stack, ROW.key, more=more)
        offer = await_offer(servers[0])
        pool = f"upstream behind {{ server {there}; keepalive 32; }}"
        servers.append(start_nginx(bench.folder, ROW.key, lambda _plain, _tls: PASSED_ON, upstream=pool))
        stack.callback(servers[-1].stop)
        lengths = [len(offer)] * (len(servers) - 1) + [len(REPLY)]
        sizes = {server.name: look(server, ROW, bench, length) for server, length in zip(servers, lengths)}
        wrk = Wrk(bench.folder, options.tls)
        cost = Figure("CPU an operation", "µs", ratios=dict(ROW.goals))
        for number in range(options.runs + 1):
            for server in servers:
                sample = measure(server, ROW, wrk, options.seconds, sizes[server.name])
                say(f"  {server.name:<12} {cost.show(sample.cost)} us/op {sample.rate:,.0f} op/s")
                if number:
                    cost.add(server.name, sample.cost)
                    outcome.foreign = max(outcome.foreign, sample.foreign)
        outcome.figures = [cost]
