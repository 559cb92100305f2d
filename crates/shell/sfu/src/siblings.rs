//! What shards that have peers of the same call tell each other, and what the plane tells them of it.

use conclave_model::CallId;
use conclave_sfu_proto::{Input, NodeNumber, Relay, Spread};
use tokio::sync::mpsc;

/// Packets that may wait for a shard, from all others; what comes beyond is lost, as on a full link. A third of
/// a second of a thousand microphones: what is older than that, the node leaves out.
const QUEUE: usize = 16_384;

/// A shard's ways to the others, and theirs to it.
#[derive(Debug)]
pub(crate) struct Siblings {
    here: NodeNumber,
    /// To each of them, by its number.
    others: Vec<Way>,
    news: mpsc::UnboundedReceiver<News>,
    media: mpsc::Receiver<(NodeNumber, Relay)>,
    /// Packets for which there was no room.
    pub(crate) overflowed: u64,
}

/// To one shard.
#[derive(Clone, Debug)]
struct Way {
    /// What must arrive, before packets. Little: what control planes ask for, and what clients wish of
    /// publishers, which is not passed on more often than publishers may be asked.
    news: mpsc::UnboundedSender<News>,
    media: mpsc::Sender<(NodeNumber, Relay)>,
}

#[derive(Debug)]
enum News {
    Relay { from: NodeNumber, relay: Relay },
    Spread { call: CallId, spread: Spread },
}

/// Tells shards which of them have peers of a call.
#[derive(Debug)]
pub(crate) struct Teller(Vec<Way>);

/// The ends for the first shard, and for so many others.
pub(crate) fn connect(others: usize) -> (Teller, Siblings, Vec<Siblings>) {
    let (ways, mut ends): (Vec<_>, Vec<_>) = (0..=others)
        .map(|_| {
            let (news, news_in) = mpsc::unbounded_channel();
            let (media, media_in) = mpsc::channel(QUEUE);
            (Way { news, media }, (news_in, media_in))
        })
        .unzip();
    let further = ends.split_off(1);
    let siblings = |(number, (news, media))| {
        let (here, others) = (NodeNumber(number), ways.clone());
        Siblings { here, others, news, media, overflowed: 0 }
    };
    let further = (1..).zip(further).map(siblings).collect();
    let first = ends.pop().map_or_else(Siblings::none, |end| siblings((0, end)));
    (Teller(ways), first, further)
}

impl Teller {
    /// Tells one shard, which need not have peers of the call yet.
    pub(crate) fn tell(&self, call: CallId, spread: Spread) {
        if let Some(way) = self.0.get(usize::from(spread.here.0)) {
            // If it has ended, so has the call.
            let _ = way.news.send(News::Spread { call, spread });
        }
    }
}

impl Siblings {
    /// For a shard that has none.
    pub(crate) fn none() -> Self {
        let ((_, news), (_, media)) = (mpsc::unbounded_channel(), mpsc::channel(1));
        Self { here: NodeNumber(0), others: Vec::new(), news, media, overflowed: 0 }
    }

    /// Gives another shard what the node has for it.
    pub(crate) fn give(&mut self, to: NodeNumber, relay: Relay) {
        let Some(way) = self.others.get(usize::from(to.0)) else { return };
        let from = self.here;
        if relay.is_media() {
            self.overflowed += u64::from(way.media.try_send((from, relay)).is_err());
        } else {
            // If it has ended, nobody needs to know.
            let _ = way.news.send(News::Relay { from, relay });
        }
    }

    /// What is next for the node. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Input<'static> {
        tokio::select! {
            biased;
            Some(news) = self.news.recv() => news.into(),
            Some((from, relay)) = self.media.recv() => Input::Relay { from, relay },
            // There are none, or all have ended.
            else => std::future::pending().await,
        }
    }

    /// What is there for the node without waiting.
    pub(crate) fn try_next(&mut self) -> Option<Input<'static>> {
        if let Ok(news) = self.news.try_recv() {
            return Some(news.into());
        }
        self.media.try_recv().ok().map(|(from, relay)| Input::Relay { from, relay })
    }
}

impl From<News> for Input<'static> {
    fn from(news: News) -> Self {
        match news {
            News::Relay { from, relay } => Self::Relay { from, relay },
            News::Spread { call, spread } => Self::Spread { call, spread },
        }
    }
}
