use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::set_header::SetResponseHeaderLayer;

/// What pages of this origin may do: nothing that reaches another one.
///
/// React Aria places its overlays by style attributes, which cannot carry a nonce; style sheets
/// are files. `wasm-unsafe-eval` compiles WebAssembly and nothing else. `'self'` covers the
/// signalling socket: current browsers match `wss:` of the same host and port.
const CONTENT_SECURITY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; \
    style-src-attr 'unsafe-inline'; \
    img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; \
    connect-src 'self'; \
    worker-src 'self'; \
    object-src 'none'; \
    frame-ancestors 'none'; \
    base-uri 'none'; \
    form-action 'none'";

const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), \
    speaker-selection=(self), fullscreen=(self), autoplay=(self), screen-wake-lock=(self), \
    geolocation=(), payment=(), usb=(), serial=()";

/// Puts the security headers on every answer.
pub(crate) fn secure(router: Router, hsts: bool) -> Router {
    let headers = [
        (CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    // A browser that was told to insist would refuse a self-signed certificate for good.
    let insist = (STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    headers.into_iter().chain(hsts.then_some(insist)).fold(router, |router, (name, value)| {
        let value = HeaderValue::from_static(value);
        router.layer(SetResponseHeaderLayer::overriding(name, value))
    })
}

/// Keeps answers of the API out of caches.
pub(crate) fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Counts and logs a request: by its route, so that no meeting's id gets into either.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let method = method_name(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "file".to_owned(), |path| path.as_str().to_owned());
    let started = Instant::now();

    let response = next.run(request).await;

    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    metrics::histogram!(
        "conclave_http_request_duration_seconds",
        "route" => route.clone(), "method" => method, "status" => status.to_string()
    )
    .record(elapsed.as_secs_f64());
    if response.status().is_server_error() {
        tracing::warn!(method, route, status, ?elapsed, "request failed");
    } else {
        tracing::debug!(method, route, status, ?elapsed, "request");
    }
    response
}

/// A label of few values, whatever a client makes up.
const fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}
