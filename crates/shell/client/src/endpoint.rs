use std::sync::Arc;

use conclave_link::Origin;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::{Trust, TrustError};

/// A server: its address, and how its identity is checked.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(crate) origin: Origin,
    tls: Arc<rustls::ClientConfig>,
}

impl Endpoint {
    /// Makes an endpoint. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`TrustError`] names what cannot be trusted.
    pub fn new(origin: Origin, trust: &Trust) -> Result<Self, TrustError> {
        let tls = Arc::new(trust.config(&origin)?);
        Ok(Self { origin, tls })
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, ConnectError> {
        self.connect_to(self.origin.port()).await
    }

    /// Connects to another port of the same host, whose identity is checked alike.
    pub(crate) async fn connect_to(&self, port: u16) -> Result<TlsStream<TcpStream>, ConnectError> {
        let host = self.origin.host();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Host)?;
        let tcp = TcpStream::connect((host, port)).await.map_err(ConnectError::Tcp)?;
        // Signalling frames are small and wait for nothing.
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        tls.connect(name, tcp).await.map_err(ConnectError::Tls)
    }
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host is no name that TLS could check.
    #[error("the host's name cannot be checked")]
    Host,
    /// The server cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Tcp(std::io::Error),
    /// The server's identity cannot be confirmed, or it speaks no TLS.
    #[error("no secure connection: {0}")]
    Tls(std::io::Error),
    /// The server does not open a WebSocket.
    #[error("no signalling: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
}
