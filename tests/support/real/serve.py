"""FTP servers that are Python libraries, as processes for the tests.

The one argument is JSON: make, port, root, user, password, pem (or null), implicit, sessions
(or null), ports ([first, last] or null). It serves on 127.0.0.1 until it is killed.
"""

import json
import sys

asked = json.loads(sys.argv[1])
HOST = "127.0.0.1"
PORT, ROOT, USER, PASSWORD = (asked[key] for key in ("port", "root", "user", "password"))
PEM, SESSIONS = asked["pem"], asked["sessions"]
PORTS = list(range(asked["ports"][0], asked["ports"][1] + 1)) if asked["ports"] else None


def pyftpdlib():
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

    base = TLS_FTPHandler if PEM else FTPHandler

    class Handler(base):
        passive_ports = PORTS
        authorizer = DummyAuthorizer()
        auth_failed_timeout = 0

    Handler.authorizer.add_user(USER, PASSWORD, ROOT, perm="elradfmwMT")
    if PEM:
        Handler.certfile = Handler.keyfile = PEM
        Handler.tls_control_required = Handler.tls_data_required = True
    server = FTPServer((HOST, PORT), Handler)
    if SESSIONS:
        server.max_cons_per_ip = SESSIONS
    server.serve_forever()


def aioftp():
    import asyncio
    import ssl

    import aioftp

    context = None
    if PEM:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(PEM)
    # Without it, it takes no more than a default number of sessions.
    user = aioftp.User(USER, PASSWORD, base_path=ROOT, maximum_connections=SESSIONS)
    server = aioftp.Server([user], data_ports=PORTS, ssl=context)
    asyncio.run(server.run(HOST, PORT))


def twisted():
    from twisted.cred.checkers import ICredentialsChecker
    from twisted.cred.credentials import IUsernamePassword
    from twisted.cred.error import UnauthorizedLogin
    from twisted.cred.portal import IRealm, Portal
    from twisted.internet import reactor
    from twisted.protocols import ftp
    from twisted.python.filepath import FilePath
    from zope.interface import implementer

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, who, mind, *interfaces):
            return ftp.IFTPShell, ftp.FTPShell(FilePath(ROOT)), lambda: None

    @implementer(ICredentialsChecker)
    class Users:
        credentialInterfaces = [IUsernamePassword]

        def requestAvatarId(self, given):
            # Text or bytes: that changed once.
            text = [one.decode() if isinstance(one, bytes) else one for one in (given.username, given.password)]
            if text != [USER, PASSWORD]:
                raise UnauthorizedLogin()
            return given.username

    factory = ftp.FTPFactory(Portal(Realm(), [Users()]))
    if PORTS:
        factory.passivePortRange = PORTS
    reactor.listenTCP(PORT, factory, interface=HOST)
    reactor.run()


{"pyftpdlib": pyftpdlib, "aioftp": aioftp, "twisted": twisted}[asked["make"]]()
