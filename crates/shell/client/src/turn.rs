use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use conclave_turn_proto::{Client, ClientEvent, ClientInput, ClientOutput, Credential, Framer};
use conclave_wire::{RelayProtocol, RelayWay};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::drive::sleep_until;
use crate::endpoint::Endpoint;
use crate::udp::Datagram;

/// Datagrams that may wait to be sent or to be handled.
const QUEUE: usize = 512;

/// The most that is read at once.
const BUFFER: usize = 16 * 1024;

/// What a way through a TURN server reports.
#[derive(Debug)]
pub(crate) enum TurnNews {
    /// A datagram came to the relayed address.
    Datagram(Datagram),
    /// There is no relayed address, or none any more.
    Lost,
    /// There is a relayed address.
    Relayed(SocketAddr),
}

/// A way through the server's TURN server. Dropping it gives it up.
#[derive(Debug)]
pub(crate) struct TurnPath {
    outgoing: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    task: JoinHandle<()>,
}

impl TurnPath {
    /// Starts to ask for a relayed address at the endpoint's host. What happens is reported on
    /// `news`.
    pub(crate) fn open(
        endpoint: Endpoint,
        way: RelayWay,
        credential: Credential,
        seed: [u8; 32],
        news: mpsc::Sender<TurnNews>,
    ) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            if let Err(error) = carry(&endpoint, way, credential, seed, queue, &news).await {
                tracing::debug!(%error, "the TURN server cannot be reached");
            }
            // Nobody listens once the driver has gone.
            let _ = news.send(TurnNews::Lost).await;
        });
        Self { outgoing, task }
    }

    /// Sends a datagram, or drops it: the network may, too.
    pub(crate) fn send(&self, peer: SocketAddr, contents: Vec<u8>) {
        let _ = self.outgoing.try_send((peer, contents));
    }
}

impl Drop for TurnPath {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The line to the server.
enum Line {
    Datagrams(UdpSocket),
    Stream { framer: Framer, stream: Box<dyn Stream> },
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn carry(
    endpoint: &Endpoint,
    way: RelayWay,
    credential: Credential,
    seed: [u8; 32],
    mut queue: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    news: &mpsc::Sender<TurnNews>,
) -> io::Result<()> {
    let mut line = Line::open(endpoint, way).await?;
    let is_stream = matches!(line, Line::Stream { .. });
    let mut client = Client::new(credential, is_stream, &seed, Instant::now());
    let mut relayed = None;
    let mut buffer = vec![0; BUFFER];
    loop {
        let due = loop {
            match client.poll_output() {
                ClientOutput::Event(ClientEvent::Allocated { relayed: address }) => {
                    relayed = Some(address);
                    drop(news.send(TurnNews::Relayed(address)).await);
                }
                ClientOutput::Event(ClientEvent::Failed(failure)) => {
                    return Err(io::Error::other(failure));
                }
                ClientOutput::Event(ClientEvent::Received { peer, bytes }) => {
                    let Some(destination) = relayed else { continue };
                    let datagram = Datagram { source: peer, destination, contents: bytes };
                    drop(news.send(TurnNews::Datagram(datagram)).await);
                }
                ClientOutput::Timeout(at) => break at,
                ClientOutput::Transmit(bytes) => line.send(&bytes).await?,
            }
        };
        tokio::select! {
            packets = line.receive(&mut buffer) => {
                for packet in packets? {
                    client.handle_input(Instant::now(), ClientInput::Received(&packet));
                }
            }
            Some((peer, bytes)) = queue.recv() => {
                client.handle_input(Instant::now(), ClientInput::Send { peer, bytes: &bytes });
            }
            () = sleep_until(due) => client.handle_input(Instant::now(), ClientInput::Timeout),
        }
    }
}

impl Line {
    async fn open(endpoint: &Endpoint, way: RelayWay) -> io::Result<Self> {
        let at = (endpoint.origin.host(), way.port);
        let stream: Box<dyn Stream> = match way.protocol {
            RelayProtocol::Tcp => {
                let stream = TcpStream::connect(at).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            RelayProtocol::Tls => {
                Box::new(endpoint.connect_to(way.port).await.map_err(io::Error::other)?)
            }
            RelayProtocol::Udp => {
                let server = lookup_host(at).await?.next().ok_or(io::ErrorKind::NotFound)?;
                let any: SocketAddr =
                    if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
                let socket = UdpSocket::bind(any).await?;
                socket.connect(server).await?;
                return Ok(Self::Datagrams(socket));
            }
        };
        Ok(Self::Stream { framer: Framer::new(), stream })
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            // A datagram that cannot be sent is lost, as on the way.
            Self::Datagrams(socket) => drop(socket.send(bytes).await),
            Self::Stream { stream, .. } => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
        }
        Ok(())
    }

    /// The packets that come next. Safe to drop while it waits.
    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Vec<Vec<u8>>> {
        match self {
            Self::Datagrams(socket) => match socket.recv(buffer).await {
                Ok(len) => Ok(vec![buffer.get(..len).unwrap_or_default().to_vec()]),
                // It tells of an earlier datagram that nobody took: the client finds out by itself.
                Err(_) => {
                    tokio::task::yield_now().await;
                    Ok(Vec::new())
                }
            },
            Self::Stream { framer, stream } => match stream.read(buffer).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                len => framer.feed(buffer.get(..len).unwrap_or_default()).map_err(io::Error::other),
            },
        }
    }
}
