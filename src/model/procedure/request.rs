//! What a step asks of a device over HTTP. Values are put in so that they stay values: encoded in a path, and in a body
//! as the form of its text has it.

use super::super::Complaint;
use super::super::text::percent_encoded;
use super::template::{Placeholder, Template, Unfilled, Values};

/// What is asked for (RFC 9110 section 9, RFC 5789).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// With what stands behind a `?`.
    pub path: Template,
    pub body: Option<Body>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub text: Template,
    pub content_type: String,
}

/// What text of a content type must do with a value that is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// RFC 8259.
    Json,
    Xml,
    /// What browsers send.
    UrlEncoded,
    Plain,
}

impl Form {
    fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default();
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "application/xml" | "text/xml" => Self::Xml,
            "application/x-www-form-urlencoded" => Self::UrlEncoded,
            kind if kind.ends_with("+json") => Self::Json,
            kind if kind.ends_with("+xml") => Self::Xml,
            _ => Self::Plain,
        }
    }
}

impl Request {
    /// `POST /api/reload`.
    pub fn in_words(&self, path: &str) -> String {
        format!("{} {path}", self.method.word())
    }

    /// The path and the query, as they are asked for.
    ///
    /// # Errors
    /// A value that is missing, or that would lead elsewhere.
    pub fn target(&self, values: &Values) -> Result<String, Unfilled> {
        let filled = self.path.fill_with(values, |_, placeholder, value| {
            // A path is one; anything else with a `/` in it would be two parts.
            let kept: &[u8] = match placeholder {
                Placeholder::Path => b"-._~/",
                _ => b"-._~",
            };
            Ok(percent_encoded(value, kept))
        })?;
        match has_dots(&filled) {
            true => Err(Unfilled::Dots),
            // What the operator wrote is encoded already where that means something.
            false => Ok(percent_encoded(&filled, b"-._~/?&=;,:@!$'()*+%[]")),
        }
    }
}

impl Body {
    /// A body of this content type; of none, of that which its text shows.
    ///
    /// # Errors
    /// A wrong placeholder, or text that is not of the type.
    pub fn new(text: &str, content_type: Option<String>) -> Result<Self, Complaint> {
        let template = Template::among_braces(text)?;
        // In quotes and outside of them a digit may stand.
        let sample = template.with_each("0");
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&sample).is_ok();
        let content_type = match content_type {
            Some(given) if Form::of(&given) == Form::Json && !is_json => {
                return Err(Complaint::new(
                    "the `body` is not JSON, as `content_type` says",
                    "write it as `'{\"bank\": 2, \"file\": \"{path}\"}'`, or another `content_type`",
                ));
            }
            Some(given) => given,
            None if is_json => "application/json".to_owned(),
            None => "text/plain".to_owned(),
        };
        Ok(Self {
            text: template,
            content_type,
        })
    }

    /// # Errors
    /// A value that is missing, or that can't stand where it is to be.
    pub fn fill(&self, values: &Values) -> Result<String, Unfilled> {
        let form = Form::of(&self.content_type);
        self.text.fill_with(values, |before, placeholder, value| {
            Ok(match form {
                Form::Json if in_quotes(before) => in_json(value),
                Form::Json if is_scalar(value) => value.to_owned(),
                Form::Json => return Err(Unfilled::NoNumber(placeholder.clone())),
                Form::Xml => in_xml(value),
                Form::UrlEncoded => percent_encoded(value, b"-._~"),
                Form::Plain => value.to_owned(),
            })
        })
    }
}

/// Whether a part of a path means "here" or "above", however it is encoded.
pub fn has_dots(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\'])
        .map(|part| part.replace("%2e", ".").replace("%2E", "."))
        .any(|part| matches!(&*part, "." | ".."))
}

