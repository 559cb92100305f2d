use std::ops::Deref;

use conclave_wire::ClientMessage;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::endpoint::{ConnectError, Endpoint};
use crate::socket;

/// A bare signalling socket: whole messages, both ways. What is said and when is its owner's affair,
/// and so is coming back when it breaks.
#[derive(Debug)]
pub struct SignalLine {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl SignalLine {
    /// Opens one. Nothing is said on it yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the step that failed.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        Ok(Self { socket: socket::open(endpoint).await? })
    }

    /// Says something. Returns whether it is on its way.
    pub async fn say(&mut self, message: &ClientMessage) -> bool {
        let Ok(text) = serde_json::to_string(message) else { return false };
        self.socket.send(Message::text(text)).await.is_ok()
    }

    /// Waits for the server's next message, and answers its pings meanwhile; `None` when the socket
    /// is gone. May be dropped while it waits.
    pub async fn hear(&mut self) -> Option<impl Deref<Target = str> + use<>> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Text(text) => return Some(TextOf(text)),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Binary(_) | Message::Close(_) => return None,
            }
        }
    }
}

/// A message's text.
struct TextOf(tokio_tungstenite::tungstenite::Utf8Bytes);

impl Deref for TextOf {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl Endpoint {
    /// Makes a TLS connection, on which nothing is said yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the step that failed.
    pub async fn dial(
        &self,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, ConnectError> {
        self.connect().await
    }
}
