#!/usr/bin/env python3
"""subtend beside what operators use today: curl in a loop, curl at once, tee, download and upload.

    cargo build --release && benches/compare.py [--runs 5] [--only ROW]… [BINARY]

The same image is brought to the same entities in each way, one way after the other in one run, and
every file that an entity then holds is checked by its SHA-256. Servers are other processes: vsftpd
where no entity has to misbehave, `subtend lab` where one has to. What is measured is the tool alone:
wall time, processor seconds (its own system calls included, with what the kernel does in them),
peak resident memory of its processes, and bytes read from the source. Prints tables in Markdown and
ends with 1 if a target is missed, a check does not hold, or a row was left out for want of vsftpd. One
round takes about a quarter of an hour on two cores. Needs curl, vsftpd, Python 3.9, and 5 GiB of space
in memory (/dev/shm, or --folder).
"""

import argparse
import collections
import contextlib
import ctypes
import datetime
import hashlib
import json
import os
import pathlib
import platform
import pty
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import reach
import rivals
from common import BINARY, KIB, MIB, Bench, Broken, Network, curl, curl_set_up, fetched, names, rate
from rivals import Site, Subtend, all_at_once, download_first, one_by_one, tee, tools

GIB = 1 << 30
LAGGARD_LIMIT = 2.0
# One who needs so many times as long as a run without trouble has hung.
HANGS = 4
RECEIVE = pathlib.Path("/proc/sys/net/ipv4/tcp_rmem")
# What the console takes as: draw all of it anew.
CTRL_L = "\x0c"
# One that moves the cursor, or sets colours.
SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


# ---------------------------------------------------------------- figures


class Figures:
    """Of one row: what each way took, round by round, and the targets."""

    def __init__(self):
        self.ways = collections.OrderedDict()
        self.targets = collections.OrderedDict()
        self.wrong, self.notes = [], []

    def took(self, way, took, delivered, bound):
        """`delivered`: bytes in all; `bound`: seconds, or None."""
        self.ways.setdefault(way, []).append((took, delivered, bound))

    def target(self, what, value, bound, unit=""):
        self.targets.setdefault((what, bound, unit), []).append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def missed(self):
        return [
            what
            for (what, bound, _), values in self.targets.items()
            if statistics.median(values) > bound
        ]


def sha256(file):
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while piece := stream.read(4 * MIB):
            digest.update(piece)
    return digest.hexdigest()


class Round:
    """One round of one row."""

    def __init__(self, bench, figures, number):
        self.bench, self.figures, self.number = bench, figures, number

    @property
    def first(self):
        return self.number == 1

    def way(self, label, way, site, size, bound=None, but=(), longest=rivals.LONGEST):
        """One way over one site, and the SHA-256 of every file but those of `but`."""
        site.forget()
        took = way(site, longest)
        wanted = self.bench.sha256_of(site.image)
        checked = [name for name in site.entities if name not in but]
        for name in checked if not took.hung else []:
            held = site.held(name)
            if not held.exists() or sha256(held) != wanted:
                self.figures.wrong.append(f"{label}: {name} does not hold the image")
        self.figures.took(label, took, size * len(checked), bound)
        return took


