use std::collections::VecDeque;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu_proto::{Input, Node, Output, Transmit, Transport};
use tokio::sync::mpsc::{self, Permit};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep_until;

use crate::handover::{FarTurn, Handed};
use crate::meter::{Figures, Meter};
use crate::shard::ShardFigures;
use crate::siblings::Siblings;
use crate::tcp::{Tcp, TcpEvent, TcpTurn};
use crate::turn::{Turn, TurnWake};
use crate::udp::Udp;

/// The run loop of a shard: waits, gives the node what came, sends what it says.
pub(crate) struct Worker {
    node: Node,
    udp: Udp,
    tcp: Tcp,
    turn: TurnSide,
    siblings: Siblings,
    requests: mpsc::Receiver<MediaRequest>,
    events: mpsc::Sender<MediaEvent>,
    /// Events that the control plane has not taken yet.
    waiting: VecDeque<MediaEvent>,
    timeout: Instant,
    meter: Meter,
    /// When figures are told next.
    meter_at: Instant,
    budgets_spent: u64,
    /// The most datagrams of the next batch.
    batch: usize,
    turns: u64,
    /// The longest turn since figures were told.
    longest_turn: Duration,
    figures: watch::Sender<ShardFigures>,
}

/// Batches of datagrams taken in one turn. Then the loop looks at everything else, so that a
/// flood on the socket delays a request by milliseconds and not for ever.
const BUDGET: usize = 16;

/// What other shards say that is taken in one turn.
const SIBLING_BUDGET: usize = 512;

/// Packets to be put into slots, each slot counted, in one turn: some 20 ms. What comes meanwhile
/// waits, and who is in a large call hears nothing while others' packets are forwarded.
const MAX_FORWARDS: usize = 4096;

/// Datagrams of a batch in usual times, and after a turn that had too many forwards: a frame.
const USUAL_BATCH: usize = quinn_udp::BATCH_SIZE;
const SMALL_BATCH: usize = 8;

/// Events that may wait before requests have to. A control plane that takes no events gets no
/// further with requests.
const MAX_WAITING: usize = 4096;

/// How often the shard tells its figures.
const METER_INTERVAL: Duration = Duration::from_secs(1);

/// Where the TURN server is, seen from a shard.
#[derive(Debug)]
pub(crate) enum TurnSide {
    /// In this thread.
    Here(Box<Turn>),
    /// Nowhere.
    None,
    /// In another shard's thread.
    There(FarTurn),
}

/// What woke the loop.
enum Wake {
    Event,
    Handed(Handed),
    Request(MediaRequest),
    Sibling(Input<'static>),
    Stop,
    Tcp(TcpTurn),
    Timeout,
    Turn(TurnWake),
    Udp,
}

impl Worker {
    pub(crate) fn new(
        node: Node,
        (udp, tcp, turn, siblings): (Udp, Tcp, TurnSide, Siblings),
        requests: mpsc::Receiver<MediaRequest>,
        events: mpsc::Sender<MediaEvent>,
        figures: watch::Sender<ShardFigures>,
    ) -> Self {
        Self {
            node,
            udp,
            tcp,
            turn,
            siblings,
            requests,
            events,
            waiting: VecDeque::new(),
            timeout: Instant::now(),
            meter: Meter::new(),
            meter_at: Instant::now(),
            budgets_spent: 0,
            batch: USUAL_BATCH,
            turns: 0,
            longest_turn: Duration::ZERO,
            figures,
        }
    }

