//! Datagrams between the TURN server, which is in the first shard's thread, and the nodes of the
//! other shards.

use std::collections::HashSet;
use std::net::SocketAddr;

use conclave_sfu_proto::Transmit;
use tokio::sync::mpsc;

/// Datagrams that may wait for another thread; what comes beyond is lost, as on a full link.
const QUEUE: usize = 1024;

/// A UDP datagram that never sees a socket.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The TURN server's end: to the nodes, and from all of them.
#[derive(Debug)]
pub(crate) struct FarNodes {
    nodes: Vec<(Vec<SocketAddr>, mpsc::Sender<Handed>)>,
    back: mpsc::Receiver<Handed>,
    /// Datagrams for which there was no room.
    pub(crate) overflowed: u64,
}

/// A node's end.
#[derive(Debug)]
pub(crate) struct FarTurn {
    queue: mpsc::Sender<Handed>,
    arrivals: mpsc::Receiver<Handed>,
    /// Whom the node heard of through here. No socket has such an address, so it never has to be
    /// forgotten; and there are no more of them than the server has addresses with unbound ports.
    relayed: HashSet<SocketAddr>,
    /// Datagrams for which there was no room.
    pub(crate) overflowed: u64,
}

/// What a node reports once it is known where it listens.
#[derive(Debug)]
pub(crate) struct FarNode(mpsc::Sender<Handed>);

/// Ends for so many nodes, in whose order the others are.
pub(crate) fn connect(nodes: usize) -> (FarNodes, Vec<FarNode>, Vec<FarTurn>) {
    let (to_turn, back) = mpsc::channel(QUEUE);
    let (far_nodes, far_turns) = (0..nodes)
        .map(|_| {
            let (to_node, arrivals) = mpsc::channel(QUEUE);
            let (queue, relayed) = (to_turn.clone(), HashSet::new());
            (FarNode(to_node), FarTurn { queue, arrivals, relayed, overflowed: 0 })
        })
        .unzip();
    (FarNodes { nodes: Vec::new(), back, overflowed: 0 }, far_nodes, far_turns)
}

impl FarNodes {
    /// Adds a node that is reached at these addresses.
    pub(crate) fn add(&mut self, FarNode(queue): FarNode, addresses: Vec<SocketAddr>) {
        self.nodes.push((addresses, queue));
    }

    /// The addresses of all.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.nodes.iter().flat_map(|(addresses, _)| addresses).copied()
    }

    /// Hands over what is for one of them; returns it if it is not.
    pub(crate) fn give(&mut self, handed: Handed) -> Result<(), Handed> {
        let mut nodes = self.nodes.iter();
        let Some((_, queue)) = nodes.find(|(at, _)| at.contains(&handed.destination)) else {
            return Err(handed);
        };
        self.overflowed += u64::from(queue.try_send(handed).is_err());
        Ok(())
    }

    /// The next datagram of one of them. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Handed {
        next(&mut self.back).await
    }
}

impl FarTurn {
    /// The next datagram for this node. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Handed {
        let handed = next(&mut self.arrivals).await;
        self.relayed.insert(handed.source);
        handed
    }

    /// Takes what the node sends, if it is for somebody who is relayed.
    pub(crate) fn take(&mut self, transmit: &Transmit) -> bool {
        let (source, destination) = (transmit.source, transmit.destination);
        let is_relayed = !self.relayed.is_empty() && self.relayed.contains(&destination);
        if is_relayed {
            for bytes in transmit.datagrams() {
                let handed = Handed { source, destination, bytes: bytes.to_vec() };
                self.overflowed += u64::from(self.queue.try_send(handed).is_err());
            }
        }
        is_relayed
    }
}

async fn next(queue: &mut mpsc::Receiver<Handed>) -> Handed {
    match queue.recv().await {
        Some(handed) => handed,
        // The other shard has ended.
        None => std::future::pending().await,
    }
}
