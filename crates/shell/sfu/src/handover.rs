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

#[cfg(test)]
mod tests {
    use conclave_sfu_proto::Transport;

    use super::*;

    /// Addresses of two nodes, of somebody who is relayed, and of somebody else.
    const NODES: [SocketAddr; 2] = [at(10_000), at(10_001)];
    const RELAYED: SocketAddr = at(2000);
    const ELSEWHERE: SocketAddr = at(40_000);

    const fn at(port: u16) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), port)
    }

    fn start() -> (FarNodes, [FarTurn; 2]) {
        let (mut far, nodes, turns) = connect(2);
        for (node, address) in nodes.into_iter().zip(NODES) {
            far.add(node, vec![address]);
        }
        (far, turns.try_into().unwrap())
    }

    fn for_node(destination: SocketAddr, byte: u8) -> Handed {
        Handed { source: RELAYED, destination, bytes: vec![byte] }
    }

    fn from_node(destination: SocketAddr, bytes: &[u8], segment: Option<usize>) -> Transmit {
        let (transport, source) = (Transport::Udp, NODES[0]);
        Transmit { transport, source, destination, bytes: bytes.to_vec(), segment }
    }

    #[tokio::test]
    async fn each_node_gets_what_is_for_it_and_what_is_for_nobody_comes_back() {
        let (mut far, [mut first, mut second]) = start();

        far.give(for_node(NODES[1], 2)).unwrap();
        far.give(for_node(NODES[0], 1)).unwrap();
        let back = far.give(for_node(ELSEWHERE, 3)).unwrap_err();

        assert_eq!((back.destination, back.bytes), (ELSEWHERE, vec![3]));
        assert_eq!(first.next().await.bytes, [1]);
        assert_eq!(second.next().await.bytes, [2]);
        assert!(first.arrivals.is_empty() && second.arrivals.is_empty());
    }

    #[tokio::test]
    async fn a_node_gives_what_is_for_those_it_heard_of_here_one_datagram_at_a_time() {
        let (mut far, [mut node, _other]) = start();
        assert!(!node.take(&from_node(RELAYED, b"early", None)), "it heard of nobody");
        far.give(for_node(NODES[0], 1)).unwrap();
        node.next().await;

        assert!(!node.take(&from_node(ELSEWHERE, b"else", None)));
        assert!(node.take(&from_node(RELAYED, b"aabbc", Some(2))));

        for expected in ["aa", "bb", "c"] {
            let handed = far.next().await;
            assert_eq!(handed.bytes, expected.as_bytes());
            assert_eq!((handed.source, handed.destination), (NODES[0], RELAYED));
        }
        assert!(far.back.is_empty());
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_nothing_else_is_lost() {
        let (mut far, [mut slow, mut quick]) = start();
        for number in 0..QUEUE + 3 {
            far.give(for_node(NODES[0], number as u8)).unwrap();
        }
        far.give(for_node(NODES[1], 7)).unwrap();

        assert_eq!(far.overflowed, 3);
        assert_eq!(quick.next().await.bytes, [7], "the other node's queue is its own");
        for number in 0..QUEUE {
            assert_eq!(slow.next().await.bytes, [number as u8]);
        }
        assert!(slow.arrivals.is_empty());

        for number in 0..QUEUE + 2 {
            assert!(slow.take(&from_node(RELAYED, &[number as u8], None)), "no way but this one");
        }
        assert_eq!(slow.overflowed, 2);
        for number in 0..QUEUE {
            assert_eq!(far.next().await.bytes, [number as u8]);
        }
        assert!(far.back.is_empty());
    }
}
