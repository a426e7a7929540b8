"""The ways to bring one image to many entities that subtend is compared with, and subtend itself.

Each way is given a site (where the image is read, where each entity takes it) and tells what it took:
wall time, processor seconds and peak memory of the tool's own processes (the servers are other
processes), and bytes read from the source.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from common import LONGEST, Broken, free_ports


class Took:
    """What one way took."""

    def __init__(self):
        self.seconds, self.cpu, self.memory, self.read = 0.0, 0.0, 0, 0
        # When each entity had the image; empty where the way does not tell.
        self.ended, self.summary, self.hung = {}, None, False


class Tools:
    """The processes of one way, from the first to the last."""

    def __init__(self, longest=LONGEST):
        self.took, self.longest = Took(), longest
        self.begun = time.monotonic()
        self.running, self.peaks, self.looked = {}, {}, 0.0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        self.limit = threading.Timer(longest, self.give_up)
        self.limit.start()

    def start(self, command, **streams):
        streams.setdefault("stdin", subprocess.DEVNULL)
        streams.setdefault("stdout", subprocess.DEVNULL)
        streams.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([str(word) for word in command], **streams)
        with self.lock:
            self.running[process.pid] = process
        return process

    def wait(self, process, may_fail=False):
        """Gives what it printed last on standard error. Its processor time counts from the system's
        own books."""
        said = process.stderr.read() if process.stderr else b""
        if process.stderr:
            process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        with self.lock:
            self.running.pop(process.pid, None)
            self.took.cpu += usage.ru_utime + usage.ru_stime
        if process.returncode and not may_fail and not self.took.hung:
            text = said.decode(errors="replace").strip()[-300:]
            raise Broken(f"{' '.join(map(str, process.args))}: {process.returncode}: {text}")
        return said

    def watch(self):
        """Peak resident memory, process by process. What the system says of a process that was
        waited for would count this script's memory too, which it had before it became another
        program."""
        while not self.over.wait(0.1):
            self.look()

    def look_again(self):
        """For a run that may be over before the watcher looks."""
        if time.monotonic() - self.looked > 0.01:
            self.look()

    def look(self):
        self.looked = time.monotonic()
        with self.lock:
            running = list(self.running)
        for process in running:
            self.peaks[process] = max(self.peaks.get(process, 0), high_water(process))
        # Those of one moment together.
        self.took.memory = max(self.took.memory, sum(self.peaks.get(one, 0) for one in running))

    def give_up(self):
        self.took.hung = True
        with self.lock:
            for process in self.running.values():
                process.kill()

    def end(self):
        self.took.seconds = time.monotonic() - self.begun
        self.close()
        return self.took

    def close(self):
        self.limit.cancel()
        self.over.set()
        self.watcher.join()
        with self.lock:
            left = list(self.running.values())
        for process in left:
            process.kill()
            process.wait()


@contextlib.contextmanager
def tools(longest=LONGEST):
    work = Tools(longest)
    try:
        yield work
    finally:
        work.close()


def high_water(process):
    """Peak resident bytes so far, 0 once it has ended."""
    return status_bytes(process, "VmHWM:")


def status_bytes(process, field):
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


GET = ["curl", "--silent", "--show-error", "--write-out", "%{stderr}\n%{size_download}"]
PUT = ["curl", "--silent", "--show-error", "-T"]


def got(said):
    """Bytes that a curl says it has read."""
    lines = said.decode(errors="replace").split()
    return int(lines[-1]) if lines and lines[-1].isdigit() else 0


def piped(work, site, entity):
    """One curl that reads from the source, another that writes to the entity."""
    get = work.start(GET + [site.source], stdout=subprocess.PIPE)
    put = work.start(PUT + ["-", site.entities[entity]], stdin=get.stdout)
    get.stdout.close()
    return get, put


def one_by_one(site, longest=LONGEST):
    """(a) one entity after the other, `curl | curl -T -`"""
    with tools(longest) as work:
        for entity in site.entities:
            get, put = piped(work, site, entity)
            work.took.read += got(work.wait(get))
            work.wait(put)
            work.took.ended[entity] = time.monotonic() - work.begun
        return work.end()


def all_at_once(site, longest=LONGEST):
    """(b) all at once, a `curl | curl -T -` each"""
    with tools(longest) as work:
        pairs = [piped(work, site, entity) for entity in site.entities]
        for get, put in pairs:
            work.took.read += got(work.wait(get))
            work.wait(put)
        return work.end()


def tee(site, longest=LONGEST):
    """(c) `curl | tee >(curl -T -) …`"""
    with tools(longest) as work:
        ends, puts = [], []
        for url in site.entities.values():
            out, into = os.pipe()
            puts.append(work.start(PUT + ["-", url], stdin=out))
            os.close(out)
            ends.append(into)
        get = work.start(GET + [site.source], stdout=subprocess.PIPE)
        names = [f"/dev/fd/{end}" for end in ends]
        copy = work.start(["tee", *names], stdin=get.stdout, pass_fds=ends)
        get.stdout.close()
        for end in ends:
            os.close(end)
        work.took.read = got(work.wait(get))
        work.wait(copy)
        for put in puts:
            work.wait(put)
        return work.end()


def download_first(site, longest=LONGEST):
    """(d) `curl -o FILE`, then `curl -T FILE` to all at once"""
    file = site.folder / "downloaded.bin"
    try:
        with tools(longest) as work:
            work.took.read = got(work.wait(work.start(GET + ["-o", file, site.source])))
            puts = [work.start(PUT + [file, url]) for url in site.entities.values()]
            for put in puts:
                work.wait(put)
            return work.end()
    finally:
        file.unlink(missing_ok=True)


class Subtend:
    """(e) `subtend run`"""

    def __init__(self, binary, on_event=None, may_fail=False, more=()):
        self.binary, self.on_event, self.may_fail = binary, on_event, may_fail
        self.more = list(more)
        self.__doc__ = Subtend.__doc__

    def __call__(self, site, longest=LONGEST):
        command = [self.binary, "run", "--all", "--json", "-i", site.inventory]
        command += ["--state-dir", site.folder / "state", *self.more]
        with tools(longest) as work:
            log = open(site.folder / "run.log", "w+")
            run = work.start(command, stdout=subprocess.PIPE, stderr=log)
            for line in run.stdout:
                event = json.loads(line)
                if event["event"] == "state" and event["state"] == "delivered":
                    work.took.ended[event["entity"]] = time.monotonic() - work.begun
                elif event["event"] == "summary":
                    work.took.summary = event
                work.look_again()
                if self.on_event:
                    self.on_event(event)
            run.stdout.close()
            try:
                work.wait(run, may_fail=self.may_fail)
            except Broken as why:
                log.seek(0)
                raise Broken(f"{why} {log.read()[-2000:]}") from None
            finally:
                log.close()
            if work.took.summary is None:
                raise Broken("subtend run printed no summary")
            work.took.read = work.took.summary["source_bytes"]
            return work.end()


# ---------------------------------------------------------------- sites


def vsftpd_program():
    """vsftpd, where it is installed."""
    path = os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/local/sbin"]
    for folder in path:
        if folder and os.access(os.path.join(folder, "vsftpd"), os.X_OK):
            return os.path.join(folder, "vsftpd")
    return None


CONFIG = """listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port={port}
background=NO
run_as_launching_user=YES
ftp_username=nobody
anonymous_enable=YES
local_enable=NO
no_anon_password=NO
anon_root={files}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
allow_writeable_chroot=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
connect_from_port_20=NO
xferlog_enable=NO
anon_max_rate={rate}
"""


class Vsftpd:
    """One vsftpd with a folder of its own. Each of its sessions is a child, in a group of its own."""

    def __init__(self, folder, rate=0):
        self.folder, self.files = folder, folder / "files"
        self.files.mkdir(parents=True)
        (folder / "empty").mkdir()
        self.port = free_ports(1)[0]
        config = folder / "vsftpd.conf"
        text = CONFIG.format(port=self.port, files=self.files, empty=folder / "empty", rate=rate)
        config.write_text(text)
        self.process = subprocess.Popen(
            [vsftpd_program(), config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def url(self):
        return f"ftp://127.0.0.1:{self.port}/image.bin"

    def signal(self, number):
        """To the server and all of its sessions."""
        for process in [self.process.pid, *children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def close(self):
        self.signal(signal.SIGKILL)
        self.process.wait()


def children(process):
    """Also those of children."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold anything.
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found, new = [], [process]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