class Ground(Bench):
    """A folder for servers and images."""

    def __init__(self, binary, folder):
        super().__init__(binary, folder)
        self.sums = {}

    def made(self, size):
        """A file of random bytes."""
        file = self.folder / f"{size}.bin"
        if not file.exists():
            with open(file, "wb") as out:
                for _ in range(size // MIB):
                    out.write(os.urandom(MIB))
            file.chmod(0o644)
        return file

    def sha256_of(self, image):
        if image not in self.sums:
            self.sums[image] = sha256(image)
        return self.sums[image]

    @contextlib.contextmanager
    def site(self, size, entities, source_rate=0, entity_rate=0, **inventory):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            folder = pathlib.Path(folder)
            folder.chmod(0o755)
            site = Site(folder, self.made(size), entities, source_rate, entity_rate, **inventory)
            try:
                yield site
            finally:
                site.close()


class LabSite:
    """As `Site`, over a lab: what entities hold is fetched back."""

    def __init__(self, bench, network, size):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
        self.inventory = bench.write(network.text())
        self.source = network.source_url("hq", "image")
        self.entities = {name: network.url(name) for name in network.entities}


def own_network():
    """Moves this process, and all that it starts, to a network of its own: nothing else is on it,
    and its settings are nobody else's. `False` where that takes rights that we don't have."""
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
        return False
    return subprocess.run(["ip", "link", "set", "lo", "up"]).returncode == 0


@contextlib.contextmanager
def device_buffers(bench):
    """Connections take in no more than a small device would: on a large host the kernel's receive
    buffers swallow a whole image, and nobody notices that the program behind them has stopped."""
    if not bench.own_network:
        raise Broken("needs root, for a network of its own with the receive buffers of small devices")
    before = RECEIVE.read_text()
    RECEIVE.write_text("4096 65536 131072")
    try:
        yield
    finally:
        RECEIVE.write_text(before)


# ---------------------------------------------------------------- rows


def unshaped(bench, one, size=512 * MIB):
    """unshaped: 8 entities, 512 MiB, vsftpd, memory 16 MiB"""
    with bench.site(size, names(8), memory="16 MiB") as site:
        if one.first:
            one.way("a", one_by_one, site, size)
            one.way("b", all_at_once, site, size)
        c = one.way("c", tee, site, size)
        d = one.way("d", download_first, site, size)
        e = one.way("e", Subtend(bench.binary), site, size)
        site.write({"memory": "16 MiB", "buffer_size": "512 KiB"}, list(site.servers))
        one.way("e, 512 KiB buffers", Subtend(bench.binary), site, size)
    expect_read_once(one, e, size)
    one.figures.target("processor seconds a GiB / (c)", e.cpu / c.cpu, 0.25)
    one.figures.target("processor seconds a GiB / (d)", e.cpu / d.cpu, 0.7)
    one.figures.target("wall time / (c)", e.seconds / c.seconds, 0.5)


def expect_read_once(one, took, size):
    if took.read != size:
        one.figures.wrong.append(f"(e) read {took.read} bytes from the source, not {size}")


def shaped(one, measure, bound):
    """Seconds of one plain curl at a server's rate. vsftpd forgets its rate now and then, and nobody
    is faster than the link: such a measurement is taken again."""
    for _ in range(5):
        seconds = measure()
        if seconds >= 0.97 * bound:
            return seconds
        one.figures.note(f"a curl that took {seconds:.2f} s of {bound:.2f} was measured again")
    raise Broken("the server does not hold its rate")


def source_bound(bench, one, size=32 * MIB, at=8 * MIB):
    """source-bound: 20 entities, 32 MiB, source 8 MiB/s, vsftpd, memory 8 MiB"""
    with bench.site(size, names(20), source_rate=at, memory="8 MiB") as site:
        plain = shaped(one, lambda: curl(["-o", "/dev/null", site.source]), size / at)
        if one.first:
            one.way("a", one_by_one, site, size, size / at)
            one.way("b", all_at_once, site, size, size / at)
        one.way("c", tee, site, size, size / at)
        one.way("d", download_first, site, size, size / at)
        e = one.way("e", Subtend(bench.binary), site, size, size / at)
    expect_read_once(one, e, size)
    one.figures.target("wall time / one curl to /dev/null", e.seconds / plain, 1.05)


def entity_bound(bench, one, size=32 * MIB, at=4 * MIB):
    """entity-bound: 20 entities of 4 MiB/s, 32 MiB, vsftpd, memory 8 MiB"""
    with bench.site(size, names(20), entity_rate=at, memory="8 MiB") as site:
        upload = lambda: curl(["-T", site.image, site.entities["e01"]])
        plain = shaped(one, upload, size / at)
        if one.first:
            one.way("b", all_at_once, site, size, size / at)
        one.way("c", tee, site, size, size / at)
        one.way("d", download_first, site, size, size / at)
        e = one.way("e", Subtend(bench.binary), site, size, size / at)
    expect_read_once(one, e, size)
    one.figures.target("wall time / one curl -T", e.seconds / plain, 1.05)


def proof(bench, one, size=32 * MIB, at=8 * MIB):
    """proof: `verify: best`, which reads every copy back, beside `quick`: 8 entities of 8 MiB/s, 32 MiB, vsftpd"""
    with bench.site(size, names(8), entity_rate=at, memory="8 MiB") as site:
        quick = one.way("e, quick", Subtend(bench.binary), site, size, size / at)
        more = {"memory": "8 MiB", "defaults": {"verify": "best"}}
        site.write(more, list(site.servers))
        best = one.way("e, best", Subtend(bench.binary), site, size, size / at)
    expect_read_once(one, best, size)
    for took, unproven in ((quick, 8), (best, 0)):
        if took.summary["delivered_unproven"] != unproven:
            one.figures.wrong.append(f"{took.summary['delivered_unproven']} are unproven")
    # What was sent comes back twice, as fast: before it gets its name, and under it.
    one.figures.target("wall time, best / quick", best.seconds / quick.seconds, 3.1)
    one.figures.target("processor seconds, best / quick", best.cpu / quick.cpu, 6)


def pauses(bench, one, size=16 * MIB, at=8 * MIB):
    """pauses: 20 links that stop 400 ms every 2 s or so, 16 MiB, source 8 MiB/s, lab, memory 8 MiB"""
    with device_buffers(bench):
        pauses_on_devices(bench, one, size, at)


def pauses_on_devices(bench, one, size, at):
    network = Network(8 * MIB, 256 * KIB)
    network.server("hq", rate=rate(at))
    network.image("image", size)
    # At their own rate, the pause included, they take two seconds for as much.
    link = at * 5 // 4
    pause = {"pause": {"every": str(int(1.6 * link)), "for": "400ms"}, "random_pauses": True}
    network.add("image", names(20), rate=rate(link), **pause)
    network.group("all", "image", names(20), {"file_server": "hq"})

    def way(label, how):
        with bench.served(network.lab_text()):
            site = LabSite(bench, network, size)
            took = how(site)
            for name in names(20):
                if fetched(site.entities[name]) != bench.digest("image", size):
                    one.figures.wrong.append(f"{label}: {name} does not hold the image")
        one.figures.took(label, took, 20 * size, size / at)
        return took

    with bench.served(network.lab_text()):
        plain = curl(["-o", "/dev/null", network.source_url("hq", "image")])
    c, d = way("c", tee), way("d", download_first)
    e = way("e", Subtend(bench.binary))
    expect_read_once(one, e, size)
    one.figures.target("wall time / one curl to /dev/null", e.seconds / plain, 1.4)
    one.figures.note(
        f"(c) took {c.seconds / plain:.2f} × one curl, (d) {d.seconds / plain:.2f} ×"
    )


def silent(bench, one, size=32 * MIB, at=8 * MIB):
    """silent: one of 20 stopped by SIGSTOP at 40 %, 32 MiB, source 8 MiB/s, vsftpd, memory 2 MiB"""
    with device_buffers(bench):
        silent_on_devices(bench, one, size, at)


def silent_on_devices(bench, one, size, at):
    more = {
        "memory": "2 MiB",
        "defaults": {"timeouts": {"connect": "3s", "reply": "5s", "progress": "8s"}},
        "group": {"retries": 0},
    }
    others = names(19)
    with bench.site(size, others, source_rate=at, **more) as site:
        without = one.way("e without it", Subtend(bench.binary), site, size, size / at)
    base = max(without.ended.values())
    with bench.site(size, names(20), source_rate=at, **more) as site:
        stopped = []

        def stop():
            """Stops e20 when it has 40 % of the file, under whatever name."""
            while not stopped and not over.wait(0.01):
                files = list(site.servers["e20"].files.iterdir())
                with contextlib.suppress(OSError):
                    if files and files[0].stat().st_size >= 0.4 * size:
                        site.servers["e20"].signal(signal.SIGSTOP)
                        stopped.append(files[0].stat().st_size)

        def stopping(label, way, longest):
            stopped.clear()
            over.clear()
            watcher = threading.Thread(target=stop, daemon=True)
            site.forget()
            watcher.start()
            try:
                return one.way(label, way, site, size, size / at, ["e20"], longest)
            finally:
                over.set()
                watcher.join()
                site.servers["e20"].signal(signal.SIGCONT)

        over = threading.Event()
        if one.first:
            c = stopping("c", tee, HANGS * base)
            if c.hung:
                one.figures.note(f"(c) had not ended after {HANGS} × the time; it was killed")
        e = stopping("e", Subtend(bench.binary, may_fail=True), rivals.LONGEST)
        if not stopped:
            raise Broken("it was delivered before it could be stopped")
    missing = [name for name in others if name not in e.ended]
    if missing:
        raise Broken(f"not delivered: {', '.join(missing)}")
    states = {
        entity["entity"]: entity for group in e.summary["groups"] for entity in group["entities"]
    }
    if states["e20"]["state"] != "failed":
        one.figures.wrong.append(f"e20 is {states['e20']['state']}")
    last = max(e.ended[name] for name in others)
    one.figures.target("the 19, less the limit / without it", (last - LAGGARD_LIMIT) / base, 1.1)
    one.figures.note(f"e20: {states['e20']['cause']}")


def many_network(count, size=4 * MIB, lab=None, hq=None):
    network = Network(8 * MIB, 256 * KIB)
    network.server("hq", **(hq or {}))
    network.image("image", size)
    network.add("image", [f"e{number:04}" for number in range(1, count + 1)], **(lab or {}))
    network.group("all", "image", list(network.entities), {"file_server": "hq"})
    return network


def thousand(bench, one, size=4 * MIB):
    """many: 10, 100 and 1000 entities, 4 MiB, lab, memory 8 MiB"""
    # A run of a few entities is so short that one alone tells little.
    took = {
        count: [deliver_to(bench, one, count, size) for _ in range(times)]
        for count, times in ((10, 5), (100, 5), (1000, 2))
    }
    cpu = {count: statistics.median(e.cpu for e in runs) for count, runs in took.items()}
    memory = {count: statistics.median(e.memory for e in runs) for count, runs in took.items()}
    for count in took:
        beyond = memory[count] - 8 * MIB - 16 * MIB
        one.figures.target(f"{count} entities: resident memory beyond memory + 16 MiB, an entity",
                           max(beyond, 0) / count / KIB, 40, "KiB")
    ms = {count: 1000 * cpu[count] / count for count in cpu}
    # What differs by less than a tenth does not grow: so much is noise.
    one.figures.target("processor time an entity, 1000 / 100", ms[1000] / ms[100], 1.1)
    grown = [(memory[b] - memory[a]) / (b - a) / KIB for a, b in ((10, 100), (100, 1000))]
    one.figures.target("memory of one more entity, 100 to 1000 / 10 to 100",
                       grown[1] / max(grown[0], 0.1), 1.1)
    one.figures.note(
        "an entity: "
        + ", ".join(f"{count}: {ms[count]:.2f} ms" for count in ms)
        + f"; one more entity: {grown[0]:.1f} KiB up to 100, {grown[1]:.1f} KiB up to 1000"
    )


def deliver_to(bench, one, count, size):
    """One run to so many entities of a lab of its own."""
    network = many_network(count, size)
    with bench.served(network.lab_text()):
        site = LabSite(bench, network, size)
        e = Subtend(bench.binary)(site)
        sample = list(site.entities)[:: max(1, count // 20)]
        for name in sample:
            if fetched(site.entities[name]) != bench.digest("image", size):
                one.figures.wrong.append(f"{count}: {name} does not hold the image")
    if len(e.ended) != count:
        one.figures.wrong.append(f"{count}: {len(e.ended)} were delivered")
    one.figures.took(f"e, {count} entities", e, count * size, None)
    return e


def set_up(bench, one, size=MIB):
    """set-up: 20 entities that let 50 ms pass before each reply, lab"""
    network = many_network(20, size, {"latency": "50ms"})
    with bench.served(network.lab_text()):
        site = LabSite(bench, network, size)
        plain = curl(["-T", bench.made(size), list(site.entities.values())[0]])
        sending, begun = {}, time.monotonic()

        def note(event):
            if event["event"] == "state" and event["state"] == "sending":
                sending[event["entity"]] = time.monotonic() - begun

        e = Subtend(bench.binary, note)(site)
        for name in site.entities:
            if fetched(site.entities[name]) != bench.digest("image", size):
                one.figures.wrong.append(f"{name} does not hold the image")
    one.figures.took("e", e, 20 * size, None)
    first, last = min(sending.values()), max(sending.values())
    one.figures.target("seconds until the last of 20 is sent to", last, LAGGARD_LIMIT, "s")
    one.figures.target("the last / the first that is sent to", last / first, 1.5)
    one.figures.note(
        f"first {first:.2f} s, last {last:.2f} s; one curl -T needs {plain:.2f} s in all"
    )


def slow_connector(bench, one, size=16 * MIB, at=8 * MIB):
    """slow connector: one of 20 lets 1.5 s pass before each reply, 16 MiB, source 8 MiB/s, lab, memory 2 MiB"""
    without, _, _ = with_slow(bench, one, "e without it", names(19), size, at)
    base = max(without.ended.values())
    e, first_byte, alone = with_slow(bench, one, "e", names(20), size, at)
    last = max(e.ended[name] for name in names(19))
    one.figures.target("the 19, less the limit / without it", (last - LAGGARD_LIMIT) / base, 1.1)
    # One command more than curl sends is within it, two are not.
    one.figures.target("e20: time to its first byte / that of one curl -T", first_byte / alone, 1.25)
    one.figures.target("images read from sources", e.read / size, 2)
    one.figures.note(
        f"without e20 {base:.2f} s; with it the 19 had ended after {last:.2f} s; e20 had its first byte "
        f"after {first_byte:.2f} s (curl alone: {alone:.2f} s) and had ended after {e.ended['e20']:.2f} s"
    )


def with_slow(bench, one, label, members, size, at):
    """One run, in which e20, where it takes part, is slow. Gives what it took, when e20 had its first
    byte at the latest, and when it would have had that of a curl."""
    network = Network(2 * MIB, 64 * KIB, connect="10s", reply="10s")
    network.server("hq", rate=rate(at))
    network.image("image", size)
    network.add("image", names(19))
    if "e20" in members:
        network.add("image", ["e20"], latency="1500ms")
    network.group("all", "image", members, {"file_server": "hq"}, laggard_limit=f"{LAGGARD_LIMIT:.0f}s")
    sent, begun, alone = [], 0.0, None

    def note(event):
        if has_bytes("e20", event):
            sent.append(time.monotonic() - begun)

    with bench.served(network.lab_text()):
        site = LabSite(bench, network, size)
        if "e20" in members:
            alone = curl_set_up(site.entities["e20"])
        begun = time.monotonic()
        e = Subtend(bench.binary, note)(site)
        for name in members:
            if fetched(site.entities[name]) != bench.digest("image", size):
                one.figures.wrong.append(f"{label}: {name} does not hold the image")
    missing = [name for name in members if name not in e.ended]
    if missing:
        raise Broken(f"not delivered: {', '.join(missing)}")
    if "e20" in members and not sent:
        raise Broken("nothing told when e20 was sent to")
    one.figures.took(label, e, len(members) * size, size / at)
    return e, sent[0] if sent else None, alone


def has_bytes(entity, event):
    """Whether an event tells that it was sent some. That it is catching up is told before a byte of
    the second pass was read."""
    if event["event"] == "progress":
        return any(told["entity"] == entity and told["sent"] for told in event["entities"])
    return event["event"] == "state" and event["entity"] == entity and event["state"] == "confirming"


class Screen:
    """A program on a terminal of its own; what it draws is counted and thrown away."""

    def __init__(self, command, columns, rows):
        import fcntl
        import struct
        import termios

        self.drawn, self.text = 0, b""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.master = master
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError):
            while piece := os.read(self.master, 65536):
                self.drawn += len(piece)
                self.text = (self.text + piece)[-200_000:]

    def keys(self, text):
        os.write(self.master, text.encode())

    def until(self, wanted, longest=20):
        until = time.monotonic() + longest
        while wanted.encode() not in self.text:
            if time.monotonic() > until:
                raise Broken(f"the console does not show {wanted!r}: {self.text[-500:]!r}")
            time.sleep(0.02)

    def gauge(self, name, longest=20):
        """The percentage of a gauge of the watch page, from a picture that is drawn anew: other
        pictures are but what has changed."""
        clear, until = b"\x1b[2J", time.monotonic() + longest
        pictures = self.text.count(clear)
        self.keys(CTRL_L)
        while time.monotonic() < until:
            if self.text.count(clear) > pictures:
                text = SEQUENCE.sub(b" ", self.text.rsplit(clear, 1)[1]).decode(errors="replace")
                found = re.search(rf"transferring.*\b{name}\b\D*(\d+)%", text, re.DOTALL)
                if found:
                    return int(found[1])
            time.sleep(0.02)
        raise Broken(f"no gauge {name!r} on a watch page: {self.text[-500:]!r}")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def cpu_of(process):
    """Processor seconds of all of its threads so far. Ticks, as /proc tells them, are too coarse for
    a few thousandths of a core."""
    try:
        # The system's number for the processor clock of another process (CPUCLOCK_SCHED).
        return time.clock_gettime_ns((~process << 3) | 2) / 1e9
    except OSError as why:
        raise Broken(f"process {process} has ended: {why}") from None


def shares(seconds, *processes):
    """The share of a core that each takes, over the same seconds."""
    before, begun = [cpu_of(one) for one in processes], time.monotonic()
    time.sleep(seconds)
    after, took = [cpu_of(one) for one in processes], time.monotonic() - begun
    return [(late - early) / took for early, late in zip(before, after)]


def asked(bench, *words):
    """What a command prints."""
    command = [bench.binary, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        raise Broken(f"subtend {words[0]}: no answer in 30 s") from None
    if done.returncode:
        raise Broken(f"subtend {words[0]}: {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def engines(state):
    """The engine processes of a state directory: one at most, if all is well."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if b"engine" in words and os.fsencode(state) in words:
                found.append(int(file.parent.name))
    return found


@contextlib.contextmanager
def engine(bench, site):
    """An engine in a process of its own, which runs all groups and which nobody watches; gives its
    process. It is gone afterwards, whatever has happened."""
    state = site.folder / "state"
    where = ["-i", site.inventory, "--state-dir", state]
    try:
        asked(bench, "run", "--all", "--detach", *where)
        there = json.loads(asked(bench, "status", "--json", *where))["engine"]
        if not there or engines(state) != [there["process"]]:
            raise Broken(f"status tells of {there}, and there are {engines(state)}")
        yield there["process"]
        if not engines(state):
            raise Broken("the engine has ended while it was measured")
    finally:
        try:
            asked(bench, "stop", "--cancel", *where)
        finally:
            for process in engines(state):
                os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def watched(bench, site, columns, rows):
    """A console that is attached to the engine, on the watch page, whose gauge moves meanwhile."""
    command = [bench.binary, "attach", "--state-dir", site.folder / "state"]
    screen = Screen(command, columns, rows)
    try:
        screen.until("Inventory")
        screen.keys("4")
        before = screen.gauge("sent")
        # What it costs to open it is not meant.
        time.sleep(2)
        yield screen
        after = screen.gauge("sent")
        if after <= before:
            raise Broken(f"the gauge stands still: {before} %, then {after} %")
    finally:
        screen.close()


def without_engine(bench, site, seconds):
    """The share of a core of a run in the foreground, with JSON lines and no console."""
    command = [bench.binary, "run", "--all", "--json", "-i", site.inventory]
    command += ["--state-dir", site.folder / "foreground"]
    with open(site.folder / "run.json", "w") as out:
        run = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        try:
            time.sleep(8)
            return shares(seconds, run.pid)[0]
        finally:
            run.kill()
            run.wait()


def console(bench, one, seconds=20):
    """console: a run of 1000 entities of 64 KiB/s, watched by a console attached to its engine"""
    # Slow enough to be watched: the rate is the same with and without a console.
    size = 16 * MIB
    network = many_network(1000, size, {"rate": "64 KiB/s"})
    alone, beside = [], {}
    with bench.served(network.lab_text()):
        site = LabSite(bench, network, size)
        with engine(bench, site) as process:
            time.sleep(8)
            for columns, rows in ((80, 24), (200, 60)):
                alone += shares(seconds, process)
                with watched(bench, site, columns, rows) as screen:
                    drawn, begun = screen.drawn, time.monotonic()
                    engine_share, console_share = shares(seconds, process, screen.process.pid)
                    per_second = (screen.drawn - drawn) / (time.monotonic() - begun)
                    beside[columns, rows] = engine_share, console_share, per_second
            alone += shares(seconds, process)
        foreground = without_engine(bench, site, seconds)
    base = statistics.mean(alone)
    cost = {
        shape: (max(engine_share - base, 0) + console_share, per_second)
        for shape, (engine_share, console_share, per_second) in beside.items()
    }
    one.figures.target("80x24: share of a core, console and what the engine needs more",
                       cost[80, 24][0], 0.05)
    one.figures.target("80x24: terminal output, bytes a second", cost[80, 24][1], 4000)
    percent = lambda share: f"{100 * share:.2f}"
    one.figures.note(
        f"% of a core: the engine alone {', '.join(map(percent, alone))}; "
        f"a run with --json in the foreground {percent(foreground)}"
    )
    for (columns, rows), (engine_share, console_share, per_second) in beside.items():
        one.figures.note(
            f"% of a core, watched at {columns}x{rows}: the engine {percent(engine_share)}, the console "
            f"{percent(console_share)}, both more than the engine alone "
            f"{percent(cost[columns, rows][0])}; {per_second:.0f} bytes a second to the terminal"
        )


ROWS = {
    "unshaped": unshaped,
    "source-bound": source_bound,
    "entity-bound": entity_bound,
    "proof": proof,
    "pauses": pauses,
    "silent": silent,
    "many": thousand,
    "set-up": set_up,
    "slow connector": slow_connector,
    "console": console,
    **reach.ROWS,
}
OF_VSFTPD = {"unshaped", "source-bound", "entity-bound", "proof", "silent"}
WAYS = {
    "a": one_by_one.__doc__,
    "b": all_at_once.__doc__,
    "c": tee.__doc__,
    "d": download_first.__doc__,
    "e": Subtend.__doc__,
}


# ---------------------------------------------------------------- tables


def spread(values, digits=2):
    values = list(values)
    median, low, high = statistics.median(values), min(values), max(values)
    if len(values) == 1:
        return f"{median:.{digits}f}"
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def print_row(row, figures, broken):
    print(f"\n### {ROWS[row].__doc__}\n")
    if figures.ways:
        print("| way | runs | wall s | processor s | a GiB delivered | peak MiB | source MiB | wall / (c) | processor / (c) | wall / bound |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    tee_took = [took for took, _, _ in figures.ways.get("c", [])]
    for way, all_of_it in figures.ways.items():
        took = [one for one, _, _ in all_of_it]
        _, delivered, bound = all_of_it[0]
        hung = any(one.hung for one in took)
        median = lambda of, field: statistics.median(getattr(one, field) for one in of)
        ratio = lambda field: (
            f"{median(took, field) / median(tee_took, field):.2f}" if tee_took and not hung else "-"
        )
        wall = f"{median(took, 'seconds') / bound:.2f}" if bound and not hung else "-"
        print(
            f"| {way} | {len(took)}"
            f" | {spread(one.seconds for one in took)}{' killed' if hung else ''}"
            f" | {spread(one.cpu for one in took)}"
            f" | {spread((one.cpu / (delivered / GIB) for one in took), 3)}"
            f" | {spread((one.memory / MIB for one in took), 1)}"
            f" | {spread((one.read / MIB for one in took), 0)}"
            f" | {ratio('seconds')} | {ratio('cpu')}"
            f" | {wall} |"
        )
    if figures.targets:
        print("\n| target | median (min to max) | at most | |")
        print("| --- | --- | --- | --- |")
    for (what, bound, unit), values in figures.targets.items():
        holds = statistics.median(values) <= bound
        print(
            f"| {what} | {spread(values)} {unit} | {bound} {unit} | {'holds' if holds else '**missed**'} |"
        )
    said = figures.notes + [f"**wrong**: {one}" for one in figures.wrong + broken]
    if said:
        print()
    for text in said[:12]:
        print(f"- {text}")


def machine():
    """What a reader has to know of it; no names."""
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    model = ""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip() + ", "
                break
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    kernel = platform.release().split("-")[0]
    return (
        f"{model}{cores} cores, {memory:.0f} GiB, {platform.system()} {kernel}; "
        f"load at the start {load} (of others: nothing of this was running yet)"
    )


def version(binary):
    """What it calls itself, and how large it is."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{binary} --version: {done.returncode}: {done.stderr.strip()}")
    size = binary.stat().st_size
    return f"{done.stdout.strip()}, a binary of {size / MIB:.1f} MiB ({size} bytes)"


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Rows: " + "; ".join(f"{row}: {what.__doc__}" for row, what in ROWS.items()),
    )
    arguments.add_argument("binary", nargs="?", type=pathlib.Path, default=BINARY)
    arguments.add_argument("--runs", type=int, default=5, help="rounds [default: 5]")
    arguments.add_argument(
        "--only", action="append", choices=ROWS, metavar="ROW", help="this one; may be given more than once"
    )
    arguments.add_argument("--folder", type=pathlib.Path, help="where servers keep files [default: /dev/shm]")
    options = arguments.parse_args()
    binary = options.binary.resolve()
    if not os.access(binary, os.X_OK):
        sys.exit(f"{binary} is not there; build it with `cargo build --release`, or name another")
    if options.runs < 1:
        sys.exit("--runs: at least 1")
    shared = pathlib.Path("/dev/shm")
    folder = options.folder or (shared if shared.is_dir() else None)
    # Labs of many entities need many files.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    about = f"{version(binary)}; {machine()}"
    alone = own_network()
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    rows = list(dict.fromkeys(options.only or ROWS))
    figures = {row: Figures() for row in rows}
    broken = {row: [] for row in rows}
    needs = {**dict.fromkeys(OF_VSFTPD, ["vsftpd"]), **reach.NEEDS}
    lacks = {row: [one for one in needs.get(row, []) if not reach.program(one)] for row in rows}
    measured = [row for row in rows if not lacks[row]]
    for row in rows:
        # What was not measured is no success.
        if lacks[row]:
            broken[row].append(f"left out: {', '.join(lacks[row])} not installed")
            print(f"{row}: {broken[row][0]}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="subtend-compare-", dir=folder) as ground:
        os.chmod(ground, 0o755)
        bench = Ground(binary, ground)
        bench.own_network = alone
        try:
            for number in range(1, options.runs + 1):
                for row in measured:
                    begun = time.monotonic()
                    try:
                        ROWS[row](bench, Round(bench, figures[row], number))
                    except Broken as why:
                        broken[row].append(f"round {number}: {why}")
                        print(f"{row}: {why}", file=sys.stderr)
                    took = time.monotonic() - begun
                    targets = ", ".join(
                        f"{what}: {values[-1]:.3f} of {bound}"
                        for (what, bound, _), values in figures[row].targets.items()
                    )
                    print(f"[{number}/{options.runs}] {row}, {took:.0f} s: {targets}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("interrupted: the tables are of what was done", file=sys.stderr)
    print(f"{when}; {about}.\n")
    for letter, what in WAYS.items():
        print(f"- {what}")
    for row in rows:
        print_row(row, figures[row], broken[row])
    bad = [row for row in rows if broken[row] or figures[row].wrong or figures[row].missed()]
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
