//! The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), as far as they are sent and understood here.
//!
//! Ours, and not a library's, for two reasons: servers of devices leave the text out of a status, or have
//! codes of their own, and a block is framed where it lies, without another copy.

/// Maximum bytes of one packet, as OpenSSH has it.
pub(super) const LONGEST: usize = 256 << 10;

/// What is asked for (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    Lstat = 7,
    Fstat = 8,
    OpenDir = 11,
    ReadDir = 12,
    Remove = 13,
    Stat = 17,
    Rename = 18,
    Extended = 200,
}

/// Flags of [`Kind::Open`].
pub(super) const READ: u32 = 1;
pub(super) const WRITE: u32 = 2 | 8 | 16;

const SIZE: u32 = 1;
const UID_GID: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;
const MORE: u32 = 0x8000_0000;

/// Codes of a status (section 7).
pub(super) const OK: u32 = 0;
pub(super) const EOF: u32 = 1;
pub(super) const NO_SUCH_FILE: u32 = 2;
pub(super) const PERMISSION_DENIED: u32 = 3;
pub(super) const FAILURE: u32 = 4;
pub(super) const BAD_MESSAGE: u32 = 5;
pub(super) const UNSUPPORTED: u32 = 8;

/// A packet while it is written.
pub(super) struct Packet(Vec<u8>);

impl Packet {
    pub(super) fn new(kind: Kind, id: u32) -> Self {
        Self(vec![0, 0, 0, 0, kind as u8]).u32(id)
    }

