use std::collections::{BTreeMap, HashMap};

use conclave_call_proto::media::{MediaEvent, MediaRequest, PeerId};
use conclave_model::{CallId, ParticipantId};
use conclave_sfu_proto::{NodeNumber, Spread};

/// So many participants of a call are on one shard before others are brought to another one. What each
/// more costs grows with who they see and hear, and a core has room for some hundreds.
const MANY: usize = 100;

/// Which shards have which call, and which sessions they made.
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
#[derive(Debug, Default)]
struct Place {
    /// In the order in which they came to have participants of it, and how many.
    shards: Vec<(usize, usize)>,
    participants: BTreeMap<ParticipantId, usize>,
}

/// Whom to tell of a request.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Route {
    /// The shards that it is for; none if it is about somebody whom no shard has.
    pub(crate) shards: Vec<usize>,
    /// What shards are to know before of where else the call is.
    pub(crate) spread: Vec<(CallId, Spread)>,
}

impl Place {
    /// Adds a participant, to the first of the call's shards that has not many of them, or else to the one with the
    /// fewest of all calls. Returns which, and whether it is new to the call.
    fn add(&mut self, participant: ParticipantId, load: &[usize]) -> (usize, bool) {
        let with_room = self.shards.iter().find(|(_, count)| *count < MANY);
        let shard = with_room.map_or_else(|| least(load), |(shard, _)| *shard);
        self.participants.insert(participant, shard);
        match self.shards.iter_mut().find(|(known, _)| *known == shard) {
            Some((_, count)) => {
                *count += 1;
                (shard, false)
            }
            None => {
                self.shards.push((shard, 1));
                (shard, true)
            }
        }
    }

    /// Removes a participant. Returns the shard that had it, and whether it has others of the call.
    fn remove(&mut self, participant: ParticipantId) -> Option<(usize, bool)> {
        let shard = self.participants.remove(&participant)?;
        let (_, count) = self.shards.iter_mut().find(|(known, _)| *known == shard)?;
        *count -= 1;
        let has_others = *count > 0;
        self.shards.retain(|(_, count)| *count > 0);
        Some((shard, has_others))
    }

    /// What the shards of the call are to know, and one that was.
    fn spread(&self, call: CallId, was: Option<usize>) -> Vec<(CallId, Spread)> {
        let nodes: Vec<NodeNumber> = self.shards.iter().filter_map(|(s, _)| node(*s)).collect();
        let told = nodes.iter().copied().chain(was.and_then(node));
        told.map(|here| (call, Spread { here, nodes: nodes.clone() })).collect()
    }
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

    /// Where a request goes.
    ///
    /// A call begins on the shard with the fewest participants. A participant stays on the shard that
    /// the first offer came to.
    pub(crate) fn route(&mut self, request: &MediaRequest) -> Route {
        match request {
            MediaRequest::Offer { peer, .. } => self.enter(*peer),
            MediaRequest::Publish { peer, .. } | MediaRequest::View { peer, .. } => Route {
                shards: self.shard_of_peer(*peer).into_iter().collect(),
                spread: Vec::new(),
            },
            MediaRequest::Leave { peer } => self.leave(*peer),
            MediaRequest::End { call } => self.end(*call),
        }
    }

