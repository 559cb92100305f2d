use std::time::Duration;

use conclave_link::LinkToken;
use conclave_model::MeetingId;
use conclave_wire::{CreateMeeting, MeetingInfo, ServerInfo};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request::Builder;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::endpoint::{ConnectError, Endpoint};

/// How long an exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(20);

/// The most bytes of an answer that are read.
const ANSWER_LIMIT: usize = 64 * 1024;

impl Endpoint {
    /// Has the server keep a new meeting.
    ///
    /// # Errors
    ///
    /// [`HttpError`] names the step that failed.
    pub async fn create_meeting(&self, meeting: &CreateMeeting) -> Result<(), HttpError> {
        let body = serde_json::to_vec(meeting).map_err(|_| HttpError::Form)?;
        let request = Request::post("/api/v1/meetings").header(CONTENT_TYPE, "application/json");
        self.exchange(request, Bytes::from(body), StatusCode::CREATED).await.map(drop)
    }

    /// Asks for the home page, and throws it away.
    ///
    /// # Errors
    ///
    /// [`HttpError`] names the step that failed.
    pub async fn page(&self) -> Result<(), HttpError> {
        self.exchange(Request::get("/"), Bytes::new(), StatusCode::OK).await.map(drop)
    }

    /// What the server says of itself.
    ///
    /// # Errors
    ///
    /// [`HttpError`] names the step that failed.
    pub async fn server(&self) -> Result<ServerInfo, HttpError> {
        self.get(Request::get("/api/v1/server")).await
    }

    /// What the server keeps of a meeting. Nothing of it is checked.
    ///
    /// # Errors
    ///
    /// [`HttpError`] names the step that failed.
    pub async fn meeting(
        &self,
        meeting: &MeetingId,
        token: &LinkToken,
    ) -> Result<MeetingInfo, HttpError> {
        let request = Request::get(format!("/api/v1/meetings/{}", meeting.expose()));
        self.get(request.header(AUTHORIZATION, format!("Bearer {}", token.expose()))).await
    }

    async fn get<T: DeserializeOwned>(&self, request: Builder) -> Result<T, HttpError> {
        let answer = self.exchange(request, Bytes::new(), StatusCode::OK).await?;
        serde_json::from_slice(&answer).map_err(|_| HttpError::Answer)
    }

    async fn exchange(
        &self,
        request: Builder,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<Bytes, HttpError> {
        let request = request
            .header(HOST, self.origin.authority())
            .header(ACCEPT, "application/json, application/problem+json")
            .body(Full::new(body))
            .map_err(|_| HttpError::Form)?;
        tokio::time::timeout(EXCHANGE_LIMIT, self.send(request, expected))
            .await
            .map_err(|_| HttpError::Late)?
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        expected: StatusCode,
    ) -> Result<Bytes, HttpError> {
        let stream = self.connect().await.map_err(HttpError::Connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(HttpError::Broken)?;
        // It ends with the exchange, and what fails in it fails the exchange.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(HttpError::Broken)?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
        connection.abort();
        let answer = answer.map(|body| body.to_bytes());
        if status == expected {
            return answer.map_err(|_| HttpError::Answer);
        }
        let problem: Problem =
            serde_json::from_slice(&answer.unwrap_or_default()).unwrap_or_default();
        let detail = [problem.title, problem.detail].into_iter().flatten().collect::<Vec<_>>();
        Err(HttpError::Refused { status: status.as_u16(), detail: detail.join(": ") })
    }
}

/// What is read of a problem document (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// Why the server did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Its answer cannot be read.
    #[error("the server's answer cannot be read")]
    Answer,
    /// The exchange broke off.
    #[error("the exchange with the server broke off: {0}")]
    Broken(hyper::Error),
    /// There is no connection to the server.
    #[error("{0}")]
    Connect(ConnectError),
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Form,
    /// The server took too long.
    #[error("the server took longer than {} s", EXCHANGE_LIMIT.as_secs())]
    Late,
    /// The server refused.
    #[error("the server refused ({status}) {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's explanation, in English.
        detail: String,
    },
}
