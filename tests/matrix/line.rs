//! A server and the way on which it is reached.

use subtend::model::Scheme;

use crate::support::real::{HTTP_MAKES, MAKES, Make, SSH_MAKES, TFTP_MAKES};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) make: &'static dyn Make,
    pub(crate) way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Ftp,
    /// All of it over TLS.
    Ftps,
    Sftp,
    Scp,
    Http,
    Https,
    /// HTTP, where files are brought with a form.
    Form,
    Tftp,
}

/// Ways that have columns in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Ftp,
    Ssh,
    Http,
    Tftp,
}

impl Family {
    pub(crate) const ALL: [Self; 4] = [Self::Ftp, Self::Ssh, Self::Http, Self::Tftp];
}

impl Way {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Ftp | Self::Ftps => Family::Ftp,
            Self::Sftp | Self::Scp => Family::Ssh,
            Self::Http | Self::Https | Self::Form => Family::Http,
            Self::Tftp => Family::Tftp,
        }
    }

    /// The scheme of addresses; that of FTP over TLS depends on when TLS begins.
    pub(crate) fn scheme(self, implicit: bool) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftps if implicit => "ftps+implicit",
            Self::Ftps => "ftps",
            Self::Sftp => "sftp",
            Self::Scp => "scp",
            Self::Http | Self::Form => "http",
            Self::Https => "https",
            Self::Tftp => "tftp",
        }
    }

    /// Whether all of it goes over TLS.
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Ftps | Self::Https)
    }

    /// Whether nothing can be renamed there: what is sent goes to the final name at once.
    pub(crate) fn is_direct(self) -> bool {
        matches!(self, Self::Scp | Self::Form | Self::Tftp)
    }

    /// Whether a file can be asked for again under the name that it was brought to.
    pub(crate) fn gives_back(self) -> bool {
        !matches!(self, Self::Form | Self::Tftp)
    }

    /// Whether an image can be read there.
    pub(crate) fn is_source(self) -> bool {
        self != Self::Tftp
    }
}

impl Line {
    pub(crate) fn name(&self) -> String {
        let way = match self.way {
            Way::Ftp => return self.make.name().to_owned(),
            Way::Ftps => "TLS",
            Way::Sftp => "SFTP",
            Way::Scp => "SCP",
            Way::Http => "HTTP",
            Way::Https => "HTTPS",
            Way::Form => "form",
            Way::Tftp => "TFTP",
        };
        format!("{} {way}", self.make.name())
    }

    /// Each make in clear text, and over TLS those that most devices' servers descend from; then what
    /// is reached in other ways.
    pub(crate) fn all() -> Vec<Self> {
        let of = |make: &'static dyn Make, ways: &[Way]| {
            let lines = ways.iter().map(|way| Self { make, way: *way });
            lines.collect::<Vec<_>>()
        };
        let secure =
            |make: &&'static dyn Make| ["vsftpd", "pure-ftpd", "proftpd"].contains(&make.name());
        let mut all: Vec<Self> = Vec::new();
        all.extend(MAKES.into_iter().flat_map(|make| of(make, &[Way::Ftp])));
        all.extend(
            MAKES
                .into_iter()
                .filter(secure)
                .flat_map(|make| of(make, &[Way::Ftps])),
        );
        for way in [Way::Sftp, Way::Scp] {
            all.extend(SSH_MAKES.into_iter().flat_map(|make| of(make, &[way])));
        }
        for make in HTTP_MAKES {
            all.extend(of(
                make,
                match make.name() {
                    "nginx" => &[Way::Http, Way::Https],
                    "lighttpd" => &[Way::Https],
                    _ => &[Way::Form],
                },
            ));
        }
        all.extend(
            TFTP_MAKES
                .into_iter()
                .flat_map(|make| of(make, &[Way::Tftp])),
        );
        all.retain(|line| Scheme::of(line.way.scheme(false)).is_some());
        // mod_sftp runs no command that writes (`scp -t`) as it is asked for here; why is not known yet.
        all.retain(|line| line.way != Way::Scp || line.make.name() != "proftpd");
        all
    }
}
