"""The other ways in and out, each beside the tool that an operator has for it: SFTP beside `sftp -b` and
`scp`, an HTTP source beside curl, TFTP beside curl; rows of `compare.py`.

Servers: OpenSSH's sshd, nginx, tftpd-hpa. A far link is a relay of this script, since not every kernel can
delay packets: each byte leaves it half of the round trip after it came, and no faster than the link.
"""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from common import MIB, Broken, free_ports, names
from rivals import GET, PUT, Subtend, got, tools

SBIN = ["/usr/sbin", "/usr/local/sbin", "/sbin"]
IMAGE = "image.bin"


def program(name):
    """Where a server is installed, or None."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def until(what, test, longest=15):
    """Waits until something is so."""
    end = time.monotonic() + longest
    while not test():
        if time.monotonic() > end:
            raise Broken(f"{what}: not after {longest} s")
        time.sleep(0.02)


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
        return True
    return False


# ---------------------------------------------------------------- servers


class Server:
    """One process, and the folder that it serves."""

    def __init__(self, folder):
        self.folder, self.files = folder, folder / "files"
        self.files.mkdir(parents=True)
        self.port, self.process = free_ports(1)[0], None

    def begin(self, command):
        self.log = open(self.folder / "server.log", "w+")
        streams = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": self.log}
        self.process = subprocess.Popen(list(map(str, command)), start_new_session=True, **streams)
        return self

    def close(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
            self.log.close()


class Sshd(Server):
    """OpenSSH, for this user and one key."""

    def __init__(self, folder, key):
        super().__init__(folder)
        keygen(folder / "host")
        config = folder / "sshd_config"
        config.write_text(
            f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {key}.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PidFile none
MaxStartups 200
Subsystem sftp internal-sftp
"""
        )
        # It separates privileges there when root starts it.
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.begin([program("sshd"), "-D", "-e", "-f", config])
        until("sshd answers", lambda: answers(self.port))
        shown = subprocess.run(
            ["ssh-keygen", "-lf", folder / "host.pub"], capture_output=True, text=True, check=True
        )
        self.fingerprint = shown.stdout.split()[1]
        public = (folder / "host.pub").read_text().split()
        self.known = f"{public[0]} {public[1]}"


def keygen(file):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)


class Nginx(Server):
    def __init__(self, folder):
        super().__init__(folder)
        config = folder / "nginx.conf"
        config.write_text(
            f"""daemon off; pid {folder}/pid; error_log {folder}/error.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 128; }}
http {{ access_log off; sendfile on;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{self.port}; root {self.files}; }} }}
"""
        )
        self.begin([program("nginx"), "-p", folder, "-c", config, "-e", folder / "error.log"])
        until("nginx answers", lambda: answers(self.port))


class Tftpd(Server):
    def __init__(self, folder):
        super().__init__(folder)
        self.files.chmod(0o777)
        # It looks its address up, and finds none where this network has no other than that of loopback.
        self.begin(
            [program("in.tftpd"), "--listen", "--foreground", "--create", "--user", "root", "--ipv4"]
            + ["--address", f":{self.port}", "--secure", "--permissive", self.files]
        )
        until("tftpd listens", self.listens)

    def listens(self):
        wanted = f"00000000:{self.port:04X}"
        return wanted in pathlib.Path("/proc/net/udp").read_text()


# ---------------------------------------------------------------- a far link


class Link:
    """A relay to a port: `delay` seconds each way, `rate` bytes per second each way."""

    # More than is under way on the link waits in a router's queue, and then the sender has to.
    QUEUE = MIB

    def __init__(self, target, delay, rate):
        self.target, self.delay, self.rate = target, delay, rate
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        queue, room = collections.deque(), threading.Condition()
        most = int(2 * self.delay * self.rate) + self.QUEUE

        def leave():
            with contextlib.suppress(OSError):
                while True:
                    with room:
                        room.wait_for(lambda: queue)
                        due, data = queue[0]
                    time.sleep(max(0, due - time.monotonic()))
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)
                    with room:
                        queue.popleft()
                        room.notify()

        threading.Thread(target=leave, daemon=True).start()
        free = time.monotonic()
        data = b"x"
        while data:
            try:
                data = source.recv(16384)
            except OSError:
                data = b""
            free = max(free, time.monotonic()) + len(data) / self.rate
            with room:
                room.wait_for(lambda: sum(len(one) for _, one in queue) < most)
                queue.append((free + self.delay, data))
                room.notify()

    def close(self):
        self.listener.close()


# ---------------------------------------------------------------- sites


