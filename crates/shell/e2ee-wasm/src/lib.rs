//! The member's session for a browser's worker: converts and calls, decides nothing.
//!
//! Messages go in and out as JSON of the types of `conclave_wire`, frames and signatures as bytes.
//! Times are milliseconds of the worker's clocks: `at_ms` of one that never goes back
//! (`performance.now()`), `unix_ms` since 1970 (`Date.now()`).
//!
//! What is refused throws a string, and the session is as it was. A panic throws something else: the
//! module is then not to be called again, and its keys are gone with it.

mod command;
mod media;
mod node;
mod setup;
mod told;
mod view;

use std::time::Duration;

use conclave_e2ee::{Event, FromServer, Input, NotDone, NotNews, Now, Output, Session};
use conclave_frame::{Expected, Leaf, Track};
use conclave_wire::{GroupCommand, GroupNews, GroupView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::setup::SetupText;
use crate::told::Told;

/// Lets a panic throw with the place it came from. Its words are left out: they may hold what only
/// members are to know.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        wasm_bindgen::throw_str(&format!("panicked at {place}"));
    }));
}

/// A member's session.
///
/// After every call that takes time and an input, call [`poll`](Self::poll).
#[wasm_bindgen]
#[derive(Debug)]
pub struct MemberSession {
    session: Session,
    shown: Option<GroupView>,
    /// What is to be told before what the session says.
    refused: Vec<NotDone>,
}

