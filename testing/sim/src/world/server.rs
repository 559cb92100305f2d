//! The server's side of signalling, as its shell does it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_call_proto::{
    ConnectionId, Input as CallInput, Output as CallOutput, ResumeProof, ResumeToken,
};
use conclave_client_proto::Input as DeviceInput;
use conclave_model::TokenHash;
use conclave_sfu_proto::{Input as NodeInput, Output as NodeOutput};
use conclave_wire::{ClientMessage, PROTOCOL_VERSION, ServerMessage, decode_client_message};

use super::{Carried, SIGNAL_DELAY, World};
use crate::encoder::shows_media;
use crate::link::Datagram;

impl World {
    /// Hands over what has arrived on a signalling socket.
    pub(super) fn deliver(&mut self, carried: Carried) {
        match carried {
            Carried::Closed { connection } => {
                self.call.handle_input(self.now, CallInput::ConnectionLost { connection });
            }
            Carried::Down { connection, device, message } => {
                let Some(d) = self.devices.get_mut(device) else { return };
                if d.connection == Some(connection) {
                    d.heard.push(message.clone());
                    self.tell_device(device, DeviceInput::Signal(message));
                }
            }
            Carried::Opened { device } => self.tell_device(device, DeviceInput::SignalOpen),
            Carried::Up { connection, device, message } => {
                // What the wire carries is text; what it cannot carry must not arrive.
                let text = serde_json::to_string(&message).expect("messages are plain data");
                let message = decode_client_message(&text).expect("a device says what is allowed");
                self.handle_message(connection, device, message);
            }
        }
        self.settle();
    }

    fn handle_message(&mut self, connection: ConnectionId, device: usize, message: ClientMessage) {
        let input = match message {
            ClientMessage::Group { request } => CallInput::Group { connection, request },
            ClientMessage::Hello { .. } => {
                let challenge = URL_SAFE_NO_PAD.encode(challenge(connection));
                let message = ServerMessage::Welcome { version: PROTOCOL_VERSION, challenge };
                return self.carry_down(connection, message);
            }
            ClientMessage::Join { presence, .. } => {
                let token = self.fresh_token(device);
                CallInput::Join { connection, token, presence }
            }
            ClientMessage::Leave => CallInput::Leave { connection },
            ClientMessage::Offer { offer } => CallInput::Offer { connection, offer },
            ClientMessage::Ping => return self.carry_down(connection, ServerMessage::Pong),
            ClientMessage::Presence { presence } => CallInput::Presence { connection, presence },
            ClientMessage::Publish { tracks } => CallInput::Publish { connection, tracks },
            ClientMessage::Resume { resume_token, signature, presence, offer, .. } => {
                let token = self.fresh_token(device);
                let proof = ResumeProof {
                    token: digest(&resume_token),
                    challenge: challenge(connection),
                    signature: signature.into_bytes(),
                };
                CallInput::Resume { connection, proof, token, presence, offer }
            }
            ClientMessage::View { wants } => CallInput::View { connection, wants },
        };
        self.call.handle_input(self.now, input);
    }

    /// Drains call and node until neither has anything to say.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            loop {
                match self.call.poll_output() {
                    CallOutput::Close { connection, message } => {
                        if let Some(message) = message {
                            self.carry_down(connection, message);
                        }
                    }
                    CallOutput::Empty | CallOutput::Forget { .. } | CallOutput::GroupChanged => {}
                    CallOutput::Media(request) => {
                        quiet = false;
                        self.node.handle_input(self.now, NodeInput::Request(request));
                    }
                    CallOutput::Persist(record) => {
                        self.sessions.insert(record.participant, record);
                        let (participant, token) = (record.participant, record.token);
                        let input = CallInput::Persisted { participant, token };
                        self.call.handle_input(self.now, input);
                    }
                    CallOutput::Release { connection, message } => {
                        self.carry_down(connection, message);
                    }
                    CallOutput::Send { to, message } => {
                        for connection in to {
                            self.carry_down(connection, message.clone());
                        }
                    }
                    CallOutput::Timeout(at) => {
                        self.call_deadline = at;
                        break;
                    }
                }
            }
            loop {
                match self.node.poll_output() {
                    NodeOutput::Event(event) => {
                        quiet = false;
                        self.call.handle_input(self.now, CallInput::Media(event));
                    }
                    // It is the only one.
                    NodeOutput::Relay { .. } => {}
                    NodeOutput::Timeout(at) => {
                        self.node_deadline = at;
                        break;
                    }
                    NodeOutput::Transmit(transmit) => {
                        let (source, destination) = (transmit.source, transmit.destination);
                        let mut devices = self.devices.iter_mut();
                        if let Some(device) = devices.find(|d| d.outside == destination) {
                            for datagram in transmit.datagrams() {
                                assert!(
                                    !shows_media(datagram),
                                    "media on the line, for anybody to see"
                                );
                                let bytes = datagram.to_vec();
                                device.down.send(self.now, Datagram { source, destination, bytes });
                            }
                        }
                        self.node.recycle(transmit.bytes);
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn carry_down(&mut self, connection: ConnectionId, message: ServerMessage) {
        let device = self.devices.iter().position(|d| d.connection == Some(connection));
        if let Some(device) = device {
            self.carry(SIGNAL_DELAY, Carried::Down { connection, device, message });
        }
    }

    fn fresh_token(&mut self, device: usize) -> ResumeToken {
        self.serial += 1;
        let text = format!("{device:021}_{:021}", self.serial);
        let hash = digest(&text);
        ResumeToken::new(text, hash)
    }
}

/// What the server has a device sign on a connection: never the same twice.
fn challenge(connection: ConnectionId) -> [u8; 32] {
    let mut challenge = [0; 32];
    challenge.iter_mut().zip(connection.0.to_be_bytes()).for_each(|(to, from)| *to = from);
    challenge
}

/// Stands for SHA-256: tokens here are short, and differ in their last bytes.
fn digest(token: &str) -> TokenHash {
    let mut bytes = [0; 32];
    for (byte, of) in bytes.iter_mut().zip(token.bytes().rev()) {
        *byte = of;
    }
    TokenHash::from_bytes(bytes)
}
