mod allowance;
mod bounded;
mod connection;

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use conclave_wire::LIMITS;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::problem::Problem;
use crate::router::{ApiState, Source};
use crate::signal::bounded::{Bounded, READ_AT_ONCE};

/// A signalling socket. Before each message, it is told how long that may be.
type Socket<S = TokioIo<Upgraded>> = WebSocketStream<Bounded<S>>;

/// Signalling of one client, and the messages of the meeting's group: JSON text frames over a WebSocket, the message types of the
/// protocol's `ClientMessage` and `ServerMessage`.
#[utoipa::path(
    get,
    path = "/api/v1/signal",
    operation_id = "signal",
    tag = "signalling",
    responses(
        (status = 101, description = "The connection speaks signalling from here on"),
        (status = "default", description = "Refused", body = crate::problem::ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn signal(
    State(api): State<ApiState>,
    Source(source): Source,
    mut request: Request,
) -> Result<Response, Problem> {
    let response = create_response_with_body(&request, Body::empty)
        .map_err(|error| Problem::BadRequest { detail: error.to_string() })?;
    check(&api, source, request.headers())?;
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(Problem::Internal)?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let socket = socket(TokioIo::new(upgraded)).await;
                connection::run(socket, api, source).await;
            }
            Err(error) => tracing::debug!(%error, "a client is gone before it could signal"),
        }
    });
    Ok(response)
}

/// Speaks WebSocket on a transport, as the server.
async fn socket<S: AsyncRead + AsyncWrite + Unpin>(transport: S) -> Socket<S> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_AT_ONCE)
        .max_message_size(Some(LIMITS.frame_bytes))
        .max_frame_size(Some(LIMITS.frame_bytes));
    WebSocketStream::from_raw_socket(Bounded::new(transport), Role::Server, Some(config)).await
}

fn check(api: &ApiState, source: IpAddr, headers: &HeaderMap) -> Result<(), Problem> {
    if !is_same_origin(headers) {
        return Err(Problem::WrongOrigin);
    }
    if api.calls.is_draining() {
        return Err(Problem::Draining);
    }
    if !api.lookups.allows(source) {
        return Err(Problem::RateLimited);
    }
    Ok(())
}

/// Whether a page of this very host opens the socket. Browsers always send the origin and let
/// no page change it; programs that are no browsers send none.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok())
        .and_then(|origin| Some(origin.authority()?.as_str().to_ascii_lowercase()));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match (authority, host) {
        (Some(authority), Some(host)) => authority == host.to_ascii_lowercase(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("meet.example:8443"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn only_pages_of_the_same_host_and_port_may_signal() {
        let cases = [
            (None, true),
            (Some("https://meet.example:8443"), true),
            (Some("https://MEET.example:8443"), true),
            (Some("https://meet.example"), false),
            (Some("https://evil.example:8443"), false),
            (Some("https://meet.example:8443.evil.example"), false),
            (Some("null"), false),
        ];

        for (origin, allowed) in cases {
            assert_eq!(is_same_origin(&headers(origin)), allowed, "{origin:?}");
        }
    }
}
