"""In a network namespace of its own, and an empty root: the program starts, resolves a name, and
answers. usage: in_a_network.py ROOT PROGRAM [ARGUMENT ...]"""

import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 1, 0x40
NAME = "ota.test.example"


def answer_names(server: socket.socket) -> None:
    """Says of every name that it is at 127.0.0.1, and that it has no IPv6 address."""
    while True:
        asked, who = server.recvfrom(512)
        end = 12
        while asked[end]:
            end += asked[end] + 1
        [kind] = struct.unpack(">H", asked[end + 1 : end + 3])
        found = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if kind == 1 else b""
        head = asked[:2] + b"\x81\x80\0\1" + struct.pack(">H", 1 if found else 0) + bytes(4)
        server.sendto(head + asked[12 : end + 5] + found, who)


def main(root: str, program: list[str]) -> None:
    with socket.socket() as any_socket:
        up = struct.pack("16sh", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, up)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    threading.Thread(target=answer_names, args=(names,), daemon=True).start()

    def run(*arguments: str, **how):
        inside = {"cwd": "/", "env": {"TZ": "Asia/Shanghai", "LC_ALL": "C"}, "stderr": subprocess.STDOUT}
        enter = lambda: os.chroot(root)  # noqa: E731
        return subprocess.Popen([*program, *arguments], preexec_fn=enter, stdout=subprocess.PIPE, text=True, **inside, **how)

    begun = time.time()
    server = run()
    said = []
    for line in server.stdout:
        said.append(line)
        if "event=admin.listening" in line or "event=admin.off" in line:
            break
    else:
        sys.exit(f"it did not start: {''.join(said)}")
    hour = time.strftime("%H", time.gmtime(begun + 8 * 3600))
    assert re.match(rf"\d{{4}}-\d\d-\d\d {hour}:", said[0]), f"no time zone: {said[0]}"
    threading.Thread(target=server.stdout.read, daemon=True).start()
    probe = run("probe", "--json", f"http://{NAME}:8003/xiaozhi/ota/")
    seen = json.loads(probe.communicate()[0])
    text = json.dumps(seen)
    assert f"{NAME} = 127.0.0.1" in text, text
    assert any(step["step"] == "check" and step["verdict"] != "fail" for step in seen["steps"]), text
    server.terminate()
    assert server.wait(60) == 0
    print(f"static: started in {time.time() - begun:.1f} s in all, {NAME} resolved, Asia/Shanghai known")


main(sys.argv[1], sys.argv[2:])
