//! How a server is spoken to. What the scheme of a url stands for is decided here alone: its default port,
//! whether it hides what is sent, and which keys and credentials of the inventory mean something beside it.

use super::remote::LoginBy;
use super::verify::Evidence;

/// The part of a url before `://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// RFC 959; an address without a scheme is one.
    #[default]
    Ftp,
    /// Explicit TLS (RFC 4217).
    FtpsExplicit,
    FtpsImplicit,
    /// A folder of this host (RFC 8089).
    File,
    /// draft-ietf-secsh-filexfer-02 over SSH.
    Sftp,
    /// What `scp -O` speaks, over SSH.
    Scp,
    /// RFC 9110 and 9112.
    Http,
    /// HTTP over TLS from the first byte on.
    Https,
    /// RFC 1350; files are only written.
    Tftp,
    /// Nothing is spoken: the device asks this host for its image (`deliver: fetch`), and its address says who asks.
    Fetch,
}

/// Keys about the certificates and versions of TLS.
pub const TLS_KEYS: [&str; 2] = ["tls", "tls_max"];
/// Keys about the host keys and algorithms of SSH.
pub const SSH_KEYS: [&str; 3] = ["host_key", "known_hosts", "ssh_legacy"];
/// Keys about what is said in a session of FTP.
pub const FTP_KEYS: [&str; 5] = ["cwd", "account", "before_store", "data", "data_address"];
/// Keys about how an entity takes a file over HTTP.
pub const HTTP_KEYS: [&str; 2] = ["upload", "expect"];

impl Scheme {
    /// Those that a url can have.
    pub const ALL: [Self; 9] = [
        Self::Ftp,
        Self::FtpsExplicit,
        Self::FtpsImplicit,
        Self::File,
        Self::Sftp,
        Self::Scp,
        Self::Http,
        Self::Https,
        Self::Tftp,
    ];

