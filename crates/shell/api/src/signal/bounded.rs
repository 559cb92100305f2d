//! A socket that takes no more of a message than its sender may say.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once. A buffer of this size belongs to each socket, and is filled with
/// zeros before each reading.
pub(super) const READ_AT_ONCE: usize = 4 * 1024;

/// What may come besides a message: the heads of its fragments, pongs, and the beginning of the
/// next one. A message that is a little too large still arrives, and is answered.
const BESIDES: usize = 32 * 1024;

/// A transport of which at most so many bytes are read before a whole message came of them.
///
/// The library that puts messages together has one limit for a socket's whole life, and keeps in
/// memory what has come until then. How much somebody may say changes on the way in, so it is
/// counted here, below the library.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    inner: S,
    most: usize,
    /// Bytes since the last whole message.
    read: usize,
}

impl<S> Bounded<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, most: 0, read: 0 }
    }

    /// A message may have so many bytes from here on.
    pub(super) const fn allow(&mut self, most: usize) {
        self.most = most;
    }

    /// A whole message has come. Pings and the like are none: they may stand between the parts of
    /// one.
    pub(super) const fn begin_message(&mut self) {
        self.read = 0;
    }

    /// Whether the sender has said more than it may: nothing more is read of it.
    pub(super) const fn is_exceeded(&self) -> bool {
        self.read > self.most.saturating_add(BESIDES)
    }

    /// The transport itself.
    pub(super) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_exceeded() {
            let error = io::Error::new(io::ErrorKind::InvalidData, "the message is too large");
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.read += buffer.filled().len() - before;
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::signal::socket;

    const MOST: usize = 100_000;

    /// What the server's side makes of frames that a client sends, fragments and pings among them.
    async fn received(frames: Vec<Message>) -> (Vec<usize>, usize) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        tokio::spawn(async move {
            for frame in frames {
                // The server hangs up on what is too large.
                if client.send(frame).await.is_err() {
                    return;
                }
            }
            let _ = client.close(None).await;
        });
        let mut server = socket(ours).await;
        server.get_mut().allow(MOST);
        let mut whole = Vec::new();
        let mut most_read = 0;
        while let Some(Ok(message)) = server.next().await {
            most_read = most_read.max(server.get_ref().read);
            if message.is_text() {
                whole.push(message.len());
                server.get_mut().begin_message();
            }
        }
        (whole, most_read.max(server.get_ref().read))
    }

    fn text(len: usize) -> Message {
        Message::Text("x".repeat(len).into())
    }

    fn fragment(len: usize, is_first: bool, is_last: bool) -> Message {
        use tokio_tungstenite::tungstenite::protocol::frame::Frame;
        use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
        let data = if is_first { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(vec![b'x'; len], OpCode::Data(data), is_last))
    }

    #[tokio::test]
    async fn messages_of_the_size_allowed_come_through_one_after_the_other() {
        let (whole, _) = received(vec![text(MOST), text(1), text(MOST), text(MOST)]).await;

        assert_eq!(whole, [MOST, 1, MOST, MOST]);
    }

    #[tokio::test]
    async fn of_a_message_that_is_too_large_no_more_is_read_than_one_may_say() {
        let (whole, read) = received(vec![text(10), text(5_000_000), text(10)]).await;

        assert_eq!(whole, [10]);
        assert!(read <= MOST + BESIDES + READ_AT_ONCE, "{read}");
    }

    #[tokio::test]
    async fn fragments_and_pings_between_them_do_not_get_around_it() {
        let mut frames = vec![fragment(1000, true, false)];
        for _ in 0..1000 {
            frames.push(Message::Ping(Vec::new().into()));
            frames.push(fragment(1000, false, false));
        }
        frames.push(fragment(1000, false, true));

        let (whole, read) = received(frames).await;

        assert!(whole.is_empty());
        assert!(read <= MOST + BESIDES + READ_AT_ONCE, "{read}");
    }
}
