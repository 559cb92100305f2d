//! What the clients' process asks of the server's and hears from it: lines of JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{CallId, Mid, ParticipantId, PublicationId, TrackSource};
use serde::{Deserialize, Serialize};

/// What is asked for a client. Clients are known by number.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::bench) enum Request {
    /// Answer this offer.
    Offer { client: u32, sdp: String },
    /// The client's camera and microphone are in these media sections, if it has them.
    Publish { client: u32, camera: Option<Mid>, microphone: Option<Mid> },
    /// The client shows this publisher's camera.
    Show { client: u32, publisher: u32 },
}

/// What the server says.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::bench) enum Event {
    /// It runs. Comes first.
    Ready {
        /// Where it takes media.
        address: SocketAddr,
        /// Whether it is bound to its processor core.
        pinned: bool,
        /// Credentials of the TURN server beside it, if it has one.
        turn: Vec<Relay>,
    },
    /// Answers an offer.
    Answer { client: u32, sdp: String },
    /// Media flows to and from the client.
    Connected { client: u32 },
    /// What the server has done since it started. Comes once a second.
    Figures { packets_forwarded: u64, system_calls: u64, longest_turn_us: u64 },
    /// Its metrics, by name and labels. Come once a second from a server that counts.
    Counted(BTreeMap<String, u64>),
    /// There is no such client, or no longer.
    Failed { client: u32, detail: String },
}

/// A TURN server, and a credential that it takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::bench) struct Relay {
    /// Where it takes datagrams.
    pub(in crate::bench) udp: SocketAddr,
    /// Where it takes connections.
    pub(in crate::bench) tcp: SocketAddr,
    pub(in crate::bench) username: String,
    pub(in crate::bench) password: String,
}

/// Clients whose numbers begin with the same tens of thousands are in one call.
pub(in crate::bench) const CLIENTS_OF_A_CALL: u32 = 10_000;

/// All clients offer once.
const GENERATION: u32 = 1;

/// From a client's number to the publication of its microphone. Its camera's is that number.
const MICROPHONES: u32 = 1 << 16;

/// The tile that a subscriber shows, in device pixels.
const TILE: (u16, u16) = (1280, 720);

impl From<Request> for MediaRequest {
    fn from(request: Request) -> Self {
        match request {
            Request::Offer { client, sdp } => {
                Self::Offer { peer: peer(client), generation: GENERATION, sdp }
            }
            Request::Publish { client, camera, microphone } => {
                let track =
                    |publication, source| move |mid| PublicationTrack { publication, source, mid };
                let camera = camera.map(track(PublicationId(client), TrackSource::Camera));
                let voice = PublicationId(client + MICROPHONES);
                let microphone = microphone.map(track(voice, TrackSource::Microphone));
                let tracks = camera.into_iter().chain(microphone).collect();
                Self::Publish { peer: peer(client), tracks }
            }
            Request::Show { client, publisher } => {
                let (width, height) = TILE;
                let publication = PublicationId(publisher);
                let want = Want { publication, width, height, priority: TilePriority::Featured };
                Self::View { peer: peer(client), wants: vec![want] }
            }
        }
    }
}

impl Event {
    /// What the clients need to know of a shard's event, if anything.
    pub(in crate::bench) fn of(event: MediaEvent) -> Option<Self> {
        match event {
            MediaEvent::Answer { peer, sdp, .. } => {
                Some(Self::Answer { client: peer.participant.0, sdp })
            }
            MediaEvent::Connected { peer, .. } => {
                Some(Self::Connected { client: peer.participant.0 })
            }
            MediaEvent::Disconnected { peer, .. } => Some(Self::Failed {
                client: peer.participant.0,
                detail: "its media session has ended".to_owned(),
            }),
            MediaEvent::OfferRefused { peer, detail, .. } => {
                Some(Self::Failed { client: peer.participant.0, detail })
            }
            MediaEvent::Demand { .. }
            | MediaEvent::Quality { .. }
            | MediaEvent::Slots { .. }
            | MediaEvent::Speakers { .. } => None,
        }
    }
}

fn peer(client: u32) -> PeerId {
    let call = CallId((1 + client / CLIENTS_OF_A_CALL).into());
    PeerId { call, participant: ParticipantId(client) }
}
