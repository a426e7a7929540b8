//! Servers for HTTP that give and take files: nginx, lighttpd, and uploadserver of Python, which
//! takes forms (`multipart/form-data`).
//!
//! Their files are at `/`. nginx has them in other ways too:
//!
//! | under | what is so there |
//! | --- | --- |
//! | `/basic/` | nobody without user and password |
//! | `/bearer/` | nobody without the token, which is the password |
//! | `/whole/` | `Range` is ignored: 200 |
//! | `/changing/` | each answer has another `ETag` |
//! | `/moved/` | 302 to the same server |
//! | `/away/` | 302 to the same port of 127.0.0.2 |
//! | `/loop/` | 302 to itself |
//! | `/small/` | nothing is taken that is larger than 1 MiB: 413 |

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};

use super::daemons::{absent, command};
use super::private::CRYPTED;
use super::server::BODY;
use super::{
    Make, NOBODY, Offers, PASSWORD, Place, Serves, Shows, USER, brought, is_root, program,
};

#[derive(Debug)]
pub struct Nginx;
#[derive(Debug)]
pub struct Lighttpd;
#[derive(Debug)]
pub struct Uploadserver;

pub const NGINX: Nginx = Nginx;
pub const LIGHTTPD: Lighttpd = Lighttpd;
pub const UPLOADSERVER: Uploadserver = Uploadserver;

/// Every make for HTTP, in the order in which they are shown.
pub const HTTP_MAKES: [&dyn Make; 3] = [&NGINX, &LIGHTTPD, &UPLOADSERVER];

/// TLS is what [`Offers::implicit`] is for FTP.
const TLS: Offers = Offers {
    explicit: false,
    implicit: true,
    sessions: false,
    ports: false,
};

impl Make for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn missing(&self) -> Option<String> {
        absent("nginx")
    }

    fn offers(&self) -> Offers {
        TLS
    }

    fn shows(&self) -> Shows {
        Shows::Listening
    }

    fn owner(&self) -> Option<u32> {
        is_root().then_some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let here = place.dir.display();
        // On the same file system: what it has to copy, it leaves behind when the disk is full. It
        // makes the folder itself.
        let body = place.files.join(BODY);
        let body = body.display();
        passwords(place);
        let root = place.files.display();
        let user = if is_root() {
            "user nobody nogroup;\n"
        } else {
            ""
        };
        let (ip, port) = (place.address.ip(), place.address.port());
        let (ssl, scheme) = match &place.tls {
            Some((pem, _)) => {
                let pem = pem.display();
                let keys = format!("ssl_certificate {pem};\nssl_certificate_key {pem};\n");
                (format!(" ssl;\n{keys}"), "https")
            }
            None => (";\n".to_owned(), "http"),
        };
        let takes = "dav_methods PUT DELETE MOVE;";
        let text = format!(
            "daemon off;\nworker_processes 1;\npid {here}/pid;\n{user}error_log stderr;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\naccess_log {here}/access;\nclient_body_temp_path {body};\n\
             proxy_temp_path {here}/1;\nfastcgi_temp_path {here}/2;\nuwsgi_temp_path {here}/3;\n\
             scgi_temp_path {here}/4;\nclient_max_body_size 0;\n\
             default_type application/octet-stream;\n\
             server {{\nlisten {ip}:{port}{ssl}root {root};\n{takes}\n\
             location /basic/ {{ alias {root}/; auth_basic files; {takes} \
             auth_basic_user_file {here}/passwords; }}\n\
             location /bearer/ {{ alias {root}/; {takes} \
             if ($http_authorization != 'Bearer {PASSWORD}') {{ return 401; }} }}\n\
             location /small/ {{ alias {root}/; {takes} client_max_body_size 1m; }}\n\
             location /whole/ {{ alias {root}/; max_ranges 0; }}\n\
             location /changing/ {{ alias {root}/; etag off; add_header ETag '\"$request_id\"'; \
             add_header Last-Modified ''; }}\n\
             location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}\n\
             location /away/ {{ rewrite ^/away/(.*)$ {scheme}://127.0.0.2:{port}/$1 redirect; }}\n\
             location /loop/ {{ return 302 $request_uri; }}\n}}\n}}\n"
        );
        let config = place.dir.join("nginx.conf");
        fs::write(&config, text).unwrap();
        let mut command = command("nginx");
        command
            .args(["-e", "stderr", "-p"])
            .arg(place.dir)
            .arg("-c")
            .arg(config);
        Serves::Daemon(command)
    }
}

