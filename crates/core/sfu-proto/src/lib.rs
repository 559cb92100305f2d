//! The media node as a state machine: datagrams in, datagrams out.
//!
//! A [`Node`] owns all calls and sessions of one shard. It reads no clock and touches no socket:
//! the shell gives it datagrams, requests of the control plane and the time, and sends what comes
//! out. It sees RTP headers, header extensions and the codec's payload descriptor, and needs no
//! byte beyond.
//!
//! A client offers; what it sends are publications, what it receives are slots. The node decides
//! what each slot carries ([`conclave_forward`] holds the rules) and rewrites it so that the slot
//! is one continuous stream; whoever comes, goes or is looked at, nothing is negotiated again.

mod answer;
mod burst;
mod call;
mod codec;
mod config;
mod deframe;
mod demux;
mod dependency;
mod dtls;
mod echo;
mod fanout;
mod guard;
mod io;
mod negotiate;
mod node;
mod opening;
mod peer;
mod publication;
mod quality;
mod relay;
mod reports;
mod roaming;
mod session;
mod shared;
mod slots;
mod stats;

pub use config::{INITIAL_ESTIMATE, Limits, NodeConfig};
pub use deframe::{DeframeError, Deframer, frame_header};
pub use demux::checked_ufrag;
pub use echo::asks_for_echo;
pub use io::{Input, Output, Transmit, Transport};
pub use node::Node;
pub use opening::Opening;
pub use relay::{NodeNumber, Relay, Spread};
pub use stats::{Drops, NodeStats};
