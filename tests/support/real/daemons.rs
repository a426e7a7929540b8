//! Servers that accept connections themselves, set up by files: vsftpd, pure-ftpd, proftpd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::private::CRYPTED;
use super::{Make, NOBODY, Offers, PASSWORD, Place, Serves, USER, is_root, program};

#[derive(Debug)]
pub struct Vsftpd;
#[derive(Debug)]
pub struct PureFtpd;
#[derive(Debug)]
pub struct Proftpd;

pub const VSFTPD: Vsftpd = Vsftpd;
pub const PURE_FTPD: PureFtpd = PureFtpd;
pub const PROFTPD: Proftpd = Proftpd;

impl Make for Vsftpd {
    fn name(&self) -> &'static str {
        "vsftpd"
    }

    fn missing(&self) -> Option<String> {
        absent("vsftpd")
    }

    /// Data connections must go on with the control connection's TLS session.
    fn offers(&self) -> Offers {
        Offers {
            explicit: true,
            implicit: true,
            sessions: true,
            ports: true,
        }
    }

    fn login(&self) -> (&'static str, &'static str) {
        ("anonymous", "x@")
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let empty = place.dir.join("empty");
        fs::create_dir(&empty).unwrap();
        let mut text = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address={}\nlisten_port={}\nbackground=NO\n\
             run_as_launching_user=YES\nanonymous_enable=YES\nftp_username=nobody\nlocal_enable=NO\n\
             no_anon_password=NO\nanon_root={}\nwrite_enable=YES\nanon_upload_enable=YES\n\
             anon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
             anon_world_readable_only=NO\nanon_umask=022\nallow_writeable_chroot=YES\n\
             secure_chroot_dir={}\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n\
             connect_from_port_20=NO\nxferlog_enable=NO\nascii_upload_enable=YES\n\
             ascii_download_enable=YES\nmax_per_ip=200\n",
            place.address.ip(),
            place.address.port(),
            place.files.display(),
            empty.display(),
        );
        if let Some((pem, implicit)) = &place.tls {
            let (pem, implicit) = (pem.display(), if *implicit { "YES" } else { "NO" });
            text += &format!(
                "ssl_enable=YES\nimplicit_ssl={implicit}\nrsa_cert_file={pem}\n\
                 rsa_private_key_file={pem}\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\n\
                 force_anon_data_ssl=YES\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\n"
            );
        }
        if let Some(sessions) = place.sessions {
            text += &format!("max_clients={sessions}\n");
        }
        if let Some(ports) = &place.ports {
            let (first, last) = (ports.start(), ports.end());
            text += &format!("pasv_min_port={first}\npasv_max_port={last}\n");
        }
        let config = place.dir.join("vsftpd.conf");
        fs::write(&config, text).unwrap();
        let mut command = command("vsftpd");
        command.arg(config);
        Serves::Daemon(command)
    }
}

impl Make for PureFtpd {
    fn name(&self) -> &'static str {
        "pure-ftpd"
    }

    fn missing(&self) -> Option<String> {
        absent("pure-ftpd")
            .or_else(|| absent("pure-pw"))
            .or_else(needs_root)
    }

    fn offers(&self) -> Offers {
        Offers {
            explicit: true,
            implicit: false,
            sessions: true,
            ports: true,
        }
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let users = place.dir.join("users");
        let database = place.dir.join("users.pdb");
        let line = format!(
            "{USER}:{CRYPTED}:{NOBODY}:{NOBODY}::{}/./::::::::::::\n",
            place.files.display()
        );
        fs::write(&users, line).unwrap();
        let made = command("pure-pw")
            .arg("mkdb")
            .arg(&database)
            .arg("-f")
            .arg(&users)
            .status();
        assert!(made.unwrap().success());
        let mut command = command("pure-ftpd");
        // Only users of the database, in their folders, without name look-ups, over IPv4.
        command
            .args(["-E", "-A", "-H", "-4", "-u", "1", "-S"])
            .arg(format!("{},{}", place.address.ip(), place.address.port()))
            .arg("-l")
            .arg(format!("puredb:{}", database.display()))
            .arg("-g")
            .arg(place.dir.join("pid"));
        if let Some((pem, _)) = &place.tls {
            // For control and data connections.
            command.args(["-Y", "3", "-2"]).arg(pem);
        }
        if let Some(sessions) = place.sessions {
            command.arg("-c").arg(sessions.to_string());
        }
        if let Some(ports) = &place.ports {
            let range = format!("{}:{}", ports.start(), ports.end());
            command.arg("-p").arg(range);
        }
        Serves::Daemon(command)
    }
}

