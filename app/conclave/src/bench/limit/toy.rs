//! The floor: the least that forwarding can cost. A toy of a media node that knows its receivers
//! beforehand, keeps nothing, hears no feedback and never drops a layer: it opens what comes in,
//! and for each destination copies, renumbers, seals and sends it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::joined;
use super::port::Port;
use super::publisher::{Pace, Publisher, Tally};
use super::receivers::Receivers;
use super::sample::Sample;
use super::srtp::{DATAGRAM, Stream};
use crate::bench::clock::cpu;
use crate::bench::cores::Cores;

/// How often the toy looks whether it is over.
const LOOK: Duration = Duration::from_millis(50);

/// The toy.
struct Toy {
    port: Port,
    burst: usize,
    /// The publisher's stream.
    incoming: Stream,
    outgoing: Vec<(SocketAddr, Stream)>,
    /// What came in with one receive.
    opened: Vec<[u8; DATAGRAM]>,
    /// What is on its way to one destination.
    sealed: Vec<[u8; DATAGRAM]>,
}

/// Has the toy forward frames of `burst` packets for so long, on a thread of its own. The processor
/// time of the publisher and of the receivers, which share another thread, does not count.
pub(super) fn measure(
    pace: Pace,
    burst: usize,
    destinations: usize,
    length: Duration,
) -> anyhow::Result<Sample> {
    let receivers = Receivers::open(destinations)?;
    let mut toy = Toy::new(burst, receivers.addresses())?;
    let mut publisher = Publisher::new(burst, toy.port.address(), receivers)?;
    let cores = Cores::choose();
    let over = AtomicBool::new(false);
    let (cpu, tally) = thread::scope(|scope| {
        let measured = scope.spawn(|| {
            cores.take_measured();
            toy.run(&over)
        });
        let others = scope.spawn(|| {
            cores.take_other();
            publisher.publish(pace, length)
        });
        let tally = joined(others);
        over.store(true, Ordering::Relaxed);
        let cpu = joined(measured)?;
        anyhow::Ok((cpu, tally?))
    })?;
    let Tally { wall, expected, delivered } = tally;
    // Asked afterwards: that a kernel cannot do it shows when it is tried.
    Ok(Sample { cpu, wall, expected, delivered, whole_bursts: toy.port.sends_whole(burst) })
}

impl Toy {
    fn new(burst: usize, addresses: &[SocketAddr]) -> anyhow::Result<Self> {
        let outgoing =
            |(number, address): (u32, &SocketAddr)| anyhow::Ok((*address, Stream::new(number)?));
        Ok(Self {
            port: Port::open()?,
            burst,
            incoming: Stream::new(0)?,
            outgoing: (1..).zip(addresses).map(outgoing).collect::<Result<_, _>>()?,
            opened: Vec::new(),
            sealed: vec![[0; DATAGRAM]; burst],
        })
    }

    /// Forwards until it is over. Returns the processor time that it took.
    fn run(&mut self, over: &AtomicBool) -> anyhow::Result<Duration> {
        let before = cpu();
        while !over.load(Ordering::Relaxed) {
            self.port.wait(LOOK)?;
            while self.receive()? {
                self.fan_out()?;
            }
        }
        Ok(cpu().saturating_sub(before))
    }

    /// Takes in and opens one batch. Returns whether there was any.
    fn receive(&mut self) -> anyhow::Result<bool> {
        let Self { port, incoming, opened, .. } = self;
        opened.clear();
        let count = port.receive(|datagram| {
            // What is of others, or damaged, does not open; its share is missed at the receivers.
            if incoming.open(datagram).is_ok()
                && let Ok(packet) = <&[u8; DATAGRAM]>::try_from(&*datagram)
            {
                opened.push(*packet);
            }
        })?;
        Ok(count > 0)
    }

    /// Sends what came in to each destination.
    fn fan_out(&mut self) -> anyhow::Result<()> {
        for burst in self.opened.chunks(self.burst) {
            for (address, stream) in &mut self.outgoing {
                for (opened, sealed) in burst.iter().zip(&mut self.sealed) {
                    stream.forward(opened, sealed)?;
                }
                self.port.send(*address, self.sealed.get(..burst.len()).unwrap_or_default());
            }
        }
        Ok(())
    }
}
