#!/usr/bin/env python3
"""Devices that fetch, beside nginx: the same image to the same clients, which throw it away.

    cargo build --release
    benches/fetch.py [--clients 200] [--size 64] [--rounds 3]

curl stands for the devices; with subtend a step of the procedure starts it, with nginx this script does. Shown are the
seconds of the clock, and the processor seconds of the server alone per GiB that it served, the median of the rounds
and the ratio. subtend reads its source, computes the image's SHA-256 and carries out the steps in that time; nginx
has the file in the page cache. Needs curl and nginx.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBTEND = ROOT / "target/release/subtend"
TICKS = os.sysconf("SC_CLK_TCK")


def processor(pid):
    """Processor seconds of a process, without those of its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def with_nginx(folder, clients):
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ sendfile on; access_log off; server {{ listen 127.0.0.1:{port}; root {folder}/source; }} }}\n"
    )
    server = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/a.bin"
    while subprocess.run(["curl", "-fsSI", url], capture_output=True).returncode:
        time.sleep(0.05)
    pids = [int(pid) for pid in subprocess.check_output(["pgrep", "-P", str(server.pid)]).split()]
    before, began = sum(map(processor, pids)), time.monotonic()
    running = [
        subprocess.Popen(["curl", "-fsS", "-o", "/dev/null", url]) for _ in range(clients)
    ]
    if any(one.wait() for one in running):
        sys.exit("a client of nginx failed")
    took = time.monotonic() - began
    used = sum(map(processor, pids)) - before
    server.terminate()
    server.wait()
    return took, used


def with_subtend(folder, clients):
    curl = shutil.which("curl")
    (folder / "site.yaml").write_text(
        f"""memory: 8 MiB
serve: {{ http: "127.0.0.1:0" }}
file_servers: {{ hq: {{ url: "file://{folder}/source" }} }}
images: {{ a: {{ file: a.bin, type: t, version: "2" }} }}
types: {{ t: {{ procedure: p }} }}
procedures:
  p:
    deliver: fetch
    fetch: [ {{ exec: [{curl}, -fsS, -o, /dev/null, "{{url}}"], fetch: true, within: 10m }} ]
entities: [ {{ name: "d[1-{clients}]", type: t, version: "1", address: "127.0.0.1:[1-{clients}]", path: /a.bin }} ]
groups: {{ g: {{ image: a, source: {{ file_server: hq }}, select: {{ type: t }} }} }}
"""
    )
    run = subprocess.Popen(
        [SUBTEND, "run", "-i", folder / "site.yaml", "--all", "--json", "--state-dir", folder / "state", "--force"],
        stdout=subprocess.PIPE,
    )
    used = 0.0
    last = b""
    for line in run.stdout:
        last = line
        used = processor(run.pid)
    run.wait()
    summary = json.loads(last)
    if summary["outcome"] != "delivered":
        sys.exit(last.decode())
    group = summary["groups"][0]
    return group["seconds"], used, summary["source_bytes"], group["passes"], summary["peak_pool_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--size", type=int, default=64, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    gib = args.clients * args.size / 1024
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "source").mkdir()
        (folder / "source/a.bin").write_bytes(os.urandom(args.size << 20))
        walls, costs = [], []
        for _ in range(args.rounds):
            wall, used = with_nginx(folder, args.clients)
            ours, cost, read, passes, pool = with_subtend(folder, args.clients)
            print(
                f"nginx {wall:.2f} s, {used / gib:.3f} s/GiB; subtend {ours:.2f} s, {cost / gib:.3f} s/GiB, "
                f"read {read / (args.size << 20):.2f} times in {passes} passes, pools at most {pool / (1 << 20):.1f} MiB"
            )
            walls.append(ours / wall)
            costs.append(cost / used if used else float("nan"))
        print(f"wall {statistics.median(walls):.2f} of nginx's, processor {statistics.median(costs):.2f}")


if __name__ == "__main__":
    main()
