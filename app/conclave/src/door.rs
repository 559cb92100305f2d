//! What stands before TLS: how many connections there may be, what each of them is, how long one
//! may be idle, and that what is said goes out at once.
//!
//! Media may come in at the same port, from networks that let nothing else out: what a connection
//! is shows in its first bytes, and media is handed over to the media plane.

mod guarded;
mod hall;
mod peeked;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum_server::accept::Accept;
use conclave_sfu::Entrance;
use conclave_sfu_proto::Opening;
use metrics::{counter, describe_counter};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use guarded::Guarded;
pub(crate) use hall::{Hall, TURN};

/// Connections at a time. Each takes a file descriptor, of which the service has 65536.
const MAX_CONNECTIONS: usize = 16_384;

/// Connections of one network at a time: a large office behind one address, not a flood.
const MAX_PER_NETWORK: usize = 4_096;

/// A connection on which nothing moves for this long is closed. Signalling moves every 10 s.
const IDLE: Duration = Duration::from_secs(60);

/// Who connects speaks first, with TLS and with media alike. This long it may take.
const FIRST_BYTES_WITHIN: Duration = Duration::from_secs(10);

/// Lets connections in, as many as there may be.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    inside: Arc<Mutex<Inside>>,
    limits: Limits,
    /// Where connections with media go, if they may come here.
    media: Option<Entrance>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    total: usize,
    per_network: usize,
    first_bytes_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: MAX_CONNECTIONS,
            per_network: MAX_PER_NETWORK,
            first_bytes_within: FIRST_BYTES_WITHIN,
        }
    }
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
    /// A door for HTTPS, and for media if there is an entrance for it.
    pub(crate) fn new(media: Option<Entrance>) -> Self {
        describe_counter!(
            "conclave_https_refused_total",
            "Connections that were closed before TLS, by reason"
        );
        Self { inside: Arc::default(), limits: Limits::default(), media }
    }

    /// Lets a connection in if it is HTTPS, and sees to it if it is something else.
    async fn admit(&self, mut stream: TcpStream) -> Result<Guarded<TcpStream>, Refusal> {
        let source = stream.peer_addr().map_err(|_gone| Refusal::Gone)?.ip();
        let place = self.enter(source).ok_or(Refusal::Full)?;
        // News must not wait until the news before it is acknowledged: media overtakes it.
        stream.set_nodelay(true).map_err(|_gone| Refusal::Gone)?;
        let mut head = Vec::with_capacity(Opening::MAX_LEN);
        let opening = timeout(self.limits.first_bytes_within, read_opening(&mut stream, &mut head))
            .await
            .map_err(|_elapsed| Refusal::Silent)?
            .map_err(|_broken| Refusal::Gone)?;
        match (opening, &self.media) {
            (Opening::Tls, _) => Ok(Guarded::new(head, stream, place, IDLE)),
            (Opening::Media, Some(media)) => Err(hand_over(media, stream, head)),
            (Opening::Media, None) | (Opening::Foreign, _) => Err(Refusal::Foreign),
        }
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
}