    /// Takes note of what a shard says.
    pub(crate) fn learn(&mut self, shard: usize, event: &MediaEvent) {
        let MediaEvent::Answer { peer, sdp, .. } = event else { return };
        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        // Somebody who left meanwhile needs no way in.
        let is_in = self.shard_of_peer(*peer) == Some(shard);
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

    fn shard_of_peer(&self, peer: PeerId) -> Option<usize> {
        self.calls.get(&peer.call)?.participants.get(&peer.participant).copied()
    }

    fn enter(&mut self, peer: PeerId) -> Route {
        if let Some(shard) = self.shard_of_peer(peer) {
            return Route { shards: vec![shard], spread: Vec::new() };
        }
        let place = self.calls.entry(peer.call).or_default();
        let (shard, is_new) = place.add(peer.participant, &self.load);
        let is_spread = is_new && place.shards.len() > 1;
        let spread = if is_spread { place.spread(peer.call, None) } else { Vec::new() };
        if let Some(load) = self.load.get_mut(shard) {
            *load += 1;
        }
        Route { shards: vec![shard], spread }
    }

    fn leave(&mut self, peer: PeerId) -> Route {
        let Some(place) = self.calls.get_mut(&peer.call) else { return Route::default() };
        let Some((shard, has_others)) = place.remove(peer.participant) else {
            return Route::default();
        };
        // As the shards do: a call that everybody has left is over.
        let spread = if place.participants.is_empty() {
            self.calls.remove(&peer.call);
            Vec::new()
        } else if has_others {
            Vec::new()
        } else {
            place.spread(peer.call, Some(shard))
        };
        self.unload(shard, 1);
        self.forget_ufrag(peer);
        Route { shards: vec![shard], spread }
    }

    fn end(&mut self, call: CallId) -> Route {
        let Some(place) = self.calls.remove(&call) else { return Route::default() };
        for participant in place.participants.keys() {
            self.forget_ufrag(PeerId { call, participant: *participant });
        }
        let shards: Vec<usize> = place.shards.iter().map(|(shard, _)| *shard).collect();
        for (shard, count) in place.shards {
            self.unload(shard, count);
        }
        let alone = |here| (call, Spread { here, nodes: Vec::new() });
        let nodes = shards.iter().filter_map(|shard| node(*shard));
        let spread = if shards.len() > 1 { nodes.map(alone).collect() } else { Vec::new() };
        Route { shards, spread }
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

fn node(shard: usize) -> Option<NodeNumber> {
    u16::try_from(shard).ok().map(NodeNumber)
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

    /// The one shard that a request goes to, of a call that is on no other.
    fn only(routes: &mut Routes, request: &MediaRequest) -> Option<usize> {
        let Route { shards, spread } = routes.route(request);
        assert_eq!(spread, []);
        assert!(shards.len() < 2);
        shards.first().copied()
    }

    fn leave(call: u64, participant: u32) -> MediaRequest {
        MediaRequest::Leave { peer: peer(call, participant) }
    }

    /// Which shards are told that which of them have the call.
    fn told(route: &Route) -> Vec<(u16, Vec<u16>)> {
        let numbers = |spread: &Spread| spread.nodes.iter().map(|node| node.0).collect();
        route.spread.iter().map(|(_, spread)| (spread.here.0, numbers(spread))).collect()
    }

    #[test]
    fn a_new_call_goes_where_the_fewest_are_and_stays_there() {
        let mut routes = Routes::new(2);
        assert_eq!(only(&mut routes, &offer(peer(1, 1))), Some(0));
        assert_eq!(only(&mut routes, &offer(peer(1, 2))), Some(0), "its call is there");
        assert_eq!(only(&mut routes, &offer(peer(2, 1))), Some(1));
        assert_eq!(only(&mut routes, &offer(peer(3, 1))), Some(1), "one there, two elsewhere");
        assert_eq!(only(&mut routes, &offer(peer(3, 1))), Some(1), "another session of the same");
        assert_eq!(routes.load, [2, 2]);

        assert_eq!(only(&mut routes, &MediaRequest::End { call: CallId(1) }), Some(0));
        assert_eq!(only(&mut routes, &offer(peer(4, 1))), Some(0));
    }

    #[test]
    fn a_call_that_everybody_left_is_nowhere() {
        let mut routes = Routes::new(2);
        routes.route(&offer(peer(1, 1)));
        routes.route(&offer(peer(1, 2)));
        let view = MediaRequest::View { peer: peer(1, 2), wants: Vec::new() };

        assert_eq!(only(&mut routes, &leave(1, 1)), Some(0));
        assert_eq!(only(&mut routes, &leave(1, 1)), None, "once more does no harm");
        assert_eq!(only(&mut routes, &view), Some(0));
        assert_eq!(only(&mut routes, &leave(1, 2)), Some(0));
        assert_eq!(only(&mut routes, &view), None);
        assert_eq!(routes.load, [0, 0]);
        assert!(routes.calls.is_empty());
    }

    #[test]
    fn a_large_call_spreads_and_each_stays_where_it_came() {
        let mut routes = Routes::new(3);
        let many = MANY as u32;
        for participant in 0..many {
            assert_eq!(only(&mut routes, &offer(peer(1, participant))), Some(0));
        }
        let next = routes.route(&offer(peer(1, many)));
        assert_eq!(next.shards, [1]);
        assert_eq!(told(&next), [(0, vec![0, 1]), (1, vec![0, 1])]);
        assert_eq!(only(&mut routes, &offer(peer(1, many + 1))), Some(1));
        let view = |participant| MediaRequest::View { peer: peer(1, participant), wants: vec![] };
        assert_eq!(only(&mut routes, &view(5)), Some(0));
        assert_eq!(only(&mut routes, &view(many)), Some(1));

        // Whoever comes when there is room on the first shard again is brought there.
        assert_eq!(only(&mut routes, &leave(1, 5)), Some(0));
        assert_eq!(only(&mut routes, &offer(peer(1, many + 2))), Some(0));

        assert_eq!(only(&mut routes, &leave(1, many)), Some(1));
        let last = routes.route(&leave(1, many + 1));
        assert_eq!(last.shards, [1]);
        assert_eq!(told(&last), [(0, vec![0]), (1, vec![0])], "the one that has none is told, too");
        assert_eq!(routes.load, [MANY, 0, 0]);
    }

    #[test]
    fn a_spread_call_ends_everywhere() {
        let mut routes = Routes::new(2);
        let all = 2 * MANY as u32 + 2;
        for participant in 0..all {
            routes.route(&offer(peer(1, participant)));
        }
        assert_eq!(routes.load, [MANY + 1, MANY + 1], "where there is no room, the load decides");
        let end = routes.route(&MediaRequest::End { call: CallId(1) });
        assert_eq!(end.shards, [0, 1]);
        assert_eq!(told(&end), [(0, vec![]), (1, vec![])]);
        assert_eq!(routes.load, [0, 0]);
        assert!(routes.calls.is_empty());
    }

    #[test]
    fn sessions_are_found_by_their_name_in_ice_until_they_end() {
        let mut routes = Routes::new(2);
        routes.route(&offer(peer(1, 1)));
        routes.route(&offer(peer(2, 1)));
        routes.learn(0, &answer(peer(1, 1), "old"));
        routes.learn(0, &answer(peer(1, 1), "new"));
        routes.learn(1, &answer(peer(2, 1), "other"));
        routes.learn(1, &answer(peer(9, 9), "gone"));

        let found = |routes: &Routes| ["old", "new", "other", "gone"].map(|u| routes.shard_of(u));
        assert_eq!(found(&routes), [None, Some(0), Some(1), None]);
        routes.route(&leave(1, 1));
        routes.route(&MediaRequest::End { call: CallId(2) });
        assert_eq!(found(&routes), [None; 4]);
        assert!(routes.ufrags.is_empty() && routes.by_ufrag.is_empty());
    }
}
