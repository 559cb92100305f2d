use std::time::Duration;

use conclave_wire::CreateMeeting;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

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
    /// [`CreateMeetingError`] names the step that failed.
    pub async fn create_meeting(&self, meeting: &CreateMeeting) -> Result<(), CreateMeetingError> {
        let exchange = self.post_meeting(meeting);
        tokio::time::timeout(EXCHANGE_LIMIT, exchange)
            .await
            .map_err(|_| CreateMeetingError::Late)?
    }

    async fn post_meeting(&self, meeting: &CreateMeeting) -> Result<(), CreateMeetingError> {
        let body = serde_json::to_vec(meeting).map_err(|_| CreateMeetingError::Form)?;
        let request = Request::post("/api/v1/meetings")
            .header(HOST, self.origin.authority())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, application/problem+json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| CreateMeetingError::Form)?;

        let stream = self.connect().await.map_err(CreateMeetingError::Connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CreateMeetingError::Http)?;
        // It ends with the exchange, and what fails in it fails the exchange.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(CreateMeetingError::Http)?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
        connection.abort();
        if status == StatusCode::CREATED {
            return Ok(());
        }
        let bytes = answer.map(|body| body.to_bytes()).unwrap_or_default();
        let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = [problem.title, problem.detail].into_iter().flatten().collect::<Vec<_>>();
        Err(CreateMeetingError::Refused { status: status.as_u16(), detail: detail.join(": ") })
    }
}

/// What is read of a problem document (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// Why there is no new meeting.
#[derive(Debug, thiserror::Error)]
pub enum CreateMeetingError {
    /// There is no connection to the server.
    #[error("{0}")]
    Connect(ConnectError),
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Form,
    /// The exchange broke off.
    #[error("the exchange with the server broke off: {0}")]
    Http(hyper::Error),
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
