use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conclave_call_proto::media::MediaRequest;
use conclave_sfu_proto::{Input, Node, NodeConfig};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::client::{Client, Setup};
use crate::world::{node_address, peer};

/// Counts warnings of the node.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN && metadata.target().starts_with("conclave")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn an_address_that_is_of_no_use_is_warned_of_once() {
    #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
    let now = std::time::Instant::now();
    let useless = "0.0.0.0:10000".parse().unwrap();
    let config = NodeConfig::new(vec![node_address(), useless], Vec::new(), [7; 32]);
    let warnings = Warnings::default();

    let sessions = with_default(warnings.clone(), || {
        let mut node = Node::new(config, now);
        for participant in 0..3 {
            let sdp = Client::new(participant, Setup::new(), now).offer();
            let request = MediaRequest::Offer { peer: peer(participant), generation: 1, sdp };
            node.handle_input(now, Input::Request(request));
        }
        node.stats().sessions
    });

    assert_eq!(sessions, 3);
    assert_eq!(warnings.0.load(Ordering::Relaxed), 1);
}