/// With mod_webdav, and nobody without user and password.
impl Make for Lighttpd {
    fn name(&self) -> &'static str {
        "lighttpd"
    }

    fn missing(&self) -> Option<String> {
        let module = || match modules("mod_webdav.so") {
            Some(_) => None,
            None => Some("its module for WebDAV is not installed".to_owned()),
        };
        absent("lighttpd").or_else(module)
    }

    fn offers(&self) -> Offers {
        TLS
    }

    fn shows(&self) -> Shows {
        Shows::Listening
    }

    fn owner(&self) -> Option<u32> {
        is_root().then_some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let uploads = own_folder(place);
        passwords(place);
        let here = place.dir.display();
        let user = match is_root() {
            true => "server.username = \"nobody\"\nserver.groupname = \"nogroup\"\n",
            false => "",
        };
        let (module, keys) = match &place.tls {
            Some((pem, _)) => (
                ", \"mod_openssl\"",
                format!(
                    "ssl.engine = \"enable\"\nssl.pemfile = \"{}\"\n",
                    pem.display()
                ),
            ),
            None => ("", String::new()),
        };
        let text = format!(
            "server.bind = \"{}\"\nserver.port = {}\nserver.document-root = \"{}\"\n{user}\
             server.upload-dirs = ( \"{uploads}\" )\nserver.max-request-size = 0\n\
             server.modules = ( \"mod_auth\", \"mod_authn_file\", \"mod_webdav\"{module} )\n{keys}\
             mimetype.assign = ( \"\" => \"application/octet-stream\" )\n\
             webdav.activate = \"enable\"\nwebdav.is-readonly = \"disable\"\n\
             auth.backend = \"htpasswd\"\nauth.backend.htpasswd.userfile = \"{here}/passwords\"\n\
             auth.require = ( \"\" => ( \"method\" => \"basic\", \"realm\" => \"files\", \
             \"require\" => \"valid-user\" ) )\n",
            place.address.ip(),
            place.address.port(),
            place.files.display(),
        );
        let config = place.dir.join("lighttpd.conf");
        fs::write(&config, text).unwrap();
        let mut command = command("lighttpd");
        command.arg("-D").arg("-f").arg(config);
        command.arg("-m").arg(modules("mod_webdav.so").unwrap());
        Serves::Daemon(command)
    }
}

/// Takes the field `files` of a form at `/upload`, and ignores `Range`.
impl Make for Uploadserver {
    fn name(&self) -> &'static str {
        "uploadserver"
    }

    fn missing(&self) -> Option<String> {
        absent("python3").or_else(|| {
            let here = brought().join("python/uploadserver").is_dir();
            (!here).then(|| "it is not installed (.ci/servers does that)".to_owned())
        })
    }

    fn offers(&self) -> Offers {
        TLS
    }

    fn shows(&self) -> Shows {
        Shows::Listening
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut command = Command::new(program("python3").unwrap());
        command
            .env("PYTHONPATH", brought().join("python"))
            .args(["-m", "uploadserver", "--allow-replace", "--basic-auth"])
            .arg(format!("{USER}:{PASSWORD}"))
            .arg("--bind")
            .arg(place.address.ip().to_string())
            .arg("--directory")
            .arg(place.files)
            .stdin(Stdio::null());
        if let Some((pem, _)) = &place.tls {
            command.arg("--server-certificate").arg(pem);
        }
        command.arg(place.address.port().to_string());
        Serves::Daemon(command)
    }
}

/// A folder that the server can write, as text.
fn own_folder(place: &Place<'_>) -> String {
    let folder = place.dir.join("body");
    fs::create_dir(&folder).unwrap();
    if is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// The list of who may come, for basic credentials.
fn passwords(place: &Place<'_>) {
    let file = place.dir.join("passwords");
    fs::write(&file, format!("{USER}:{CRYPTED}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
}

/// The folder of lighttpd's modules, with this one in it.
fn modules(name: &str) -> Option<std::path::PathBuf> {
    let folder = program("lighttpd")?
        .parent()?
        .parent()?
        .join("lib/lighttpd");
    folder.join(name).is_file().then_some(folder)
}
