use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_call_proto::{ConnectionId, ResumeProof};
use conclave_model::{MeetingId, TokenHash};
use conclave_wire::{
    ClientMessage, ErrorCode, LIMITS, PROTOCOL_VERSION, ServerMessage, decode_client_message,
};
use futures_util::{SinkExt as _, StreamExt as _};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::call_task::{CallCommand, Enter, How, sleep_until};
use crate::outgoing::{Frame, Incoming, Load, Outgoing, encode};
use crate::router::ApiState;
use crate::signal::Socket;
use crate::signal::allowance::{
    FRAME_FRESH, FRAME_GREETED, largest_at_door, may_be_so_large, weight,
};
use crate::signal::bounded::READ_AT_ONCE;
use crate::token;

/// How often the server asks whether the client is there.
const PING_EVERY: Duration = Duration::from_secs(10);

/// A client that was not heard for so long is gone: it missed two pings.
const SILENCE: Duration = Duration::from_secs(25);

/// How long a client may take nothing of what is sent to it.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// From here on, a frame that was sent shows that the client is there.
const TAKES_LONG: Duration = Duration::from_secs(1);

/// Bytes that a client takes in a second at least: a group's tree may be megabytes.
const SLOWEST: u32 = 32 * 1024;

/// Bytes of a frame that may leave together with the next one. The library keeps eight times as many
/// until it must write: at the slowest, they take less time than the next one has at least.
const MAY_WAIT: usize = 16 * 1024;

/// How long the server waits for the client's side of a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Messages a second that a client may send in the long run: a window that is being resized
/// states its view at each frame drawn.
const RATE: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Messages that it may send at once.
const BURST: NonZeroU32 = NonZeroU32::new(240).unwrap();

/// Frames that are malformed, not allowed or too many, before the server hangs up.
const STRIKES: u32 = 20;

/// Talks with one client until either side is done.
pub(crate) async fn run(mut socket: Socket, api: ApiState, source: IpAddr) {
    let (outgoing, incoming) = Outgoing::new();
    let mut connection = Connection {
        id: api.calls.new_connection(),
        api,
        source,
        outgoing,
        limiter: RateLimiter::direct(Quota::per_second(RATE).allow_burst(BURST)),
        load: Arc::clone(&incoming.load),
        challenge: None,
        stage: Stage::Fresh { at: Instant::now() },
        strikes: 0,
    };
    let gauge = metrics::gauge!("conclave_signalling_sessions");
    gauge.increment(1.0);
    let Incoming { queue, cut, .. } = incoming;
    tokio::select! {
        () = cut.notified() => {}
        () = connection.talk(&mut socket, queue) => {}
    }
    gauge.decrement(1.0);
    if let Stage::InCall(call) = connection.stage {
        // The call may have ended with this client.
        let _ = call.send(CallCommand::Lost(connection.id)).await;
    }
}

/// One client's socket.
struct Connection {
    id: ConnectionId,
    api: ApiState,
    source: IpAddr,
    outgoing: Outgoing,
    load: Arc<Load>,
    limiter: DefaultDirectRateLimiter,
    /// What a member signs to take its session up on this socket.
    challenge: Option<[u8; 32]>,
    stage: Stage,
    strikes: u32,
}

/// How far the conversation has come.
enum Stage {
    /// Nothing was said since the socket was opened.
    Fresh { at: Instant },
    /// `hello` and `welcome`, or a call that it did not get into.
    Greeted { at: Instant },
    /// In a call, or on the way in.
    InCall(mpsc::Sender<CallCommand>),
}

/// Why a client does not come in. It may try again.
struct Refusal {
    code: ErrorCode,
    detail: &'static str,
}

impl Refusal {
    fn reply(self) -> Step {
        Step::Reply(error(self.code, self.detail, false))
    }
}

/// What to do after a frame.
enum Step {
    /// Say this, then hang up.
    End(ServerMessage),
    /// Hang up.
    Gone,
    /// Go on.
    Quiet,
    /// Say this.
    Reply(ServerMessage),
}

