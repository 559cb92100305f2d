//! A signalling client on a real WebSocket.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_model::MeetingId;
use conclave_wire::{
    ClientMessage, ErrorCode, Joined, MlsBytes, Offer, PROTOCOL_VERSION, Presence, ServerMessage,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{soon, token};

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What a member signs to take its session up on this socket.
    pub(crate) challenge: [u8; 32],
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let url = format!("ws://{address}/api/v1/signal");
        let (socket, _) = connect_async(url).await.unwrap();
        Self { socket, challenge: [0; 32] }
    }

    /// Connects and says hello.
    pub(crate) async fn greet(address: SocketAddr) -> Self {
        let mut client = Self::connect(address).await;
        client.say(&ClientMessage::Hello { version: PROTOCOL_VERSION }).await;
        let welcome = client.hear().await;
        let ServerMessage::Welcome { version, challenge } = welcome else { panic!("{welcome:?}") };
        assert_eq!(version, PROTOCOL_VERSION);
        client.challenge = URL_SAFE_NO_PAD.decode(challenge).unwrap().try_into().unwrap();
        client
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.say_text(serde_json::to_string(message).unwrap()).await;
    }

    pub(crate) async fn say_text(&mut self, text: String) {
        self.say_frame(Message::text(text)).await;
    }

    pub(crate) async fn say_frame(&mut self, frame: Message) {
        self.socket.send(frame).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        self.hear_or_end().await.expect("a message")
    }

    /// The next message; `None` once the connection ended.
    pub(crate) async fn hear_or_end(&mut self) -> Option<ServerMessage> {
        loop {
            match soon(self.socket.next()).await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message that is wanted.
    pub(crate) async fn hear_until<T>(&mut self, want: impl Fn(&ServerMessage) -> Option<T>) -> T {
        loop {
            if let Some(found) = want(&self.hear().await) {
                return found;
            }
        }
    }

    pub(crate) async fn hear_error(&mut self) -> (ErrorCode, bool) {
        self.hear_until(|message| match message {
            ServerMessage::Error { code, fatal, .. } => Some((*code, *fatal)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn hear_joined(&mut self) -> Joined {
        self.hear_until(|message| match message {
            ServerMessage::Joined { joined } => Some(joined.clone()),
            ServerMessage::Error { code, .. } => panic!("refused: {code:?}"),
            _ => None,
        })
        .await
    }

    /// Comes to the door of the meeting that the server made with number `n`.
    pub(crate) async fn join(&mut self, n: u8) -> Joined {
        self.say(&join(n)).await;
        self.hear_joined().await
    }

    /// Reads whatever comes until the connection ends.
    pub(crate) async fn hear_until_end(&mut self) -> Option<()> {
        while self.hear_or_end().await.is_some() {}
        None
    }

    /// Sends, unless the connection ended.
    pub(crate) async fn try_say(&mut self, text: String) -> Result<(), Box<dyn std::error::Error>> {
        Ok(self.socket.send(Message::text(text)).await?)
    }
}

pub(crate) fn join(n: u8) -> ClientMessage {
    ClientMessage::Join {
        meeting: MeetingId::from_bytes([n; 16]),
        token: token(n),
        presence: Presence::default(),
    }
}

pub(crate) fn resume(
    n: u8,
    resume_token: &str,
    signature: Vec<u8>,
    offer: Option<Offer>,
) -> ClientMessage {
    ClientMessage::Resume {
        meeting: MeetingId::from_bytes([n; 16]),
        resume_token: resume_token.to_owned(),
        signature: MlsBytes::new(signature),
        presence: Presence::default(),
        offer,
    }
}

pub(crate) fn offer(generation: u32) -> Offer {
    Offer { generation, sdp: "offer".to_owned(), tracks: Vec::new() }
}
