//! A server that lets a participant to the door, and into media, but has no group.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use conclave_client_proto::Transmit;
use conclave_model::ParticipantId;
use conclave_node_statement::{Statement, signed_bytes};
use conclave_wire::{
    Admitted, Answer, ClientMessage, ErrorCode, GroupNews, Joined, MlsBytes, NodeStatement, Offer,
    PROTOCOL_VERSION, ServerMessage,
};
use ed25519_dalek::{Signer as _, SigningKey};
use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::world::{MEETING, START_UNIX_S, other, start};

pub(crate) struct Server {
    address: SocketAddr,
    rtc: Option<Rtc>,
    deadline: Instant,
    pub(crate) transmits: VecDeque<Transmit>,
    /// RTP packets with something in them.
    pub(crate) packets: u64,
    /// Whether it answers nothing.
    pub(crate) is_mute: bool,
    /// Whether it refuses to resume.
    pub(crate) is_forgetful: bool,
    /// Whether it says of those at the door that they are in.
    pub(crate) admits: bool,
    /// What it signs its answers with.
    pub(crate) node_key: SigningKey,
}

impl Server {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            rtc: None,
            deadline: start(),
            transmits: VecDeque::new(),
            packets: 0,
            is_mute: false,
            is_forgetful: false,
            admits: true,
            node_key: node_key(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.rtc.as_ref().map(|_| self.deadline)
    }

    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        message: ClientMessage,
    ) -> Vec<ServerMessage> {
        match message {
            _ if self.is_mute => vec![],
            ClientMessage::Hello { .. } => {
                let challenge = "A".repeat(43);
                vec![ServerMessage::Welcome { version: PROTOCOL_VERSION, challenge }]
            }
            ClientMessage::Join { .. } => {
                let mut said = vec![joined(None, None, false), meeting()];
                let admitted = self.admits.then(|| ServerMessage::Admitted { admitted: inside() });
                said.extend(admitted);
                said
            }
            ClientMessage::Offer { offer } => {
                vec![ServerMessage::Answer { answer: self.accept(now, &offer) }]
            }
            ClientMessage::Ping => vec![ServerMessage::Pong],
            ClientMessage::Resume { .. } if self.is_forgetful => {
                let (code, detail) = (ErrorCode::ResumeRefused, String::new());
                vec![ServerMessage::Error { code, detail, fatal: false }]
            }
            ClientMessage::Resume { offer, .. } => {
                let answer = offer.map(|offer| self.accept(now, &offer));
                vec![joined(Some(inside()), answer, self.rtc.is_some())]
            }
            ClientMessage::Group { .. }
            | ClientMessage::Leave
            | ClientMessage::Presence { .. }
            | ClientMessage::Publish { .. }
            | ClientMessage::View { .. } => vec![],
        }
    }

    fn accept(&mut self, now: Instant, offer: &Offer) -> Answer {
        let mut rtc = Rtc::builder().set_rtp_mode(true).set_ice_lite(true).build(now);
        rtc.add_local_candidate(Candidate::host(self.address, "udp").unwrap());
        let sdp = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
        let sdp = rtc.sdp_api().accept_offer(sdp).unwrap().to_sdp_string();
        self.rtc = Some(rtc);
        self.handle_timeout(now);
        self.answer(offer.generation, sdp)
    }

    /// An answer with its node's word.
    pub(crate) fn answer(&self, generation: u32, sdp: String) -> Answer {
        let statement = Statement::of_answer(&sdp, &[], MEETING, None, START_UNIX_S + 600);
        let text = statement.map(|statement| statement.encode()).unwrap_or_default();
        let signature = self.node_key.sign(&signed_bytes(&text)).to_bytes().to_vec();
        let statement = NodeStatement { text, signature: MlsBytes::new(signature) };
        Answer { generation, sdp, statement }
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &Transmit) {
        let Transmit { source, destination, contents } = datagram;
        let Ok(receive) = Receive::new(Protocol::Udp, *source, *destination, contents) else {
            return;
        };
        let input = Input::Receive(now, receive);
        if let Some(rtc) = self.rtc.as_mut().filter(|rtc| rtc.accepts(&input)) {
            rtc.handle_input(input).unwrap();
            self.drain();
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(rtc) = &mut self.rtc else { return };
        rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.as_mut().unwrap().poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Transmit(t) => self.transmits.push_back(Transmit {
                    source: t.source,
                    destination: t.destination,
                    contents: t.contents.into(),
                }),
                Output::Event(Event::RtpPacket(packet)) => {
                    self.packets += u64::from(!packet.payload.is_empty());
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// The key that the constitution names.
pub(crate) fn node_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn joined(admitted: Option<Admitted>, answer: Option<Answer>, media_alive: bool) -> ServerMessage {
    let (participant, resume_token) = (ParticipantId(1), "r".repeat(43));
    let joined = Joined { participant, resume_token, admitted, answer, media_alive };
    ServerMessage::Joined { joined }
}

fn inside() -> Admitted {
    let others = vec![other(2), other(3), other(4)];
    Admitted { leaf: 0, others, publications: vec![], relay: None }
}

/// There is no group yet: a guest waits for a host.
pub(crate) fn meeting() -> ServerMessage {
    let server_key = MlsBytes::new(vec![4; 32]);
    let news = GroupNews::Meeting { server_key, has_group: false, has_admitter: false };
    ServerMessage::Group { news }
}
