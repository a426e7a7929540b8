//! What stands for the words in braces of a dialect's texts.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::machine::{Machine, Next};
use crate::lab::device::{Device, File};

/// A word of a command that stands for a file or a bank, and the path that it would be.
#[derive(Debug)]
pub(super) struct About {
    pub(super) word: String,
    pub(super) path: String,
}

impl About {
    pub(super) fn new(word: &str, path: String) -> Self {
        Self {
            word: word.into(),
            path,
        }
    }

    /// Digests are computed only where the text has them: that reads the whole file.
    pub(super) fn filled(&self, text: &str, device: &Device) -> String {
        let mut text = text.replace("{file}", &self.word);
        let Some(file) = device.file(&self.path) else {
            return text;
        };
        text = text.replace("{size}", &file.size().to_string());
        if text.contains("{md5}") {
            text = text.replace("{md5}", &digest(&file, Md5::new()));
        }
        if text.contains("{sha256}") {
            text = text.replace("{sha256}", &digest(&file, Sha256::new()));
        }
        text
    }
}

fn digest(file: &File, mut digest: impl Digest) -> String {
    file.each(|_, bytes| {
        digest.update(bytes);
        true
    });
    hex::encode(digest.finalize())
}

/// Banks are counted from 1.
pub(super) fn of_machine(text: &str, machine: &Machine) -> String {
    let held = |bank: &Option<String>| bank.clone().unwrap_or_else(|| "empty".into());
    let banks: String = (machine.banks().iter().enumerate())
        .map(|(number, bank)| {
            let runs = if number == machine.running() {
                " (running)"
            } else {
                ""
            };
            format!("Bank {}: {}{runs}\n", number + 1, held(bank))
        })
        .collect();
    let next = match machine.next() {
        Next::Bank(bank) => format!("bank {}", bank + 1),
        Next::Files(files) => files.join(";"),
    };
    let saved = machine.saved_files().iter();
    let saved: String = saved.map(|file| format!("boot system {file}\n")).collect();
    let previous = machine.banks().get(machine.other()).map(held);
    (text.replace("{version}", machine.version()))
        .replace("{bank}", &(machine.running() + 1).to_string())
        .replace("{banks}", &banks)
        .replace("{boot}", &next)
        .replace("{saved}", &saved)
        .replace("{previous}", &previous.unwrap_or_default())
}
