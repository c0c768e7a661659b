"""Has runc run the image as it is meant to: usage: bundle.py FOLDER ROOT USER GROUP"""

import json
import sys
from pathlib import Path

folder, root = Path(sys.argv[1]), sys.argv[2]
file = folder / "bundle/config.json"
spec = json.loads(file.read_text())
spec["root"] = {"path": root, "readonly": True}
process = spec["process"]
process |= {
    "terminal": False,
    "user": {"uid": int(sys.argv[3]), "gid": int(sys.argv[4])},
    "args": ["/usr/bin/xiaozhi-ota"],
    "cwd": "/srv/xiaozhi-ota",
    "env": ["STATE_DIRECTORY=/srv/xiaozhi-ota", "PATH=/usr/bin", "PUID=1026", "PGID=100"],
    "capabilities": {kind: [] for kind in process["capabilities"]},
    "noNewPrivileges": True,
}
spec["mounts"] += [
    {
        "destination": f"/srv/xiaozhi-ota/{name}",
        "type": "bind",
        "source": str(folder / name),
        "options": ["rbind", *how],
    }
    for name, how in (("data", ["ro"]), ("state", []), ("certs", []))
]
spec["linux"]["resources"] = {"memory": {"limit": 128 << 20}}
file.write_text(json.dumps(spec))