impl Connection {
    async fn talk(&mut self, socket: &mut Socket, mut queue: mpsc::Receiver<Frame>) {
        let mut draining = self.api.calls.subscribe_draining();
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();

        loop {
            socket.get_mut().allow(self.largest_frame());
            let step = tokio::select! {
                biased;
                () = drained(&mut draining) => {
                    Step::End(error(ErrorCode::Draining, "the server restarts", true))
                }
                Some(frame) = queue.recv() => {
                    let (len, began) = (frame.len(), Instant::now());
                    let message = match frame {
                        Frame::Close(message) => return close(socket, message).await,
                        Frame::Message(message) => message,
                        Frame::Release(message) => {
                            self.stage = Stage::Greeted { at: Instant::now() };
                            message
                        }
                    };
                    // What waits already goes with it, but for a large one, which has more time to
                    // leave than what is behind it.
                    let may_wait = len <= MAY_WAIT && !queue.is_empty();
                    let leaves = if may_wait { Leaves::WithTheNext } else { Leaves::Now };
                    let step = send_frame(socket, Message::Text(message), leaves).await;
                    self.load.remove(len);
                    if began.elapsed() > TAKES_LONG {
                        // It was not heard meanwhile, but it has taken what was sent.
                        heard = Instant::now();
                    }
                    step
                }
                frame = socket.next() => {
                    heard = Instant::now();
                    if matches!(frame, Some(Ok(Message::Text(_) | Message::Binary(_)))) {
                        socket.get_mut().begin_message();
                    }
                    self.take(frame).await
                }
                // The call broke: the client finds its place again in the next one.
                () = self.call_gone() => return close(socket, None).await,
                // The client may come back when it has something to do.
                () = sleep_until(self.waits_until()) => return close(socket, None).await,
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        return;
                    }
                    send_frame(socket, Message::Ping(Vec::new().into()), Leaves::Now).await
                }
            };
            let step = match step {
                Step::Reply(message) => match encode(&message) {
                    Some(text) => send(socket, text).await,
                    None => Step::Gone,
                },
                step @ (Step::End(_) | Step::Gone | Step::Quiet) => step,
            };
            match step {
                Step::End(message) => return close(socket, encode(&message)).await,
                Step::Gone => return,
                Step::Quiet | Step::Reply(_) => {}
            }
        }
    }

    /// Waits until the call that the client is in is no more, and has said nothing to it.
    async fn call_gone(&self) {
        match &self.stage {
            Stage::Fresh { .. } | Stage::Greeted { .. } => std::future::pending().await,
            Stage::InCall(call) => call.closed().await,
        }
    }

    /// When the client must have got further; `None` if it is in a call.
    fn waits_until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Fresh { at } => Some(at + self.api.patience.hello),
            Stage::Greeted { at } => Some(at + self.api.patience.join),
            Stage::InCall(_) => None,
        }
    }

    /// Handles what came from the socket.
    async fn take(&mut self, frame: Option<Result<Message, tungstenite::Error>>) -> Step {
        match frame {
            None => Step::Gone,
            // A frame above the limit ends here too: what follows it cannot be told apart.
            Some(Err(error)) => {
                tracing::debug!(%error, "a signalling connection broke");
                Step::End(self::error(ErrorCode::BadMessage, "the frame cannot be read", true))
            }
            Some(Ok(Message::Close(_) | Message::Frame(_))) => Step::Gone,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => match self.limiter.check() {
                Ok(()) => Step::Quiet,
                Err(_) => self.strike(ErrorCode::RateLimited, "too many frames"),
            },
            Some(Ok(Message::Binary(_))) => {
                self.strike(ErrorCode::BadMessage, "signalling is in text frames")
            }
            Some(Ok(Message::Text(text))) => {
                if text.len() > self.largest_frame() {
                    return Step::End(error(ErrorCode::BadMessage, "the frame is too large", true));
                }
                if self.limiter.check().is_err() {
                    return self.strike(ErrorCode::RateLimited, "too many messages");
                }
                match decode_client_message(&text) {
                    Ok(message) if !may_be_so_large(&message, text.len()) => {
                        self.strike(ErrorCode::BadMessage, "the message is too large")
                    }
                    Ok(message) if !self.may_weigh(weight(&message, text.len())) => {
                        self.strike(ErrorCode::RateLimited, "too many offers, or large requests")
                    }
                    Ok(message) => self.handle(message).await,
                    Err(error) => self.strike(ErrorCode::BadMessage, &error.to_string()),
                }
            }
        }
    }

    async fn handle(&mut self, message: ClientMessage) -> Step {
        match (&self.stage, message) {
            (Stage::Fresh { .. }, ClientMessage::Hello { version }) => self.hello(version),
            (Stage::Fresh { .. }, _) => {
                Step::End(error(ErrorCode::BadMessage, "the first message is `hello`", true))
            }
            (_, ClientMessage::Ping) => Step::Reply(ServerMessage::Pong),
            (Stage::Greeted { .. }, ClientMessage::Join { meeting, token, presence }) => {
                if let Err(refusal) = self.check_link(meeting, &token).await {
                    return refusal.reply();
                }
                self.enter(meeting, |connection, outgoing, token| Enter {
                    connection,
                    outgoing,
                    token,
                    presence,
                    how: How::Join,
                })
            }
            (
                Stage::Greeted { .. },
                ClientMessage::Resume { meeting, resume_token, signature, presence, offer },
            ) => {
                let token = match self.check_resume(meeting, &resume_token).await {
                    Ok(presented) => presented,
                    Err(refusal) => return refusal.reply(),
                };
                let Some(challenge) = self.challenge else { return Step::Reply(internal()) };
                let proof = ResumeProof { token, challenge, signature: signature.into_bytes() };
                self.enter(meeting, |connection, outgoing, token| Enter {
                    connection,
                    outgoing,
                    token,
                    presence,
                    how: How::Resume(proof, offer),
                })
            }
            (Stage::Greeted { .. }, ClientMessage::Leave) => Step::Gone,
            (Stage::Greeted { .. }, _) => self.strike(ErrorCode::BadMessage, "not before `join`"),
            (
                Stage::InCall(_),
                ClientMessage::Hello { .. }
                | ClientMessage::Join { .. }
                | ClientMessage::Resume { .. },
            ) => self.strike(ErrorCode::BadMessage, "not in a call"),
            (Stage::InCall(call), message) => {
                match call.send(CallCommand::Said(self.id, message)).await {
                    Ok(()) => Step::Quiet,
                    Err(_) => Step::End(internal()),
                }
            }
        }
    }

    /// The largest frame that the client may send now, in bytes.
    fn largest_frame(&self) -> usize {
        match self.stage {
            Stage::Fresh { .. } => FRAME_FRESH,
            Stage::Greeted { .. } => FRAME_GREETED,
            Stage::InCall(_) if self.load.is_member() => LIMITS.frame_bytes,
            Stage::InCall(_) => largest_at_door(self.api.calls.max_participants()),
        }
    }

    /// Takes a message's weight from the allowance of messages.
    fn may_weigh(&self, weight: Option<NonZeroU32>) -> bool {
        weight.is_none_or(|weight| matches!(self.limiter.check_n(weight), Ok(Ok(()))))
    }

    fn hello(&mut self, version: u16) -> Step {
        if version != PROTOCOL_VERSION {
            let detail = format!("the server speaks version {PROTOCOL_VERSION}");
            return Step::End(error(ErrorCode::UnsupportedVersion, &detail, true));
        }
        let Ok(challenge) = token::new_challenge() else {
            tracing::error!("the operating system gives no random bytes");
            return Step::End(internal());
        };
        self.challenge = Some(challenge);
        self.stage = Stage::Greeted { at: Instant::now() };
        let challenge = token::encode(challenge);
        Step::Reply(ServerMessage::Welcome { version: PROTOCOL_VERSION, challenge })
    }

    /// Whether the client holds the meeting's link.
    async fn check_link(&self, meeting: MeetingId, token: &str) -> Result<(), Refusal> {
        self.check_rate()?;
        let presented = token::hash_token(token);
        let known = self.api.calls.store().meeting(meeting).await.map_err(|e| failed(&e))?;
        let right = presented
            .zip(known)
            .is_some_and(|(presented, known)| token::same(&presented, &known.token_hash));
        if right {
            return Ok(());
        }
        let detail = "there is no such meeting, or the link is incomplete";
        Err(Refusal { code: ErrorCode::UnknownMeeting, detail })
    }

    /// Finds the digest of a resume token. A call that runs checks it; none is started for a token
    /// of which the store knows nothing, be there such a meeting or not.
    async fn check_resume(&self, meeting: MeetingId, token: &str) -> Result<TokenHash, Refusal> {
        self.check_rate()?;
        let refusal =
            Refusal { code: ErrorCode::ResumeRefused, detail: "no session has this token" };
        let Some(presented) = token::hash_token(token) else { return Err(refusal) };
        if self.api.calls.runs(meeting) {
            // Where a thousand come back at once, each would have all the others looked up.
            return Ok(presented);
        }
        let kept = self.api.calls.store().sessions(meeting).await.map_err(|e| failed(&e))?;
        let is_kept = kept.sessions.iter().any(|session| {
            let proven = session.proven.is_some_and(|proven| token::same(&presented, &proven));
            proven | token::same(&presented, &session.token)
        });
        if is_kept { Ok(presented) } else { Err(refusal) }
    }

    /// Whether the client's source may ask for meetings: guessing is slow.
    fn check_rate(&self) -> Result<(), Refusal> {
        if self.api.lookups.allows(self.source) {
            return Ok(());
        }
        Err(Refusal { code: ErrorCode::RateLimited, detail: "too many attempts to come in" })
    }

    fn enter(
        &mut self,
        meeting: MeetingId,
        enter: impl FnOnce(ConnectionId, Outgoing, conclave_call_proto::ResumeToken) -> Enter,
    ) -> Step {
        let Ok(token) = token::new_resume_token() else {
            tracing::error!("the operating system gives no random bytes");
            return Step::Reply(internal());
        };
        let enter = enter(self.id, self.outgoing.clone(), token);
        match self.api.calls.enter(meeting, enter) {
            Some(call) => {
                self.stage = Stage::InCall(call);
                Step::Quiet
            }
            None if self.api.calls.is_draining() => {
                Step::End(error(ErrorCode::Draining, "the server restarts", true))
            }
            None => Step::End(error(ErrorCode::Internal, "the call is overloaded", true)),
        }
    }

    /// Counts a frame that should not have come.
    fn strike(&mut self, code: ErrorCode, detail: &str) -> Step {
        self.strikes += 1;
        if self.strikes > STRIKES {
            return Step::End(error(code, detail, true));
        }
        Step::Reply(error(code, detail, false))
    }
}

