//! What is behind TLS: pages and signalling, or TURN, whose clients come to the same port from
//! networks that let nothing else out.

use std::io;
use std::pin::Pin;

use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use conclave_sfu::TurnEntrance;
use conclave_turn_proto::speaks_turn;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::peeked::Peeked;
use super::{Door, FIRST_BYTES_WITHIN};

/// The name of TURN in a TLS handshake (RFC 7443). Browsers do not say it.
pub(crate) const TURN: &[u8] = b"stun.turn";

/// Tells HTTPS from TURN once TLS is done.
#[derive(Clone, Debug)]
pub(crate) struct Hall {
    tls: RustlsAcceptor<Door>,
    /// Where connections with TURN go, if they may come here.
    turn: Option<TurnEntrance>,
}

impl Hall {
    /// Behind `tls`: for HTTPS, and for TURN if there is an entrance for it.
    pub(crate) const fn new(tls: RustlsAcceptor<Door>, turn: Option<TurnEntrance>) -> Self {
        Self { tls, turn }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Hall {
    type Stream = Peeked<<RustlsAcceptor<Door> as Accept<TcpStream, S>>::Stream>;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Self { tls, turn } = self.clone();
        Box::pin(async move {
            let source = stream.peer_addr();
            let (mut stream, service) = tls.accept(stream, service).await?;
            let Some(turn) = turn else { return Ok((Peeked::new(Vec::new(), stream), service)) };
            let mut head = Vec::new();
            let is_turn = match stream.get_ref().1.alpn_protocol() {
                Some(named) => named == TURN,
                None => timeout(FIRST_BYTES_WITHIN, peek(&mut stream, &mut head)).await??,
            };
            if is_turn {
                turn.hand_over(stream, source?, head);
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Ok((Peeked::new(head, stream), service))
        })
    }
}

/// Reads until it shows whether a connection speaks TURN.
async fn peek(stream: &mut (impl AsyncRead + Unpin), head: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        if let Some(is_turn) = speaks_turn(head) {
            return Ok(is_turn);
        }
        if stream.read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn turn_is_told_from_http_and_no_byte_is_lost() {
        let turn = [0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3];
        for (bytes, expected) in [(&turn[..], true), (b"GET / HTTP/1.1\r\n\r\n", false)] {
            for at_a_time in 1..=bytes.len() {
                let (mut ours, mut theirs) = duplex(at_a_time);
                let sent = bytes.to_vec();
                tokio::spawn(async move { theirs.write_all(&sent).await });

                let mut head = Vec::new();
                assert_eq!(peek(&mut ours, &mut head).await.unwrap(), expected);

                let mut whole = Vec::new();
                Peeked::new(head, ours).read_to_end(&mut whole).await.unwrap();
                assert_eq!(whole, bytes, "{at_a_time} bytes at a time");
            }
        }
    }
}