/// Whether JSON that begins so is in the middle of a string.
fn in_quotes(json: &str) -> bool {
    let (mut inside, mut escapes) = (false, false);
    for c in json.chars() {
        match c {
            _ if escapes => escapes = false,
            '\\' if inside => escapes = true,
            '"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A number, `true`, `false` or `null`.
fn is_scalar(value: &str) -> bool {
    let read = serde_json::from_str::<serde_json::Value>(value);
    let trimmed = value.trim() == value;
    trimmed && read.is_ok_and(|read| !(read.is_string() || read.is_array() || read.is_object()))
}

fn in_xml(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(label: &str) -> Values {
        Values::from([
            (Placeholder::Path, "/flash/a b.bin".into()),
            (Placeholder::Label("x".into()), label.into()),
        ])
    }

    fn target(path: &str, label: &str) -> Result<String, Unfilled> {
        let request = Request {
            method: Method::Get,
            path: Template::parse(path).unwrap(),
            body: None,
        };
        request.target(&values(label))
    }

    fn body(text: &str, content_type: Option<&str>, label: &str) -> Result<String, Unfilled> {
        let body = Body::new(text, content_type.map(str::to_owned)).unwrap();
        body.fill(&values(label))
    }

    #[test]
    fn a_value_in_a_path_stays_one_part_of_it() {
        for (path, label, expected) in [
            ("/api/{label.x}", "a/b?c#d", "/api/a%2Fb%3Fc%23d"),
            (
                "/api/{label.x}/go",
                "50% \"ü\"",
                "/api/50%25%20%22%C3%BC%22/go",
            ),
            ("/cgi?file={path}&n=1", "", "/cgi?file=/flash/a%20b.bin&n=1"),
            ("/a b/%41[1]", "", "/a%20b/%41[1]"),
        ] {
            assert_eq!(target(path, label).as_deref(), Ok(expected), "{path}");
        }
        for (path, label) in [
            ("/a/{label.x}/b", ".."),
            ("/a/.{label.x}", "."),
            ("/a/{label.x}", "%2e"),
        ] {
            let expected = match label {
                // The sign itself is encoded, and so means nothing.
                "%2e" => Ok("/a/%252e".to_owned()),
                _ => Err(Unfilled::Dots),
            };
            assert_eq!(target(path, label), expected, "{path} {label}");
        }
        assert!(has_dots("/a/%2E%2e/b") && !has_dots("/a/...?x=../y"));
    }

    #[test]
    fn a_value_in_a_body_can_not_end_what_it_stands_in() {
        let tricky = r#"a"b\c<&'"#;
        for (text, kind, label, expected) in [
            (
                r#"{"a": {"n": "{label.x}"}}"#,
                None,
                tricky,
                r#"{"a": {"n": "a\"b\\c<&'"}}"#,
            ),
            (
                r#"{"q\"": "{label.x}", "n": {label.x}}"#,
                None,
                "2",
                r#"{"q\"": "2", "n": 2}"#,
            ),
            (
                "a={label.x}&b",
                Some("application/x-www-form-urlencoded"),
                "1&b=2",
                "a=1%26b%3D2&b",
            ),
            (
                "<a>{label.x}</a>",
                Some("text/xml; charset=utf-8"),
                tricky,
                "<a>a&quot;b\\c&lt;&amp;&apos;</a>",
            ),
            ("say {label.x} {", None, tricky, r#"say a"b\c<&' {"#),
        ] {
            assert_eq!(body(text, kind, label).as_deref(), Ok(expected), "{text}");
        }
        let bare = body(r#"{"n": {label.x}}"#, None, "A");
        assert_eq!(
            bare,
            Err(Unfilled::NoNumber(Placeholder::Label("x".into())))
        );
        assert!(body(r#"{"n": {label.x}}"#, None, "2, \"m\": 3").is_err());
    }

    #[test]
    fn the_content_type_is_that_of_the_text_where_none_is_given() {
        let of = |text, given: Option<&str>| {
            Body::new(text, given.map(str::to_owned))
                .unwrap()
                .content_type
        };
        assert_eq!(
            of(r#"{"bank": {label.x}, "f": "{path}"}"#, None),
            "application/json"
        );
        assert_eq!(of("bank={label.x}", None), "text/plain");
        assert_eq!(of("{}", Some("text/plain")), "text/plain");
        let said = Body::new("bank", Some("application/yang+json".into())).unwrap_err();
        assert!(said.message.contains("not JSON"), "{said}");
        let said = Body::new("{\"a\": \"{pth}\"}", None).unwrap_err();
        assert!(said.help.contains("did you mean `path`"), "{said}");
    }
}
