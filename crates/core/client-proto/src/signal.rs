use std::time::{Duration, Instant};

/// The first wait before a lost socket is opened again; doubled each time, up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// How long opening a socket, the greeting, and joining may take, each.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// How long a socket may be silent before it is asked for a sign of life, and how long that may
/// take.
const PING_AFTER: Duration = Duration::from_secs(5);
const PONG_LIMIT: Duration = Duration::from_secs(5);

/// The life of the signalling socket: open, greet, enter, stay alive; and all over when lost.
#[derive(Debug)]
pub(crate) struct SignalLink {
    state: State,
    backoff: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Ended,
    Entered { heard_at: Instant, pinged_at: Option<Instant> },
    Entering { since: Instant },
    Greeting { since: Instant },
    Opening { since: Instant },
    Waiting { until: Instant },
}

/// What the link wants done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Connect,
    /// The socket took too long: close it; it counts as lost.
    GiveUp,
    Ping,
}

impl SignalLink {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { state: State::Waiting { until: now }, backoff: FIRST_BACKOFF }
    }

    pub(crate) fn opened(&mut self, now: Instant) -> bool {
        let opening = matches!(self.state, State::Opening { .. });
        if opening {
            self.state = State::Greeting { since: now };
        }
        opening
    }

    pub(crate) fn welcomed(&mut self, now: Instant) -> bool {
        let greeting = matches!(self.state, State::Greeting { .. });
        if greeting {
            self.state = State::Entering { since: now };
        }
        greeting
    }

    pub(crate) const fn entered(&mut self, now: Instant) {
        self.state = State::Entered { heard_at: now, pinged_at: None };
        self.backoff = FIRST_BACKOFF;
    }

    pub(crate) const fn heard(&mut self, now: Instant) {
        if let State::Entered { heard_at, pinged_at } = &mut self.state {
            *heard_at = now;
            *pinged_at = None;
        }
    }

    /// The socket is gone. False if there was none.
    pub(crate) fn lost(&mut self, now: Instant) -> bool {
        if matches!(self.state, State::Ended | State::Waiting { .. }) {
            return false;
        }
        self.state = State::Waiting { until: now + self.backoff };
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        true
    }

    pub(crate) const fn end(&mut self) {
        self.state = State::Ended;
    }

    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    pub(crate) const fn is_entered(&self) -> bool {
        matches!(self.state, State::Entered { .. })
    }

    /// Whether a socket is open, or being opened.
    pub(crate) const fn has_socket(&self) -> bool {
        !matches!(self.state, State::Ended | State::Waiting { .. })
    }

    /// What is due at `now`, if anything.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Action> {
        if now < self.deadline()? {
            return None;
        }
        match &mut self.state {
            State::Ended => None,
            State::Entered { pinged_at: pinged_at @ None, .. } => {
                *pinged_at = Some(now);
                Some(Action::Ping)
            }
            State::Entered { .. }
            | State::Entering { .. }
            | State::Greeting { .. }
            | State::Opening { .. } => {
                self.lost(now);
                Some(Action::GiveUp)
            }
            State::Waiting { .. } => {
                self.state = State::Opening { since: now };
                Some(Action::Connect)
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ended => None,
            State::Entered { heard_at, pinged_at: None } => Some(heard_at + PING_AFTER),
            State::Entered { pinged_at: Some(at), .. } => Some(at + PONG_LIMIT),
            State::Entering { since } | State::Greeting { since } | State::Opening { since } => {
                Some(since + STEP_LIMIT)
            }
            State::Waiting { until } => Some(until),
        }
    }
}