    /// Runs until it is told to stop or nobody can ask anything of it any more.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut now = Instant::now();
        loop {
            self.drain(Instant::now());
            self.longest_turn = self.longest_turn.max(now.elapsed());
            let wake = self.wait(&mut stopped).await;
            self.turns += 1;
            now = Instant::now();
            match wake {
                Wake::Event => self.pass_events_on(),
                Wake::Handed(Handed { source, destination, bytes }) => {
                    let (arrived, transport, bytes) = (now, Transport::Udp, bytes.as_slice());
                    let input = Input::Datagram { arrived, transport, source, destination, bytes };
                    self.node.handle_input(now, input);
                }
                Wake::Request(request) => self.node.handle_input(now, Input::Request(request)),
                Wake::Sibling(input) => self.hear_siblings(now, input),
                Wake::Stop => break,
                Wake::Tcp(TcpTurn::Accepted(stream, source)) => {
                    self.tcp.accepted(now, stream, source);
                }
                Wake::Tcp(TcpTurn::Arrived(arrival)) => self.tcp.arrived(now, arrival),
                Wake::Tcp(TcpTurn::Event(event)) => self.handle_tcp(now, event),
                Wake::Timeout => self.handle_timeout(now),
                Wake::Turn(wake) => {
                    if let TurnSide::Here(turn) = &mut self.turn {
                        turn.handle(now, wake);
                    }
                }
                Wake::Udp => self.receive(now),
            }
            // Not by a timer: while there is always something to do, the runtime looks at none for
            // more than a hundred turns, and just then one wants to know.
            if self.meter_at <= now {
                self.keep_house(now);
            }
        }
        self.tell_figures();
    }

    /// What is done once in a while.
    fn keep_house(&mut self, now: Instant) {
        self.meter_at = now + METER_INTERVAL;
        let node = &self.node;
        self.tcp.close_strangers(now, |source| node.knows(Transport::Tcp, source));
        if let TurnSide::Here(turn) = &mut self.turn {
            turn.close_strangers(now);
        }
        self.tell_figures();
    }

    async fn wait(&mut self, stopped: &mut oneshot::Receiver<()>) -> Wake {
        // Not biased: under load everything is ready always, and all shall have their turn.
        tokio::select! {
            _ = stopped => Wake::Stop,
            room = self.events.reserve(), if !self.waiting.is_empty() => match room {
                Ok(permit) => {
                    give(permit, &mut self.waiting);
                    Wake::Event
                }
                Err(_nobody_listens) => Wake::Stop,
            },
            request = self.requests.recv(), if self.waiting.len() < MAX_WAITING => match request {
                Some(request) => Wake::Request(request),
                None => Wake::Stop,
            },
            turn = self.tcp.turn() => Wake::Tcp(turn),
            wake = self.turn.wait() => wake,
            input = self.siblings.next() => Wake::Sibling(input),
            // An error shows again when the socket is read.
            _ = self.udp.readable() => Wake::Udp,
            () = sleep_until(self.timeout.min(self.meter_at).into()) => Wake::Timeout,
        }
    }

    /// Gives the node what other shards say, until nothing is there or enough is to be done.
    fn hear_siblings(&mut self, now: Instant, first: Input<'static>) {
        let mut next = Some(first);
        let mut left = SIBLING_BUDGET;
        while let Some(input) = next {
            self.node.handle_input(now, input);
            left -= 1;
            let is_enough = left == 0 || self.node.pending_forwards() >= MAX_FORWARDS;
            next = if is_enough { None } else { self.siblings.try_next() };
        }
    }

    /// Takes datagrams from the socket until it is empty, or enough is to be done.
    fn receive(&mut self, now: Instant) {
        let Self { node, udp, batch, .. } = self;
        for _ in 0..BUDGET {
            let received = udp.receive(*batch, |arrived, source, destination, bytes| {
                let transport = Transport::Udp;
                let input = Input::Datagram { arrived, transport, source, destination, bytes };
                node.handle_input(now, input);
            });
            match received {
                Ok(0) => {
                    *batch = USUAL_BATCH;
                    return;
                }
                Ok(_) if node.pending_forwards() >= MAX_FORWARDS => {
                    *batch = SMALL_BATCH;
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the media socket reports an error");
                    return;
                }
            }
        }
        self.budgets_spent += 1;
    }