impl Make for Proftpd {
    fn name(&self) -> &'static str {
        "proftpd"
    }

    fn missing(&self) -> Option<String> {
        let modules = || match proftpd_module("mod_tls.so") {
            Some(_) => None,
            None => Some("its module for TLS is not installed".to_owned()),
        };
        absent("proftpd").or_else(modules).or_else(needs_root)
    }

    /// Data connections must go on with the control connection's TLS session.
    fn offers(&self) -> Offers {
        Offers {
            explicit: true,
            implicit: true,
            sessions: true,
            ports: true,
        }
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut text = String::new();
        if let Some((pem, implicit)) = &place.tls {
            let (pem, here) = (pem.display(), place.dir.display());
            text += &format!(
                "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSLog {here}/tls\n\
                 TLSProtocol TLSv1.2 TLSv1.3\nTLSECCertificateFile {pem}\n\
                 TLSECCertificateKeyFile {pem}\nTLSVerifyClient off\n"
            );
            if *implicit {
                text += "TLSOptions UseImplicitSSL\n";
            }
        }
        if let Some(ports) = &place.ports {
            text += &format!("PassivePorts {} {}\n", ports.start(), ports.end());
        }
        Serves::Daemon(proftpd(place, &text))
    }
}

/// proftpd with one user, and with more of its settings.
pub(super) fn proftpd(place: &Place<'_>, more: &str) -> Command {
    let users = place.dir.join("users");
    let line = format!(
        "{USER}:{CRYPTED}:{NOBODY}:{NOBODY}::{}:/bin/false\n",
        place.files.display()
    );
    fs::write(&users, line).unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let here = place.dir.display();
    let mut text = format!(
        "ModulePath {}\nServerType standalone\nDefaultAddress {}\nPort {}\nUseIPv6 off\n\
         UseReverseDNS off\nPidFile {here}/pid\nScoreboardFile {here}/scoreboard\n\
         DelayTable none\nWtmpLog off\nTransferLog none\nSystemLog {here}/log\nUser nobody\n\
         Group nogroup\nAuthOrder mod_auth_file.c\nAuthUserFile {}\nRequireValidShell off\n\
         DefaultRoot ~\nAllowOverwrite on\nAllowRetrieveRestart on\n{more}",
        modules().unwrap().display(),
        place.address.ip(),
        place.address.port(),
        users.display(),
    );
    if let Some(sessions) = place.sessions {
        text += &format!("MaxClients {sessions}\n");
    }
    let config = place.dir.join("proftpd.conf");
    fs::write(&config, text).unwrap();
    let mut command = command("proftpd");
    command.args(["-n", "-q", "-c"]).arg(config);
    command
}

/// Whether a program is not there, in words.
pub(super) fn absent(name: &str) -> Option<String> {
    match program(name) {
        Some(_) => None,
        None => Some(format!("{name} is not installed (.ci/servers does that)")),
    }
}

/// They change their root, and their user for each session.
pub(super) fn needs_root() -> Option<String> {
    (!is_root()).then(|| "it needs root".to_owned())
}

pub(super) fn command(name: &str) -> Command {
    Command::new(program(name).unwrap())
}

/// The folder of proftpd's modules.
fn modules() -> Option<PathBuf> {
    Some(program("proftpd")?.parent()?.parent()?.join("lib/proftpd"))
}

pub(super) fn proftpd_module(name: &str) -> Option<PathBuf> {
    let file = modules()?.join(name);
    file.is_file().then_some(file)
}

const _: () = assert!(PASSWORD.len() == 12, "CRYPTED is of another password");
