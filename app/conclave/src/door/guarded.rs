use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::Place;

/// A connection that ends when nothing moves on it for too long, in either direction.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    /// What was read of it to see what it is.
    head: VecDeque<u8>,
    pub(super) stream: T,
    idle: Pin<Box<Sleep>>,
    patience: Duration,
    _place: Place,
}

impl<T> Guarded<T> {
    /// A connection of which `head` was read already.
    pub(super) fn new(head: Vec<u8>, stream: T, place: Place, patience: Duration) -> Self {
        let idle = Box::pin(sleep(patience));
        Self { head: head.into(), stream, idle, patience, _place: place }
    }

    /// Notes whether something moved; if not, whether it is time to give up.
    fn watch<R>(
        &mut self,
        context: &mut Context<'_>,
        moved: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if moved.is_ready() {
            let until = Instant::now() + self.patience;
            self.idle.as_mut().reset(until);
            return moved;
        }
        ready!(self.idle.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.head.is_empty() {
            let len = self.head.len().min(buffer.remaining());
            self.head.drain(..len).for_each(|byte| buffer.put_slice(&[byte]));
            return Poll::Ready(Ok(()));
        }
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, moved)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, moved)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::door::Door;

    /// A connection that may be idle for a moment, and the client's end of it.
    fn connection(head: &[u8]) -> (Guarded<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(8);
        let place = Door::new(None).enter(Ipv4Addr::LOCALHOST.into()).unwrap();
        (Guarded::new(head.to_vec(), ours, place, Duration::from_millis(20)), theirs)
    }

    #[tokio::test]
    async fn what_was_read_of_it_before_comes_first() {
        let (mut ours, mut theirs) = connection(b"hello ");
        theirs.write_all(b"world").await.unwrap();

        let mut heard = [0; 11];
        ours.read_exact(&mut heard[..2]).await.unwrap();
        ours.read_exact(&mut heard[2..]).await.unwrap();

        assert_eq!(&heard, b"hello world");
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends() {
        let (mut ours, _theirs) = connection(b"");

        let error = ours.read_u8().await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_that_takes_nothing_ends() {
        let (mut ours, _theirs) = connection(b"");

        let error = ours.write_all(&[0; 100]).await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_on_which_something_moves_goes_on() {
        let (mut ours, mut theirs) = connection(b"");

        theirs.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        ours.read_exact(&mut heard).await.unwrap();

        assert_eq!(&heard, b"hello");
    }
}
