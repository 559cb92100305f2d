//! The members' sockets: light, for one core has to hold a thousand of them beside TLS. What a
//! member hears is read as far as it takes to know what it is.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_client::{Endpoint, SignalLine};
use conclave_e2ee::Session;
use conclave_link::LinkToken;
use conclave_model::{MeetingId, ParticipantId};
use conclave_wire::{ClientMessage, MlsBytes, PROTOCOL_VERSION, Presence, ServerMessage};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};

use super::site::Site;

/// The sockets of all members, each with a task of its own, on this thread.
pub(super) struct Members {
    /// What members say. The place is the member's.
    says: Vec<mpsc::UnboundedSender<ClientMessage>>,
    /// Who they are.
    pub(super) ids: Vec<ParticipantId>,
    /// Whose microphone is off.
    muted: Vec<bool>,
    heard: mpsc::UnboundedReceiver<Heard>,
}

/// What a member heard, and when.
#[derive(Debug)]
pub(super) struct Heard {
    /// The member's place.
    pub(super) member: usize,
    pub(super) at: Instant,
    pub(super) what: What,
}

/// What there is to hear.
#[derive(Debug)]
pub(super) enum What {
    /// It is in the call again.
    Back,
    /// Its socket is gone: why.
    Gone(String),
    /// A member's message to all.
    Message,
    /// These have changed in the roster.
    Roster(Vec<ParticipantId>),
}

/// Members that may be on their way in at a time.
const COMING: usize = 64;

impl Members {
    /// Has all members of a call come back to it. Each is [`Back`](What::Back) when it is in.
    pub(super) fn come_back(endpoint: &Endpoint, site: &mut Site) -> Self {
        let coming = Arc::new(Semaphore::new(COMING));
        let (hearing, heard) = mpsc::unbounded_channel();
        let (mut says, mut ids) = (Vec::new(), Vec::new());
        let meeting = site.group.meeting;
        let sessions = std::mem::take(&mut site.group.sessions).into_values();
        let tokens = std::mem::take(&mut site.tokens);
        for (place, (session, (id, token))) in sessions.zip(tokens).enumerate() {
            let (say, saying) = mpsc::unbounded_channel();
            says.push(say);
            ids.push(id);
            let (endpoint, coming) = (endpoint.clone(), Arc::clone(&coming));
            let hearing = hearing.clone();
            tokio::spawn(async move {
                let comes = async {
                    let _place = coming.acquire().await?;
                    come_back(&endpoint, meeting, session, &token).await
                };
                let error = match comes.await {
                    Ok(line) => {
                        tell(&hearing, place, What::Back);
                        stay(line, saying, |what| tell(&hearing, place, what)).await
                    }
                    Err(error) => error,
                };
                tell(&hearing, place, What::Gone(format!("{error:#}")));
            });
        }
        let muted = vec![true; says.len()];
        Self { says, ids, muted, heard }
    }

    /// How many they are.
    pub(super) const fn len(&self) -> usize {
        self.says.len()
    }

    /// Has a member switch its microphone on, or off again.
    pub(super) fn switch(&mut self, member: usize) -> anyhow::Result<()> {
        let muted = self.muted.get_mut(member).context("there is no such member")?;
        *muted = !*muted;
        let presence = Presence { muted: *muted };
        self.say(member, ClientMessage::Presence { presence })
    }

    /// Has a member say something.
    pub(super) fn say(&self, member: usize, message: ClientMessage) -> anyhow::Result<()> {
        let says = self.says.get(member).context("there is no such member")?;
        says.send(message).ok().context("the member is gone")
    }

    /// Waits until a member hears something.
    ///
    /// # Errors
    ///
    /// A member's socket is gone.
    pub(super) async fn hear(&mut self) -> anyhow::Result<Heard> {
        let heard = self.heard.recv().await.context("all members are gone")?;
        if let What::Gone(why) = &heard.what {
            anyhow::bail!("member {} is gone: {why}", heard.member);
        }
        Ok(heard)
    }
}

fn tell(hearing: &mpsc::UnboundedSender<Heard>, member: usize, what: What) {
    // Nobody listens any more when the measurement is over.
    let _ = hearing.send(Heard { member, at: Instant::now(), what });
}

/// Opens a socket, and takes a member's session up on it.
async fn come_back(
    endpoint: &Endpoint,
    meeting: MeetingId,
    session: Session,
    token: &LinkToken,
) -> anyhow::Result<SignalLine> {
    let mut line = SignalLine::open(endpoint).await?;
    line.say(&ClientMessage::Hello { version: PROTOCOL_VERSION }).await;
    let welcome = line.hear().await.context("no welcome")?;
    let welcome: ServerMessage = serde_json::from_str(&welcome)?;
    let ServerMessage::Welcome { challenge, .. } = welcome else {
        anyhow::bail!("the server did not greet: {welcome:?}");
    };
    let challenge = URL_SAFE_NO_PAD.decode(challenge)?.try_into().ok();
    let challenge = challenge.context("a challenge of another length")?;
    let signature = session.sign_resume(&challenge).context("the device has no key")?;
    // It is of no further use, and large.
    drop(session);
    let resume = ClientMessage::Resume {
        meeting,
        resume_token: token.expose(),
        signature: MlsBytes::new(signature),
        presence: Presence { muted: true },
        offer: None,
    };
    line.say(&resume).await;
    loop {
        let text = line.hear().await.context("the server hung up")?;
        match Text::read(&text)?.kind {
            "joined" => return Ok(line),
            "error" => anyhow::bail!("it does not come back: {}", &*text),
            _ => {}
        }
    }
}

/// Says what the member is to say and tells what it hears, until the socket is gone.
async fn stay(
    mut line: SignalLine,
    mut saying: mpsc::UnboundedReceiver<ClientMessage>,
    tell: impl Fn(What),
) -> anyhow::Error {
    loop {
        tokio::select! {
            Some(message) = saying.recv() => {
                line.say(&message).await;
            }
            text = line.hear() => match text.as_deref().map(what) {
                Some(Ok(what)) => what.into_iter().for_each(&tell),
                Some(Err(error)) => return error,
                None => return anyhow::anyhow!("the server hung up"),
            },
        }
    }
}

/// What of a message counts here, if anything.
fn what(text: &str) -> anyhow::Result<Option<What>> {
    let message = Text::read(text)?;
    Ok(match (message.kind, message.news) {
        ("roster", _) => Some(What::Roster(message.present.iter().map(|who| who.id).collect())),
        ("group", Some(News { kind: "app" })) => Some(What::Message),
        ("error", _) => anyhow::bail!("the server says: {text}"),
        _ => None,
    })
}

/// A server's message, as far as it is looked at.
#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    news: Option<News<'a>>,
    #[serde(default)]
    present: Vec<Present>,
}

#[derive(Deserialize)]
struct News<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Deserialize)]
struct Present {
    id: ParticipantId,
}

impl<'a> Text<'a> {
    fn read(text: &'a str) -> anyhow::Result<Self> {
        serde_json::from_str(text).context("the server says nonsense")
    }
}