    fn handle_tcp(&mut self, now: Instant, event: TcpEvent) {
        match event {
            TcpEvent::Closed { source, number } => {
                if self.tcp.closed(source, number) {
                    self.node.handle_input(now, Input::TcpClosed { source });
                }
            }
            TcpEvent::Datagrams { source, destination, datagrams } => {
                for bytes in &datagrams {
                    let (arrived, transport) = (now, Transport::Tcp);
                    let input = Input::Datagram { arrived, transport, source, destination, bytes };
                    self.node.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_input(now, Input::Timeout);
        if let TurnSide::Here(turn) = &mut self.turn {
            turn.handle_timeout(now);
        }
    }

    /// Takes out everything that the node and the TURN server have to say, to others and to each
    /// other.
    fn drain(&mut self, now: Instant) {
        loop {
            self.drain_node(now);
            let TurnSide::Here(turn) = &mut self.turn else { break };
            if !turn.drain(now, &mut self.node) {
                self.timeout = turn.timeout().map_or(self.timeout, |at| at.min(self.timeout));
                break;
            }
        }
        self.pass_events_on();
    }

    fn drain_node(&mut self, now: Instant) {
        loop {
            match self.node.poll_output() {
                Output::Event(event) => self.waiting.push_back(event),
                Output::Relay { to, relay } => self.siblings.give(to, relay),
                Output::Timeout(at) => {
                    self.timeout = at;
                    break;
                }
                Output::Transmit(transmit) => match transmit.transport {
                    Transport::Tcp => self.tcp.send(transmit),
                    // At once: its bytes are still in the processor's cache.
                    Transport::Udp => {
                        if !self.turn.take(now, &transmit) {
                            self.udp.send(&transmit);
                        }
                        self.node.recycle(transmit.bytes);
                    }
                },
            }
        }
    }

    fn pass_events_on(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(permit) = self.events.try_reserve() else { return };
            give(permit, &mut self.waiting);
        }
    }

    fn tell_figures(&mut self) {
        let node = self.node.stats();
        let (sends, receives, turns) = (self.udp.sends, self.udp.receives, self.turns);
        let turn = self.turn.here();
        let (refused, overflowed) = self.turn.refused_and_overflowed();
        self.meter.tell(Figures {
            node,
            turn: turn.map(Turn::stats).unwrap_or_default(),
            sends,
            send_failures: self.udp.send_failures + turn.map_or(0, Turn::send_failures),
            receives,
            turns,
            tcp_connections: self.tcp.connections() as u64,
            tcp_refused: self.tcp.refused + refused,
            tcp_overflowed: self.tcp.overflowed + overflowed,
            relay_overflowed: self.siblings.overflowed,
            budgets_spent: self.budgets_spent,
        });
        // Last, so that who waits for it finds all the others told.
        self.figures.send_replace(ShardFigures {
            packets_forwarded: node.packets_forwarded,
            system_calls: sends + receives + turns,
            longest_turn: std::mem::take(&mut self.longest_turn),
        });
    }
}

impl TurnSide {
    /// Waits for something to do for the TURN server, or for something that came through it.
    async fn wait(&mut self) -> Wake {
        match self {
            Self::Here(turn) => Wake::Turn(turn.wait().await),
            Self::None => std::future::pending().await,
            Self::There(turn) => Wake::Handed(turn.next().await),
        }
    }

    /// Takes what the node sends, if it is for a client that is relayed.
    fn take(&mut self, now: Instant, transmit: &Transmit) -> bool {
        match self {
            Self::Here(turn) => turn.take(now, transmit),
            Self::None => false,
            Self::There(turn) => turn.take(transmit),
        }
    }

    fn here(&self) -> Option<&Turn> {
        match self {
            Self::Here(turn) => Some(turn),
            Self::None | Self::There(_) => None,
        }
    }

    /// Connections that were turned away, and packets for which there was no room.
    fn refused_and_overflowed(&self) -> (u64, u64) {
        match self {
            Self::Here(turn) => turn.refused_and_overflowed(),
            Self::None => (0, 0),
            Self::There(turn) => (0, turn.overflowed),
        }
    }
}

fn give(permit: Permit<'_, MediaEvent>, waiting: &mut VecDeque<MediaEvent>) {
    if let Some(event) = waiting.pop_front() {
        permit.send(event);
    }
}
