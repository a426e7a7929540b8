#!/usr/bin/env python3
"""Devices that fetch, beside nginx: the same image to the same clients, which throw it away.

    cargo build --release
    benches/fetch.py [--clients 200] [--size 64] [--rounds 3]
    benches/fetch.py --ssh

curl stands for the devices; with subtend a step of the procedure starts it, with nginx this script does. Shown are the
seconds of the clock, and the processor seconds of the server alone per GiB that it served, the median of the rounds
and the ratio. subtend reads its source, computes the image's SHA-256 and carries out the steps in that time; nginx
has the file in the page cache. Needs curl and nginx.

With --ssh the devices are those of the practice network, in a process of its own: each is logged in to over SSH, takes
the order there, fetches by a client of its own, and shows the SHA-256 of what it has, which is compared. Its file
server is the practice network's too. All of them must have the image, and the pools be within the memory.
"""

import argparse
import json
import os
import re
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


def memory(pid):
    """The most bytes that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def over_ssh(folder, clients, size):
    """The summary of a run, what it took of processor and memory, and the seconds until the last one began to fetch."""
    source, door = free_port(), free_port()
    devices = "\n".join(
        f'  - {{ name: d{number:03}, type: t, version: "1", address: 127.0.1.{number} }}'
        for number in range(1, clients + 1)
    )
    text = f"""memory: 8 MiB
serve: {{ http: "127.0.0.1:0" }}
credentials: {{ craft: {{ user: craft, password: {{ env: SUBTEND_BENCH }} }} }}
defaults: {{ credentials: craft, path: /flash/image.bin }}
file_servers: {{ hq: {{ url: "ftp://127.0.0.1:{source}/" }} }}
images: {{ a: {{ file: a.bin, type: t, version: "2" }} }}
types: {{ t: {{ procedure: p, deliver: fetch }} }}
procedures:
  p:
    session: {{ ssh: {door}, prompt: '> $', host_key: "KEY" }}
    before: [ {{ send: show version, expect: 'Version (?<version>\\S+)', is: "{{previous}}", safe: true }} ]
    fetch:
      - {{ send: "fetch {{url}} {{path}}", expect: '^OK', fetch: true, within: 10m }}
      - {{ send: "checksum {{path}}", expect: '^(?<sum>[0-9a-f]{{64}}) ', is: "{{sha256}}", proves: digest, within: 5m }}
entities:
{devices}
groups: {{ g: {{ image: a, source: {{ file_server: hq }}, select: {{ type: t }}, retries: 0 }} }}
x-lab:
  images: {{ a: {{ size: {size} MiB }} }}
  entities: {{ "d*": {{ cli: {{ ssh: {door}, dialect: banks }} }} }}
"""
    # Each of them shows the same one, of which nobody knows before.
    (folder / "site.yaml").write_text(text.replace("KEY", "SHA256:" + 43 * "A"))
    lab = subprocess.Popen(
        [SUBTEND, "lab", "-i", folder / "site.yaml"], stdout=subprocess.PIPE, text=True
    )
    try:
        said = ""
        while not said.endswith("Ctrl-C to stop\n"):
            line = lab.stdout.readline()
            said += line or sys.exit(f"the practice network does not serve: {said}")
        key = re.search(r"SHA256:[\w+/]+", said)
        (folder / "site.yaml").write_text(text.replace("KEY", key.group()))
        run = subprocess.Popen(
            [SUBTEND, "run", "-i", folder / "site.yaml", "--all", "--json", "--state-dir", folder / "state", "--force"],
            stdout=subprocess.PIPE,
            env={**os.environ, "SUBTEND_BENCH": "sesame"},
        )
        used, most, began, late, last = 0.0, 0, time.monotonic(), 0.0, b""
        for line in run.stdout:
            last = line
            # One that has ended has no memory.
            used, most = processor(run.pid), max(most, memory(run.pid))
            event = json.loads(line)
            if event["event"] == "state" and event["state"] == "fetching":
                late = time.monotonic() - began
        run.wait()
    finally:
        lab.terminate()
        lab.wait()
    return json.loads(last), used, most, late


def main_over_ssh(folder, args):
    for _ in range(args.rounds):
        summary, used, most, late = over_ssh(folder, args.clients, args.size)
        group = summary["groups"][0]
        have = [one for one in group["entities"] if one["state"] == "delivered" and one["verified"] == "digest"]
        for one in [one for one in group["entities"] if one not in have][:3]:
            print(one["entity"], one["state"], one["cause"])
        read, pool = summary["source_bytes"] / (args.size << 20), summary["peak_pool_bytes"]
        print(
            f"{len(have)} of {args.clients} have it, in {group['seconds']:.1f} s, the last one began after {late:.1f} s; "
            f"read {read:.2f} times in {group['passes']} passes; pools at most {pool / (1 << 20):.1f} MiB, the process "
            f"{most / (1 << 20):.0f} MiB and {used:.1f} processor seconds"
        )
        if len(have) < args.clients or pool > summary["memory"]:
            sys.exit(1)


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
    parser.add_argument("--ssh", action="store_true", help="devices of the practice network, by steps over SSH")
    args = parser.parse_args()
    gib = args.clients * args.size / 1024
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if args.ssh:
            return main_over_ssh(folder, args)
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