class ReachSite:
    """Entities by name, with their servers, and an inventory; as `rivals.Site`."""

    def __init__(self, folder, image, servers):
        self.folder, self.image, self.servers = folder, image, servers
        self.entities = {name: server.port for name, server in servers.items()}

    def write(self, file_server, defaults, entity, **inventory):
        """`file_server`: its keys; `entity`: the keys of one by its server."""
        self.inventory = self.folder / "inventory.yaml"
        text = {
            "memory": "16 MiB",
            "file_servers": {"hq": file_server},
            "images": {"image": {"file": IMAGE, "type": "image", "version": "2"}},
            "defaults": {"verify": "quick", **defaults},
            "entities": [
                {"name": name, "type": "image", "version": "1", **entity(server)}
                for name, server in self.servers.items()
            ],
            "groups": {
                "all": {"image": "image", "entities": list(self.servers), "source": {"file_server": "hq"}}
            },
            **inventory,
        }
        self.inventory.write_text(json.dumps(text))

    def held(self, entity):
        return self.servers[entity].files / IMAGE

    def forget(self):
        for server in self.servers.values():
            for file in server.files.iterdir():
                file.unlink()


@contextlib.contextmanager
def opened(bench):
    """A folder, and what closes what was started in it."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        yield folder, lambda server: (stack.callback(server.close), server)[1]


def image_in(folder, bench, size):
    folder.mkdir(exist_ok=True)
    os.link(bench.made(size), folder / IMAGE)
    return folder / IMAGE


# ---------------------------------------------------------------- SFTP


class SshSite(ReachSite):
    """Entities that are an sshd each, behind links where there are some."""

    def __init__(self, bench, folder, keep, size, entities, link=None):
        self.key = folder / "key"
        keygen(self.key)
        servers = {name: keep(Sshd(folder / name, self.key)) for name in entities}
        super().__init__(folder, bench.made(size), servers)
        self.local = image_in(folder / "local", bench, size)
        self.ports = {
            name: keep(Link(server.port, *link)).port if link else server.port
            for name, server in servers.items()
        }
        self.known_hosts = folder / "known_hosts"
        lines = [f"[127.0.0.1]:{self.ports[name]} {one.known}\n" for name, one in servers.items()]
        self.known_hosts.write_text("".join(lines))
        port = {server: self.ports[name] for name, server in servers.items()}
        self.write(
            {"url": f"file://{self.local.parent}"},
            {"credentials": "ssh"},
            lambda server: {
                "address": f"sftp://127.0.0.1:{port[server]}",
                "path": str(server.files / IMAGE),
                "host_key": server.fingerprint,
            },
            credentials={"ssh": {"user": user(), "key": str(self.key)}},
        )

    def options(self):
        return ["-q", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", f"IdentityFile={self.key}"] + [
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-F", "none",
        ]


def user():
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def sftp_at_once(site, longest):
    """`sftp -b` to all at once"""
    with tools(longest) as work:
        running = []
        for name, server in site.servers.items():
            batch = site.folder / f"{name}.batch"
            batch.write_text(f"put {site.local} {server.files / IMAGE}\n")
            command = ["sftp", *site.options(), "-P", site.ports[name], "-b", batch, f"{user()}@127.0.0.1"]
            running.append(work.start(command))
        for one in running:
            work.wait(one)
        return work.end()


def scp_at_once(site, longest):
    """`scp` to all at once"""
    with tools(longest) as work:
        running = [
            work.start(
                ["scp", *site.options(), "-P", site.ports[name], site.local]
                + [f"{user()}@127.0.0.1:{server.files / IMAGE}"]
            )
            for name, server in site.servers.items()
        ]
        for one in running:
            work.wait(one)
        return work.end()


def sftp(bench, one, size=256 * MIB):
    """sftp: 8 entities by SFTP, 256 MiB from a local file, OpenSSH's sshd, memory 16 MiB"""
    with opened(bench) as (folder, keep):
        site = SshSite(bench, folder, keep, size, names(8))
        sftp = one.way("sftp -b", sftp_at_once, site, size)
        scp = one.way("scp", scp_at_once, site, size)
        e = one.way("e", Subtend(bench.binary), site, size)
    one.figures.target("processor seconds / sftp -b", e.cpu / sftp.cpu, 1.0)
    one.figures.target("processor seconds / scp", e.cpu / scp.cpu, 1.0)
    one.figures.target("wall time / sftp -b", e.seconds / sftp.seconds, 1.0)
    one.figures.target("wall time / scp", e.seconds / scp.seconds, 1.0)


