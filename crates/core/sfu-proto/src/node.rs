use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaRequest, PeerId};
use conclave_model::CallId;
use str0m::net::Receive;

use crate::call::Call;
use crate::config::NodeConfig;
use crate::demux::{Nominates, Route};
use crate::echo::Echo;
use crate::negotiate;
use crate::relay::{Relay, Spread};
use crate::reports::{self, Report, Reports};
use crate::roaming::UdpPath;
use crate::shared::{Shared, Timer};
use crate::stats::NodeStats;
use crate::{Input, Output, Transmit, Transport};

/// All calls and media sessions of one shard.
///
/// Sans-IO. Give it inputs with [`handle_input`](Self::handle_input), then call
/// [`poll_output`](Self::poll_output) until it returns [`Output::Timeout`]; then wait for that
/// instant or the next input, whichever is first. Inputs that are there at the same moment may be
/// given one after another before polling: what they put into slots then goes out in bursts.
#[derive(Debug)]
pub struct Node {
    now: Instant,
    shared: Shared,
    calls: BTreeMap<CallId, Call>,
    /// Calls that other nodes have peers of, too.
    spreads: BTreeMap<CallId, Spread>,
    echo: Echo,
    reports: Reports,
}

/// What a node waits for when nothing is scheduled.
const IDLE: Duration = Duration::from_secs(3600);

impl Node {
    /// Creates a node without calls.
    pub fn new(config: NodeConfig, now: Instant) -> Self {
        let cert = str0m::crypto::from_feature_flags().dtls_provider.generate_certificate();
        let candidates = negotiate::candidates(&config);
        let rtc_config = negotiate::rtc_config(cert, config.initial_estimate);
        let shared = Shared::new(config, rtc_config, candidates);
        let (calls, echo) = (BTreeMap::new(), Echo::new(now));
        let spreads = BTreeMap::new();
        Self { now, shared, calls, spreads, echo, reports: Reports::default() }
    }

