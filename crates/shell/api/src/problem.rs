use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Problem {
    /// The body or a header is not of the form that the request needs.
    #[error("{detail}")]
    BadRequest {
        /// What is wrong.
        detail: String,
    },
    /// The body is larger than any valid one.
    #[error("the body is larger than any valid one")]
    BodyTooLarge,
    /// The server failed. It is not the client's fault.
    #[error("the server failed; try again")]
    Internal,
    /// There is a meeting with this id.
    #[error("there is a meeting with this id; make a new id")]
    MeetingExists,
    /// The path has no such method.
    #[error("this path does not answer to this method")]
    MethodNotAllowed,
    /// There is nothing under this path.
    #[error("there is nothing under this path")]
    NotFound,
    /// The policy is none that this server can keep to.
    #[error("{detail}")]
    PolicyRefused {
        /// What is wrong.
        detail: String,
    },
    /// More than the source may ask.
    #[error("too many requests; slow down")]
    RateLimited,
    /// The link's token is absent or is no token.
    #[error("the request needs the link's token as a bearer token")]
    TokenMissing,
    /// No such meeting, or the token is not of its link: one answer for both.
    #[error("there is no such meeting, or the link is incomplete")]
    UnknownMeeting,
    /// The body is not JSON.
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// The request comes from a page of another site.
    #[error("the request comes from a page of another site")]
    WrongOrigin,
    /// The server shuts down.
    #[error("the server restarts; come back in a moment")]
    Draining,
}

impl Problem {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } | Self::PolicyRefused { .. } => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::MeetingExists => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound | Self::UnknownMeeting => StatusCode::NOT_FOUND,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::TokenMissing => StatusCode::UNAUTHORIZED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::WrongOrigin => StatusCode::FORBIDDEN,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "badRequest",
            Self::BodyTooLarge => "bodyTooLarge",
            Self::Draining => "draining",
            Self::Internal => "internal",
            Self::MeetingExists => "meetingExists",
            Self::MethodNotAllowed => "methodNotAllowed",
            Self::NotFound => "notFound",
            Self::PolicyRefused { .. } => "policyRefused",
            Self::RateLimited => "rateLimited",
            Self::TokenMissing => "tokenMissing",
            Self::UnknownMeeting => "unknownMeeting",
            Self::UnsupportedMediaType => "unsupportedMediaType",
            Self::WrongOrigin => "wrongOrigin",
        }
    }
}

/// The wire form of a refusal: `application/problem+json`.
///
/// Source: RFC 9457. The type is `about:blank`, so `title` is the status's phrase; `code` is the
/// extension member that a program reads.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The status's phrase.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The cause, in English.
    detail: String,
    /// The cause, for a program.
    code: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // What is absent or refused now may be there in a moment.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::TokenMissing {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            _ => Self::BadRequest { detail: rejection.body_text() },
        }
    }
}
