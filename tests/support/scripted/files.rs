//! What a scripted server stores.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A file. As far as it is the beginning of the image that the server was given, it takes no memory
/// of its own: so hundreds of servers hold an image each.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    image: Arc<Vec<u8>>,
    /// The number of bytes that are those of the image.
    same: usize,
    /// What comes after them.
    rest: Vec<u8>,
    /// Bytes that are wrong among those of the image, and what they are.
    wrong: BTreeMap<usize, u8>,
}

impl File {
    /// An empty file, for what may be that image.
    pub(super) fn like(image: &Arc<Vec<u8>>) -> Self {
        Self {
            image: Arc::clone(image),
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.same + self.rest.len()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let expected = self.image.get(self.same..self.same + bytes.len());
        match self.rest.is_empty() && expected == Some(bytes) {
            true => self.same += bytes.len(),
            false => self.rest.extend_from_slice(bytes),
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.same = self.same.min(length);
        self.rest.truncate(length - self.same);
        self.wrong.retain(|at, _| *at < length);
    }

    /// Changes one byte, where there is one.
    pub(super) fn corrupt(&mut self, at: usize) {
        if let Some(byte) = at.checked_sub(self.same).map(|at| self.rest.get_mut(at)) {
            byte.into_iter().for_each(|byte| *byte ^= 0x55);
        } else if let Some(byte) = self.image.get(at) {
            self.wrong.insert(at, byte ^ 0x55);
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.image[..self.same].to_vec();
        for (at, byte) in &self.wrong {
            bytes[*at] = *byte;
        }
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}

impl From<Vec<u8>> for File {
    fn from(rest: Vec<u8>) -> Self {
        Self {
            rest,
            ..Self::default()
        }
    }
}
