//! A client with a session in the meeting's group.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{Constitution, CredentialId};
use conclave_e2ee::{Command, Input, Now, Output, Session, Setup};
use conclave_link::{LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::MeetingId;
use conclave_wire::{Admitted, Answer, ClientMessage, Joined, Offer, ServerMessage};

use crate::client::{Client, join, offer, resume};
use crate::server::{host, soon};

pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) session: Session,
    pub(crate) joined: Joined,
    began: Instant,
    deadline: Option<Instant>,
    n: u8,
}

impl Member {
    /// Comes to the door of the meeting with number `n`, and in.
    pub(crate) async fn join(address: SocketAddr, constitution: &Constitution) -> Self {
        let mut member = Self::knock(address, constitution, false).await;
        member.hear_admitted().await;
        member
    }

    /// Comes in as host.
    pub(crate) async fn host(address: SocketAddr, constitution: &Constitution) -> Self {
        let mut member = Self::knock(address, constitution, true).await;
        member.hear_admitted().await;
        member
    }

    /// Comes to the door.
    pub(crate) async fn knock(
        address: SocketAddr,
        constitution: &Constitution,
        holds_host_key: bool,
    ) -> Self {
        let n = constitution.meeting[0];
        let meeting = MeetingId::from_bytes(constitution.meeting);
        let constitution = constitution.encode().unwrap();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let setup = Setup {
            digest: PolicyDigest::of(&constitution),
            constitution,
            meeting,
            keys: LinkKeys::derive(&LinkSecret::from_bytes([n; 32]), &meeting),
            profile: Profile::new("somebody"),
            holds_host_key,
            previous: None,
            seed,
        };
        let began = Instant::now();
        let mut client = Client::greet(address).await;
        client.say(&join(n)).await;
        let joined = client.hear_joined().await;
        assert_eq!((&joined.admitted, &joined.answer), (&None, &None), "at the door");
        let session = Session::new(setup, now_since(began));
        Self { client, session, joined, began, deadline: None, n }
    }

    /// Is back on another socket.
    pub(crate) async fn resume(&mut self, address: SocketAddr, offer: Option<Offer>) -> Joined {
        self.client = Client::greet(address).await;
        let signature = self.session.sign_resume(&self.client.challenge).unwrap();
        self.client.say(&resume(self.n, &self.joined.resume_token, signature, offer)).await;
        self.joined = self.client.hear_joined().await;
        self.give(Input::Connected).await;
        self.joined.clone()
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.client.say(message).await;
    }

    pub(crate) async fn command(&mut self, command: Command) {
        self.give(Input::Command(command)).await;
    }

    /// Makes a media session.
    pub(crate) async fn offer(&mut self, generation: u32) -> Answer {
        self.say(&ClientMessage::Offer { offer: offer(generation) }).await;
        self.hear_until(|message| match message {
            ServerMessage::Answer { answer } => Some(answer.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn hear_admitted(&mut self) -> Admitted {
        self.hear_until(|message| match message {
            ServerMessage::Admitted { admitted } => Some(admitted.clone()),
            _ => None,
        })
        .await
    }

    /// Takes part until something is heard.
    pub(crate) async fn hear_until<T>(&mut self, want: impl Fn(&ServerMessage) -> Option<T>) -> T {
        soon(async {
            loop {
                if let Some(found) = want(&self.hear().await) {
                    return found;
                }
            }
        })
        .await
    }

    /// The next message. Takes part meanwhile.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        loop {
            let deadline = self.deadline;
            let message = tokio::select! {
                message = self.client.hear() => message,
                () = sleep_until(deadline) => {
                    self.give(Input::Timeout).await;
                    continue;
                }
            };
            if let ServerMessage::Group { news } = &message {
                self.give(Input::Server(news.clone().try_into().unwrap())).await;
            }
            return message;
        }
    }

    /// Takes part until all that was sent before has been heard.
    pub(crate) async fn settle(&mut self) {
        self.say(&ClientMessage::Ping).await;
        self.hear_until(|message| (*message == ServerMessage::Pong).then_some(())).await;
    }

    pub(crate) fn credential(&self) -> CredentialId {
        self.session.credential().expect("a member")
    }

    async fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.session.handle_input(now_since(self.began), input);
            loop {
                match self.session.poll_output() {
                    Output::Event(_) => {}
                    Output::Send(message) => {
                        let Some(request) = message.into_request() else { continue };
                        self.client.say(&ClientMessage::Group { request }).await;
                    }
                    Output::SignHost(statement) => {
                        inputs.push_back(Input::HostSignature(host().sign(&statement)));
                    }
                    Output::Timeout(at) => {
                        self.deadline = at.map(|at| self.began + at);
                        break;
                    }
                }
            }
        }
    }
}

fn now_since(began: Instant) -> Now {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Now { at: began.elapsed(), unix_s }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        None => std::future::pending().await,
        Some(at) => tokio::time::sleep_until(at.into()).await,
    }
}
