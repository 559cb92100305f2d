use std::collections::{HashMap, HashSet};

use conclave_call_proto::media::{MediaEvent, MediaRequest, PeerId};
use conclave_model::{CallId, ParticipantId};

/// Which shard has which call, and which sessions it made.
#[derive(Debug)]
pub(crate) struct Routes {
    calls: HashMap<CallId, Place>,
    /// How many participants each shard has.
    load: Vec<usize>,
    /// The shard of a session, by the name that its ICE checks call.
    by_ufrag: HashMap<String, usize>,
    ufrags: HashMap<PeerId, String>,
}

/// Where a call is, and who is in it.
#[derive(Debug)]
struct Place {
    shard: usize,
    participants: HashSet<ParticipantId>,
}

impl Routes {
    /// For so many shards.
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            calls: HashMap::new(),
            load: vec![0; shards],
            by_ufrag: HashMap::new(),
            ufrags: HashMap::new(),
        }
    }

    /// The shard that a request is for; `None` if it is about a call that no shard has.
    ///
    /// A call stays on the shard that its first offer came to: the one with the fewest participants.
    pub(crate) fn shard_for(&mut self, request: &MediaRequest) -> Option<usize> {
        match request {
            MediaRequest::Offer { peer, .. } => Some(self.enter(*peer)),
            MediaRequest::Publish { peer, .. } | MediaRequest::View { peer, .. } => {
                Some(self.calls.get(&peer.call)?.shard)
            }
            MediaRequest::Leave { peer } => self.leave(*peer),
            MediaRequest::End { call } => {
                let place = self.calls.remove(call)?;
                for participant in &place.participants {
                    self.forget_ufrag(PeerId { call: *call, participant: *participant });
                }
                self.unload(place.shard, place.participants.len());
                Some(place.shard)
            }
        }
    }

    /// Takes note of what a shard says.
    pub(crate) fn learn(&mut self, shard: usize, event: &MediaEvent) {
        let MediaEvent::Answer { peer, sdp, .. } = event else { return };
        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        // Somebody who left meanwhile needs no way in.
        let is_in = self.calls.get(&peer.call).is_some_and(|place| {
            place.shard == shard && place.participants.contains(&peer.participant)
        });
        let Some(ufrag) = ufrag.filter(|_| is_in) else { return };
        self.forget_ufrag(*peer);
        let ufrag = ufrag.trim().to_owned();
        self.by_ufrag.insert(ufrag.clone(), shard);
        self.ufrags.insert(*peer, ufrag);
    }

    /// The shard that has the session which ICE checks with this name are for.
    pub(crate) fn shard_of(&self, ufrag: &str) -> Option<usize> {
        self.by_ufrag.get(ufrag).copied()
    }

    fn enter(&mut self, peer: PeerId) -> usize {
        let Self { calls, load, .. } = self;
        let place = calls
            .entry(peer.call)
            .or_insert_with(|| Place { shard: least(load), participants: HashSet::new() });
        if place.participants.insert(peer.participant)
            && let Some(load) = load.get_mut(place.shard)
        {
            *load += 1;
        }
        place.shard
    }

    fn leave(&mut self, peer: PeerId) -> Option<usize> {
        let place = self.calls.get_mut(&peer.call)?;
        let shard = place.shard;
        let was_in = place.participants.remove(&peer.participant);
        // As the shard does: a call that everybody has left is over.
        if place.participants.is_empty() {
            self.calls.remove(&peer.call);
        }
        if was_in {
            self.unload(shard, 1);
            self.forget_ufrag(peer);
        }
        Some(shard)
    }

    fn unload(&mut self, shard: usize, participants: usize) {
        if let Some(load) = self.load.get_mut(shard) {
            *load = load.saturating_sub(participants);
        }
    }

    fn forget_ufrag(&mut self, peer: PeerId) {
        if let Some(ufrag) = self.ufrags.remove(&peer) {
            self.by_ufrag.remove(&ufrag);
        }
    }
}

/// The place of the least one, the first of several.
fn least(load: &[usize]) -> usize {
    load.iter().enumerate().min_by_key(|(_, load)| **load).map_or(0, |(shard, _)| shard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(call: u64, participant: u32) -> PeerId {
        PeerId { call: CallId(call), participant: ParticipantId(participant) }
    }

    fn offer(peer: PeerId) -> MediaRequest {
        MediaRequest::Offer { peer, generation: 1, sdp: String::new() }
    }

    fn answer(peer: PeerId, ufrag: &str) -> MediaEvent {
        let sdp = format!("v=0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:x\r\n");
        MediaEvent::Answer { peer, generation: 1, sdp }
    }

    #[test]
    fn a_new_call_goes_where_the_fewest_are_and_stays_there() {
        let mut routes = Routes::new(2);
        assert_eq!(routes.shard_for(&offer(peer(1, 1))), Some(0));
        assert_eq!(routes.shard_for(&offer(peer(1, 2))), Some(0), "its call is there");
        assert_eq!(routes.shard_for(&offer(peer(2, 1))), Some(1));
        assert_eq!(routes.shard_for(&offer(peer(3, 1))), Some(1), "one there, two elsewhere");
        assert_eq!(routes.shard_for(&offer(peer(3, 1))), Some(1), "a new session of the same one");
        assert_eq!(routes.load, [2, 2]);

        assert_eq!(routes.shard_for(&MediaRequest::End { call: CallId(1) }), Some(0));
        assert_eq!(routes.shard_for(&offer(peer(4, 1))), Some(0));
    }

    #[test]
    fn a_call_that_everybody_left_is_nowhere() {
        let mut routes = Routes::new(2);
        routes.shard_for(&offer(peer(1, 1)));
        routes.shard_for(&offer(peer(1, 2)));
        let leave = |participant| MediaRequest::Leave { peer: peer(1, participant) };
        let view = MediaRequest::View { peer: peer(1, 2), wants: Vec::new() };

        assert_eq!(routes.shard_for(&leave(1)), Some(0));
        assert_eq!(routes.shard_for(&leave(1)), Some(0), "once more does no harm");
        assert_eq!(routes.shard_for(&view), Some(0));
        assert_eq!(routes.shard_for(&leave(2)), Some(0));
        assert_eq!(routes.shard_for(&view), None);
        assert_eq!(routes.load, [0, 0]);
        assert!(routes.calls.is_empty());
    }

    #[test]
    fn sessions_are_found_by_their_name_in_ice_until_they_end() {
        let mut routes = Routes::new(2);
        routes.shard_for(&offer(peer(1, 1)));
        routes.shard_for(&offer(peer(2, 1)));
        routes.learn(0, &answer(peer(1, 1), "old"));
        routes.learn(0, &answer(peer(1, 1), "new"));
        routes.learn(1, &answer(peer(2, 1), "other"));
        routes.learn(1, &answer(peer(9, 9), "gone"));

        let found = |routes: &Routes| ["old", "new", "other", "gone"].map(|u| routes.shard_of(u));
        assert_eq!(found(&routes), [None, Some(0), Some(1), None]);
        routes.shard_for(&MediaRequest::Leave { peer: peer(1, 1) });
        routes.shard_for(&MediaRequest::End { call: CallId(2) });
        assert_eq!(found(&routes), [None; 4]);
        assert!(routes.ufrags.is_empty() && routes.by_ufrag.is_empty());
    }
}
