use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::layer::LayerId;

/// Decides when to ask one publisher for a key frame.
///
/// Sans-IO: it reads no clock and sends nothing. After every [`handle_input`](Self::handle_input),
/// call [`poll_output`](Self::poll_output) until it returns [`Output::Timeout`]; then wait for
/// that instant or the next input, whichever is first.
///
/// However many subscribers wait for a layer, it is asked for at most once per 300 ms. A request
/// that stays unanswered is repeated after 500 ms: either it or the answer was lost. A wish that
/// nobody renews for five seconds lapses, so that a dead layer is not asked for ever.
#[derive(Debug)]
pub struct KeyframeThrottle {
    now: Instant,
    layers: BTreeMap<LayerId, Layer>,
}

impl KeyframeThrottle {
    /// Creates a throttle that has not asked for anything.
    pub const fn new(now: Instant) -> Self {
        Self { now, layers: BTreeMap::new() }
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        match input {
            Input::Cancelled { layer } | Input::KeyframeArrived { layer } => {
                if let Some(layer) = self.layers.get_mut(&layer) {
                    layer.wish = None;
                }
            }
            Input::Request { layer } => self.layers.entry(layer).or_default().want(now),
            Input::Timeout => {}
        }
        for layer in self.layers.values_mut() {
            layer.forget_old_wish(now);
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        let now = self.now;
        let due =
            self.layers.iter_mut().find(|(_, layer)| layer.due(now).is_some_and(|at| at <= now));
        if let Some((&id, layer)) = due {
            layer.asked(now);
            return Output::AskPublisher { layer: id };
        }
        Output::Timeout(self.layers.values().filter_map(|layer| layer.due(now)).min())
    }
}

/// What the throttle is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// Nobody wants `layer` any more.
    Cancelled {
        /// The layer.
        layer: LayerId,
    },
    /// A key frame has come on `layer`. Subscribers that could not use it request again.
    KeyframeArrived {
        /// The layer it came on.
        layer: LayerId,
    },
    /// A subscriber cannot decode `layer` until a key frame comes. Repeating it costs nothing.
    Request {
        /// The layer it needs.
        layer: LayerId,
    },
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the throttle decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send the publisher a PLI (RFC 4585 section 6.3.1) for `layer`.
    AskPublisher {
        /// The layer to ask for.
        layer: LayerId,
    },
    /// Nothing more to do until this instant, or until the next input if `None`.
    Timeout(Option<Instant>),
}

/// A layer is asked for at most once in this time. A key frame is several times as large as
/// another frame: asking more often fills the publisher's uplink with them.
const MIN_INTERVAL: Duration = Duration::from_millis(300);

/// An unanswered request is repeated after this time: longer than a round trip and an encoder's
/// delay, short enough that a lost request is one short freeze.
const RETRY: Duration = Duration::from_millis(500);

/// A wish that is not renewed for this long lapses.
const LAPSE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Layer {
    asked_at: Option<Instant>,
    wish: Option<Wish>,
}

#[derive(Debug)]
struct Wish {
    renewed_at: Instant,
    /// The publisher has been asked since the wish came up.
    asked: bool,
}

impl Layer {
    fn want(&mut self, now: Instant) {
        self.wish.get_or_insert(Wish { renewed_at: now, asked: false }).renewed_at = now;
    }

    fn forget_old_wish(&mut self, now: Instant) {
        self.wish.take_if(|wish| now.saturating_duration_since(wish.renewed_at) > LAPSE);
    }

    fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
        if let Some(wish) = &mut self.wish {
            wish.asked = true;
        }
    }

    /// When to ask, if anybody wants a key frame.
    fn due(&self, now: Instant) -> Option<Instant> {
        let wish = self.wish.as_ref()?;
        let pause = if wish.asked { RETRY } else { MIN_INTERVAL };
        Some(self.asked_at.map_or(now, |at| at + pause))
    }
}

#[cfg(test)]
mod tests;
