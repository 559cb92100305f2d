use proptest::prelude::*;

use super::*;
use crate::origin;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const HIGH: LayerId = LayerId(2);

#[test]
fn many_subscribers_make_one_request() {
    let now = origin();
    let mut throttle = KeyframeThrottle::new(now);

    for _ in 0..20 {
        throttle.handle_input(now, Input::Request { layer: HIGH });
    }

    assert_eq!(throttle.poll_output(), Output::AskPublisher { layer: HIGH });
    assert_eq!(throttle.poll_output(), Output::Timeout(Some(now + RETRY)));
}

#[test]
fn a_wish_fulfilled_is_not_repeated() {
    let now = origin();
    let mut throttle = KeyframeThrottle::new(now);
    throttle.handle_input(now, Input::Request { layer: HIGH });
    throttle.poll_output();

    throttle.handle_input(now + ms(100), Input::KeyframeArrived { layer: HIGH });

    assert_eq!(throttle.poll_output(), Output::Timeout(None));
}

#[test]
fn a_wish_nobody_renews_lapses() {
    let start = origin();
    let mut throttle = KeyframeThrottle::new(start);
    throttle.handle_input(start, Input::Request { layer: HIGH });

    let mut asked = 0;
    let mut now = start;
    while let Some(at) = drain(&mut throttle, |_| asked += 1) {
        now = at;
        throttle.handle_input(now, Input::Timeout);
    }

    assert!(now - start <= LAPSE + RETRY, "it still asks after {:?}", now - start);
    assert_eq!(asked, 11, "once, and every 500 ms for five seconds");
}

fn drain(throttle: &mut KeyframeThrottle, mut ask: impl FnMut(LayerId)) -> Option<Instant> {
    loop {
        match throttle.poll_output() {
            Output::AskPublisher { layer } => ask(layer),
            Output::Timeout(at) => return at,
        }
    }
}

proptest! {
    /// Whatever subscribers do, a publisher is never asked twice for a layer within 300 ms, never
    /// without anybody waiting, and whoever waits has been asked for within the last 500 ms.
    #[test]
    fn asks_rarely_but_never_late(script in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for (pause, input) in script {
            world.advance(pause)?;
            world.feed(input)?;
        }
    }
}

/// One input after a pause of up to 300 ms.
fn step() -> impl Strategy<Value = (Duration, Input)> {
    let layer = (0..3u8).prop_map(LayerId);
    let input = prop_oneof![
        6 => layer.clone().prop_map(|layer| Input::Request { layer }),
        2 => layer.clone().prop_map(|layer| Input::KeyframeArrived { layer }),
        1 => layer.prop_map(|layer| Input::Cancelled { layer }),
    ];
    ((0..300u64).prop_map(ms), input)
}

/// The machine under test, virtual time, and the least a reference needs to remember.
struct World {
    now: Instant,
    deadline: Option<Instant>,
    throttle: KeyframeThrottle,
    asked_at: [Option<Instant>; 3],
    waiting_since: [Option<Instant>; 3],
    renewed_at: [Option<Instant>; 3],
}

impl World {
    fn new() -> Self {
        let now = origin();
        Self {
            now,
            deadline: None,
            throttle: KeyframeThrottle::new(now),
            asked_at: [None; 3],
            waiting_since: [None; 3],
            renewed_at: [None; 3],
        }
    }

    fn advance(&mut self, pause: Duration) -> Result<(), TestCaseError> {
        let end = self.now + pause;
        while let Some(at) = self.deadline.filter(|at| *at <= end) {
            prop_assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.feed(Input::Timeout)?;
        }
        self.now = end;
        for i in 0..3 {
            let Some(since) = self.waiting_since[i] else { continue };
            let renewed = self.renewed_at[i].unwrap();
            let last = self.asked_at[i].filter(|at| *at >= since);
            let patience = if last.is_some() { RETRY } else { MIN_INTERVAL };
            let waited = self.now - last.unwrap_or(since);
            prop_assert!(
                waited <= patience || self.now - renewed > LAPSE - RETRY,
                "layer {i} waits for {waited:?}"
            );
        }
        Ok(())
    }

    fn feed(&mut self, input: Input) -> Result<(), TestCaseError> {
        match input {
            Input::Cancelled { layer } | Input::KeyframeArrived { layer } => {
                self.waiting_since[usize::from(layer.0)] = None;
            }
            Input::Request { layer } => {
                self.waiting_since[usize::from(layer.0)].get_or_insert(self.now);
                self.renewed_at[usize::from(layer.0)] = Some(self.now);
            }
            Input::Timeout => {}
        }
        self.throttle.handle_input(self.now, input);

        self.deadline = loop {
            match self.throttle.poll_output() {
                Output::AskPublisher { layer } => {
                    let i = usize::from(layer.0);
                    prop_assert!(self.waiting_since[i].is_some(), "nobody wants one");
                    let before = self.asked_at[i].replace(self.now);
                    prop_assert!(
                        before.is_none_or(|at| self.now - at >= MIN_INTERVAL),
                        "asked too soon"
                    );
                }
                Output::Timeout(at) => break at,
            }
        };
        Ok(())
    }
}
