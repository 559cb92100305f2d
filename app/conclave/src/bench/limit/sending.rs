//! Sending alone, and sealing and sending: to all destinations, from one socket.
//!
//! It goes in phases: as much as finds room at the destinations, and then a pause in which another
//! thread takes it away.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::port::Port;
use super::receivers::Receivers;
use super::sample::Sample;
use super::srtp::{Camera, DATAGRAM, Stream};
use super::{MOST_PACKETS, joined};
use crate::bench::clock::cpu;
use crate::bench::cores::Cores;

/// What is measured.
struct Sending {
    port: Port,
    camera: Camera,
    burst: usize,
    destinations: Vec<Destination>,
    /// What is on its way to one destination.
    sealed: Vec<[u8; DATAGRAM]>,
}

struct Destination {
    address: SocketAddr,
    /// Nothing, if packets go as they are.
    stream: Option<Stream>,
}

/// Sends bursts for so long, sealed for each destination or not.
pub(super) fn measure(
    seals: bool,
    burst: usize,
    destinations: usize,
    length: Duration,
) -> anyhow::Result<Sample> {
    let mut receivers = Receivers::open(destinations)?;
    let mut sending = Sending::new(seals, burst, receivers.addresses())?;
    let room = receivers.room(burst);
    let cores = Cores::choose();
    let (orders, ordered) = channel();
    let (counts, counted) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            cores.take_other();
            for expected in ordered {
                if counts.send(receivers.collect(expected)).is_err() {
                    break;
                }
            }
        });
        let measured = scope.spawn(move || {
            cores.take_measured();
            sending.run(room, length, &orders, &counted)
        });
        joined(measured)
    })
}

impl Sending {
    fn new(seals: bool, burst: usize, addresses: &[SocketAddr]) -> anyhow::Result<Self> {
        let destination = |(number, address): (u32, &SocketAddr)| {
            let stream = seals.then(|| Stream::new(number)).transpose()?;
            anyhow::Ok(Destination { address: *address, stream })
        };
        Ok(Self {
            port: Port::open()?,
            camera: Camera::new(burst),
            burst,
            destinations: (1..).zip(addresses).map(destination).collect::<Result<_, _>>()?,
            sealed: vec![[0; DATAGRAM]; burst],
        })
    }

    /// Phases of `room` bursts to each destination. `orders` has what arrived taken away, and
    /// `counts` says how much that was.
    fn run(
        &mut self,
        room: usize,
        length: Duration,
        orders: &Sender<u64>,
        counts: &Receiver<anyhow::Result<u64>>,
    ) -> anyhow::Result<Sample> {
        let phase = (room * self.burst * self.destinations.len()) as u64;
        let mut used = Duration::ZERO;
        let (mut expected, mut delivered) = (0, 0);
        let start = Instant::now();
        while start.elapsed() < length && expected < MOST_PACKETS {
            let before = cpu();
            for _ in 0..room {
                self.send_frame()?;
            }
            used += cpu().saturating_sub(before);
            expected += phase;
            orders.send(phase).context("nobody counts")?;
            delivered += counts.recv().context("nobody counts")??;
        }
        let whole_bursts = self.port.sends_whole(self.burst);
        Ok(Sample { cpu: used, wall: start.elapsed(), expected, delivered, whole_bursts })
    }

    /// Sends one frame to each destination.
    fn send_frame(&mut self) -> anyhow::Result<()> {
        let frame = self.camera.next_frame();
        for Destination { address, stream } in &mut self.destinations {
            let packets = match stream {
                Some(stream) => {
                    for (packet, sealed) in frame.iter().zip(&mut self.sealed) {
                        stream.forward(packet, sealed)?;
                    }
                    &self.sealed
                }
                None => frame,
            };
            match packets {
                [packet] => self.port.send_one(*address, packet),
                _ => self.port.send(*address, packets),
            }
        }
        Ok(())
    }
}
