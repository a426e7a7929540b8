//! Which setting a server waits for, as far as its words show it. What the operator has set already
//! is never advised again.

use crate::model::{DataMode, Dialect};

use super::reply::Reply;

/// What to write into the inventory, where a refusal shows that.
pub(super) fn about(reply: &Reply, dialect: &Dialect, over_tls: bool) -> Option<String> {
    let said = reply.raw.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let has_word = |word: &str| {
        let mut words = said.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|one| one == word)
    };
    let sends = |verb: &str| {
        let mut sent = dialect.before_store.iter();
        sent.any(|command| command.to_ascii_lowercase().starts_with(verb))
    };
    let wants_account = matches!(reply.code, 332 | 532);
    if wants_account && dialect.account.is_none() {
        return Some(
            "it wants an account besides the password: write `account: …` beside its address"
                .into(),
        );
    }
    let wants_tls = matches!(reply.code, 421 | 500..=599) && says(&["tls", "ssl", "auth "]);
    if wants_tls && !over_tls {
        return Some("it may want TLS: write its address with `ftps://`".into());
    }
    let is_refusal = matches!(reply.code, 450 | 500..=599);
    if !is_refusal {
        return None;
    }
    let about_path = [
        "absolute",
        "full path",
        "path not allowed",
        "pathname",
        "bare name",
        "file name only",
        "filename only",
        "without path",
        "change directory",
        "change dir",
        "relative",
        "use cwd",
    ];
    if says(&about_path) && !dialect.cwd {
        return Some(
            "where it takes names without a directory only, write `cwd: true` beside its address"
                .into(),
        );
    }
    if has_word("allo") && !sends("allo") {
        return Some(
            "it wants to know the size first: write `before_store: [\"ALLO BYTES\"]` beside its \
             address"
                .into(),
        );
    }
    let first = says(&[
        "first", "before", "must", "need", "require", "select", "use ",
    ]);
    if first && has_word("site") && !sends("site") {
        return Some(
            "what it wants said before a file is stored belongs into `before_store: […]` beside \
             its address"
                .into(),
        );
    }
    let no_passive = matches!(reply.code, 500 | 502 | 504 | 522)
        && says(&["active mode", "use port", "use eprt", "passive"]);
    if no_passive && dialect.data == DataMode::Passive {
        return Some(active());
    }
    None
}

/// For servers that open data connections themselves.
pub(super) fn active() -> String {
    "it may know active mode alone: write `data: active` beside its address".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Account;
    use crate::transport::redact::Redact;

    fn advised(line: &str, dialect: &Dialect) -> String {
        let reply = Reply::from_bytes(line.as_bytes(), &Redact::default()).unwrap();
        about(&reply, dialect, false).unwrap_or_default()
    }

    #[test]
    fn a_setting_is_advised_where_the_words_show_it_and_not_twice() {
        let nothing = Dialect::default();
        let everything = Dialect {
            cwd: true,
            account: Some(Account::new("1")),
            before_store: ["ALLO 1".to_owned(), "SITE X".to_owned()].into(),
            data: DataMode::Active(Default::default()),
            ..Dialect::default()
        };
        for (line, setting) in [
            ("332 account?", "account:"),
            ("532 need account for storing files", "account:"),
            ("553 absolute paths are not allowed", "cwd: true"),
            ("501 pathname not allowed, change directory", "cwd: true"),
            ("550 send ALLO first", "before_store"),
            ("550 select the medium first (SITE MEDIA)", "before_store"),
            ("502 passive mode is not supported", "data: active"),
            ("530 this server requires SSL", "ftps://"),
        ] {
            let said = advised(line, &nothing);
            assert!(said.contains(setting), "{line}: {said}");
            if setting != "ftps://" {
                assert_eq!(advised(line, &everything), "", "{line}");
            }
        }
        for line in [
            "550 no such file",
            "553 file exists",
            "552 flash is full",
            "550 on-site storage is gone",
            "530 who are you?",
        ] {
            assert_eq!(advised(line, &nothing), "", "{line}");
        }
    }
}
