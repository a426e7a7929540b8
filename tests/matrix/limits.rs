//! What servers can't do, whoever asks: the only cells that may end without the image.

/// One server's limit.
#[derive(Debug)]
pub(crate) struct Limit {
    /// As the line is called.
    pub(crate) line: &'static str,
    /// As the column is called.
    pub(crate) row: &'static str,
    /// Whose limit it is, and which.
    pub(crate) why: &'static str,
    /// The program's cause must have these words: it names the limit.
    pub(crate) words: &'static str,
}

/// A limit that is not met any more is a failure too: this list stays true.
pub(crate) const LIMITS: [Limit; 3] = [
    Limit {
        line: "npm ftpd",
        row: "explicit",
        why: "its process ends with the first TLS handshake: it is made for Node before 12",
        words: "refused the connection",
    },
    Limit {
        line: "uploadserver form",
        row: "full",
        why: "it ends the connection without an answer when its disk is full",
        words: "connection",
    },
    Limit {
        line: "tftpd-hpa TFTP",
        row: "full",
        why: "it acknowledges the last block whatever its disk has taken, and can't be asked",
        words: "unproven",
    },
];

pub(crate) fn expected(line: &str, row: &str) -> Option<&'static Limit> {
    LIMITS
        .iter()
        .find(|limit| limit.line == line && limit.row == row)
}
