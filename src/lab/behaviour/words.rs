//! The settings of a server in words, for people.

use super::{Behaviour, NameCut};
use crate::model::units;

impl Behaviour {
    /// The settings in words, for people: `600.0 KiB/s, disk full at 3.0 MiB`; empty for none.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        self.pace(&mut words);
        self.transfers(&mut words);
        self.replies(&mut words);
        self.refusals(&mut words);
        self.cli.words(&mut words);
        words.join(", ")
    }

    fn pace(&self, words: &mut Vec<String>) {
        if let Some(rate) = self.rate {
            words.push(units::rate(rate as f64));
        }
        if let Some(rate) = self.read_rate {
            words.push(format!("{} when read", units::rate(rate as f64)));
        }
        if let Some(time) = self.latency {
            words.push(format!("answers after {}", units::duration(time)));
        }
        if let Some(pause) = self.pause {
            let random = if self.random_pauses { " or so" } else { "" };
            words.push(format!(
                "pauses {} every {}{random}",
                units::duration(pause.length),
                units::size(pause.every)
            ));
        }
        if let Some(times) = self.busy_times {
            let which = match self.busy_after {
                Some(after) => format!("{times} sessions away after {after}"),
                None => format!("the first {times} sessions away"),
            };
            words.push(format!("turns {which}"));
        }
        if let Some(most) = self.max_sessions {
            words.push(format!("has room for {most} sessions"));
        }
        if self.refuse_login {
            words.push("refuses logins".into());
        }
    }

    fn transfers(&self, words: &mut Vec<String>) {
        for (what, at) in [
            ("disk full at", self.disk_full_at),
            ("drops transfers at", self.drop_at),
            ("falls silent at", self.silent_at),
            ("dies when it has sent", self.dies_at),
            ("truncates files at", self.truncate_at),
            ("corrupts the byte at", self.corrupt_at),
            ("sends a wrong byte at", self.corrupt_read_at),
            ("confirms uploads at", self.confirm_at),
            ("hangs up at", self.hang_up_at),
        ] {
            if let Some(at) = at {
                words.push(format!("{what} {}", units::size(at)));
            }
        }
        let drops = self.drop_at.is_some() || self.drop_somewhere;
        if self.drop_somewhere && self.drop_at.is_none() {
            words.push("drops transfers somewhere".into());
        }
        if let Some(times) = self.drop_times.filter(|_| drops) {
            words.push(format!("{times} times only"));
        }
        if let Some(time) = self.down_for.filter(|_| drops) {
            words.push(format!("is gone for {} then", units::duration(time)));
        }
        if let Some(time) = self.confirm_after {
            words.push(format!("confirms after {}", units::duration(time)));
        }
        if let Some(block) = self.size_block {
            words.push(format!("tells sizes in blocks of {}", units::size(block)));
        }
        if let Some(time) = self.size_after {
            words.push(format!("knows a size after {}", units::duration(time)));
        }
        match self.cut_names {
            Some(NameCut::At(most)) => words.push(format!("cuts names to {most} characters")),
            Some(NameCut::Dos) => words.push("cuts names to 8.3".into()),
            None => {}
        }
        if let Some(times) = self.busy_renames {
            words.push(format!("refuses the first {times} renames for a while"));
        }
        if let Some(time) = self.reboot_after_store {
            let time = units::duration(time);
            words.push(format!("reboots after an upload, for {time}"));
        }
        for (when, verb) in [("on", &self.hang_up_on), ("after", &self.hang_up_after)] {
            let Some(verb) = verb else { continue };
            let skip = match self.hang_up_skip {
                Some(skip) => format!(" after {skip} of them"),
                None => String::new(),
            };
            let times = match self.hang_up_times {
                Some(times) => format!(", {times} times"),
                None => String::new(),
            };
            words.push(format!("hangs up {when} {verb}{skip}{times}"));
        }
    }

    fn replies(&self, words: &mut Vec<String>) {
        if let Some(line) = &self.store_needs {
            words.push(format!("wants {line} before an upload"));
        }
        if let Some(line) = &self.confirm_reply {
            words.push(format!("answers uploads with {line}"));
        }
        if let Some(host) = self.pasv_host {
            words.push(format!("names {host} in PASV"));
        }
        for (verb, line) in &self.replies {
            words.push(format!("answers {verb} with {line}"));
        }
        for (verb, time) in &self.delays {
            words.push(format!("answers {verb} after {}", units::duration(*time)));
        }
    }

    fn refusals(&self, words: &mut Vec<String>) {
        for (is_so, what) in [
            (self.other_host_key, "has another host key than is shown"),
            (self.no_read, "can't be read"),
            (self.no_size, "knows no sizes"),
            (self.no_confirm, "confirms nothing"),
            (self.fold_case, "knows no capitals"),
            (self.encode_names, "has another encoding of names"),
            (self.no_paths, "takes no paths"),
            (self.rnfr_any, "would rename any name"),
            (self.refuse_rename, "refuses renames"),
            (self.false_rename, "says that it has renamed, and has not"),
            (self.rename_elsewhere, "renames to another name"),
            (
                self.store_elsewhere,
                "stores elsewhere when a name is taken",
            ),
            (self.no_rest, "can't restart"),
            (self.no_rename, "can't rename"),
            (self.no_overwrite, "can't rename onto a file"),
            (self.no_rename_to.is_some(), "keeps a name to itself"),
            (self.no_replace, "can't store onto a file"),
            (self.no_delete, "can't delete"),
            (self.gone_after_store, "has no file after an upload"),
            (self.read_only, "read-only"),
        ] {
            if is_so {
                words.push(what.into());
            }
        }
    }
}