/// Reads until it shows what a connection is, and nothing beyond.
async fn read_opening(
    stream: &mut (impl AsyncRead + Unpin),
    head: &mut Vec<u8>,
) -> io::Result<Opening> {
    loop {
        if let Some(opening) = Opening::of(head) {
            return Ok(opening);
        }
        let missing = Opening::MAX_LEN.saturating_sub(head.len()) as u64;
        if stream.take(missing).read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Gives a connection to the media plane, whose limits it is held to from here on.
fn hand_over(media: &Entrance, stream: TcpStream, head: Vec<u8>) -> Refusal {
    let Ok(stream) = stream.into_std() else { return Refusal::Gone };
    if media.hand_over(stream, head) { Refusal::HandedOver } else { Refusal::MediaFull }
}

/// Why a connection does not come to HTTPS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    /// It is neither HTTPS nor media that may come here.
    Foreign,
    /// There are as many as there may be.
    Full,
    /// It ended.
    Gone,
    /// It is media, and the media plane has it.
    HandedOver,
    /// It is media, and the media plane takes no more.
    MediaFull,
    /// Too little was said for too long.
    Silent,
}

impl Refusal {
    /// The reason under which it is counted; `None` if nobody was turned away.
    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Foreign => Some("foreign"),
            Self::Full => Some("full"),
            Self::Gone | Self::HandedOver => None,
            Self::MediaFull => Some("media_full"),
            Self::Silent => Some("silent"),
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Guarded<TcpStream>;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let door = self.clone();
        Box::pin(async move {
            match door.admit(stream).await {
                Ok(stream) => Ok((stream, service)),
                Err(refusal) => {
                    if let Some(reason) = refusal.reason() {
                        counter!("conclave_https_refused_total", "reason" => reason).increment(1);
                    }
                    Err(io::ErrorKind::ConnectionRefused.into())
                }
            }
        })
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use conclave_sfu::{Shard, ShardConfig};
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::net::TcpListener;

    use super::*;

    /// A frame with a STUN binding request.
    const CHECK: [u8; 22] =
        [0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const HELLO: [u8; 12] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 7];

    fn door(total: usize, per_network: usize) -> Door {
        let limits = Limits { total, per_network, ..Limits::default() };
        Door { limits, ..Door::new(None) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Both ends of a connection, the server's first.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (theirs, accepted) = tokio::join!(client, listener.accept());
        (accepted.unwrap().0, theirs.unwrap())
    }

    /// What the door makes of a connection on which these bytes come.
    async fn admit(door: &Door, bytes: &[u8]) -> Result<Guarded<TcpStream>, Refusal> {
        let (ours, mut theirs) = connection().await;
        theirs.write_all(bytes).await.unwrap();
        door.admit(ours).await
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
        let ours = admit(&door(1, 1), &HELLO).await.unwrap();

        assert!(ours.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn https_comes_in_whole() {
        let mut ours = admit(&door(1, 1), &HELLO).await.unwrap();

        let mut heard = [0; HELLO.len()];
        ours.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, HELLO);
    }

    #[tokio::test]
    async fn media_goes_to_the_media_plane_and_leaves_its_place() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shared_tcp = Some(SocketAddr::from(([127, 0, 0, 1], 8443)));
        let config = ShardConfig { udp: any, tcp: None, shared_tcp, ..ShardConfig::default() };
        let shard = Shard::spawn(&config).unwrap();
        let door = Door { media: shard.entrance, ..door(1, 1) };

        for _ in 0..2 {
            assert_eq!(admit(&door, &CHECK).await.unwrap_err(), Refusal::HandedOver);
        }
        drop(shard.requests);
        assert!(shard.running.join());
        assert_eq!(admit(&door, &CHECK).await.unwrap_err(), Refusal::MediaFull);
    }

    #[tokio::test]
    async fn what_is_neither_is_turned_away_and_so_is_media_where_it_may_not_come() {
        let door = door(1, 1);

        for bytes in [&CHECK[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 64]] {
            assert_eq!(admit(&door, bytes).await.unwrap_err(), Refusal::Foreign);
        }
        assert_eq!(door.inside.lock().unwrap().total, 0);
    }

    #[tokio::test]
    async fn who_says_too_little_is_turned_away() {
        let first_bytes_within = Duration::from_millis(20);
        let limits = Limits { first_bytes_within, ..Limits::default() };
        let door = Door { limits, ..Door::new(None) };
        let (ours, mut theirs) = connection().await;
        theirs.write_all(&CHECK[..Opening::MAX_LEN - 1]).await.unwrap();

        assert_eq!(door.admit(ours).await.unwrap_err(), Refusal::Silent);
        // Closed with something unread, it may end with a reset.
        assert!(matches!(theirs.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        assert_eq!(door.inside.lock().unwrap().total, 0);
    }

    #[tokio::test]
    async fn the_house_is_full_before_anything_is_said() {
        let door = door(1, 1);
        let _inside = admit(&door, &HELLO).await.unwrap();

        let (ours, _says_nothing) = connection().await;
        assert_eq!(door.admit(ours).await.unwrap_err(), Refusal::Full);
    }

    #[tokio::test]
    async fn first_bytes_say_the_same_however_they_come_and_none_is_lost() {
        for (bytes, expected) in [(&CHECK[..], Opening::Media), (&HELLO[..], Opening::Tls)] {
            for at_a_time in 1..=bytes.len() {
                let (mut ours, mut theirs) = duplex(at_a_time);
                let sent = bytes.to_vec();
                let writing = tokio::spawn(async move { theirs.write_all(&sent).await });

                let mut read = Vec::new();
                let opening = read_opening(&mut ours, &mut read).await.unwrap();

                assert_eq!(opening, expected, "{at_a_time} bytes at a time");
                assert!(read.len() <= Opening::MAX_LEN);
                ours.read_to_end(&mut read).await.unwrap();
                writing.await.unwrap().unwrap();
                assert_eq!(read, bytes);
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_before_it_says_what_it_is_is_no_error_of_ours() {
        let (ours, theirs) = connection().await;
        drop(theirs);

        assert_eq!(door(1, 1).admit(ours).await.unwrap_err(), Refusal::Gone);
    }
}
