//! The YAML as a tree whose nodes know where they stand.
//!
//! Built from the parser's events and not through serde: a configuration error is nearly always
//! valid YAML, and to report all of them one needs the text as written (`2.40` is not `2.4`), the
//! position of every node, and both of two equal keys. Aliases share nodes, so a small file can't
//! become a large tree; merge keys (`<<`) are resolved here.

use std::collections::HashMap;
use std::sync::Arc;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle};

use super::Kind;
use super::error::{Problems, Span, quoted};

#[derive(Debug)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
    /// Nodes below this one and itself, aliased ones counted each time.
    weight: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar {
        /// As written, escapes resolved: `2.40` stays `2.40`.
        text: String,
        plain: bool,
    },
    Sequence(Vec<Arc<Node>>),
    Mapping(Vec<Entry>),
    /// Already reported: readers leave it out without a word.
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: Arc<Node>,
    pub value: Arc<Node>,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The kind of node, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Broken => "something else",
        }
    }
}

/// Reads one YAML document; `None` when it can't be read to its end: the reason is reported. A file without anything in
/// it is a document that is nothing ([`Node::is_null`]).
pub(crate) fn parse(text: &str, kind: &Kind, problems: &mut Problems) -> Option<Arc<Node>> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    let mut builder = Builder {
        problems,
        kind,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        nodes: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.event(event, &span_of(&span))?,
            Err(error) => {
                let at = error.marker();
                let start = at.byte_offset().unwrap_or(text.len());
                let span = Span {
                    line: at.line(),
                    column: at.col() + 1,
                    bytes: start..start,
                };
                builder.problems.report(
                    &span,
                    format!("this is not valid YAML: {}", error.info()),
                    syntax_help(text, at.line()),
                );
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or_else(nothing))
}

/// What a file without a value holds.
fn nothing() -> Arc<Node> {
    Arc::new(Node {
        span: Span::start(),
        value: Value::Scalar {
            text: String::new(),
            plain: true,
        },
        weight: 1,
    })
}

fn span_of(span: &granit_parser::Span) -> Span {
    let start = span.start.byte_offset().unwrap_or(0);
    let end = span.end.byte_offset().unwrap_or(start);
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        bytes: start..end.max(start),
    }
}

fn syntax_help(text: &str, line: usize) -> &'static str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
    let indent: &str = &line[..line.len() - line.trim_start().len()];
    if indent.contains('\t') {
        "indent with spaces: YAML does not allow tabs there"
    } else {
        "look at the indentation, brackets and quotes here and in the line above; text that holds \
         `[`, `{`, `*`, `#` or `: ` must stand in quotes"
    }
}

/// A sequence or mapping whose end has not been seen.
struct Open {
    span: Span,
    anchor: usize,
    weight: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Arc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        key: Option<Arc<Node>>,
    },
}

struct Builder<'p> {
    problems: &'p mut Problems,
    kind: &'p Kind,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
    nodes: usize,
}