class Site:
    """A source and entities that are vsftpd each, and an inventory of them."""

    def __init__(self, folder, image, entities, source_rate=0, entity_rate=0, **inventory):
        self.folder, self.image = folder, image
        self.servers = {}
        self.hq = Vsftpd(folder / "hq", int(source_rate))
        os.link(image, self.hq.files / "image.bin")
        for name in entities:
            self.servers[name] = Vsftpd(folder / name, int(entity_rate))
        self.source = self.hq.url
        self.entities = {name: server.url for name, server in self.servers.items()}
        self.write(inventory, list(self.servers))
        for server in [self.hq, *self.servers.values()]:
            greet(server.port)

    def write(self, inventory, members):
        group = {"image": "image", "entities": members, "source": {"file_server": "hq"}}
        group |= inventory.pop("group", {})
        text = {
            "file_servers": {"hq": {"url": f"ftp://127.0.0.1:{self.hq.port}"}},
            "images": {"image": {"file": "image.bin", "type": "image", "version": "2"}},
            # The tools beside it verify nothing; what proof costs is a row of its own.
            "defaults": {"path": "image.bin", "verify": "quick", **inventory.pop("defaults", {})},
            "entities": [
                {
                    "name": name,
                    "type": "image",
                    "version": "1",
                    "address": f"127.0.0.1:{self.servers[name].port}",
                }
                for name in members
            ],
            "groups": {"all": group},
            **inventory,
        }
        self.inventory = self.folder / "inventory.yaml"
        self.inventory.write_text(json.dumps(text))

    def held(self, entity):
        """The file that an entity holds."""
        return self.servers[entity].files / "image.bin"

    def forget(self):
        """Entities are as they were before a run."""
        for server in self.servers.values():
            for file in server.files.iterdir():
                file.unlink()

    def close(self):
        for server in [self.hq, *self.servers.values()]:
            server.close()


def greet(port):
    """Waits until a server greets."""
    import socket

    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as one:
                if one.recv(3) == b"220":
                    return
        except OSError:
            time.sleep(0.01)
    raise Broken(f"the server at port {port} does not greet")
