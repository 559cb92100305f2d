//! Whether a server's ports can be reached from here, found out without being in a meeting.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use conclave_turn_proto::{Framer, binding_request, mapped_address};
use conclave_wire::{RelayProtocol, RelayWay};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::endpoint::{ConnectError, Endpoint};
use crate::socket;

/// How long a port has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a datagram's answer is waited for before it is sent again. One may be lost.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// No answer to a probe is longer.
const LONGEST: usize = 512;

impl Endpoint {
    /// Opens a signalling socket and closes it again.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] says how far it came.
    pub async fn probe_signalling(&self) -> Result<(), ProbeError> {
        within(async {
            let mut socket = socket::open(self).await.map_err(ProbeError::NoConnection)?;
            // It was open: how it ends is of no interest.
            let _ = socket.close(None).await;
            Ok(())
        })
        .await
    }

    /// Asks a media node's UDP port for an answer.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] says how far it came.
    pub async fn probe_udp(&self, address: SocketAddr) -> Result<(), ProbeError> {
        ask_datagram(address).await
    }

    /// Asks a media node's TCP port for one, in a frame as media is (RFC 4571).
    ///
    /// # Errors
    ///
    /// [`ProbeError`] says how far it came.
    pub async fn probe_tcp(&self, address: SocketAddr) -> Result<(), ProbeError> {
        within(async {
            let mut stream = TcpStream::connect(address).await.map_err(ProbeError::Closed)?;
            let transaction = draw()?;
            let request = binding_request(transaction);
            let length = u16::try_from(request.len()).unwrap_or_default().to_be_bytes();
            let answer = async {
                stream.write_all(&[&length[..], &request].concat()).await?;
                let mut answer = vec![0; usize::from(stream.read_u16().await?).min(LONGEST)];
                stream.read_exact(&mut answer).await.map(|_| answer)
            };
            understand(transaction, answer.await.map_err(ProbeError::Broken)?)
        })
        .await
    }

    /// Asks the TURN server for one, by this way.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] says how far it came.
    pub async fn probe_relay(&self, way: RelayWay) -> Result<(), ProbeError> {
        let at = (self.origin.host(), way.port);
        within(async {
            match way.protocol {
                RelayProtocol::Tcp => {
                    let stream = TcpStream::connect(at).await.map_err(ProbeError::Closed)?;
                    ask_stream(stream).await
                }
                RelayProtocol::Tls => {
                    let stream =
                        self.connect_to(way.port).await.map_err(ProbeError::NoConnection)?;
                    ask_stream(stream).await
                }
                RelayProtocol::Udp => {
                    let found = lookup_host(at).await.map_err(ProbeError::Closed)?.next();
                    let nobody = || ProbeError::Closed(io::ErrorKind::NotFound.into());
                    ask_datagram(found.ok_or_else(nobody)?).await
                }
            }
        })
        .await
    }
}

/// Why a port did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The connection broke off before there was an answer: something else has the port, or stands
    /// before it.
    #[error("something answers there, but not this server: {0}")]
    Broken(io::Error),
    /// There is no way there.
    #[error("no way there: {0}")]
    Closed(io::Error),
    /// It answered with something else.
    #[error("something else answers there")]
    Foreign,
    /// There is no secure connection, or nobody who speaks as the server does behind it.
    #[error("{0}")]
    NoConnection(ConnectError),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// Nothing came back.
    #[error("no answer in {} s", PATIENCE.as_secs())]
    Silent,
}

async fn within(asking: impl Future<Output = Result<(), ProbeError>>) -> Result<(), ProbeError> {
    timeout(PATIENCE, asking).await.unwrap_or(Err(ProbeError::Silent))
}

async fn ask_datagram(address: SocketAddr) -> Result<(), ProbeError> {
    let any: SocketAddr =
        if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(ProbeError::Closed)?;
    socket.connect(address).await.map_err(ProbeError::Closed)?;
    let transaction = draw()?;
    let request = binding_request(transaction);
    let until = Instant::now() + PATIENCE;
    let mut refused = None;
    while Instant::now() < until {
        refused = socket.send(&request).await.err().or(refused);
        let again = (Instant::now() + AGAIN_AFTER).min(until);
        match timeout_at(again, hear(&socket, transaction)).await {
            Ok(Ok(())) => return Ok(()),
            // Somebody on the way said no; the next one may have more luck.
            Ok(Err(error)) => {
                refused = Some(error);
                sleep_until(again).await;
            }
            Err(_elapsed) => {}
        }
    }
    Err(refused.map_or(ProbeError::Silent, ProbeError::Closed))
}

/// Waits for the answer, past whatever else comes.
async fn hear(socket: &UdpSocket, transaction: [u8; 12]) -> io::Result<()> {
    let mut buffer = [0; LONGEST];
    loop {
        let len = socket.recv(&mut buffer).await?;
        if mapped_address(transaction, buffer.get(..len).unwrap_or_default()).is_some() {
            return Ok(());
        }
    }
}

async fn ask_stream(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), ProbeError> {
    let transaction = draw()?;
    let answer = async {
        stream.write_all(&binding_request(transaction)).await?;
        stream.flush().await?;
        let mut framer = Framer::new();
        let mut buffer = [0; LONGEST];
        loop {
            let len = match stream.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => len,
            };
            let bytes = buffer.get(..len).unwrap_or_default();
            let packets = framer.feed(bytes).map_err(io::Error::other)?;
            if let Some(packet) = packets.into_iter().next() {
                return Ok(packet);
            }
        }
    };
    understand(transaction, answer.await.map_err(ProbeError::Broken)?)
}

fn understand(transaction: [u8; 12], answer: Vec<u8>) -> Result<(), ProbeError> {
    mapped_address(transaction, &answer).map(drop).ok_or(ProbeError::Foreign)
}

fn draw() -> Result<[u8; 12], ProbeError> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|_| ProbeError::NoRandomness)?;
    Ok(bytes)
}
