//! Receivers' transport-wide feedback, which is read a few at a time.
//!
//! Each receiver sends some twenty in a second. To read one takes more code than fits into a
//! processor's first cache, and so does forwarding: read one by one, between frames, each would fetch
//! all of it anew, and leave forwarding to do the same.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_call_proto::media::PeerId;

use crate::Transport;

/// How long one may wait for others. Nobody waits for what it brings about: bandwidth is estimated
/// from the times in it and that of its arrival, and asking for lost packets or key frames has packets of its own.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// So many are read without waiting for more.
const MANY: usize = 32;

/// The most bytes of a buffer that is kept: more than any report of a usual peer.
const MAX_SPARE: usize = 2048;

/// Feedback that a peer sent, still encrypted.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) peer: PeerId,
    pub(crate) arrived: Instant,
    pub(crate) transport: Transport,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Those that wait.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: Vec<Report>,
    /// When the first one has waited enough.
    due: Option<Instant>,
    /// Buffers of earlier ones.
    spare: Vec<Vec<u8>>,
}

/// Whether a datagram begins with transport-wide feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1). SRTCP leaves the first eight
/// bytes readable (RFC 3711 section 3.4).
pub(crate) fn is_transport_feedback(bytes: &[u8]) -> bool {
    const VERSION_2: u8 = 0b1000_0000;
    const TRANSPORT_FEEDBACK: u8 = 205;
    const TRANSPORT_WIDE: u8 = 15;
    let [first, kind, ..] = bytes else { return false };
    // Without padding, or with it.
    first & !0b0010_0000 == VERSION_2 | TRANSPORT_WIDE && *kind == TRANSPORT_FEEDBACK
}

impl Reports {
    /// A buffer with these bytes, for a [`Report`].
    pub(crate) fn buffer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Adds one. Returns when they are to be read, if it is the first.
    pub(crate) fn push(&mut self, now: Instant, report: Report) -> Option<Instant> {
        self.waiting.push(report);
        let is_first = self.due.is_none();
        let due = *self.due.get_or_insert(now + PATIENCE);
        is_first.then_some(due)
    }

    /// Whether nobody needs to come before they are read.
    pub(crate) fn are_many(&self) -> bool {
        self.waiting.len() >= MANY
    }

    /// Takes all, and when they were due.
    pub(crate) fn take(&mut self) -> (Vec<Report>, Option<Instant>) {
        (std::mem::take(&mut self.waiting), self.due.take())
    }

    /// Takes the buffers back.
    pub(crate) fn give_back(&mut self, mut read: Vec<Report>) {
        for mut report in read.drain(..) {
            if self.spare.len() < MANY && report.bytes.capacity() <= MAX_SPARE {
                report.bytes.clear();
                self.spare.push(report.bytes);
            }
        }
        if self.waiting.is_empty() {
            self.waiting = read;
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::{CallId, ParticipantId};

    use super::*;

    fn report(reports: &mut Reports, now: Instant) -> Report {
        let address = ([127, 0, 0, 1], 9).into();
        Report {
            peer: PeerId { call: CallId(1), participant: ParticipantId(2) },
            arrived: now,
            transport: Transport::Udp,
            source: address,
            destination: address,
            bytes: reports.buffer(&[0x8f, 205, 0, 9]),
        }
    }

    #[test]
    fn the_first_report_sets_when_all_are_read_and_too_many_are_not_kept() {
        let mut reports = Reports::default();
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let start = Instant::now();
        let mut due = Vec::new();
        for waited in 0..MANY {
            assert!(!reports.are_many());
            let now = start + Duration::from_micros(waited as u64);
            let report = report(&mut reports, now);
            due.extend(reports.push(now, report));
        }
        assert!(reports.are_many());
        assert_eq!(due, [start + PATIENCE]);

        let (read, due) = reports.take();
        assert_eq!((read.len(), due), (MANY, Some(start + PATIENCE)));
        reports.give_back(read);

        // A buffer that was used before has nothing of what it held.
        let later = start + PATIENCE;
        let again = report(&mut reports, later);
        assert_eq!(again.bytes, [0x8f, 205, 0, 9]);
        assert_eq!(reports.push(later, again), Some(later + PATIENCE));
    }

    #[test]
    fn transport_wide_feedback_is_known_by_what_srtcp_leaves_readable() {
        assert!(is_transport_feedback(&[0x8f, 205, 0, 9]));
        assert!(is_transport_feedback(&[0xaf, 205, 0, 9]));
        // A NACK, a picture loss indication, a sender report, RTP, DTLS, and next to nothing.
        for other in
            [&[0x81, 205, 0, 9][..], &[0x8f, 206], &[0x80, 200], &[0x90, 96], &[22, 205], &[0x8f]]
        {
            assert!(!is_transport_feedback(other), "{other:?}");
        }
    }
}