# 40 ms there and back, 100 Mbit/s.
FAR = (0.02, 12_500_000)


def far(bench, one, size=128 * MIB):
    """far: SFTP over a link of 40 ms and 100 Mbit/s, 128 MiB: one entity, and as a source"""
    bound = size / FAR[1]
    with opened(bench) as (folder, keep):
        site = SshSite(bench, folder, keep, size, names(1), FAR)
        one.way("sftp -b", sftp_at_once, site, size, bound)
        e = one.way("e, to an entity", Subtend(bench.binary), site, size, bound)
        one.figures.target("wall / bound, to an entity", e.seconds / bound, 1.11)
    with opened(bench) as (folder, keep):
        site = SshSite(bench, folder, keep, size, names(1))
        (name,) = site.servers
        server = site.servers[name]
        source = keep(Sshd(folder / "hq", site.key))
        image_in(source.files, bench, size)
        link = keep(Link(source.port, *FAR))
        site.write(
            {
                "url": f"sftp://127.0.0.1:{link.port}/{source.files}",
                "host_key": source.fingerprint,
                "credentials": "ssh",
            },
            {"credentials": "ssh"},
            lambda _: {
                "address": f"sftp://127.0.0.1:{server.port}",
                "path": str(server.files / IMAGE),
                "host_key": server.fingerprint,
            },
            credentials={"ssh": {"user": user(), "key": str(site.key)}},
        )
        e = one.way("e, from a source", Subtend(bench.binary), site, size, bound)
        one.figures.target("wall / bound, from a source", e.seconds / bound, 1.11)


# ---------------------------------------------------------------- HTTP and TFTP


def piped(url):
    def way(site, longest):
        """`curl | curl -T -`"""
        with tools(longest) as work:
            get = work.start(GET + [url], stdout=subprocess.PIPE)
            (target,) = site.urls.values()
            put = work.start(PUT + ["-", target], stdin=get.stdout)
            get.stdout.close()
            work.took.read = got(work.wait(get))
            work.wait(put)
            return work.end()

    return way


def http(bench, one, size=1024 * MIB):
    """http: an HTTP source, nginx, 1 GiB to one entity of vsftpd"""
    from rivals import Vsftpd, greet

    with opened(bench) as (folder, keep):
        nginx = keep(Nginx(folder / "hq"))
        image_in(nginx.files, bench, size)
        entity = keep(Vsftpd(folder / "e01"))
        greet(entity.port)
        site = ReachSite(folder, bench.made(size), {"e01": entity})
        site.urls = {"e01": entity.url}
        site.write(
            {"url": f"http://127.0.0.1:{nginx.port}"},
            {"path": IMAGE},
            lambda server: {"address": f"127.0.0.1:{server.port}"},
        )
        curl = one.way("curl", piped(f"http://127.0.0.1:{nginx.port}/{IMAGE}"), site, size)
        e = one.way("e", Subtend(bench.binary), site, size)
    one.figures.target("wall time / curl", e.seconds / curl.seconds, 1.05)


def tftp_curl(site, longest):
    """`curl -T FILE tftp://`, blocks of 1428 bytes"""
    with tools(longest) as work:
        running = [
            work.start(PUT + [site.local, "--tftp-blksize", "1428", f"tftp://127.0.0.1:{server.port}/{IMAGE}"])
            for server in site.servers.values()
        ]
        for curl in running:
            work.wait(curl)
        return work.end()


def tftp(bench, one, size=64 * MIB):
    """tftp: 64 MiB to one entity, tftpd-hpa, blocks of 1428 bytes"""
    # The server knows no windows, and curl asks for none: both wait for each block.
    with opened(bench) as (folder, keep):
        site = ReachSite(folder, bench.made(size), {"e01": keep(Tftpd(folder / "e01"))})
        site.local = image_in(folder / "local", bench, size)
        curl = one.way("curl", tftp_curl, site, size)
        site.write(
            {"url": f"file://{site.local.parent}"},
            {"path": IMAGE, "verify": "none", "staging": "direct"},
            lambda server: {"address": f"tftp://127.0.0.1:{server.port}"},
        )
        e = one.way("e", Subtend(bench.binary), site, size)
    one.figures.target("wall time / curl", e.seconds / curl.seconds, 1.0)


ROWS = {"sftp": sftp, "far": far, "http": http, "tftp": tftp}
NEEDS = {"sftp": ["sshd", "sftp", "scp"], "far": ["sshd", "sftp"], "http": ["nginx", "vsftpd", "curl"], "tftp": ["in.tftpd", "curl"]}
