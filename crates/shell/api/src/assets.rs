mod encoding;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    VARY,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::assets::encoding::Encoding;
use crate::problem::Problem;

/// The built web client. A release build carries it; a development build reads it from the
/// source tree, so that it can be rebuilt beside a running server.
///
/// Beside a file lie its compressed forms, which the build made. Only these files are ever sent
/// compressed: they hold no secret whose length could be guessed at (BREACH), as an answer of the
/// API might.
#[derive(RustEmbed)]
#[folder = "../../../web/app/dist"]
struct WebClient;

/// Names under here carry a digest of the content, so they never change.
const HASHED: &str = "assets/";

const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Keep it, but ask each time.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");

const BY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// The page that every view starts from.
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    serve("index.html", &headers)
}

/// Any other file of the web client.
pub(crate) async fn file(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::NotFound);
    }
    serve(uri.path().trim_start_matches('/'), &headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    if encoding::is_encoded(path) {
        return Err(Problem::NotFound);
    }
    let plain = WebClient::get(path).ok_or(Problem::NotFound)?;
    let kind = HeaderValue::from_str(&content_type(&plain)).map_err(|_| Problem::Internal)?;
    let (file, encoding) = smallest(path, plain, headers);
    // Of the form that is sent: another form has other bytes.
    let tag = etag(&file)?;
    let cache = if path.starts_with(HASHED) { FOREVER } else { ASK };
    let mut response = if is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = ([(CONTENT_TYPE, kind)], Body::from(file.data)).into_response();
        if let Some(encoding) = encoding {
            response.headers_mut().insert(CONTENT_ENCODING, encoding.name());
        }
        response
    };
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(VARY, BY_ENCODING);
    Ok(response)
}

/// The smallest form of a file that the client takes.
fn smallest(
    path: &str,
    plain: EmbeddedFile,
    headers: &HeaderMap,
) -> (EmbeddedFile, Option<Encoding>) {
    let encoded = encoding::accepted(headers).into_iter().find_map(|encoding| {
        let file = WebClient::get(&format!("{path}{}", encoding.suffix()))?;
        Some((file, Some(encoding)))
    });
    encoded.unwrap_or((plain, None))
}

fn etag(file: &EmbeddedFile) -> Result<HeaderValue, Problem> {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).map_err(|_| Problem::Internal)
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    let is_text = kind.starts_with("text/") || kind == "application/manifest+json";
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(known) = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()) else {
        return false;
    };
    known.split(',').any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
    })
}
