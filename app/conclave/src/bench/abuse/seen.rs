//! What a client sends and sees, as far as others can make bad use of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Some of a client's datagrams.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last check of ICE that it sent.
    check: Vec<u8>,
    /// The first datagram of its DTLS handshake.
    hello: Vec<u8>,
    /// The last packets of media that it sent.
    media: VecDeque<Vec<u8>>,
    /// What it last received.
    newest: Newest,
}

/// The stream that a client receives, and its last sequence number. Others may look at it from
/// other threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest(Arc<AtomicU64>);

/// Packets of media that are remembered.
const REMEMBERED: usize = 256;

impl Seen {
    /// The client sends a datagram.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        match Kind::of(bytes) {
            Kind::Check => self.check = bytes.to_vec(),
            Kind::Handshake if self.hello.is_empty() => self.hello = bytes.to_vec(),
            Kind::Media => {
                if self.media.len() == REMEMBERED {
                    self.media.pop_front();
                }
                self.media.push_back(bytes.to_vec());
            }
            Kind::Handshake | Kind::Other => {}
        }
    }

    /// The client receives a datagram.
    pub(super) fn received(&self, bytes: &[u8]) {
        if Kind::of(bytes) == Kind::Media
            && let Some([_, _, n0, n1, _, _, _, _, s0, s1, s2, s3]) = bytes.first_chunk::<12>()
        {
            let word = u64::from_be_bytes([0, 0, *n0, *n1, *s0, *s1, *s2, *s3]);
            self.newest.0.store(word, Ordering::Relaxed);
        }
    }

    pub(super) fn check(&self) -> &[u8] {
        &self.check
    }

    pub(super) fn hello(&self) -> &[u8] {
        &self.hello
    }

    pub(super) fn media(&self) -> Vec<Vec<u8>> {
        self.media.iter().cloned().collect()
    }

    pub(super) fn newest(&self) -> Newest {
        self.newest.clone()
    }
}

impl Newest {
    /// SSRC and sequence number.
    pub(super) fn read(&self) -> ([u8; 4], u16) {
        let [_, _, n0, n1, s0, s1, s2, s3] = self.0.load(Ordering::Relaxed).to_be_bytes();
        ([s0, s1, s2, s3], u16::from_be_bytes([n0, n1]))
    }
}

/// What a datagram is, by its first bytes (RFC 7983 section 7, RFC 5761 section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Check,
    Handshake,
    Media,
    Other,
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        match *bytes {
            [0x00, 0x01, ..] => Self::Check,
            [22, ..] => Self::Handshake,
            [128..=191, kind, ..] if !(192..=223).contains(&kind) => Self::Media,
            _ => Self::Other,
        }
    }
}
