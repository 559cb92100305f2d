//! What stands before TLS: how many connections there may be, how long one may be idle, and that
//! what is said goes out at once.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready as poll_ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// Connections at a time. Each takes a file descriptor, of which the service has 65536.
const MAX_CONNECTIONS: usize = 16_384;

/// Connections of one network at a time: a large office behind one address, not a flood.
const MAX_PER_NETWORK: usize = 4_096;

/// A connection on which nothing moves for this long is closed. Signalling moves every 10 s.
const IDLE: Duration = Duration::from_secs(60);

/// Lets connections in, as many as there may be.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    inside: Arc<Mutex<Inside>>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    total: usize,
    per_network: usize,
}

/// The connections that there are.
#[derive(Debug, Default)]
struct Inside {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// The place that a connection takes. Dropping it makes room.
#[derive(Debug)]
struct Place {
    inside: Arc<Mutex<Inside>>,
    network: IpAddr,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self::with(Limits { total: MAX_CONNECTIONS, per_network: MAX_PER_NETWORK })
    }

    fn with(limits: Limits) -> Self {
        Self { inside: Arc::default(), limits }
    }

    fn enter(&self, source: IpAddr) -> Option<Place> {
        let network = network_of(source);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = inside.by_network.get(&network).copied().unwrap_or_default();
        if inside.total >= self.limits.total || of_network >= self.limits.per_network {
            return None;
        }
        inside.total += 1;
        inside.by_network.insert(network, of_network + 1);
        Some(Place { inside: Arc::clone(&self.inside), network })
    }

    fn admit(&self, stream: TcpStream) -> io::Result<Guarded<TcpStream>> {
        let source = stream.peer_addr()?.ip();
        let place = self.enter(source).ok_or(io::ErrorKind::ConnectionRefused)?;
        // News must not wait until the news before it is acknowledged: media overtakes it.
        stream.set_nodelay(true)?;
        Ok(Guarded::new(stream, place, IDLE))
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Guarded<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.admit(stream).map(|stream| (stream, service)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.total = inside.total.saturating_sub(1);
        if let Some(count) = inside.by_network.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.by_network.remove(&self.network);
            }
        }
    }
}

/// What one subscriber controls: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// A connection that ends when nothing moves on it for too long, in either direction.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    stream: T,
    idle: Pin<Box<Sleep>>,
    patience: Duration,
    _place: Place,
}

impl<T> Guarded<T> {
    fn new(stream: T, place: Place, patience: Duration) -> Self {
        Self { stream, idle: Box::pin(sleep(patience)), patience, _place: place }
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
        poll_ready!(self.idle.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::net::TcpListener;

    use super::*;

    fn door(total: usize, per_network: usize) -> Door {
        Door::with(Limits { total, per_network })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A connection that may be idle for a moment, and the client's end of it.
    fn connection() -> (Guarded<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(8);
        let place = door(1, 1).enter(address("192.0.2.1")).unwrap();
        (Guarded::new(ours, place, Duration::from_millis(20)), theirs)
    }

    #[test]
    fn one_network_leaves_room_for_others_and_a_connection_that_ends_for_the_next() {
        let door = door(3, 2);
        let first = door.enter(address("2001:db8::1")).unwrap();
        let _second = door.enter(address("2001:db8::2")).unwrap();

        assert!(door.enter(address("2001:db8::3")).is_none());
        let _other = door.enter(address("192.0.2.1")).unwrap();
        assert!(door.enter(address("192.0.2.2")).is_none(), "the house is full");

        drop(first);
        assert!(door.enter(address("2001:db8::3")).is_some());
    }

    #[test]
    fn nothing_is_remembered_of_those_who_left() {
        let door = door(9, 9);
        drop(door.enter(address("192.0.2.1")));

        let inside = door.inside.lock().unwrap();
        assert_eq!((inside.total, inside.by_network.len()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_said_goes_out_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (_theirs, accepted) = tokio::join!(client, listener.accept());

        let ours = door(1, 1).admit(accepted.unwrap().0).unwrap();

        assert!(ours.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends() {
        let (mut ours, _theirs) = connection();

        let error = ours.read_u8().await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_that_takes_nothing_ends() {
        let (mut ours, _theirs) = connection();

        let error = ours.write_all(&[0; 100]).await.unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_on_which_something_moves_goes_on() {
        let (mut ours, mut theirs) = connection();

        theirs.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        ours.read_exact(&mut heard).await.unwrap();

        assert_eq!(&heard, b"hello");
    }
}
