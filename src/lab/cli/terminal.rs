//! Lines and keys of one session, whatever carries them: echo, corrections, ends of lines. A line is bounded; what
//! is typed ahead waits in the connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::telnet::{Telnet, escaped};

/// Bytes of a line; what comes beyond is dropped with a bell.
const LONGEST_LINE: usize = 1024;
/// Bytes that are read at once.
const READ: usize = 512;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

type From<'a> = Box<dyn AsyncRead + Send + Sync + Unpin + 'a>;
type To<'a> = Box<dyn AsyncWrite + Send + Sync + Unpin + 'a>;

/// The device's side of one session.
pub(super) struct Terminal<'a> {
    from: From<'a>,
    to: To<'a>,
    telnet: Option<Telnet>,
    /// Whether what is typed is shown.
    echoes: bool,
    /// Whether what is shown has escape sequences in it.
    escapes: bool,
    read: Vec<u8>,
    at: usize,
    after_cr: bool,
}

impl<'a> Terminal<'a> {
    /// One that is not negotiated about; `echoes`: there is a terminal on the other side.
    pub(super) fn plain(from: From<'a>, to: To<'a>, echoes: bool, escapes: bool) -> Self {
        Self {
            from,
            to,
            telnet: None,
            echoes,
            escapes,
            read: Vec::new(),
            at: 0,
            after_cr: false,
        }
    }

    /// One over telnet, with the server's first words said.
    pub(super) async fn telnet(from: From<'a>, to: To<'a>, escapes: bool) -> io::Result<Self> {
        let (telnet, offers) = Telnet::new();
        let mut terminal = Self::plain(from, to, true, escapes);
        terminal.telnet = Some(telnet);
        terminal.to.write_all(&offers).await?;
        terminal.to.flush().await?;
        Ok(terminal)
    }

    /// Shows text; its lines end with `\n`.
    pub(super) async fn show(&mut self, text: &str) -> io::Result<()> {
        let coloured = || {
            let line = |line: &str| match line.strip_suffix('\n') {
                Some(line) => format!("\x1b[0;32m{line}\x1b[0m\x1b[K\n"),
                None => format!("\x1b]0;device\x07\x1b[1m{line}\x1b[0m"),
            };
            text.split_inclusive('\n').map(line).collect::<String>()
        };
        match self.escapes {
            true => self.send(&coloured()).await,
            false => self.send(text).await,
        }
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        let text = text.replace('\n', "\r\n");
        match &self.telnet {
            Some(_) => self.to.write_all(&escaped(text.as_bytes())).await?,
            None => self.to.write_all(text.as_bytes()).await?,
        }
        self.to.flush().await
    }

    /// The next line, without its end; `None` where the client has left. What was interrupted is an empty line.
    pub(super) async fn line(&mut self, is_shown: bool) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        while let Some(key) = self.key().await? {
            let echoes = is_shown && self.echoes();
            match key {
                b'\r' | b'\n' => {
                    // Also behind what was hidden: the next words begin a line of their own.
                    if self.echoes() {
                        self.send("\n").await?;
                    }
                    return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
                }
                INTERRUPT => {
                    self.send("^C\n").await?;
                    return Ok(Some(String::new()));
                }
                END if line.is_empty() => return Ok(None),
                BACKSPACE | DELETE => {
                    if line.pop().is_some() && echoes {
                        self.send("\x08 \x08").await?;
                    }
                }
                ERASE_LINE => {
                    if echoes {
                        self.send(&"\x08 \x08".repeat(line.len())).await?;
                    }
                    line.clear();
                }
                _ if line.len() == LONGEST_LINE => self.send("\x07").await?,
                key => {
                    line.push(key);
                    if echoes {
                        self.to.write_all(&[key]).await?;
                        self.to.flush().await?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// The next key, which is not shown; `None` where the client has left. `\r` is the end of a line, whatever
    /// follows it (RFC 854: `CR LF` and `CR NUL`).
    pub(super) async fn key(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(&byte) = self.read.get(self.at) else {
                let mut buffer = [0; READ];
                let count = self.from.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(None);
                }
                self.read.clear();
                self.read.extend_from_slice(&buffer[..count]);
                self.at = 0;
                continue;
            };
            self.at += 1;
            let mut answer = Vec::new();
            let key = match &mut self.telnet {
                Some(telnet) => telnet.take(byte, &mut answer),
                None => Some(byte),
            };
            if !answer.is_empty() {
                self.to.write_all(&answer).await?;
                self.to.flush().await?;
            }
            let Some(key) = key else { continue };
            let ends_a_line = std::mem::replace(&mut self.after_cr, key == b'\r');
            if key != 0 && !(ends_a_line && key == b'\n') {
                return Ok(Some(key));
            }
        }
    }

    /// Reads over what is typed until the client leaves.
    pub(super) async fn ignore(&mut self) -> io::Result<()> {
        while self.key().await?.is_some() {}
        Ok(())
    }

    /// Says that there is no more.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.to.shutdown().await
    }

    fn echoes(&self) -> bool {
        self.echoes && self.telnet.as_ref().is_none_or(Telnet::echoes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn typed(bytes: &'static [u8], lines: usize) -> (Vec<Option<String>>, String) {
        let mut shown = Vec::new();
        let mut terminal = Terminal::plain(Box::new(bytes), Box::new(&mut shown), true, false);
        let mut read = Vec::new();
        for _ in 0..lines {
            read.push(terminal.line(true).await.unwrap());
        }
        drop(terminal);
        (read, String::from_utf8(shown).unwrap())
    }

    #[tokio::test]
    async fn lines_end_in_every_way_and_can_be_corrected() {
        let (lines, shown) = typed(b"one\r\ntwo\r\0three\nfoux\x7fr\rno\x15yes\n", 6).await;
        let said = |line: &str| Some(line.to_owned());
        let expected = ["one", "two", "three", "four", "yes"].map(said);
        assert_eq!(lines[..5], expected);
        assert_eq!(lines[5], None);
        assert!(shown.starts_with("one\r\ntwo\r\nthree\r\nfoux\x08 \x08r\r\n"));
    }

    #[tokio::test]
    async fn a_line_is_bounded_and_what_is_hidden_is_not_shown() {
        let long: &'static [u8] = vec![b'a'; 5000].leak();
        let mut shown = Vec::new();
        let from = long.chain(&b"\r\nsecret\r\n"[..]);
        let mut terminal = Terminal::plain(Box::new(from), Box::new(&mut shown), true, false);
        assert_eq!(terminal.line(false).await.unwrap().unwrap().len(), 1024);
        assert_eq!(terminal.line(false).await.unwrap().unwrap(), "secret");
        drop(terminal);
        let bells = shown.iter().filter(|byte| **byte == 0x07).count();
        assert_eq!(bells, 5000 - 1024);
        let text = String::from_utf8(shown).unwrap();
        assert!(!text.contains('a') && !text.contains("secret"), "{text}");
    }
}
