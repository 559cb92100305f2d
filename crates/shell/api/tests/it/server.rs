//! A server on a free port, with a real store and a media plane that agrees to everything.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_api::{ApiConfig, Calls, CallsConfig, Patience, router};
use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::{MeetingId, SealedBlob, TokenHash};
use conclave_store::{Meeting, SqliteStore, Store, UnixMillis};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::broken::BrokenOnce;

pub(crate) struct Server {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) store: SqliteStore,
    pub(crate) calls: Calls,
    pub(crate) router: Router,
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
        Self::on(folder, store.clone(), Arc::new(store), max_participants)
    }

    /// Opens a server whose first call breaks.
    pub(crate) async fn broken_once() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();
        let broken = BrokenOnce { store: store.clone(), broken: AtomicBool::new(false) };
        Self::on(folder, store, Arc::new(broken), 3)
    }

    fn on(
        folder: Arc<TempDir>,
        store: SqliteStore,
        shared: Arc<dyn Store>,
        max_participants: u32,
    ) -> Self {
        let config = CallsConfig { max_participants, keep_meetings: Duration::from_secs(60) };
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
                        let sdp = format!("answer to {sdp}");
                        MediaEvent::Answer { peer, generation, sdp }
                    };
                    answers.send(event).await.unwrap();
                }
                let _ = asked_out.send(request);
            }
        });
        let router = router(api_config(Patience::default()), calls.clone());
        Self { folder, store, calls, router, asked, report }
    }

    /// Loses patience with sockets of no use.
    pub(crate) fn with_patience(self, patience: Patience) -> Self {
        let router = router(api_config(patience), self.calls.clone());
        Self { router, ..self }
    }

    /// Serves on a free port.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = self.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    /// Keeps a meeting, as if it had been created over HTTP.
    pub(crate) async fn meeting(&self, n: u8) -> MeetingId {
        let id = MeetingId::from_bytes([n; 16]);
        let meeting = Meeting {
            id,
            token_hash: TokenHash::from_bytes(Sha256::digest([n; 32]).into()),
            sealed_title: SealedBlob::new(vec![1, 2, 3]).unwrap(),
            policy: "{}".to_owned(),
            created: UnixMillis(0),
        };
        self.store.create_meeting(meeting).await.unwrap();
        id
    }
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
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in time")
}
