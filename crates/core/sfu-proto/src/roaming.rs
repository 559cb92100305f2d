use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Where a peer is, if that is not where its session takes it to be.
///
/// An address translator that forgets a peer, or a change of network that the peer's operating
/// system hides from it, brings its packets from another address in mid-call. ICE would notice: with
/// the peer's next check of its path, seconds later, a new pair of addresses comes up. But a *lite*
/// agent (RFC 8445 section 2.5) makes no checks itself, so it cannot know that the pair before is
/// dead, and str0m keeps sending there for 15 s. So the session goes on with the address that it
/// knows, and here that is exchanged for the true one, on the way in and on the way out.
///
/// The peer is followed when something that only it can have made comes from elsewhere, while
/// nothing comes from where it was: a packet of media that its keys authenticate and that did not
/// come before, or an authentic check that nominates the path. Who sits on the path and can hold
/// packets back could have the peer's media sent elsewhere in this manner; with a check of the
/// peer's, held back or repeated, they can in any ICE. For want of further checks from there, the
/// session ends.
#[derive(Debug, Default)]
pub(crate) struct Roaming {
    /// The path that the session sends on.
    known: Option<UdpPath>,
    /// Where the peer is instead.
    moved_to: Option<SocketAddr>,
    /// When the peer was last heard where it is.
    heard_at: Option<Instant>,
}

/// A UDP path between two addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct UdpPath {
    /// The node's own.
    pub(crate) local: SocketAddr,
    /// The peer's.
    pub(crate) remote: SocketAddr,
}

/// What a session sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Datagram {
    /// The answer to a check.
    Answer,
    /// All else.
    Media,
}

impl Datagram {
    /// Tells by the first byte (RFC 7983 section 7).
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if matches!(bytes.first(), Some(0..=3)) { Self::Answer } else { Self::Media }
    }
}

/// A peer that was heard so lately is not followed elsewhere. Speech comes every 20 ms, and packets
/// that were under way when the peer moved come late by less than this.
const QUIET: Duration = Duration::from_millis(250);

impl Roaming {
    /// The address that the session knows for one that a datagram came from. One from a `stranger`
    /// is shown to it as if from where it takes the peer to be.
    pub(crate) fn inward(&self, source: SocketAddr, stranger: bool) -> SocketAddr {
        let known = self.known.filter(|_| stranger || self.moved_to == Some(source));
        known.map_or(source, |path| path.remote)
    }

    /// Where to send a datagram of the session's. Media tells the path that the session uses; with a
    /// check's answer it tells nothing, for the peer checks others as well.
    pub(crate) fn outward(&mut self, path: UdpPath, datagram: Datagram) -> SocketAddr {
        if self.known != Some(path) {
            if datagram == Datagram::Answer {
                return path.remote;
            }
            *self = Self { known: Some(path), ..Self::default() };
        }
        self.moved_to.unwrap_or(path.remote)
    }

    /// Something authentic came on a path, that the peer would only send on the one it uses.
    /// Returns whether the peer has moved there.
    pub(crate) fn heard(&mut self, now: Instant, path: UdpPath) -> bool {
        let known = self.known.filter(|known| known.local == path.local);
        let Some(known) = known else { return false };
        let is_here = path.remote == self.moved_to.unwrap_or(known.remote);
        let is_quiet = self.heard_at.is_none_or(|at| now.saturating_duration_since(at) >= QUIET);
        let has_moved = !is_here && is_quiet;
        if has_moved {
            self.moved_to = Some(path.remote).filter(|remote| *remote != known.remote);
        }
        if is_here || is_quiet {
            self.heard_at = Some(now);
        }
        has_moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> UdpPath {
        let local = SocketAddr::from(([192, 0, 2, 1], 10_000));
        UdpPath { local, remote: SocketAddr::from(([198, 51, 100, 1], port)) }
    }

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        Instant::now()
    }

    #[test]
    fn a_peer_that_falls_silent_and_is_heard_elsewhere_is_followed_there_and_back() {
        let (start, mut roaming) = (origin(), Roaming::default());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(roaming.outward(path(1), Datagram::Media).port(), 1);
        roaming.heard(at(0), path(1));

        roaming.heard(at(100), path(2));
        assert_eq!(
            roaming.outward(path(1), Datagram::Media).port(),
            1,
            "it was heard a moment ago"
        );
        roaming.heard(at(300), path(2));
        assert_eq!(roaming.outward(path(1), Datagram::Media).port(), 2);
        assert_eq!(roaming.inward(path(2).remote, false), path(1).remote);
        assert_eq!(roaming.inward(path(3).remote, false), path(3).remote);

        roaming.heard(at(400), path(1));
        assert_eq!(
            roaming.outward(path(1), Datagram::Media).port(),
            2,
            "late packets from where it was"
        );
        roaming.heard(at(700), path(1));
        assert_eq!(roaming.outward(path(1), Datagram::Media).port(), 1);
    }

    #[test]
    fn a_path_that_the_session_chooses_is_the_peers_own() {
        let (start, mut roaming) = (origin(), Roaming::default());
        roaming.outward(path(1), Datagram::Media);
        roaming.heard(start, path(2));
        assert_eq!(roaming.outward(path(1), Datagram::Media).port(), 2);

        assert_eq!(roaming.outward(path(5), Datagram::Answer).port(), 5);
        assert_eq!(roaming.outward(path(1), Datagram::Answer).port(), 2, "one check says nothing");
        assert_eq!(roaming.outward(path(5), Datagram::Media).port(), 5);
        assert_eq!(roaming.inward(path(2).remote, false), path(2).remote);
    }

    #[test]
    fn what_comes_in_at_another_address_of_the_node_moves_nobody() {
        let (start, mut roaming) = (origin(), Roaming::default());
        roaming.outward(path(1), Datagram::Media);
        let local = SocketAddr::from(([192, 0, 2, 2], 10_000));
        roaming.heard(start, UdpPath { local, ..path(2) });
        assert_eq!(roaming.outward(path(1), Datagram::Media).port(), 1);
    }
}
