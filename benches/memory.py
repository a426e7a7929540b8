#!/usr/bin/env python3
"""Peak resident memory of `subtend run`, with the servers in another process.

    cargo build --release && benches/memory.py [--size 32] [ENTITIES …]

For each number of entities (20 and 200 by default) it serves a practice network with
`subtend lab`, runs `subtend run --json` against it, checks that all were delivered, and prints the
peak resident memory of the run beside its bound. Ends with 1 if a bound does not hold.
"""

import argparse
import json
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile

BINARY = pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / "subtend"
MIB = 1 << 20
# Beyond `memory`, in bytes, by number of entities.
BOUNDS = {20: 24 * MIB, 200: 40 * MIB}


def free_ports(count):
    """Ports that are free now; held together, so that none is given twice."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def inventory(entities, memory, size):
    server, *ports = free_ports(entities + 1)
    lines = [
        f"memory: {memory}",
        "buffer_size: 256 KiB",
        f"file_servers: {{ hq: {{ url: 'ftp://127.0.0.1:{server}' }} }}",
        "images: { image: { file: image.bin, type: adsl, version: '2' } }",
        "defaults: { path: /flash/image.bin }",
        "entities:",
    ]
    for number, port in enumerate(ports):
        lines.append(
            f"  - {{ name: e{number:04}, type: adsl, version: '1', address: '127.0.0.1:{port}' }}"
        )
    lines += [
        "groups: { all: { select: { type: adsl }, image: image, source: { file_server: hq } } }",
        f"x-lab: {{ images: {{ image: {{ size: {size} }} }} }}",
    ]
    return "\n".join(lines) + "\n"


def high_water(process):
    """Peak resident bytes so far, 0 once it has ended. What the operating system says of a process
    that was waited for would count this script's own memory too, which it had before it became
    another program."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def measure(entities, memory, size):
    """Peak resident bytes of one run, and its summary."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "inventory.yaml"
        file.write_text(inventory(entities, memory, size))
        lab = subprocess.Popen(
            [BINARY, "lab", "-i", file], stdout=subprocess.PIPE, text=True
        )
        try:
            for line in lab.stdout:
                if line.startswith("serving"):
                    break
            else:
                sys.exit("the lab did not start")
            run = subprocess.Popen(
                [BINARY, "run", "--all", "--json", "-i", file], stdout=subprocess.PIPE, text=True
            )
            peak, last = 0, ""
            for line in run.stdout:
                peak, last = max(peak, high_water(run.pid)), line
            status = run.wait()
        finally:
            lab.send_signal(signal.SIGTERM)
            lab.wait()
    return peak, status, json.loads(last)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("entities", nargs="*", type=int, default=[20, 200])
    arguments.add_argument("--size", type=int, default=32, help="MiB of the image")
    arguments.add_argument("--memory", type=int, default=8, help="MiB of the pools")
    options = arguments.parse_args()
    # A lab of hundreds of servers and their sessions needs many files.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    failed = False
    print(f"{'entities':>8} {'memory':>8} {'peak':>9} {'beyond':>9} {'bound':>7} {'seconds':>8}")
    for entities in options.entities:
        memory, size = options.memory * MIB, options.size * MIB
        peak, status, summary = measure(entities, memory, size)
        delivered = summary["delivered_bytes"] == entities * size and status == 0
        bound = BOUNDS.get(entities)
        holds = delivered and (bound is None or peak - memory <= bound)
        failed |= not holds
        print(
            f"{entities:>8} {memory / MIB:>4.0f} MiB {peak / MIB:>5.1f} MiB"
            f" {(peak - memory) / MIB:>5.1f} MiB {bound / MIB if bound else 0:>3.0f} MiB"
            f" {summary['seconds']:>8.2f}  {'' if holds else 'FAILED'}"
            f"{'' if delivered else ', not all delivered'}"
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
