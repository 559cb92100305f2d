//! What a call does where other nodes have peers of it, too.

use std::time::{Duration, Instant};

use conclave_model::{ParticipantId, PublicationId};

use crate::call::{Call, policy};
use crate::publication::Publication;
use crate::relay::{Message, NodeNumber, Relay, RelayedPacket, Spread, Stream};
use crate::shared::Shared;

/// What was on its way for so long is of no use. A node that does not keep up with others leaves out what is
/// old, and is not late with everything for good: nobody tells a publisher of another node to send less.
const LATE: Duration = Duration::from_millis(300);

impl Call {
    /// Takes over which nodes have peers of the call.
    pub(crate) fn set_spread(&mut self, now: Instant, shared: &mut Shared, spread: Spread) {
        let before: Vec<NodeNumber> = self.others().collect();
        let has_reported = self.reports();
        self.spread = Some(spread);
        // The one that did may have had something to tell when it left.
        self.speakers_changed |= self.reports() && !has_reported;
        let after: Vec<NodeNumber> = self.others().collect();
        for node in before.iter().filter(|node| !after.contains(node)) {
            self.forget_node(now, shared, *node);
        }
        for node in after.iter().filter(|node| !before.contains(node)) {
            self.forget_told(*node);
            self.say(shared, *node, Message::Joined);
            self.say_all_published(shared, *node);
        }
    }

    /// The other nodes that have peers of the call.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeNumber> + '_ {
        self.spread.iter().flat_map(Spread::others)
    }

    /// Whether this node tells the control plane what concerns the call as a whole.
    pub(crate) fn reports(&self) -> bool {
        self.spread.as_ref().is_none_or(Spread::reports)
    }

    /// Another node says something.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        from: NodeNumber,
        message: Message,
    ) {
        // One that comes says so, and is answered; what one says that goes is not taken back.
        if !self.others().any(|other| other == from) {
            return;
        }
        match message {
            Message::Joined => {
                // It may have been here before, and knows nothing of that.
                self.forget_told(from);
                self.say_all_published(shared, from);
            }
            Message::KeyframeWanted { publication, layer } => {
                let Some(publication) = self.publications.get_mut(&publication) else { return };
                publication.want_keyframe(now, layer);
                policy::ask_publisher(now, shared, self.id, publication, &mut self.peers);
            }
            Message::Packet(relayed) => self.take_relayed(now, shared, from, relayed),
            Message::Published { owner, track, stream } => {
                let publication = Publication::afar(from, owner, track, now);
                self.published_afar(now, shared, from, publication, stream);
            }
            Message::Shown { publication: id, layers } => {
                let Some(publication) = self.publications.get_mut(&id) else { return };
                if publication.shown_afar(from, layers) {
                    self.tell_wanted(shared, id);
                }
            }
            Message::Withdrawn { publication: id } => match self.publications.get(&id) {
                Some(publication) if publication.home() == Some(from) => {
                    self.withdraw(id);
                    self.assign_soon(now, shared);
                }
                // Its owner was there before and is here now, which the other could not take until now.
                Some(publication) if publication.home().is_none() => self.say_published(shared, id),
                Some(_) | None => {}
            },
        }
    }

    fn published_afar(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        from: NodeNumber,
        publication: Publication,
        stream: Option<Stream>,
    ) {
        let track = publication.track();
        let id = track.publication;
        match self.publications.get(&id).map(Publication::home) {
            Some(Some(home)) if home == from => {}
            Some(None) => return,
            // Its owner was there before, and came back elsewhere.
            Some(Some(_)) => {
                self.withdraw(id);
                self.publications.insert(id, publication);
            }
            None => {
                self.publications.insert(id, publication);
            }
        }
        if let Some(publication) = self.publications.get_mut(&id)
            && publication.restart(track.mid, stream, now)
        {
            self.restart_outlets_of(id);
        }
        self.assign_soon(now, shared);
    }

    fn take_relayed(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        from: NodeNumber,
        relayed: RelayedPacket,
    ) {
        let RelayedPacket { publication: id, generation, source, codec, packet } = relayed;
        let Some(publication) = self.publications.get(&id) else { return };
        // It may have been on its way since before it was told that another stream begins.
        let is_present = publication.home() == Some(from)
            && publication.generation() == Some(generation)
            && publication.track().mid == source.mid;
        if !is_present || now.saturating_duration_since(packet.timestamp) > LATE {
            shared.stats.drops.unneeded += 1;
            return;
        }
        self.take_packet(now, shared, id, source, codec, &packet);
    }

    /// Passes a packet on that a peer of this node has sent.
    pub(super) fn relay_packet(&self, shared: &mut Shared, relayed: &RelayedPacket) {
        for node in self.others() {
            self.say(shared, node, Message::Packet(relayed.clone()));
        }
    }

    /// Tells all others what a peer of this node publishes, and on which stream.
    pub(super) fn say_published(&self, shared: &mut Shared, id: PublicationId) {
        for node in self.others() {
            self.say_published_to(shared, node, id);
        }
    }

    /// Tells all others that a peer of this node does not publish that any more.
    pub(super) fn say_withdrawn(&self, shared: &mut Shared, publication: PublicationId) {
        for node in self.others() {
            self.say(shared, node, Message::Withdrawn { publication });
        }
    }

    fn say_all_published(&self, shared: &mut Shared, to: NodeNumber) {
        for id in self.publications.keys() {
            self.say_published_to(shared, to, *id);
        }
    }

    fn say_published_to(&self, shared: &mut Shared, to: NodeNumber, id: PublicationId) {
        let Some(publication) = self.publications.get(&id) else { return };
        if publication.home().is_none() {
            let (owner, track) = (publication.owner(), publication.track());
            let stream = publication.stream();
            self.say(shared, to, Message::Published { owner, track, stream });
        }
    }

    fn say(&self, shared: &mut Shared, to: NodeNumber, message: Message) {
        shared.relays.push_back((to, Relay { call: self.id, message }));
    }

    /// Another node has no peers of the call any more.
    fn forget_node(&mut self, now: Instant, shared: &mut Shared, node: NodeNumber) {
        let theirs: Vec<PublicationId> = (self.publications.iter())
            .filter(|(_, publication)| publication.home() == Some(node))
            .map(|(id, _)| *id)
            .collect();
        for id in &theirs {
            self.withdraw(*id);
        }
        self.forget_told(node);
        if !theirs.is_empty() {
            self.assign_soon(now, shared);
        }
    }

    /// Forgets what another node and this one have told each other of what is shown.
    fn forget_told(&mut self, node: NodeNumber) {
        for publication in self.publications.values_mut() {
            publication.forget_node(node);
        }
    }

    /// Removes what a participant published on another node: it publishes here now.
    pub(super) fn withdraw_afar(&mut self, owner: ParticipantId) {
        let there: Vec<PublicationId> = (self.publications.iter())
            .filter(|(_, known)| known.owner() == owner && known.home().is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in there {
            self.withdraw(id);
        }
    }
}