#[wasm_bindgen]
impl MemberSession {
    /// Begins a session of `setup`, JSON of what the page was told.
    ///
    /// # Errors
    ///
    /// The setup cannot be read. A policy that is not the link's is a state of the session.
    #[wasm_bindgen(constructor)]
    pub fn new(at_ms: f64, unix_ms: f64, setup: &str) -> Result<Self, JsValue> {
        let setup: SetupText = parse(setup)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| JsValue::from("no randomness"))?;
        let setup = setup.read(seed).ok_or_else(malformed)?;
        let session = Session::new(setup, now(at_ms, unix_ms));
        Ok(Self { session, shown: None, refused: Vec::new() })
    }

    /// The server said something: JSON of `GroupNews`.
    ///
    /// # Errors
    ///
    /// It is nothing that a server says. It is dropped.
    pub fn news(&mut self, at_ms: f64, unix_ms: f64, news: &str) -> Result<(), JsValue> {
        let news: GroupNews = parse(news)?;
        let message = FromServer::try_from(news).map_err(|NotNews| malformed())?;
        self.input(at_ms, unix_ms, Input::Server(message));
        Ok(())
    }

    /// The person wants something: JSON of `GroupCommand`.
    ///
    /// # Errors
    ///
    /// It is not such JSON.
    pub fn command(&mut self, at_ms: f64, unix_ms: f64, command: &str) -> Result<(), JsValue> {
        let command: GroupCommand = parse(command)?;
        match command::parse(command) {
            Some(command) => self.input(at_ms, unix_ms, Input::Command(command)),
            None => self.refused.push(NotDone::Unknown),
        }
        Ok(())
    }

    /// The connection to the server is back.
    pub fn connected(&mut self, at_ms: f64, unix_ms: f64) {
        self.input(at_ms, unix_ms, Input::Connected);
    }

    /// The time that was asked for has come.
    pub fn timeout(&mut self, at_ms: f64, unix_ms: f64) {
        self.input(at_ms, unix_ms, Input::Timeout);
    }

    /// The host key signed what was asked for.
    ///
    /// # Errors
    ///
    /// It is not 64 bytes.
    #[wasm_bindgen(js_name = hostSignature)]
    pub fn host_signature(
        &mut self,
        at_ms: f64,
        unix_ms: f64,
        signature: &[u8],
    ) -> Result<(), JsValue> {
        let signature = signature.try_into().map_err(|_| malformed())?;
        self.input(at_ms, unix_ms, Input::HostSignature(signature));
        Ok(())
    }

    /// All that is to be done now: JSON of a list whose last element is the next timeout.
    pub fn poll(&mut self) -> String {
        let refused = self.refused.drain(..).map(|why| Told::event(Event::NotDone(why)));
        let mut told: Vec<Told> = refused.flatten().collect();
        let timeout = loop {
            match self.session.poll_output() {
                Output::Event(event) => told.extend(Told::event(event)),
                Output::Send(message) => told.extend(Told::request(message)),
                Output::SignHost(statement) => told.push(Told::sign_host(statement)),
                Output::Timeout(at) => break Told::timeout(at),
            }
        };
        let view = view::of(&self.session);
        if self.shown.as_ref() != Some(&view) {
            told.push(Told::View { view: view.clone() });
            self.shown = Some(view);
        }
        told.push(timeout);
        json(&told)
    }

    /// Seals an encoded frame of a source (a `TrackSource`) and a media type such as `video/VP8`.
    ///
    /// All layers of a source share one key and counter: receivers tell layers apart by nothing
    /// that is sealed, and one counter can never be used twice.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped; the reason is a string.
    pub fn seal(
        &mut self,
        at_ms: f64,
        unix_ms: f64,
        source: &str,
        media_type: &str,
        frame: &[u8],
    ) -> Result<Vec<u8>, JsValue> {
        let (source, codec) = media::source_and_codec(source, media_type)?;
        self.session
            .seal(now(at_ms, unix_ms), Track::single(source), codec, frame)
            .map_err(media::not_sealed)
    }

    /// Opens a frame that came where `leaf` and `source` are expected.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped; the reason is a string.
    pub fn open(
        &mut self,
        at_ms: f64,
        unix_ms: f64,
        leaf: u32,
        source: &str,
        media_type: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, JsValue> {
        let (source, codec) = media::source_and_codec(source, media_type)?;
        let leaf = Leaf::try_from(leaf).map_err(|_| JsValue::from("wrongLeaf"))?;
        let expected = Expected { leaf, source, codec };
        self.session
            .open(now(at_ms, unix_ms), expected, sealed)
            .map(|opened| opened.frame)
            .map_err(media::dropped)
    }

    /// Whether a media node may be sent media, directly or relayed by these ways (`udp 3478`): JSON of
    /// a `NodeFault`, or `null`.
    #[wasm_bindgen(js_name = verifyAnswer)]
    #[expect(clippy::needless_pass_by_value, reason = "a list of texts comes from JavaScript so")]
    pub fn verify_answer(
        &self,
        unix_ms: f64,
        sdp: &str,
        relay: Vec<String>,
        text: &str,
        signature: &str,
    ) -> String {
        let constitution = self.session.constitution();
        let unix_s = now(0.0, unix_ms).unix_s;
        let fault = node::verify(constitution, sdp, &relay, text, signature, unix_s).err();
        json(&fault)
    }

    /// The leaf's signature over a socket's challenge, both base64url; nothing if there is no leaf,
    /// or the challenge is not 32 bytes.
    #[wasm_bindgen(js_name = signResume)]
    pub fn sign_resume(&self, challenge: &str) -> Option<String> {
        let challenge: [u8; 32] = setup::bytes(challenge)?;
        self.session.sign_resume(&challenge).map(|signature| setup::text(&signature))
    }

    fn input(&mut self, at_ms: f64, unix_ms: f64, input: Input) {
        self.session.handle_input(now(at_ms, unix_ms), input);
    }
}

fn now(at_ms: f64, unix_ms: f64) -> Now {
    let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    Now { at: duration(at_ms), unix_s: duration(unix_ms).as_secs() }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, JsValue> {
    serde_json::from_str(json).map_err(|_| malformed())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("these types have no map and no fallible part")
}

fn malformed() -> JsValue {
    JsValue::from("malformed")
}
