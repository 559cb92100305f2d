use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use conclave_wire::ServerMessage;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a call hands to a connection's task.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Send this, if it is there, and close.
    Close(Option<Utf8Bytes>),
    /// Send this.
    Message(Utf8Bytes),
    /// Send this; the connection is in no call any more.
    Release(Utf8Bytes),
}

/// A connection's queue as the call sees it.
///
/// Bounded in frames and in bytes: a client that does not read loses its connection, it does not
/// fill the memory.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    queue: mpsc::Sender<Frame>,
    cut: Arc<Notify>,
    load: Arc<Load>,
}

/// A connection's queue as its task sees it.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) queue: mpsc::Receiver<Frame>,
    /// Notified when the client is too slow to keep.
    pub(crate) cut: Arc<Notify>,
    pub(crate) load: Arc<Load>,
}

/// What a connection may cost, and does.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Bytes of frames that are queued, or being sent. Those of small frames that wait to leave with the
    /// next one are not counted: they are few.
    waiting: AtomicUsize,
    /// The client is a member, or has been one.
    member: AtomicBool,
}

/// Messages that may wait for a slow client. A call of 200 makes some 20 a second.
const QUEUE: usize = 256;

/// Bytes that may wait for a member. The longest message is the log of commits for one who was
/// away, in base64.
const MEMBER_BYTES: usize = 32 << 20;

/// Bytes that may wait for somebody at the door. The longest message is a Welcome with its tree.
const DOOR_BYTES: usize = 8 << 20;

impl Outgoing {
    pub(crate) fn new() -> (Self, Incoming) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let cut = Arc::new(Notify::new());
        let load = Arc::new(Load::default());
        let outgoing = Self { queue: sender, cut: Arc::clone(&cut), load: Arc::clone(&load) };
        (outgoing, Incoming { queue, cut, load })
    }

    /// Queues a frame; cuts the connection if it does not keep up. Answers whether it lives.
    pub(crate) fn push(&self, frame: Frame) -> bool {
        let queued = self.load.add(frame.len()) && self.queue.try_send(frame).is_ok();
        if !queued {
            self.cut.notify_one();
        }
        queued
    }

    /// Notes that the client is a member.
    pub(crate) fn admit(&self) {
        self.load.member.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Whether the client is a member, or has been one.
    pub(crate) fn is_member(&self) -> bool {
        self.member.load(Ordering::Relaxed)
    }

    /// Notes that a frame is out, or waits to leave with the next one.
    pub(crate) fn remove(&self, len: usize) {
        self.waiting.fetch_sub(len, Ordering::Relaxed);
    }

    fn add(&self, len: usize) -> bool {
        let most = if self.is_member() { MEMBER_BYTES } else { DOOR_BYTES };
        self.waiting.fetch_add(len, Ordering::Relaxed) + len <= most
    }
}

impl Frame {
    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Close(None) => 0,
            Self::Close(Some(text)) | Self::Message(text) | Self::Release(text) => text.len(),
        }
    }
}

/// Writes a message as one signalling frame.
pub(crate) fn encode(message: &ServerMessage) -> Option<Utf8Bytes> {
    match serde_json::to_string(message) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "a message cannot be written");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Frame {
        Frame::Message("x".repeat(len).into())
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_by_bytes_sooner_at_the_door() {
        let queued = |member: bool| {
            let (outgoing, _incoming) = Outgoing::new();
            if member {
                outgoing.admit();
            }
            (0..QUEUE).take_while(|_| outgoing.push(frame(1 << 20))).count()
        };

        assert_eq!(queued(false), 8);
        assert_eq!(queued(true), 32);
    }

    #[test]
    fn what_was_sent_makes_room() {
        let (outgoing, mut incoming) = Outgoing::new();
        for _ in 0..100 {
            assert!(outgoing.push(frame(4 << 20)));
            let sent = incoming.queue.try_recv().unwrap();
            incoming.load.remove(sent.len());
        }
    }
}