    /// Takes one input. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Datagram { arrived, transport, source, destination, bytes } => {
                self.handle_datagram(arrived, transport, source, destination, bytes);
            }
            Input::Relay { from, relay: Relay { call, message } } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.hear(now, &mut self.shared, from, message);
                }
            }
            Input::Request(request) => self.handle_request(request),
            Input::Spread { call, spread } => self.handle_spread(call, spread),
            Input::TcpClosed { source } => self.handle_tcp_closed(source),
            Input::Timeout => {}
        }
        self.handle_timers();
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        loop {
            // A few slots are filled, and then their bursts sent: what either needs of the processor's
            // caches has no room in them beside the other.
            let are_filled = self.shared.filling.is_some();
            if let Some(transmit) = self.shared.outbox.pop(are_filled) {
                self.shared.stats.datagrams_out += transmit.datagrams().count() as u64;
                self.shared.stats.bytes_out += transmit.bytes.len() as u64;
                return Output::Transmit(transmit);
            }
            if let Some(event) = self.shared.events.pop_front() {
                return Output::Event(event);
            }
            if let Some((to, relay)) = self.shared.relays.pop_front() {
                return Output::Relay { to, relay };
            }
            if let Some(turn) = self.shared.filling.take().or_else(|| self.shared.arrived.pop()) {
                let call = self.calls.get_mut(&turn.call);
                self.shared.filling = call.and_then(|call| call.forward(&mut self.shared, turn));
                self.shared.outbox.note_filled();
                continue;
            }
            self.shared.pending_forwards = 0;
            if let Some(peer) = self.shared.unsent.pop() {
                if let Some(session) = self.calls.get_mut(&peer.call).and_then(|c| c.session(peer))
                {
                    session.send_burst(&mut self.shared.outbox);
                }
                continue;
            }
            let Some(peer) = self.shared.unflushed.pop_first() else { break };
            if let Some(call) = self.calls.get_mut(&peer.call) {
                call.flush(self.now, &mut self.shared, peer.participant);
            }
        }
        let next = self.shared.timers.first().map(|(at, _)| *at);
        Output::Timeout(next.unwrap_or_else(|| self.now + IDLE))
    }

    /// How many packets, each slot counted, polling will at most put into slots. Packets that come
    /// meanwhile wait, so whoever gives inputs in batches does well to stop at some thousands.
    pub const fn pending_forwards(&self) -> usize {
        self.shared.pending_forwards
    }

    /// Takes back the buffer of a [`Transmit`](crate::Transmit) that was sent, to fill it again.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.shared.outbox.recycle(buffer);
    }

    /// What the node has done and what it holds.
    pub fn stats(&self) -> NodeStats {
        let mut stats = self.shared.stats;
        stats.calls = self.calls.values().filter(|call| call.reports()).count() as u64;
        stats.peers = self.calls.values().map(Call::peers).sum();
        stats.publications = self.calls.values().map(Call::publications).sum();
        stats
    }

    /// Whether datagrams from this address are some session's: one that passed an ICE check.
    pub fn knows(&self, transport: Transport, source: SocketAddr) -> bool {
        self.shared.demux.peer_at(transport, source).is_some()
    }

    fn handle_datagram(
        &mut self,
        arrived: Instant,
        transport: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
    ) {
        let stats = &mut self.shared.stats;
        stats.datagrams_in += 1;
        stats.bytes_in += bytes.len() as u64;
        let (peer, check) = match self.shared.demux.route(transport, source, bytes) {
            Route::Check(peer, nominates) => (peer, Some(nominates)),
            Route::Echo => {
                match self.echo.answer(self.now, source, bytes) {
                    Some(bytes) => {
                        let (source, destination, segment) = (destination, source, None);
                        let answer = Transmit { transport, source, destination, bytes, segment };
                        self.shared.outbox.push(answer);
                    }
                    None => stats.drops.stranger += 1,
                }
                return;
            }
            Route::Garbage => {
                stats.drops.garbage += 1;
                return;
            }
            Route::Media(peer) if reports::is_transport_feedback(bytes) => {
                let bytes = self.reports.buffer(bytes);
                self.handle_report(Report { peer, arrived, transport, source, destination, bytes });
                return;
            }
            Route::Media(peer) => (peer, None),
            Route::Stranger => {
                stats.drops.stranger += 1;
                return;
            }
        };
        let destination = self.local_address(transport, destination);
        let receive = || Receive::new(transport.protocol(), source, destination, bytes);
        let Ok(datagram) = receive() else {
            self.shared.stats.drops.garbage += 1;
            return;
        };
        let Some(call) = self.calls.get_mut(&peer.call) else { return };
        if let Some(nominates) = check {
            let authentic = receive().is_ok_and(|r| call.authenticates(self.now, peer, r));
            if !authentic {
                self.shared.stats.drops.forged += 1;
                return;
            }
            self.learn_address(transport, source, peer);
            if let Some(session) = self.calls.get_mut(&peer.call).and_then(|c| c.session(peer))
                && (transport, nominates) == (Transport::Udp, Nominates(true))
            {
                session.nominated(self.now, UdpPath { local: destination, remote: source });
            }
        }
        if let Some(call) = self.calls.get_mut(&peer.call) {
            let times = (self.now, arrived);
            call.handle_datagram(times, &mut self.shared, peer.participant, datagram);
        }
    }

    /// Keeps a report until it is read with others.
    fn handle_report(&mut self, report: Report) {
        if let Some(due) = self.reports.push(self.now, report) {
            self.shared.timers.insert((due, Timer::Reports));
        }
        if self.reports.are_many() {
            self.read_reports();
        }
    }

    /// Gives the reports that wait to their sessions.
    fn read_reports(&mut self) {
        let (reports, due) = self.reports.take();
        if let Some(due) = due {
            self.shared.timers.remove(&(due, Timer::Reports));
        }
        for Report { peer, arrived, transport, source, destination, bytes } in &reports {
            let destination = self.local_address(*transport, *destination);
            let receive = Receive::new(transport.protocol(), *source, destination, bytes);
            let Ok(receive) = receive else {
                self.shared.stats.drops.garbage += 1;
                continue;
            };
            // Everybody may have left meanwhile.
            let Some(call) = self.calls.get_mut(&peer.call) else { continue };
            let times = (self.now, *arrived);
            call.handle_datagram(times, &mut self.shared, peer.participant, receive);
        }
        self.reports.give_back(reports);
    }

    /// The advertised address that stands for the one a datagram came in at. They differ where
    /// an address translator with a fixed mapping is in front.
    fn local_address(&self, transport: Transport, destination: SocketAddr) -> SocketAddr {
        let advertised = match transport {
            Transport::Tcp => &self.shared.config.tcp,
            Transport::Udp => &self.shared.config.udp,
        };
        if advertised.contains(&destination) {
            return destination;
        }
        let family = |addr: &&SocketAddr| addr.is_ipv4() == destination.is_ipv4();
        advertised.iter().find(family).copied().unwrap_or(destination)
    }

    /// Takes note that a peer is at an address, which may have been another's before.
    fn learn_address(&mut self, transport: Transport, source: SocketAddr, peer: PeerId) {
        let limit = self.shared.config.limits.addresses;
        if let Some(before) = self.shared.demux.add_address(transport, source, peer)
            && let Some(session) = self.calls.get_mut(&before.call).and_then(|c| c.session(before))
        {
            session.forget_address(transport, source);
        }
        if let Some(session) = self.calls.get_mut(&peer.call).and_then(|c| c.session(peer))
            && let Some((transport, source)) = session.add_address(transport, source, limit)
        {
            self.shared.demux.remove_address(transport, source, peer);
        }
    }

    fn handle_tcp_closed(&mut self, source: SocketAddr) {
        let Some(peer) = self.shared.demux.peer_at(Transport::Tcp, source) else { return };
        self.shared.demux.remove_address(Transport::Tcp, source, peer);
        if let Some(session) = self.calls.get_mut(&peer.call).and_then(|c| c.session(peer)) {
            session.forget_address(Transport::Tcp, source);
        }
    }

    fn handle_request(&mut self, request: MediaRequest) {
        let now = self.now;
        match request {
            MediaRequest::End { call: id } => {
                let Some(mut call) = self.calls.remove(&id) else { return };
                call.end(now, &mut self.shared);
            }
            MediaRequest::Leave { peer } => {
                let Some(call) = self.calls.get_mut(&peer.call) else { return };
                call.leave(now, &mut self.shared, peer.participant);
                if call.peers() == 0 {
                    call.close(&mut self.shared);
                    self.calls.remove(&peer.call);
                }
            }
            MediaRequest::Offer { peer, generation, sdp } => {
                let shared = &mut self.shared;
                let call = self.calls.entry(peer.call).or_insert_with(|| {
                    let mut call = Call::new(peer.call, shared, now);
                    if let Some(spread) = self.spreads.get(&peer.call) {
                        call.set_spread(now, shared, spread.clone());
                    }
                    call
                });
                call.offer(now, shared, peer.participant, generation, &sdp);
            }
            MediaRequest::Publish { peer, tracks } => {
                if let Some(call) = self.calls.get_mut(&peer.call) {
                    call.publish(now, &mut self.shared, peer.participant, tracks);
                }
            }
            MediaRequest::View { peer, wants } => {
                if let Some(call) = self.calls.get_mut(&peer.call) {
                    call.view(now, &mut self.shared, peer.participant, wants);
                }
            }
        }
    }

    /// Takes over which nodes have peers of a call. It may come before this one has any, or after all are
    /// gone.
    fn handle_spread(&mut self, id: CallId, spread: Spread) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.set_spread(self.now, &mut self.shared, spread.clone());
        }
        if spread.others().next().is_some() {
            self.spreads.insert(id, spread);
        } else {
            self.spreads.remove(&id);
        }
    }

    fn handle_timers(&mut self) {
        while let Some((at, timer)) = self.shared.timers.first().copied()
            && at <= self.now
        {
            self.shared.timers.pop_first();
            match timer {
                Timer::Assign(id) => {
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.assign_all(self.now, &mut self.shared);
                    }
                }
                Timer::Call(id) => {
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.tick(self.now, &mut self.shared);
                    }
                }
                Timer::Reports => self.read_reports(),
                Timer::Session(peer) => {
                    if let Some(call) = self.calls.get_mut(&peer.call) {
                        call.wake(self.now, &mut self.shared, peer.participant);
                    }
                }
            }
        }
    }
}
