//! Sending much, at a stated rate, on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Sends the datagram with this number.
pub(super) type Weapon = Box<dyn FnMut(u64) + Send>;

/// An attack that is under way.
pub(super) struct Flood {
    began: Instant,
    stop: Arc<AtomicBool>,
    /// Returns how many datagrams it sent.
    thread: JoinHandle<u64>,
}

/// Between two volleys.
const TICK: Duration = Duration::from_millis(1);

/// A thread that was held up sends no more at once than it would in this time.
const CATCH_UP: Duration = Duration::from_millis(10);

impl Flood {
    /// Begins to send so many datagrams a second.
    pub(super) fn start(rate: u32, mut weapon: Weapon) -> Self {
        let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut sent = 0;
            let most = (CATCH_UP.as_secs_f64() * f64::from(rate)).max(1.0) as u64;
            let mut skipped = 0;
            while !told.load(Ordering::Relaxed) {
                let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
                let volley = due.saturating_sub(sent + skipped);
                skipped += volley.saturating_sub(most);
                for _ in 0..volley.min(most) {
                    weapon(sent);
                    sent += 1;
                }
                thread::sleep(TICK);
            }
            sent
        });
        Self { began, stop, thread }
    }

    /// Ends it. Returns how many datagrams it sent in a second.
    pub(super) fn stop(self) -> anyhow::Result<f64> {
        let lasted = self.began.elapsed();
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.thread.join().map_err(|_| anyhow::anyhow!("the attack panicked"))?;
        Ok(sent as f64 / lasted.as_secs_f64())
    }
}

/// Sockets at many addresses of loopback.
pub(super) struct Sources(Vec<UdpSocket>);

/// How many there are.
const SOURCES: usize = 256;

impl Sources {
    /// Opens them, at addresses that look like chance.
    pub(super) fn open() -> io::Result<Self> {
        let mut noise = Noise::new();
        let open = |_| {
            let [a, b, c, ..] = noise.draw().to_be_bytes();
            // Not 127.0.0.1, where all others are, and no network's own address.
            let ip = Ipv4Addr::new(127, a | 1, b, c.clamp(1, 254));
            let socket = UdpSocket::bind(SocketAddr::from((ip, 0)))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        (0..SOURCES).map(open).collect::<io::Result<_>>().map(Self)
    }

    /// Sends the datagram with this number from one of them.
    pub(super) fn send(&self, number: u64, server: SocketAddr, bytes: &[u8]) {
        if let Some(socket) = self.0.get(number as usize % SOURCES) {
            // What does not leave does no harm; the report says how much did.
            let _ = socket.send_to(bytes, server);
        }
    }
}

/// Bytes that look like chance, always the same ones (xorshift64).
pub(super) struct Noise(u64);

impl Noise {
    pub(super) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(super) const fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.draw().to_be_bytes();
            chunk.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
}
