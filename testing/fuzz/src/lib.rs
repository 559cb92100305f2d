//! One target per parser of foreign bytes.
//!
//! A target is a plain function that takes any bytes and must neither panic nor break its own
//! assertions. Its seeds are the files in `corpus/<target>/`; the tests replay them and then
//! mutate them for a while. A coverage-guided fuzzer can drive the same functions.

mod datagram;
mod deframe;
mod delivery;
mod descriptor;
mod group;
mod link;
mod media;
mod mutate;
mod news;
mod node;
mod offer;
mod opening;
mod policy;
mod sealed;
mod session;
mod signalling;
mod turn;
mod vp9;

pub use mutate::Mutator;

/// Something to be fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "constitution", run: policy::constitution },
    Target { name: "datagram", run: datagram::target },
    Target { name: "deframe", run: deframe::target },
    Target { name: "delivery", run: delivery::target },
    Target { name: "descriptor", run: descriptor::target },
    Target { name: "identity", run: policy::identity },
    Target { name: "link", run: link::target },
    Target { name: "media", run: media::target },
    Target { name: "news", run: news::target },
    Target { name: "offer", run: offer::target },
    Target { name: "opening", run: opening::target },
    Target { name: "order", run: policy::order },
    Target { name: "sealed", run: sealed::target },
    Target { name: "session", run: session::target },
    Target { name: "signalling", run: signalling::target },
    Target { name: "statement", run: policy::statement },
    Target { name: "turn", run: turn::target },
    Target { name: "vp9", run: vp9::target },
];