    /// As it is written in a url.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::FtpsExplicit => "ftps",
            Self::FtpsImplicit => "ftps+implicit",
            Self::File => "file",
            Self::Sftp => "sftp",
            Self::Scp => "scp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tftp => "tftp",
            Self::Fetch => "fetch",
        }
    }

    /// The scheme that is written so.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.word() == word)
    }

    /// The protocol, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Ftp => "FTP",
            Self::FtpsExplicit => "FTP with explicit TLS",
            Self::FtpsImplicit => "FTP with implicit TLS",
            Self::File => "files of this host",
            Self::Sftp => "SFTP",
            Self::Scp => "SCP",
            Self::Http => "HTTP",
            Self::Https => "HTTP with TLS",
            Self::Tftp => "TFTP",
            Self::Fetch => "none: it fetches its image",
        }
    }

    /// What has to run on the host, for people.
    pub fn service(self) -> &'static str {
        match self {
            Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit => "FTP",
            Self::File => "file",
            Self::Sftp | Self::Scp => "SSH",
            Self::Http | Self::Https => "HTTP",
            Self::Tftp => "TFTP",
            Self::Fetch => "no",
        }
    }

    /// Whether a web server answers there.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// 0 where there is none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ftp | Self::FtpsExplicit => 21,
            Self::FtpsImplicit => 990,
            Self::File | Self::Fetch => 0,
            Self::Sftp | Self::Scp => 22,
            Self::Http => 80,
            Self::Https => 443,
            Self::Tftp => 69,
        }
    }

    /// Whether somebody who answers can be told from nobody without asking for anything.
    pub fn has_connections(self) -> bool {
        !matches!(self, Self::Tftp | Self::File | Self::Fetch)
    }

    /// Whether passwords and images can't be read on the way.
    pub fn is_encrypted(self) -> bool {
        match self {
            Self::Ftp | Self::Http | Self::Tftp => false,
            // Files of this host are on no way.
            Self::FtpsExplicit | Self::FtpsImplicit | Self::File | Self::Https => true,
            Self::Sftp | Self::Scp => true,
            // No password is sent there.
            Self::Fetch => true,
        }
    }

    /// Whether images can be read from there.
    pub fn can_give(self) -> bool {
        match self {
            Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit => true,
            Self::File | Self::Http | Self::Https => true,
            Self::Sftp | Self::Scp => true,
            Self::Tftp | Self::Fetch => false,
        }
    }

    /// Whether an entity can be written there.
    pub fn can_take(self) -> bool {
        match self {
            Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit => true,
            Self::Sftp | Self::Scp => true,
            Self::Http | Self::Https | Self::Tftp => true,
            Self::File | Self::Fetch => false,
        }
    }

    /// Whether a `SITE` command can be said there (RFC 959 section 4.1.3).
    pub fn has_site(self) -> bool {
        matches!(self, Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit)
    }

    /// Whether there is a way to rename a file there.
    pub fn renames(self) -> bool {
        !matches!(self, Self::Scp | Self::Tftp)
    }

    /// The most that can be learned there about a file that was written.
    pub fn evidence(self) -> Evidence {
        match self {
            Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit => Evidence::Digest,
            Self::File | Self::Sftp | Self::Scp | Self::Http | Self::Https => Evidence::Content,
            Self::Tftp => Evidence::Nothing,
            Self::Fetch => Evidence::Steps,
        }
    }

    /// Whether there is somebody to log in to. A device that fetches has a command line, which takes its credentials.
    pub fn has_login(self) -> bool {
        !matches!(self, Self::File | Self::Tftp)
    }

    /// Whether a key of the inventory means something beside an address of this scheme. Keys about
    /// the host, the file and its delivery do beside all.
    pub fn takes(self, key: &str) -> bool {
        let (tls, ssh, ftp, http) = match self {
            Self::Ftp => (false, false, true, false),
            Self::FtpsExplicit | Self::FtpsImplicit => (true, false, true, false),
            Self::File | Self::Tftp | Self::Fetch => (false, false, false, false),
            Self::Http => (false, false, false, true),
            Self::Https => (true, false, false, true),
            Self::Sftp | Self::Scp => (false, true, false, false),
        };
        (tls || !TLS_KEYS.contains(&key))
            && (ssh || !SSH_KEYS.contains(&key))
            && (ftp || !FTP_KEYS.contains(&key))
            && (http || !HTTP_KEYS.contains(&key))
    }
}

impl Scheme {
    /// Whether a server of this scheme can be logged in to with such credentials.
    pub fn logs_in_by(self, by: &LoginBy) -> bool {
        match self {
            Self::Ftp | Self::FtpsExplicit | Self::FtpsImplicit => *by == LoginBy::Password,
            Self::File | Self::Tftp => false,
            Self::Sftp | Self::Scp => *by != LoginBy::Token,
            Self::Http | Self::Https => matches!(by, LoginBy::Password | LoginBy::Token),
            // What its command line takes is looked at where that is described.
            Self::Fetch => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_is_found_by_its_word_and_takes_the_keys_of_its_protocol() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::of(scheme.word()), Some(scheme));
            assert!(scheme.takes("path"), "{scheme:?}");
            let (is_ftp, is_http) = (scheme.service() == "FTP", scheme.service() == "HTTP");
            assert_eq!(scheme.takes("data"), is_ftp, "{scheme:?}");
            assert_eq!(scheme.takes("upload"), is_http, "{scheme:?}");
            let is_tls = (is_ftp || is_http) && scheme.is_encrypted();
            assert_eq!(scheme.takes("tls"), is_tls, "{scheme:?}");
            assert_eq!(scheme.takes("host_key"), scheme.service() == "SSH");
            assert!(scheme.can_give() || scheme.can_take(), "{scheme:?}");
            assert_eq!(scheme.default_port() == 0, scheme == Scheme::File);
        }
        assert_eq!(Scheme::of("FTP"), None);
        assert_eq!(Scheme::of("gopher"), None);
    }
}
