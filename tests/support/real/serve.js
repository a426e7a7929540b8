// FTP servers that are Node packages, as processes for the tests.
//
// The one argument is JSON: make, port, root, user, password, pem (or null), implicit, sessions
// (or null), ports ([first, last] or null). It serves on 127.0.0.1 until it is killed.
'use strict';

const fs = require('fs');

const asked = JSON.parse(process.argv[2]);
const host = '127.0.0.1';
const pem = asked.pem && fs.readFileSync(asked.pem);
const [first, last] = asked.ports || [];

function ftpSrv() {
  const { FtpSrv } = require('ftp-srv');
  const server = new FtpSrv({
    url: `${asked.implicit ? 'ftps' : 'ftp'}://${host}:${asked.port}`,
    pasv_url: host,
    pasv_min: first || 1024,
    pasv_max: last || 65535,
    tls: pem ? { key: pem, cert: pem } : false,
  });
  server.on('login', ({ username, password }, resolve, reject) => {
    if (username === asked.user && password === asked.password) {
      resolve({ root: asked.root });
    } else {
      reject(new Error('no'));
    }
  });
  server.listen();
}

function ftpd() {
  const { FtpServer } = require('ftpd');
  const server = new FtpServer(host, {
    getInitialCwd: () => '/',
    getRoot: () => asked.root,
    pasvPortRangeStart: first,
    pasvPortRangeEnd: last,
    tlsOptions: pem ? { key: pem, cert: pem } : null,
    tlsOnly: Boolean(pem),
    allowUnauthorizedTls: true,
  });
  server.on('client:connected', (connection) => {
    let user;
    connection.on('command:user', (name, success, failure) => {
      user = name;
      return name === asked.user ? success() : failure();
    });
    connection.on('command:pass', (password, success, failure) => (
      password === asked.password ? success(user) : failure()
    ));
  });
  server.debugging = 0;
  server.listen(asked.port);
}

({ 'ftp-srv': ftpSrv, ftpd })[asked.make]();
