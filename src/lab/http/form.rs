//! The first file of a form (RFC 7578, RFC 2046 section 5.1.1), out of bytes as they come.

use thiserror::Error;

/// Bytes of the headers of a part.
const LONGEST: usize = 8 * 1024;

#[derive(Debug, Error)]
pub(super) enum Wrong {
    #[error("a part of the form has too long a head")]
    LongHead,
}

/// The boundary between the parts of a form, where it is one.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let boundary = boundary.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file begins.
    File,
    /// Bytes of it.
    Data(Vec<u8>),
    FileEnd,
    /// The end of the form.
    End,
    /// Nothing, until more bytes come.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In what is no file.
    Other,
    File,
    /// Behind a boundary.
    Boundary,
    Head,
    End,
}

pub(super) struct Parser {
    /// A line break, two dashes and the boundary.
    delimiter: Vec<u8>,
    bytes: Vec<u8>,
    at: At,
    /// There was one already: others are no concern of ours.
    has_file: bool,
}

impl Parser {
    pub(super) fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary may stand at the very beginning.
            bytes: b"\r\n".to_vec(),
            at: At::Other,
            has_file: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn next(&mut self) -> Result<Found, Wrong> {
        loop {
            match self.at {
                At::End => return Ok(Found::End),
                At::File | At::Other => {
                    let is_file = self.at == At::File;
                    let (data, is_over) = self.before_delimiter();
                    if is_file && !data.is_empty() {
                        return Ok(Found::Data(data));
                    }
                    if !is_over {
                        return Ok(Found::Nothing);
                    }
                    self.bytes.drain(..self.delimiter.len());
                    self.at = At::Boundary;
                    if is_file {
                        return Ok(Found::FileEnd);
                    }
                }
                At::Boundary => match self.bytes.get(..2) {
                    None => return Ok(Found::Nothing),
                    Some(b"--") => self.at = At::End,
                    // Its line break begins the head, so that an empty one ends as others do.
                    Some(_) => self.at = At::Head,
                },
                At::Head => {
                    let Some(length) = find(&self.bytes, b"\r\n\r\n") else {
                        return match self.bytes.len() > LONGEST {
                            true => Err(Wrong::LongHead),
                            false => Ok(Found::Nothing),
                        };
                    };
                    let head: Vec<u8> = self.bytes.drain(..length + 2).collect();
                    let is_file = !self.has_file && is_file(&String::from_utf8_lossy(&head));
                    // What is left begins with a line break, as a delimiter does that follows at once.
                    match is_file {
                        true => {
                            self.bytes.drain(..2);
                            self.at = At::File;
                            self.has_file = true;
                            return Ok(Found::File);
                        }
                        false => self.at = At::Other,
                    }
                }
            }
        }
    }

    /// Takes what stands before the next delimiter, and whether that one is here.
    fn before_delimiter(&mut self) -> (Vec<u8>, bool) {
        let found = find(&self.bytes, &self.delimiter);
        // The end of what is here may be the beginning of one.
        let sure = self.bytes.len().saturating_sub(self.delimiter.len() - 1);
        let rest = self.bytes.split_off(found.unwrap_or(sure));
        (std::mem::replace(&mut self.bytes, rest), found.is_some())
    }
}

/// Whether a part is a file, by its head.
fn is_file(head: &str) -> bool {
    head.lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-disposition:")
            && line
                .split(';')
                .any(|parameter| parameter.trim().starts_with("filename"))
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    loop {
        from += bytes.get(from..)?.iter().position(|byte| byte == first)?;
        if bytes[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"a preamble\r\n--ab\r\nContent-Disposition: form-data; name=\"slot\"\r\n\r\n\r\n--ab \r\n\
        content-disposition: form-data; name=\"image\"; filename=\"a b.bin\"\r\nContent-Type: x/y\r\n\r\n\
        \r\n\r\n--a\0b\r\r\n--\xff\r\n--ab\r\nContent-Disposition: form-data; filename=\"c\"\r\n\r\nanother\r\n\
        --ab--\r\nan epilogue";

    /// What comes of a form that comes in pieces of this length: the file, and whether it was whole.
    fn read(form: &[u8], length: usize) -> (Option<Vec<u8>>, bool) {
        let (mut parser, mut file) = (Parser::new("ab"), None::<Vec<u8>>);
        let mut pieces = form.chunks(length);
        loop {
            match parser.next().unwrap() {
                Found::File => file = Some(Vec::new()),
                Found::Data(data) => file.as_mut().unwrap().extend(data),
                Found::FileEnd => assert_eq!(parser.at, At::Boundary),
                Found::End => return (file, true),
                Found::Nothing => match pieces.next() {
                    Some(piece) => parser.push(piece),
                    None => return (file, false),
                },
            }
        }
    }

    #[test]
    fn the_first_file_of_a_form_is_found_however_it_comes() {
        let file = b"\r\n\r\n--a\0b\r\r\n--\xff".to_vec();
        for length in 1..FORM.len() {
            assert_eq!(read(FORM, length), (Some(file.clone()), true), "{length}");
            assert_eq!(read(b"--ab--", length), (None, true));
            let empty = b"--ab\r\nContent-Disposition: x; filename=a\r\n\r\n\r\n--ab--\r\n";
            assert_eq!(read(empty, length), (Some(Vec::new()), true));
        }
        let (cut, whole) = read(&FORM[..FORM.len() - 86], 7);
        assert!(file.starts_with(&cut.unwrap()) && !whole);
    }

    #[test]
    fn a_head_without_an_end_is_no_head() {
        let mut parser = Parser::new("ab");
        parser.push(b"--ab\r\n");
        parser.push(&[b'x'; LONGEST]);
        assert!(parser.next().is_err());
    }

    #[test]
    fn a_boundary_is_that_of_a_form() {
        for (kind, expected) in [
            ("multipart/form-data; boundary=ab", Some("ab")),
            (
                "Multipart/Form-Data; charset=x; boundary=\"a b\"",
                Some("a b"),
            ),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=ab", None),
        ] {
            assert_eq!(boundary(kind), expected, "{kind}");
        }
    }
}