/// When a frame is on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leaves {
    Now,
    /// Together with the frame that is sent after it, unless there is too much to keep.
    WithTheNext,
}

async fn send(socket: &mut Socket, text: Utf8Bytes) -> Step {
    send_frame(socket, Message::Text(text), Leaves::Now).await
}

/// Sends a frame. A client that takes nothing is gone: nothing else is done for it meanwhile.
async fn send_frame(socket: &mut Socket, frame: Message, leaves: Leaves) -> Step {
    let len = match &frame {
        Message::Text(text) => u32::try_from(text.len()).unwrap_or(u32::MAX),
        Message::Binary(_)
        | Message::Close(_)
        | Message::Frame(_)
        | Message::Ping(_)
        | Message::Pong(_) => 0,
    };
    let within = SEND_WITHIN + Duration::from_secs((len / SLOWEST).into());
    let sent = async {
        match leaves {
            Leaves::Now => socket.send(frame).await,
            Leaves::WithTheNext => socket.feed(frame).await,
        }
    };
    match tokio::time::timeout(within, sent).await {
        Ok(Ok(())) => Step::Quiet,
        Ok(Err(_)) | Err(_) => Step::Gone,
    }
}

/// Waits until the server shuts down.
async fn drained(draining: &mut watch::Receiver<bool>) {
    // An error means that the registry is gone, and the server with it.
    drop(draining.wait_for(|draining| *draining).await);
}

/// Says a last word and closes. Waits for the client's side, so that the word arrives.
async fn close(socket: &mut Socket, last: Option<Utf8Bytes>) {
    let farewell = async {
        if let Some(text) = last {
            socket.send(Message::Text(text)).await?;
        }
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        if socket.get_ref().is_exceeded() {
            // Who is still speaking would be cut off by the system before it hears the word.
            let transport = socket.get_mut().inner_mut();
            let mut unread = [0; READ_AT_ONCE];
            while transport.read(&mut unread).await? > 0 {}
        }
        Ok::<(), tungstenite::Error>(())
    };
    // It is over either way.
    let _ = tokio::time::timeout(CLOSE_WITHIN, farewell).await;
}

fn failed(error: &conclave_store::StoreError) -> Refusal {
    metrics::counter!("conclave_store_failures_total").increment(1);
    tracing::error!(error = error as &dyn std::error::Error, "the store failed");
    Refusal { code: ErrorCode::Internal, detail: "the server failed" }
}

fn internal() -> ServerMessage {
    error(ErrorCode::Internal, "the server failed", false)
}

fn error(code: ErrorCode, detail: &str, fatal: bool) -> ServerMessage {
    ServerMessage::Error { code, detail: detail.to_owned(), fatal }
}
