use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use conclave_link::Origin;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// The most addresses a participant offers: each is one socket, and one check a server address.
const MAX_ADDRESSES: usize = 6;

/// Datagrams that may wait to be handled, for all sockets of a participant together.
const QUEUE: usize = 512;

/// Larger than any path's MTU on the media path.
const MAX_DATAGRAM: usize = 2048;

/// The addresses of this machine from which a server may be reached: the interfaces' own, and
/// the loopback's if the server is on this machine.
///
/// # Errors
///
/// Those of the operating system, if it does not list its interfaces.
pub fn bind_addresses(origin: &Origin) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|&ip| usable(ip))
        .collect();
    if origin.is_loopback() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

fn usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

/// A datagram that came in.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Vec<u8>,
}

/// The UDP sockets of one participant, one an address.
#[derive(Debug)]
pub(crate) struct UdpSockets {
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    incoming: mpsc::Receiver<Datagram>,
    readers: tokio::task::JoinSet<()>,
}

impl UdpSockets {
    /// Opens a socket on each address; those that refuse are left out.
    pub(crate) async fn bind(addresses: &[IpAddr]) -> Self {
        let (queue, incoming) = mpsc::channel(QUEUE);
        let mut bound =
            Self { sockets: Vec::new(), incoming, readers: tokio::task::JoinSet::new() };
        for &ip in addresses {
            let Ok(socket) = UdpSocket::bind((ip, 0)).await else { continue };
            let Ok(address) = socket.local_addr() else { continue };
            let socket = Arc::new(socket);
            bound.readers.spawn(read(Arc::clone(&socket), address, queue.clone()));
            bound.sockets.push((address, socket));
        }
        bound
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|&(address, _)| address).collect()
    }

    /// Sends a datagram, or drops it: the network may, too.
    pub(crate) fn send(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let socket = self.sockets.iter().find(|&&(address, _)| address == source);
        if let Some((_, socket)) = socket
            && let Err(error) = socket.try_send_to(contents, destination)
        {
            tracing::trace!(%error, "datagram dropped");
        }
    }

    pub(crate) async fn receive(&mut self) -> Option<Datagram> {
        self.incoming.recv().await
    }

    pub(crate) fn try_receive(&mut self) -> Option<Datagram> {
        self.incoming.try_recv().ok()
    }
}

async fn read(socket: Arc<UdpSocket>, destination: SocketAddr, queue: mpsc::Sender<Datagram>) {
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        // An error tells of an earlier datagram that nobody took (ICMP): nothing to do about it.
        let Ok((len, source)) = socket.recv_from(&mut buffer).await else { continue };
        let contents = buffer.get(..len).unwrap_or_default().to_vec();
        if queue.send(Datagram { source, destination, contents }).await.is_err() {
            return;
        }
    }
}
