//! What a call does where other nodes have peers of it, too.

use std::time::Instant;

use conclave_model::{ParticipantId, PublicationId};

use crate::call::{Call, policy};
use crate::publication::Publication;
use crate::relay::{Message, NodeNumber, Relay, RelayedPacket, Spread, Stream};
use crate::shared::Shared;

impl Call {
    /// Takes over which nodes have peers of the call.
    pub(crate) fn set_spread(&mut self, now: Instant, shared: &mut Shared, spread: Spread) {
        let before: Vec<NodeNumber> = self.others().collect();
        self.spread = Some(spread);
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
            Message::Withdrawn { publication } => {
                let is_theirs = |known: &Publication| known.home() == Some(from);
                if self.publications.get(&publication).is_some_and(is_theirs) {
                    self.withdraw(publication);
                    self.assign_soon(now, shared);
                }
            }
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
        // What it comes on was told before, on a way that is not slower.
        if publication.home() == Some(from) && publication.generation() == Some(generation) {
            self.take_packet(now, shared, id, source, codec, &packet);
        }
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
