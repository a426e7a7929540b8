#!/usr/bin/env python3
"""Devices that fetch over TFTP, beside other servers: the same image to atftp, which asks for blocks of 1428 bytes and
windows of 16 of them (RFC 7440), with and without packets that are lost on the way.

    cargo build --release; .ci/servers
    benches/tftp.py [--size 64] [--lossy 8] [--loss 1] [--rounds 3]

tftpd-hpa knows no windows, and atftpd does. Packets are lost in a relay of this script, in both directions, and not the
same ones in each round; requests always arrive. An image of `--lossy` MiB goes over it: a server that waits for a
second after each loss takes minutes for more. Shown are the MiB a second of the client alone, the median of the
rounds, and how often subtend is as fast as another. Needs root, for tftpd-hpa.
"""

import argparse
import os
import random
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from common import free_ports

ROOT = Path(__file__).resolve().parent.parent
SUBTEND = ROOT / "target/release/subtend"
BROUGHT = ROOT / "target/servers/debian"
OPTIONS = ["--option", "blksize 1428", "--option", "windowsize 16"]
# Of one transfer.
LONGEST = 900


def program(name):
    path = [str(BROUGHT / folder) for folder in ("usr/sbin", "usr/bin")]
    found = shutil.which(name, path=os.pathsep.join([*path, os.environ["PATH"], "/usr/sbin"]))
    return found or sys.exit(f"{name} is not installed (.ci/servers does that)")


class Relay:
    """Where clients ask instead of at `server`; one packet in a hundred, or as many as that, is lost."""

    def __init__(self, server, loss, seed):
        self.server, self.loss, self.chance = ("127.0.0.1", server), loss / 100, random.Random(seed)
        self.front = self.socket()
        self.port = self.front.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ, self.asked)
        self.stop, self.over = socket.socketpair()
        self.selector.register(self.over, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def socket(self):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.setblocking(False)
        return one

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                key.data()

    def asked(self):
        request, client = self.front.recvfrom(65536)
        near, far = self.socket(), self.socket()
        near.connect(client)
        transfer = []

        def down():
            for packet, sender in packets(far):
                transfer[:] = [sender]
                self.passed(near.send, packet)

        def up():
            for packet, _ in packets(near):
                if transfer:
                    self.passed(lambda packet: far.sendto(packet, transfer[0]), packet)

        self.selector.register(far, selectors.EVENT_READ, down)
        self.selector.register(near, selectors.EVENT_READ, up)
        far.sendto(request, self.server)

    def passed(self, send, packet):
        if self.chance.random() >= self.loss:
            try:
                send(packet)
            except OSError:
                # The other side has gone: as lost as any.
                pass

    def close(self):
        self.stop.send(b"x")
        self.thread.join()


def packets(one):
    for _ in range(64):
        try:
            yield one.recvfrom(65536)
        except OSError:
            return


def client(folder, port, name):
    """The command of a client that fetches, as a list."""
    got = folder / "got"
    return [program("atftp"), *OPTIONS, "-g", "-r", name, "-l", str(got), "127.0.0.1", str(port)]


def same(folder):
    if (folder / "got").read_bytes() != (folder / "files/a.bin").read_bytes():
        sys.exit("what was fetched is not the image")


def with_other(name, command):
    def way(folder, loss, seed):
        (port,) = free_ports(1)
        log = open(folder / f"{name}.log", "w")
        server = subprocess.Popen(command(port, folder / "files"), stdout=log, stderr=log)
        relay = None
        try:
            # It has no connections to be tried: it is there when it has the port.
            while f":{port:04X} " not in Path("/proc/net/udp").read_text():
                time.sleep(0.02)
            relay = Relay(port, loss, seed) if loss else None
            began = time.monotonic()
            asked = client(folder, relay.port if relay else port, "a.bin")
            subprocess.run(asked, check=True, capture_output=True, timeout=LONGEST)
            return time.monotonic() - began
        finally:
            if relay:
                relay.close()
            server.terminate()
            server.wait()

    return way


def hpa(port, files):
    listens = ["--foreground", "--listen", "--address", f"127.0.0.1:{port}"]
    return [program("in.tftpd"), *listens, "--user", "nobody", "--secure", str(files)]


def atftpd(port, files):
    listens = ["--daemon", "--no-fork", "--bind-address", "127.0.0.1", "--port", str(port)]
    return [program("atftpd"), *listens, "--user", "nobody.nogroup", "--logfile", "-", str(files)]


def with_subtend(folder, loss, seed):
    (port,) = free_ports(1)
    relay = Relay(port, loss, seed) if loss else None
    asked = client(folder, relay.port if relay else port, "{file}")
    # The step takes the time, of the client alone.
    script = 'began=$(date +%s%N); "$@" >/dev/null 2>&1 || exit 1; echo $(($(date +%s%N) - began)) >took'
    words = ["sh", "-c", f"cd {folder}; {script}", "sh", *asked]
    (folder / "site.yaml").write_text(
        f"""memory: 8 MiB
serve: {{ tftp: "127.0.0.1:{port}" }}
file_servers: {{ hq: {{ url: "file://{folder}/files" }} }}
images: {{ a: {{ file: a.bin, type: t, version: "2" }} }}
types: {{ t: {{ procedure: p, deliver: fetch }} }}
procedures: {{ p: {{ fetch: [ {{ exec: {quoted(words)}, fetch: true, within: 15m }} ] }} }}
entities: [ {{ name: d, type: t, version: "1", address: 127.0.0.1, path: /a.bin }} ]
groups: {{ g: {{ image: a, source: {{ file_server: hq }}, select: {{ type: t }}, retries: 0 }} }}
"""
    )
    run = [SUBTEND, "run", "-i", folder / "site.yaml", "--all", "--json", "--state-dir", folder / "state", "--force"]
    try:
        ended = subprocess.run(run, capture_output=True, text=True)
    finally:
        if relay:
            relay.close()
    if ended.returncode:
        sys.exit(ended.stdout + ended.stderr)
    return int((folder / "took").read_text()) / 1e9


def quoted(words):
    return "[" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + "]"


WAYS = {"subtend": with_subtend, "tftpd-hpa": with_other("hpa", hpa), "atftpd": with_other("atftpd", atftpd)}


def measured(args, folder, size, loss):
    (folder / "files/a.bin").write_bytes(os.urandom(size << 20))
    (folder / "files/a.bin").chmod(0o644)
    rates = {name: [] for name in WAYS}
    for number in range(args.rounds):
        for name, way in WAYS.items():
            (folder / "got").unlink(missing_ok=True)
            took = way(folder, loss, number + 1)
            same(folder)
            rates[name].append(size / took)
    middle = {name: statistics.median(all) for name, all in rates.items()}
    print(f"{size} MiB, {loss:g} % lost: " + ", ".join(f"{name} {rate:.2f} MiB/s" for name, rate in middle.items()))
    for name, rate in middle.items():
        if name != "subtend":
            print(f"  subtend is {middle['subtend'] / rate:.2f} times as fast as {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="MiB where nothing is lost")
    parser.add_argument("--lossy", type=int, default=8, help="MiB where packets are lost")
    parser.add_argument("--loss", type=float, default=1.0, help="packets in a hundred")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        (folder / "files").chmod(0o755)
        measured(args, folder, args.size, 0)
        measured(args, folder, args.lossy, args.loss)


if __name__ == "__main__":
    main()
