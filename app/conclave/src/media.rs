//! The media plane: one shard, and the queues between it and the calls.

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use tokio::sync::mpsc;

use crate::settings::Media;

/// Requests that may wait for the shard.
const REQUESTS: usize = 1024;

/// Events that may wait for the calls.
const EVENTS: usize = 4096;

/// The running media plane.
pub(crate) struct MediaPlane {
    pub(crate) requests: mpsc::Sender<MediaRequest>,
    pub(crate) events: mpsc::Receiver<MediaEvent>,
    /// Where it takes media, as clients are told.
    pub(crate) addresses: Vec<String>,
}

/// Starts the media plane.
pub(crate) fn start(_settings: &Media) -> anyhow::Result<MediaPlane> {
    let (requests, mut asked) = mpsc::channel(REQUESTS);
    let (report, events) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            if let MediaRequest::Offer { peer, generation, .. } = request {
                let detail = "this build has no media plane".to_owned();
                let refused = MediaEvent::OfferRefused { peer, generation, detail };
                if report.send(refused).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(MediaPlane { requests, events, addresses: Vec::new() })
}
