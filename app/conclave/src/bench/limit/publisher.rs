//! The world around the toy: it publishes frames, and counts what arrives of them.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::MOST_PACKETS;
use super::port::Port;
use super::receivers::{PATIENCE, Receivers};
use super::srtp::{Camera, DATAGRAM, Stream};

/// Frames in a second of a paced measurement.
pub(in crate::bench) const FRAMES_A_SECOND: u32 = 60;

/// From a frame to the next.
const TICK: Duration = Duration::from_nanos(1_000_000_000 / FRAMES_A_SECOND as u64);

/// How fast frames follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Sixty in a second: the node sleeps between them, and finds its caches cold.
    Paced,
    /// As fast as they are forwarded.
    Saturated,
}

/// Who sends to the toy, with those who receive from it.
#[derive(Debug)]
pub(super) struct Publisher {
    port: Port,
    node: SocketAddr,
    camera: Camera,
    stream: Stream,
    sealed: Vec<[u8; DATAGRAM]>,
    receivers: Receivers,
    tally: Tally,
}

/// What was to arrive, and what did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// From the first frame's departure to the last packet's arrival.
    pub(super) wall: Duration,
    /// Packets, at all destinations together.
    pub(super) expected: u64,
    /// Packets, at all destinations together.
    pub(super) delivered: u64,
}

impl Publisher {
    /// One that sends frames of `burst` packets to the node at that address.
    pub(super) fn new(
        burst: usize,
        node: SocketAddr,
        receivers: Receivers,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            port: Port::open()?,
            node,
            camera: Camera::new(burst),
            stream: Stream::new(0)?,
            sealed: vec![[0; DATAGRAM]; burst],
            receivers,
            tally: Tally::default(),
        })
    }

    /// Publishes for so long, and waits for what is still on its way.
    pub(super) fn publish(&mut self, pace: Pace, length: Duration) -> anyhow::Result<Tally> {
        let start = Instant::now();
        match pace {
            Pace::Paced => self.publish_paced(start, length)?,
            Pace::Saturated => self.publish_saturated(start, length)?,
        }
        self.tally.delivered += self.receivers.collect(self.outstanding())?;
        self.tally.wall = start.elapsed();
        Ok(self.tally)
    }

    fn publish_paced(&mut self, start: Instant, length: Duration) -> anyhow::Result<()> {
        let mut due = Duration::ZERO;
        while due < length {
            thread::sleep(due.saturating_sub(start.elapsed()));
            self.send_frame()?;
            // Nobody reads while the node works, so that it need not wake anybody up.
            thread::sleep((due + TICK / 2).saturating_sub(start.elapsed()));
            self.tally.delivered += self.receivers.sweep()?;
            due += TICK;
        }
        Ok(())
    }

    fn publish_saturated(&mut self, start: Instant, length: Duration) -> anyhow::Result<()> {
        let most_outstanding = self.frame() * self.receivers.room(self.sealed.len()) as u64;
        let mut heard = Instant::now();
        // If nothing arrives any more, all that may be outstanding is lost.
        while start.elapsed() < length
            && heard.elapsed() < PATIENCE
            && self.tally.expected < MOST_PACKETS
        {
            while self.outstanding() + self.frame() <= most_outstanding {
                self.send_frame()?;
            }
            let arrived = self.receivers.sweep()?;
            self.tally.delivered += arrived;
            if arrived > 0 {
                heard = Instant::now();
            } else {
                thread::yield_now();
            }
        }
        Ok(())
    }

    /// How many packets a frame becomes, at all destinations together.
    fn frame(&self) -> u64 {
        (self.sealed.len() * self.receivers.addresses().len()) as u64
    }

    /// How many packets have been published for somebody and did not arrive.
    const fn outstanding(&self) -> u64 {
        self.tally.expected.saturating_sub(self.tally.delivered)
    }

    fn send_frame(&mut self) -> anyhow::Result<()> {
        for (packet, sealed) in self.camera.next_frame().iter().zip(&mut self.sealed) {
            self.stream.forward(packet, sealed)?;
        }
        self.port.send(self.node, &self.sealed);
        self.tally.expected += self.frame();
        Ok(())
    }
}
