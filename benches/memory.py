#!/usr/bin/env python3
"""Peak resident memory of `subtend run`, with the servers in another process.

    cargo build --release && benches/memory.py [--size 32] [--scheme sftp] [ENTITIES …]

For each number of entities (20 and 200 by default) it serves a practice network with
`subtend lab`, runs `subtend run --json` against it, checks that all were delivered, and prints the
peak resident memory of the run beside its bound. With `--scheme`, file server and entities are
spoken to in that protocol. Ends with 1 if a bound does not hold.
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
# Beyond `memory`, in bytes, by protocol and number of entities.
BOUNDS = {"ftp": {20: 24 * MIB, 200: 40 * MIB}, "sftp": {1000: 16 * MIB + 1000 * 96 * 1024}}
# That of every lab, as `subtend lab` shows it.
HOST_KEY = "SHA256:C8QydA9DB3KiVsCYz1ytEf3+ZZ6orha8tFlAzT5dIR0"
# What an entity needs in each protocol beside its address.
NEEDS = {"http": ", upload: put", "tftp": ", staging: direct"}


def free_ports(count):
    """Ports that are free now; held together, so that none is given twice."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def inventory(entities, memory, size, scheme):
    # Devices in their boot loader give nothing.
    source = "ftp" if scheme == "tftp" else scheme
    server, *ports = free_ports(entities + 1)
    lines = [
        f"memory: {memory}",
        "buffer_size: 256 KiB",
        f"file_servers: {{ hq: {{ url: '{source}://127.0.0.1:{server}' }} }}",
        "images: { image: { file: image.bin, type: adsl, version: '2' } }",
        f"defaults: {{ path: /flash/image.bin, host_key: '{HOST_KEY}' }}",
        "entities:",
    ]
    for number, port in enumerate(ports):
        lines.append(
            f"  - {{ name: e{number:04}, type: adsl, version: '1',"
            f" address: '{scheme}://127.0.0.1:{port}'{NEEDS.get(scheme, '')} }}"
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


def measure(binary, entities, memory, size, scheme):
    """Peak resident bytes of one run, and its summary."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "inventory.yaml"
        file.write_text(inventory(entities, memory, size, scheme))
        lab = subprocess.Popen(
            [binary, "lab", "-i", file], stdout=subprocess.PIPE, text=True
        )
        try:
            for line in lab.stdout:
                if line.startswith("serving"):
                    break
            else:
                sys.exit("the lab did not start")
            run = subprocess.Popen(
                [binary, "run", "--all", "--json", "-i", file], stdout=subprocess.PIPE, text=True
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
    arguments.add_argument("--scheme", default="ftp", choices=["ftp", "sftp", "http", "tftp"])
    arguments.add_argument("--binary", type=pathlib.Path, default=BINARY)
    options = arguments.parse_args()
    binary = options.binary.resolve()
    # A lab of hundreds of servers and their sessions needs many files.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    failed = False
    print(f"{'entities':>8} {'memory':>8} {'peak':>9} {'beyond':>9} {'bound':>7} {'seconds':>8}")
    for entities in options.entities:
        memory, size = options.memory * MIB, options.size * MIB
        peak, status, summary = measure(binary, entities, memory, size, options.scheme)
        delivered = summary["delivered_bytes"] == entities * size and status == 0
        bound = BOUNDS.get(options.scheme, {}).get(entities)
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
