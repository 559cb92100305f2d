use std::time::Duration;

use conclave_wire::{ClientMessage, LIMITS, ServerMessage};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::endpoint::{ConnectError, Endpoint};

/// Messages that may wait to be sent. The machine says little at a time; more than this means
/// that the socket is stuck.
const QUEUE: usize = 64;

/// How long the last words and the closing handshake may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What a signalling socket reports.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    Lost,
    Message(Box<ServerMessage>),
    Open,
}

/// One signalling socket: dropped, it says what is left to say and closes.
#[derive(Debug)]
pub(crate) struct SignalSocket {
    outgoing: mpsc::Sender<ClientMessage>,
    task: JoinHandle<()>,
    /// Tells its events from those of the sockets before it.
    pub(crate) number: u64,
}

impl SignalSocket {
    /// Starts to open a socket. Its events come on `events`, marked with its number.
    pub(crate) fn open(
        endpoint: Endpoint,
        number: u64,
        events: mpsc::Sender<(u64, SocketEvent)>,
    ) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            let reason = run(&endpoint, number, queue, &events).await;
            tracing::debug!(?reason, "signalling socket closed");
            // Nobody listens once the driver has gone.
            let _ = events.send((number, SocketEvent::Lost)).await;
        });
        Self { outgoing, task, number }
    }

    /// Sends a message. False if the socket is stuck or gone.
    pub(crate) fn say(&self, message: ClientMessage) -> bool {
        self.outgoing.try_send(message).is_ok()
    }

    /// Closes it, once what was said is sent.
    pub(crate) async fn close(self) {
        drop(self.outgoing);
        // A socket that is stuck is left to the operating system.
        let _ = tokio::time::timeout(2 * CLOSE_LIMIT, self.task).await;
    }
}

/// Why a socket is closed.
#[derive(Debug)]
enum CloseReason {
    Connect(#[expect(dead_code, reason = "told by Debug")] ConnectError),
    Dropped,
    Malformed,
    Remote,
}

async fn run(
    endpoint: &Endpoint,
    number: u64,
    mut queue: mpsc::Receiver<ClientMessage>,
    events: &mpsc::Sender<(u64, SocketEvent)>,
) -> CloseReason {
    let opened = tokio::select! {
        opened = open(endpoint) => opened,
        // Nothing is said before it is open: it was dropped.
        _ = queue.recv() => return CloseReason::Dropped,
    };
    let mut socket = match opened {
        Ok(socket) => socket,
        Err(error) => return CloseReason::Connect(error),
    };
    if events.send((number, SocketEvent::Open)).await.is_err() {
        return CloseReason::Dropped;
    }
    loop {
        tokio::select! {
            message = queue.recv() => {
                let Some(message) = message else {
                    // The other end may be gone; then there is nothing to close.
                    let _ = tokio::time::timeout(CLOSE_LIMIT, socket.close(None)).await;
                    return CloseReason::Dropped;
                };
                let Ok(text) = serde_json::to_string(&message) else {
                    return CloseReason::Malformed;
                };
                if socket.send(Message::text(text)).await.is_err() {
                    return CloseReason::Remote;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let Ok(message) = serde_json::from_str(&text) else {
                        return CloseReason::Malformed;
                    };
                    if events.send((number, SocketEvent::Message(Box::new(message)))).await.is_err() {
                        return CloseReason::Dropped;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return CloseReason::Malformed,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return CloseReason::Remote,
            },
        }
    }
}

pub(crate) async fn open(
    endpoint: &Endpoint,
) -> Result<WebSocketStream<TlsStream<TcpStream>>, ConnectError> {
    let stream = endpoint.connect().await?;
    let url = format!("wss://{}/api/v1/signal", endpoint.origin.authority());
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMITS.frame_bytes * 4))
        .max_frame_size(Some(LIMITS.frame_bytes * 4));
    tokio_tungstenite::client_async_with_config(url, stream, Some(config))
        .await
        .map(|(socket, _response)| socket)
        .map_err(|error| ConnectError::WebSocket(Box::new(error)))
}