    /// What a session begins with.
    pub(super) fn init() -> Vec<u8> {
        Self(vec![0, 0, 0, 0, 1]).u32(3).end()
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn string(self, bytes: &[u8]) -> Self {
        // No name, handle or block comes near it.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut packet = self.u32(length);
        packet.0.extend_from_slice(bytes);
        packet
    }

    /// Attributes that say what a new file may be used for.
    pub(super) fn mode(self, mode: u32) -> Self {
        self.u32(PERMISSIONS).u32(mode)
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// The packet that writes a block; made at its length, so that the block is copied once.
pub(super) fn write(id: u32, handle: &[u8], offset: u64, data: &[u8]) -> Vec<u8> {
    let mut packet = Packet(Vec::with_capacity(32 + handle.len() + data.len()));
    packet.0.extend([0, 0, 0, 0, Kind::Write as u8]);
    packet.u32(id).string(handle).u64(offset).string(data).end()
}

/// What a server says of a file (section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) permissions: Option<u32>,
    pub(super) modified: Option<u32>,
}

impl Attributes {
    pub(super) fn is_directory(&self) -> bool {
        self.permissions
            .is_some_and(|mode| mode & 0o170_000 == 0o040_000)
    }

    /// Bytes of a file, and of nothing else.
    pub(super) fn file_size(&self) -> Option<u64> {
        self.size.filter(|_| !self.is_directory())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Version(Vec<(String, String)>),
    Status {
        code: u32,
        text: String,
    },
    Handle(Vec<u8>),
    /// What was read: from this byte of the packet on.
    Data {
        packet: Vec<u8>,
        begins: usize,
    },
    Names(Vec<(String, Attributes)>),
    Attributes(Attributes),
    Extended(Vec<u8>),
}

/// A packet that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Nonsense> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Nonsense)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Nonsense> {
        let bytes = self.take(4)?.try_into().map_err(|_| Nonsense)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64, Nonsense> {
        let bytes = self.take(8)?.try_into().map_err(|_| Nonsense)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn string(&mut self) -> Result<&'a [u8], Nonsense> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Result<String, Nonsense> {
        Ok(String::from_utf8_lossy(self.string()?).into_owned())
    }

    fn attributes(&mut self) -> Result<Attributes, Nonsense> {
        let flags = self.u32()?;
        let mut found = Attributes::default();
        if flags & SIZE != 0 {
            found.size = Some(self.u64()?);
        }
        if flags & UID_GID != 0 {
            self.take(8)?;
        }
        if flags & PERMISSIONS != 0 {
            found.permissions = Some(self.u32()?);
        }
        if flags & TIMES != 0 {
            self.take(4)?;
            found.modified = Some(self.u32()?);
        }
        if flags & MORE != 0 {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(found)
    }
}

/// Whose answer a packet is, and what it says. The packet comes without its length.
pub(super) fn answer(packet: Vec<u8>) -> Result<(u32, Answer), Nonsense> {
    let mut bytes = Bytes(&packet);
    let kind = bytes.take(1)?[0];
    let id = bytes.u32()?;
    let answer = match kind {
        // Its number is the version's. Extensions that make no sense are none.
        2 => {
            let mut extensions = Vec::new();
            while let (Ok(name), Ok(value)) = (bytes.text(), bytes.text()) {
                extensions.push((name, value));
            }
            Answer::Version(extensions)
        }
        101 => Answer::Status {
            code: bytes.u32()?,
            // Some leave it out.
            text: bytes.text().unwrap_or_default(),
        },
        102 => Answer::Handle(bytes.string()?.to_vec()),
        103 => {
            let length = bytes.string()?.len();
            let begins = packet.len() - bytes.0.len() - length;
            let mut packet = packet;
            packet.truncate(begins + length);
            return Ok((id, Answer::Data { packet, begins }));
        }
        104 => {
            let mut names = Vec::new();
            for _ in 0..bytes.u32()? {
                let name = bytes.text()?;
                // As `ls -l` writes it, for people.
                bytes.string()?;
                names.push((name, bytes.attributes()?));
            }
            Answer::Names(names)
        }
        105 => Answer::Attributes(bytes.attributes()?),
        201 => Answer::Extended(bytes.0.to_vec()),
        _ => return Err(Nonsense),
    };
    Ok((id, answer))
}

/// Free bytes in an answer to `statvfs@openssh.com` (OpenSSH's PROTOCOL, section 4.5): for users who are not
/// root.
pub(super) fn free_bytes(answer: &[u8]) -> Option<u64> {
    let mut bytes = Bytes(answer);
    let mut field = || bytes.u64().ok();
    let (_block, unit, _blocks, _free, available) =
        (field()?, field()?, field()?, field()?, field()?);
    unit.checked_mul(available)
}

/// The longest read and write in an answer to `limits@openssh.com` (section 4.8); 0: it does not say.
pub(super) fn limits(answer: &[u8]) -> Option<(u64, u64)> {
    let mut bytes = Bytes(answer);
    let mut field = || bytes.u64().ok();
    let (_packet, read, write) = (field()?, field()?, field()?);
    Some((read, write))
}

/// Puts packets together from pieces.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Beginning with the length of the packet.
    begun: Vec<u8>,
    whole: std::collections::VecDeque<Vec<u8>>,
}

impl Inbox {
    /// # Errors
    /// A packet has no length that a packet can have.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<(), Nonsense> {
        while !piece.is_empty() {
            let Some(length) = self.length()? else {
                let count = piece.len().min(4 - self.begun.len());
                self.begun.extend_from_slice(&piece[..count]);
                piece = &piece[count..];
                continue;
            };
            if self.begun.len() == 4 {
                self.begun.reserve_exact(length);
            }
            let count = piece.len().min(4 + length - self.begun.len());
            self.begun.extend_from_slice(&piece[..count]);
            piece = &piece[count..];
            if self.begun.len() == 4 + length {
                let mut packet = std::mem::take(&mut self.begun);
                packet.drain(..4);
                self.whole.push_back(packet);
            }
        }
        Ok(())
    }

    fn length(&self) -> Result<Option<usize>, Nonsense> {
        let Some(Ok(bytes)) = self.begun.get(..4).map(<[u8; 4]>::try_from) else {
            return Ok(None);
        };
        match u32::from_be_bytes(bytes) as usize {
            length @ 5..=LONGEST => Ok(Some(length)),
            _ => Err(Nonsense),
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, id: u32, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &id.to_be_bytes(), body].concat()
    }

    fn string(text: &[u8]) -> Vec<u8> {
        [&(text.len() as u32).to_be_bytes()[..], text].concat()
    }

    #[test]
    fn requests_are_framed_as_the_draft_has_them() {
        let open = Packet::new(Kind::Open, 7)
            .string(b"/f")
            .u32(WRITE)
            .mode(0o644)
            .end();
        let expected = [
            &[0, 0, 0, 23, 3][..],
            &[0, 0, 0, 7],
            &[0, 0, 0, 2, b'/', b'f'],
            &[0, 0, 0, 26],
            &[0, 0, 0, 4, 0, 0, 1, 0xA4],
        ];
        assert_eq!(open, expected.concat());
        let written = write(1, b"h", 1 << 32, b"abc");
        let expected = [
            &[0, 0, 0, 25, 6][..],
            &[0, 0, 0, 1],
            &[0, 0, 0, 1, b'h'],
            &[0, 0, 0, 1, 0, 0, 0, 0],
            &[0, 0, 0, 3, b'a', b'b', b'c'],
        ];
        assert_eq!(written, expected.concat());
        assert_eq!(Packet::init(), [0, 0, 0, 5, 1, 0, 0, 0, 3]);
    }

    #[test]
    fn answers_are_read_also_where_something_is_left_out() {
        let code = 4_u32.to_be_bytes();
        let with_text = [&code[..], &string(b"no space"), &string(b"en")].concat();
        for (body, text) in [(with_text, "no space"), (code.to_vec(), "")] {
            let status = Answer::Status {
                code: 4,
                text: text.into(),
            };
            assert_eq!(answer(packet(101, 9, &body)), Ok((9, status)));
        }
        let Ok((
            2,
            Answer::Data {
                packet: whole,
                begins,
            },
        )) = answer(packet(103, 2, &string(b"abc")))
        else {
            panic!("no data");
        };
        assert_eq!(&whole[begins..], b"abc");
        let attributes = [
            &(SIZE | UID_GID | PERMISSIONS | TIMES | MORE).to_be_bytes()[..],
            &5_u64.to_be_bytes(),
            &[0; 8],
            &0o100_644_u32.to_be_bytes(),
            &1_u32.to_be_bytes(),
            &2_u32.to_be_bytes(),
            &1_u32.to_be_bytes(),
            &string(b"acl@example.net"),
            &string(b""),
        ]
        .concat();
        let read = Attributes {
            size: Some(5),
            permissions: Some(0o100_644),
            modified: Some(2),
        };
        assert_eq!(
            answer(packet(105, 1, &attributes)),
            Ok((1, Answer::Attributes(read)))
        );
        let name = [
            &1_u32.to_be_bytes()[..],
            &string(b"a"),
            &string(b"long"),
            &attributes,
        ]
        .concat();
        let names = Answer::Names(vec![("a".into(), read)]);
        assert_eq!(answer(packet(104, 1, &name)), Ok((1, names)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_takes_no_memory() {
        let many = u32::MAX.to_be_bytes();
        for wrong in [
            vec![],
            vec![101, 0, 0],
            packet(99, 1, &[]),
            packet(102, 1, &many),
            packet(103, 1, &many),
            packet(104, 1, &many),
            packet(105, 1, &[0, 0, 0, 1, 0]),
            packet(101, 1, &[0]),
        ] {
            assert_eq!(answer(wrong.clone()), Err(Nonsense), "{wrong:?}");
        }
        for length in [0, 4, LONGEST as u32 + 1, u32::MAX] {
            let mut inbox = Inbox::default();
            let fed = inbox.feed(&[&length.to_be_bytes()[..], b"x"].concat());
            assert_eq!(fed, Err(Nonsense), "{length}");
        }
    }

    #[test]
    fn packets_come_together_from_pieces_of_any_length() {
        let packets = [packet(101, 1, &[0; 4]), packet(102, 2, &string(b"handle"))];
        let stream: Vec<u8> = packets.iter().flat_map(|one| string(one)).collect();
        for size in 1..=stream.len() {
            let mut inbox = Inbox::default();
            stream
                .chunks(size)
                .for_each(|piece| inbox.feed(piece).unwrap());
            let found: Vec<_> = std::iter::from_fn(|| inbox.next()).collect();
            assert_eq!(found, packets, "{size}");
        }
    }

    #[test]
    fn free_space_is_in_units_of_fragments() {
        let fields = [4096_u64, 1024, 10, 9, 8, 0, 0, 0, 0, 0, 255];
        let reply: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_be_bytes())
            .collect();
        assert_eq!(free_bytes(&reply), Some(8192));
        assert_eq!(free_bytes(&reply[..20]), None);
        assert_eq!(limits(&reply[..24]), Some((1024, 10)));
    }
}
