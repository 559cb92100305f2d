use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::middleware;
use axum::routing::get;

use crate::calls::Calls;
use crate::limit::SourceLimit;
use crate::problem::Problem;
use crate::{assets, headers, openapi};

/// How the HTTP side is set up.
#[derive(Clone, Copy, Debug)]
pub struct ApiConfig {
    /// The certificate is one that browsers trust, so they may be told to insist on it.
    pub hsts: bool,
    /// Meetings that one source may create in a minute.
    pub meetings_per_minute: NonZeroU32,
    /// Questions after meetings, and attempts to come in, that one source may make in a minute.
    /// A whole office may be one source.
    pub lookups_per_minute: NonZeroU32,
    /// How long signalling sockets may be of no use.
    pub patience: Patience,
}

/// How long a signalling socket is kept on which a client gets no further.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until it says hello.
    pub hello: Duration,
    /// From then, or from a call that it did not get into, until it joins.
    pub join: Duration,
}

impl Default for Patience {
    /// A program says hello at once. A person before a meeting may look for a headset, and wait
    /// for the others.
    fn default() -> Self {
        Self { hello: Duration::from_secs(10), join: Duration::from_secs(30 * 60) }
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct ApiState {
    pub(crate) calls: Calls,
    pub(crate) creations: Arc<SourceLimit>,
    pub(crate) lookups: Arc<SourceLimit>,
    pub(crate) patience: Patience,
}

/// The largest valid body is that of a new meeting, with room for the escapes of its policy.
const BODY_BYTES: usize = 32 * 1024;

/// Builds the router: the API, signalling, and the web client's files.
///
/// Serve it with [`SocketAddr`] as connect info: sources of requests are told apart by it.
pub fn router(config: ApiConfig, calls: Calls) -> Router {
    let state = ApiState {
        calls,
        creations: Arc::new(SourceLimit::new(config.meetings_per_minute)),
        lookups: Arc::new(SourceLimit::new(config.lookups_per_minute)),
        patience: config.patience,
    };
    let (api, document) = openapi::api_router().split_for_parts();
    drop(document);
    let router = api
        .layer(headers::no_store())
        .route("/", get(assets::index))
        .route("/m/{*meeting}", get(assets::index))
        .fallback(assets::file)
        .method_not_allowed_fallback(|| std::future::ready(Problem::MethodNotAllowed))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(headers::observe))
        .with_state(state);
    headers::secure(router, config.hsts)
}

/// Who sends a request, as far as the limits need to know.
pub(crate) struct Source(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Self(address.map_or(unknown, |ConnectInfo(address)| address.ip())))
    }
}
