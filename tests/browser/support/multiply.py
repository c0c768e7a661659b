"""Writes many devices into the store of a server that has ended, each like one that it knows.

usage: multiply.py STORE MAC NUMBER
"""

import sqlite3
import sys

# Bit of `flags` (src/fleet/database/row.rs): a device that came more than once.
SETTLED = 2


def main() -> None:
    store, mac, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with sqlite3.connect(store) as database:
        columns = [line[1] for line in database.execute("PRAGMA table_info(device)")]
        source = b"\x01" + bytes.fromhex(mac.replace(":", ""))
        row = database.execute("SELECT * FROM device WHERE id = ?", (source,)).fetchone()
        model = dict(zip(columns, row))
        model["flags"] |= SETTLED
        model["boots"] = 2

        def each():
            for count in range(number):
                part = count.to_bytes(3, "big")
                identity = {"id": b"\x01\x34\x85\x18" + part, "client": b"c" * 13 + part}
                yield list({**model, **identity}.values())

        places = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO device VALUES ({places})", each())
        total = database.execute("SELECT count(*) FROM device").fetchone()
        database.execute("UPDATE meta SET value = ? WHERE name = 'devices'", total)


main()
