use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap, LOCATION};
use axum::response::IntoResponse;
use conclave_model::MeetingId;
use conclave_store::{CreateMeetingError, Meeting, StoreError};
use conclave_wire::{CreateMeeting, MeetingInfo, PROTOCOL_VERSION, ServerInfo};

use crate::keeper::unix_now;
use crate::openapi::schema;
use crate::problem::{Problem, ProblemBody};
use crate::router::{ApiState, Source};
use crate::token;

/// Creates a meeting. Its id, its link's secret and its policy are the client's; the server gets
/// the digest of a token derived from the secret, and a title that it cannot read.
#[utoipa::path(
    post,
    path = "/api/v1/meetings",
    operation_id = "createMeeting",
    tag = "meetings",
    request_body = schema::CreateMeeting,
    responses(
        (status = 201, description = "The meeting is kept",
            headers(("Location" = String, description = "Where to ask for it"))),
        (status = 400, description = "The body is malformed, or the policy is none that this \
            server can keep to: no constitution of this version, another meeting's, of another \
            server's media nodes, or for other jurisdictions", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "There is a meeting with this id", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many new meetings", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_meeting(
    State(api): State<ApiState>,
    Source(source): Source,
    body: Result<Json<CreateMeeting>, JsonRejection>,
) -> Result<impl IntoResponse, Problem> {
    if !api.creations.allows(source) {
        return Err(Problem::RateLimited);
    }
    let Json(request) = body?;
    let meeting = parse_meeting(request)?;
    api.calls
        .identity()
        .check_policy(&meeting.policy, meeting.id)
        .map_err(|detail| Problem::PolicyRefused { detail })?;
    let location = format!("/api/v1/meetings/{}", meeting.id.expose());
    api.calls.store().create_meeting(meeting).await.map_err(|error| match error {
        CreateMeetingError::Exists => Problem::MeetingExists,
        CreateMeetingError::Store(error) => failed(&error),
    })?;
    metrics::counter!("conclave_meetings_created_total").increment(1);
    Ok((StatusCode::CREATED, [(LOCATION, location)]))
}

/// Tells who holds a meeting's link about it. An unknown meeting and a wrong token get the same
/// answer, so that ids cannot be scanned.
#[utoipa::path(
    get,
    path = "/api/v1/meetings/{id}",
    operation_id = "getMeeting",
    tag = "meetings",
    params(("id" = String, Path, description = "The meeting's id: 22 characters of base64url")),
    security(("linkToken" = [])),
    responses(
        (status = 200, description = "The meeting", body = schema::MeetingInfo),
        (status = 401, description = "The link's token is absent or malformed", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "No such meeting, or not its link's token",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many questions", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn meeting(
    State(api): State<ApiState>,
    Source(source): Source,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<MeetingInfo>, Problem> {
    if !api.lookups.allows(source) {
        return Err(Problem::RateLimited);
    }
    let presented = bearer(&headers).and_then(token::hash_token).ok_or(Problem::TokenMissing)?;
    let id: MeetingId =
        id.ok().and_then(|Path(id)| id.parse().ok()).ok_or(Problem::UnknownMeeting)?;
    let meeting = api.calls.store().meeting(id).await.map_err(|error| failed(&error))?;
    let meeting = meeting
        .filter(|meeting| token::same(&presented, &meeting.token_hash))
        .ok_or(Problem::UnknownMeeting)?;
    Ok(Json(MeetingInfo {
        sealed_title: meeting.sealed_title,
        policy: meeting.policy,
        participants: api.calls.participants(id),
        camera_codec: api.calls.camera_codec(),
    }))
}

/// Tells what this server speaks and allows.
#[utoipa::path(
    get,
    path = "/api/v1/server",
    operation_id = "getServer",
    tag = "server",
    responses((status = 200, description = "The server", body = schema::ServerInfo))
)]
pub(crate) async fn server(State(api): State<ApiState>) -> Json<ServerInfo> {
    let identity = api.calls.identity();
    Json(ServerInfo {
        protocol_version: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        max_participants: api.calls.max_participants(),
        node_key: token::encode(identity.node_key()),
        jurisdiction: identity.jurisdiction(),
        media: api.calls.media().to_vec(),
        relay: api.calls.relay_ways().to_vec(),
    })
}

/// The description of this API.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "getOpenApi",
    tag = "server",
    responses((status = 200, description = "This document", content_type = "application/json"))
)]
pub(crate) async fn document() -> impl IntoResponse {
    Json(crate::openapi::openapi())
}

fn parse_meeting(request: CreateMeeting) -> Result<Meeting, Problem> {
    let bad = |detail: &str| Problem::BadRequest { detail: detail.to_owned() };
    let token_hash = token::parse_hash(&request.token_hash)
        .ok_or_else(|| bad("tokenHash is unpadded base64url of 32 bytes"))?;
    Ok(Meeting {
        id: request.id,
        token_hash,
        sealed_title: request.sealed_title,
        policy: request.policy,
        created: unix_now(),
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn failed(error: &StoreError) -> Problem {
    metrics::counter!("conclave_store_failures_total").increment(1);
    tracing::error!(error = error as &dyn std::error::Error, "the store failed");
    Problem::Internal
}
