//! A server on a free port, with a real store and a media plane that agrees to everything.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_api::{ApiConfig, Calls, CallsConfig, Identity, Patience, router};
use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_commit_rules::{Classification, Constitution, Jurisdiction, Mode};
use conclave_link::HostSeed;
use conclave_model::{MeetingId, SealedBlob, TokenHash};
use conclave_store::{Meeting, SqliteStore, Store, UnixMillis};
use conclave_wire::{CameraCodec, MediaShard, ServerInfo};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::hindered::Hindered;

pub(crate) struct Server {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) store: SqliteStore,
    pub(crate) calls: Calls,
    pub(crate) router: Router,
    pub(crate) node_key: [u8; 32],
    /// What the media plane was asked.
    pub(crate) asked: mpsc::UnboundedReceiver<MediaRequest>,
    /// Makes the media plane report.
    pub(crate) report: mpsc::Sender<MediaEvent>,
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap()), 3).await
    }

    /// Opens a server on the data of one before.
    pub(crate) async fn open(folder: Arc<TempDir>, max_participants: u32) -> Self {
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();
        Self::on(folder, store.clone(), Arc::new(store), max_participants, None).await
    }

    /// Opens a server in a country.
    pub(crate) async fn in_country(country: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();
        let country = Some(Jurisdiction::try_from(country.to_owned()).unwrap());
        Self::on(folder, store.clone(), Arc::new(store), 3, country).await
    }

    /// Opens a server whose first call breaks.
    pub(crate) async fn broken_once() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();
        let broken = Hindered::new(store.clone(), true);
        Self::on(folder, store, Arc::new(broken), 3, None).await
    }

    /// Opens a server whose store can be held up.
    pub(crate) async fn with_hindered_store() -> (Self, Arc<Hindered>) {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();
        let hindered = Arc::new(Hindered::new(store.clone(), false));
        let shared: Arc<dyn Store> = Arc::clone(&hindered) as _;
        (Self::on(folder, store, shared, 3, None).await, hindered)
    }

    async fn on(
        folder: Arc<TempDir>,
        store: SqliteStore,
        shared: Arc<dyn Store>,
        max_participants: u32,
        country: Option<Jurisdiction>,
    ) -> Self {
        let identity = Identity::load(&store, country).await.unwrap();
        let config = CallsConfig {
            relay: None,
            media: vec![media_shard()],
            identity,
            max_participants,
            camera_codec: CameraCodec::Vp9,
            keep_meetings: Duration::from_secs(60),
        };
        let (requests, mut requests_in) = mpsc::channel(100);
        let (report, events) = mpsc::channel(100);
        let (asked_out, asked) = mpsc::unbounded_channel();
        let calls = Calls::new(config, shared, requests);
        let routing = calls.clone();
        tokio::spawn(async move { routing.route_media(events).await });
        let answers = report.clone();
        tokio::spawn(async move {
            while let Some(request) = requests_in.recv().await {
                if let MediaRequest::Offer { peer, generation, sdp } = &request {
                    let (peer, generation) = (*peer, *generation);
                    let event = if sdp == "bad" {
                        let detail = "not a description".to_owned();
                        MediaEvent::OfferRefused { peer, generation, detail }
                    } else {
                        let sdp = answer_to(sdp);
                        MediaEvent::Answer { peer, generation, sdp }
                    };
                    answers.send(event).await.unwrap();
                }
                let _ = asked_out.send(request);
            }
        });
        let router = router(api_config(Patience::default()), calls.clone());
        let node_key = node_key(router.clone()).await;
        Self { folder, store, calls, router, node_key, asked, report }
    }

    /// Loses patience with sockets of no use.
    pub(crate) fn with_patience(self, patience: Patience) -> Self {
        let router = router(api_config(patience), self.calls.clone());
        Self { router, ..self }
    }

    /// The same server, with limits of its own.
    pub(crate) fn again(&self) -> Self {
        let (_, asked) = mpsc::unbounded_channel();
        Self {
            folder: Arc::clone(&self.folder),
            store: self.store.clone(),
            calls: self.calls.clone(),
            router: router(api_config(Patience::default()), self.calls.clone()),
            node_key: self.node_key,
            asked,
            report: self.report.clone(),
        }
    }

    /// Serves on a free port.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = self.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// Keeps a meeting that everybody with its link enters, as if it had been created over HTTP.
    pub(crate) async fn meeting(&self, n: u8) -> MeetingId {
        self.meeting_of(n, Mode::OpenLink).await
    }

    /// Keeps a meeting whose host lets people in.
    pub(crate) async fn lobby(&self, n: u8) -> MeetingId {
        self.meeting_of(n, Mode::Lobby).await
    }

    async fn meeting_of(&self, n: u8, mode: Mode) -> MeetingId {
        let id = MeetingId::from_bytes([n; 16]);
        let meeting = Meeting {
            id,
            token_hash: TokenHash::from_bytes(Sha256::digest([n; 32]).into()),
            sealed_title: SealedBlob::new(vec![1, 2, 3]).unwrap(),
            policy: self.constitution(n, mode).encode().unwrap(),
            created: UnixMillis(0),
        };
        self.store.create_meeting(meeting).await.unwrap();
        id
    }

    /// The constitution of such a meeting.
    pub(crate) fn constitution(&self, n: u8, mode: Mode) -> Constitution {
        Constitution {
            version: Constitution::VERSION,
            meeting: [n; 16],
            // X25519: what the server does is the same, and a test is quick.
            suite: 0x0001,
            mode,
            join_before_host: mode == Mode::OpenLink,
            host_key: host().public_key(),
            issuers: Vec::new(),
            guests: true,
            node_key: self.node_key,
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        }
    }
}

/// Who is host of the meetings.
pub(crate) fn host() -> HostSeed {
    HostSeed::from_bytes([10; 32])
}

/// The media plane's answer to an offer.
pub(crate) fn answer_to(offer: &str) -> String {
    format!("v=0\r\ns=answer to {offer}\r\na=fingerprint:sha-256 AB:CD\r\n")
}

/// Where the media plane is, as the server tells.
pub(crate) fn media_shard() -> MediaShard {
    let at = |text: &str| vec![text.parse().unwrap()];
    MediaShard { udp: at("192.0.2.1:10000"), tcp: at("[2001:db8::1]:10000") }
}

async fn node_key(router: Router) -> [u8; 32] {
    let request = Request::get("/api/v1/server").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let info: ServerInfo = serde_json::from_slice(&body).unwrap();
    URL_SAFE_NO_PAD.decode(info.node_key).unwrap().try_into().unwrap()
}

fn api_config(patience: Patience) -> ApiConfig {
    ApiConfig { hsts: false, meetings_per_minute: n(5), lookups_per_minute: n(300), patience }
}

/// The token of [`Server::meeting`]'s link.
pub(crate) fn token(n: u8) -> String {
    URL_SAFE_NO_PAD.encode([n; 32])
}

fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// Awaits what should come soon.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}
