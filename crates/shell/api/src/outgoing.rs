use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use conclave_wire::ServerMessage;
use tokio::sync::{Notify, mpsc};

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
/// Bounded: a client that does not read loses its connection, it does not fill the memory.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    queue: mpsc::Sender<Frame>,
    cut: Arc<Notify>,
}

/// A connection's queue as its task sees it.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) queue: mpsc::Receiver<Frame>,
    /// Notified when the client is too slow to keep.
    pub(crate) cut: Arc<Notify>,
}

/// Messages that may wait for a slow client. A call of 200 makes some 20 a second.
const QUEUE: usize = 256;

impl Outgoing {
    pub(crate) fn new() -> (Self, Incoming) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let cut = Arc::new(Notify::new());
        (Self { queue: sender, cut: Arc::clone(&cut) }, Incoming { queue, cut })
    }

    /// Queues a frame; cuts the connection if it does not keep up. Answers whether it lives.
    pub(crate) fn push(&self, frame: Frame) -> bool {
        let queued = self.queue.try_send(frame).is_ok();
        if !queued {
            self.cut.notify_one();
        }
        queued
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
