"""What the measuring scripts share: practice networks, curl, and one `subtend run --json`."""

import collections
import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

BINARY = pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / "subtend"
KIB, MIB = 1 << 10, 1 << 20
# No run of a scenario takes longer, unless it hangs.
LONGEST = 240
FINAL = {"delivered", "skipped", "failed", "cancelled"}
# Entities are read back faster than they are written, to keep the checks short.
READ_BACK = "64 MiB/s"


class Broken(Exception):
    """Something that makes the rest of a scenario pointless."""


# ---------------------------------------------------------------- practice networks


def free_ports(count, taken=set()):
    """Ports that are free now and that the system gives to nobody by itself."""
    found = []
    while len(found) < count:
        port = random.randrange(12000, 32000)
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        found.append(port)
    return found


class Network:
    """An inventory and where it is served. Entities have names like e01."""

    def __init__(self, memory, buffer, **timeouts):
        self.memory, self.buffer, self.timeouts = memory, buffer, timeouts
        self.servers, self.images, self.entities, self.groups = {}, {}, {}, {}

    def server(self, name, **behaviour):
        self.servers[name] = (free_ports(1)[0], behaviour)

    def image(self, name, size):
        self.images[name] = size

    def add(self, image, names, has_it=False, served=True, **behaviour):
        behaviour.setdefault("read_rate", READ_BACK)
        for name, port in zip(names, free_ports(len(names))):
            self.entities[name] = (port, image, has_it, served, behaviour)

    def group(self, name, image, entities, source, laggards="catch-up", **more):
        self.groups[name] = {
            "image": image,
            "entities": list(entities),
            "source": source,
            "laggards": laggards,
            **more,
        }

    def text(self, of_this_lab=True):
        """The inventory as YAML, which JSON is a part of. The lab that is meant serves the entities
        that are `served`; the other one serves the rest, on file servers that nobody asks."""
        timeouts = {"connect": "5s", "reply": "10s", "progress": "60s", **self.timeouts}
        servers = {
            name: port if of_this_lab else free_ports(1)[0] for name, (port, _) in self.servers.items()
        }
        chosen = {
            name: entity
            for name, entity in self.entities.items()
            if of_this_lab or not entity[3]
        }
        said = {name: entity[4] for name, entity in chosen.items() if entity[3] == of_this_lab}
        inventory = {
            "memory": str(self.memory),
            "buffer_size": str(self.buffer),
            "file_servers": {
                name: {"url": f"ftp://127.0.0.1:{port}"} for name, port in servers.items()
            },
            "images": {
                name: {"file": f"{name}.bin", "type": name, "version": "2"} for name in self.images
            },
            # What is measured is the sending: reading every copy back would be measured with it.
            "defaults": {"path": "/flash/image.bin", "timeouts": timeouts, "verify": "quick"},
            "entities": [
                {
                    "name": name,
                    "type": image,
                    "version": "2" if has_it else "1",
                    "address": f"127.0.0.1:{port}",
                }
                for name, (port, image, has_it, _, _) in chosen.items()
            ],
            "groups": self.groups if of_this_lab else {},
            "x-lab": {
                "images": {name: {"size": str(size)} for name, size in self.images.items()},
                "file_servers": {
                    name: behaviour for name, (_, behaviour) in self.servers.items() if of_this_lab
                },
                "entities": said,
            },
        }
        return json.dumps(inventory, indent=1) + "\n"

    def lab_text(self):
        """As `text`, without the entities that the other lab serves: this one would take their
        ports."""
        inventory = json.loads(self.text())
        others = {name for name, entity in self.entities.items() if not entity[3]}
        inventory["entities"] = [one for one in inventory["entities"] if one["name"] not in others]
        inventory["groups"] = {}
        return json.dumps(inventory, indent=1) + "\n"

    def url(self, entity):
        return f"ftp://127.0.0.1:{self.entities[entity][0]}/flash/image.bin"

    def source_url(self, server, image):
        return f"ftp://127.0.0.1:{self.servers[server][0]}/{image}.bin"


class Bench:
    """The binary, a folder, and what is measured once and used more than once."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.digests, self.files = {}, 0

    def write(self, text):
        self.files += 1
        file = self.folder / f"{self.files}.yaml"
        file.write_text(text)
        return file

    @contextlib.contextmanager
    def served(self, text):
        """A lab; gives its process."""
        file = self.write(text)
        command = [self.binary, "lab", "-i", file, "--state-dir", self.folder / "state"]
        log = open(file.with_suffix(".lab.log"), "w+")
        lab = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            if not any(line.startswith("serving") for line in lab.stdout):
                log.seek(0)
                raise Broken(f"the lab did not start: {log.read().strip()}")
            # Nothing that it prints later may fill the pipe.
            threading.Thread(target=lab.stdout.read, daemon=True).start()
            yield lab
        finally:
            # A stopped process takes no signal but these two.
            lab.send_signal(signal.SIGCONT)
            lab.terminate()
            try:
                lab.wait(10)
            except subprocess.TimeoutExpired:
                lab.kill()
                lab.wait()
            log.close()

    @contextlib.contextmanager
    def unlimited(self, image, size):
        """Where a server without limits serves an image."""
        network = Network(MIB, 64 * KIB)
        network.server("hq")
        network.image(image, size)
        network.add(image, ["e01"])
        with self.served(network.text()):
            yield network.source_url("hq", image)

    def image(self, image, size):
        """A file with an image's bytes."""
        file = self.folder / f"{image}-{size}.bin"
        if not file.exists():
            with self.unlimited(image, size) as url:
                curl(["-o", file, url])
        return file

    def digest(self, image, size):
        if (image, size) not in self.digests:
            with self.unlimited(image, size) as url:
                self.digests[image, size] = fetched(url)
        return self.digests[image, size]


