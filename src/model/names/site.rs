//! What people call a site.

use std::path::Path;

use crate::model::text::shown;

/// What an inventory's file is called, which is what people call the site; its folder where every file is called so.
pub fn site_name(inventory: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| shown(&part.to_string_lossy()))
            .unwrap_or_default()
    };
    let name = text(inventory.file_stem());
    let folder = text(inventory.parent().and_then(Path::file_name));
    match name.as_str() {
        "inventory" if !folder.is_empty() => folder,
        _ => name,
    }
}

/// Fit to be part of a file's name on any host: letters, digits, `.`, `_` and `-`; what else there is becomes `-`.
pub fn for_a_file(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' => out.push(c),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    // One that begins with a point is hidden, one with a dash is taken for an option.
    out.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_called_as_its_file_or_its_folder_is() {
        for (file, name) in [
            ("/home/craft/bremen.yaml", "bremen"),
            ("/home/craft/bremen/inventory.yaml", "bremen"),
            ("inventory.yaml", "inventory"),
            ("/", ""),
        ] {
            assert_eq!(site_name(Path::new(file)), name, "{file}");
        }
    }

    #[test]
    fn names_of_files_are_made_safe() {
        for (text, safe) in [
            ("bremen_2.b", "bremen_2.b"),
            ("../../etc/passwd", "etc-passwd"),
            ("-rf *", "rf"),
            ("größe <script>\n", "gr-e-script"),
            ("漢字", ""),
        ] {
            assert_eq!(for_a_file(text), safe, "{text:?}");
        }
        assert!(for_a_file(&"x".repeat(500)).len() < 100);
    }
}