impl Builder<'_> {
    /// `None` when reading must stop.
    fn event(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain && tag.is_none(),
                };
                self.node(span.clone(), value, 1, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                self.start(span, anchor, Content::Sequence(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let content = Content::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.start(span, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let value = match open.content {
                    Content::Sequence(items) => Value::Sequence(items),
                    Content::Mapping { entries, .. } => Value::Mapping(self.finish(entries)),
                };
                self.node(open.span, value, open.weight, open.anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => self.attach(node, span),
                None => self.broken(span, "this alias stands inside what it refers to"),
            },
            Event::UnresolvedAlias(name) => {
                let message = format!(
                    "nothing above is anchored as {}",
                    quoted(&format!("&{name}"))
                );
                self.broken(span, &message)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                self.problems.report(
                    span,
                    "a second YAML document begins here",
                    format!(
                        "keep one {} in a file: remove the `---` and what follows",
                        self.kind.what
                    ),
                );
                None
            }
            _ => Some(()),
        }
    }

    fn check_tag(&mut self, tag: Option<&granit_parser::Tag>, span: &Span) {
        if let Some(tag) = tag.filter(|tag| tag.is_custom()) {
            self.problems.report(
                span,
                format!("the tag {} means nothing here", quoted(&tag.original())),
                "remove it; text that begins with `!` must stand in quotes",
            );
        }
    }

    fn start(&mut self, span: &Span, anchor: usize, content: Content) -> Option<()> {
        // The end of a collection is often far below: only its beginning is pointed at.
        let start = span.bytes.start;
        self.open.push(Open {
            span: Span {
                bytes: start..start,
                ..span.clone()
            },
            anchor,
            weight: 1,
            content,
        });
        Some(())
    }

    fn broken(&mut self, span: &Span, message: &str) -> Option<()> {
        self.problems.report(
            span,
            message,
            "write `&name` before the value itself, further up, and `*name` where it is wanted again",
        );
        self.node(span.clone(), Value::Broken, 1, 0)
    }

    fn node(&mut self, span: Span, value: Value, weight: usize, anchor: usize) -> Option<()> {
        let at = span.clone();
        let node = Arc::new(Node {
            span,
            value,
            weight,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.nodes += 1;
        self.attach(node, &at)
    }

    /// Puts a node where the innermost open collection wants it.
    fn attach(&mut self, node: Arc<Node>, at: &Span) -> Option<()> {
        let weight = node.weight;
        let total = match self.open.last_mut() {
            None => {
                self.root = Some(node);
                weight
            }
            Some(open) => {
                match &mut open.content {
                    Content::Sequence(items) => items.push(node),
                    Content::Mapping { entries, key } => match key.take() {
                        None => *key = Some(node),
                        Some(key) => entries.push(Entry { key, value: node }),
                    },
                }
                open.weight = open.weight.saturating_add(weight);
                open.weight
            }
        };
        let most = self.kind.most_nodes;
        if total.max(self.nodes) > most {
            self.problems.report(
                at,
                format!("the file has more than {most} values up to here"),
                self.kind.shorter,
            );
            return None;
        }
        Some(())
    }

    /// Resolves merge keys and reports keys that are given twice.
    fn finish(&mut self, written: Vec<Entry>) -> Vec<Entry> {
        let mut lines: HashMap<String, usize> = HashMap::new();
        let mut entries = Vec::with_capacity(written.len());
        let mut merged = Vec::new();
        for entry in written {
            let Some(key) = entry.key.text() else {
                entries.push(entry);
                continue;
            };
            if key == "<<" && matches!(entry.key.value, Value::Scalar { plain: true, .. }) {
                merged.push(entry.value);
                continue;
            }
            match lines.get(key) {
                Some(line) => self.problems.report(
                    &entry.key.span,
                    format!("duplicate key {}", quoted(key)),
                    format!("it stands in line {line} already: keep one of them"),
                ),
                None => {
                    lines.insert(key.to_owned(), entry.key.span.line);
                    entries.push(entry);
                }
            }
        }
        for value in merged {
            let sources = match &value.value {
                Value::Sequence(items) => items.clone(),
                _ => vec![value],
            };
            for source in sources {
                match &source.value {
                    Value::Mapping(more) => {
                        for entry in more {
                            let new = entry.key.text().is_some_and(|key| {
                                let new = !lines.contains_key(key);
                                lines.entry(key.to_owned()).or_insert(entry.key.span.line);
                                new
                            });
                            if new {
                                entries.push(entry.clone());
                            }
                        }
                    }
                    Value::Broken => {}
                    _ => self.problems.report(
                        &source.span,
                        format!("`<<` merges mappings, and this is {}", source.kind()),
                        "write `<<: *name`, where `&name` stands before a mapping",
                    ),
                }
            }
        }
        entries
    }
}