def fetched(url):
    """The SHA-256 of what curl gets from there; `None` when it fails."""
    command = ["curl", "--silent", "--max-time", str(LONGEST), url]
    digest = hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as fetch:
        while piece := fetch.stdout.read(MIB):
            digest.update(piece)
    return digest.hexdigest() if fetch.returncode == 0 else None


def curl(arguments):
    """Seconds that one curl takes."""
    begun = time.monotonic()
    command = ["curl", "--silent", "--show-error", "--max-time", str(LONGEST), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip()}")
    return time.monotonic() - begun


def curl_set_up(url):
    """Seconds that one curl takes until it may send a file's first byte there."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(LONGEST), "-T", "-"]
    command += ["--write-out", "%{time_pretransfer}", url]
    done = subprocess.run(command, input="x", capture_output=True, text=True)
    if done.returncode:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip()}")
    return float(done.stdout)


# ---------------------------------------------------------------- one run


class Run:
    """What one `subtend run --json` told, with the times at which it did."""

    def __init__(self):
        self.ended, self.states, self.progress, self.depths = {}, {}, [], []
        self.passes, self.sources, self.summary = [], [], None
        self.seconds, self.status, self.wrong = 0.0, None, []

    def take(self, event, at):
        kind = event["event"]
        if kind == "state":
            self.states[event["entity"]] = event
            if event["state"] in FINAL:
                self.ended[event["entity"]] = at
        elif kind == "progress":
            self.progress.append((at, event))
        elif kind == "depth":
            self.depths.append((at, event))
        elif kind == "pass":
            self.passes.append((at, event))
        elif kind == "source":
            self.sources.append((at, event))
        elif kind == "summary":
            self.summary = event

    def entities(self):
        """Of the summary, by name."""
        groups = self.summary["groups"]
        return {one["entity"]: one for group in groups for one in group["entities"]}

    def last_end(self, names):
        missing = [name for name in names if name not in self.ended]
        if missing:
            raise Broken(f"never ended: {', '.join(missing)}")
        return max(self.ended[name] for name in names)

    def expect(self, holds, text):
        if not holds:
            self.wrong.append(text)

    def expect_delivered(self, names):
        """Gives the number of those that were not."""
        entities, missing = self.entities(), 0
        for name in names:
            one = entities.get(name, {"state": "absent", "cause": None})
            text = f"{name}: {one['state']}: {one['cause']}"
            self.expect(one["state"] == "delivered", text)
            missing += one["state"] != "delivered"
        return missing

    def bottleneck(self, group=None):
        """What it said it was, most of the time."""
        said = collections.Counter(
            event["bottleneck"] for _, event in self.progress if group in (None, event["group"])
        )
        return said.most_common(1)[0][0] if said else "never said"

    def expect_bottleneck(self, wanted, group=None):
        said = self.bottleneck(group)
        right = said == wanted or (wanted.endswith(":") and said.startswith(wanted))
        self.expect(right, f"bottleneck: {said}, not {wanted}")


def run(bench, network, check=()):
    """Serves a network and runs its groups."""
    with bench.served(network.lab_text()):
        return run_in(bench, network, check=check)


def run_in(bench, network, on_event=None, check=()):
    """Runs all groups of a network that is served, and reads back what the entities of `check` hold.
    `on_event` sees every event."""
    file, done = bench.write(network.text()), Run()
    command = [bench.binary, "run", "--all", "--json", "-i", file]
    command += ["--state-dir", bench.folder / "state"]
    log = open(file.with_suffix(".run.log"), "w+")
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    hung = threading.Timer(LONGEST, process.kill)
    hung.start()
    try:
        for line in process.stdout:
            at, event = time.monotonic() - begun, json.loads(line)
            done.take(event, at)
            if on_event:
                on_event(event)
        done.status = process.wait()
        done.seconds = time.monotonic() - begun
    finally:
        hung.cancel()
        process.kill()
        process.wait()
        log.seek(0)
        said = log.read().strip()
        log.close()
    if done.summary is None:
        why = said or f"no summary; ended with {done.status} after {done.seconds:.0f} s"
        raise Broken(f"subtend run: {why}")
    done.expect(
        done.summary["peak_pool_bytes"] <= done.summary["memory"],
        f"{done.summary['peak_pool_bytes']} bytes of {done.summary['memory']} in pools",
    )
    check_bytes(bench, network, done, check)
    return done


def check_bytes(bench, network, done, names):
    """Compares what entities hold with the image, and what the run said of it."""
    for group in done.summary["groups"]:
        image = group["image"]
        wanted = bench.digest(image, network.images[image])
        if group["sha256"] is not None:
            done.expect(group["sha256"] == wanted, f"{group['group']}: digest {group['sha256']}")

    def held(name):
        image = network.entities[name][1]
        return fetched(network.url(name)) == bench.digest(image, network.images[image])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, same in zip(names, pool.map(held, names)):
            done.expect(same, f"{name} does not hold the image")


def names(count, first=1):
    return [f"e{number:02}" for number in range(first, first + count)]


def rate(bytes_per_second):
    return f"{int(bytes_per_second)} B/s"
