use super::*;
use crate::origin;

const TICK: Duration = Duration::from_millis(100);

/// A path that is looked at each 100 ms, and the packets that wait in front of it.
struct Path {
    now: Instant,
    backlog: Backlog,
    queue: VecDeque<(Instant, u64)>,
}

impl Path {
    fn new() -> Self {
        Self { now: origin(), backlog: Backlog::default(), queue: VecDeque::new() }
    }

    /// Lets time pass, with so many bits a second given to it and carried by it. Returns whether
    /// anything was to be chosen anew.
    fn run(&mut self, ticks: u32, given: Bitrate, carried: Bitrate) -> bool {
        let mut anew = false;
        for _ in 0..ticks {
            self.now += TICK;
            self.queue.push_back((self.now, given.as_bps() / 80));
            self.backlog.write(given.as_bps() / 80);
            let mut sent = carried.as_bps() / 80;
            while let Some((_, bytes)) = self.queue.front_mut().filter(|_| sent > 0) {
                let part = sent.min(*bytes);
                (*bytes, sent) = (*bytes - part, sent - part);
                if *bytes == 0 {
                    self.queue.pop_front();
                }
            }
            let first = self.queue.front().map(|(at, _)| self.now - *at);
            let (bytes, waited) = (self.queued(), first.unwrap_or_default());
            anew |= self.backlog.observe(self.now, Queue { bytes, waited });
        }
        anew
    }

    fn queued(&self) -> u64 {
        self.queue.iter().map(|(_, bytes)| bytes).sum()
    }

    fn limit(&self) -> Option<Bitrate> {
        self.backlog.limit(self.now)
    }
}

#[test]
fn a_path_that_carries_what_it_is_given_is_not_limited() {
    let mut path = Path::new();
    assert!(!path.run(50, Bitrate::kbps(1500), Bitrate::kbps(1600)));
    assert_eq!(path.limit(), None);
}

#[test]
fn a_burst_limits_nothing() {
    let mut path = Path::new();
    path.run(10, Bitrate::kbps(1500), Bitrate::kbps(1800));
    assert!(!path.run(1, Bitrate::kbps(4000), Bitrate::kbps(1800)));
    // Shorter than a limit holds: if there had been one, it would be there.
    path.run(20, Bitrate::kbps(1500), Bitrate::kbps(1800));
    assert_eq!(path.limit(), None);
}

#[test]
fn a_path_that_became_narrow_is_known_to_within_half_a_second() {
    let (given, carried) = (Bitrate::kbps(1500), Bitrate::kbps(400));
    let mut path = Path::new();
    path.run(20, given, given);
    assert!(path.run(4, given, carried), "what is sent is chosen anew");
    let limit = path.limit().expect("held back").as_bps();
    assert!((180_000..=400_000).contains(&limit), "{limit}");
}

#[test]
fn the_limit_leaves_room_for_what_waits_until_that_is_gone() {
    let carried = Bitrate::kbps(400);
    let mut path = Path::new();
    path.run(4, Bitrate::kbps(1500), carried);
    assert_eq!(path.limit(), Some(Bitrate::kbps(180)), "half of what can be used");
    path.run(25, Bitrate::kbps(150), carried);
    assert_eq!(path.queued(), 0);
    assert_eq!(path.limit(), Some(Bitrate::kbps(360)), "nine tenths of what it carries");
}

#[test]
fn the_limit_lapses_when_nothing_was_held_back_for_a_while() {
    let mut path = Path::new();
    path.run(4, Bitrate::kbps(1500), Bitrate::kbps(400));
    path.run(20, Bitrate::kbps(150), Bitrate::kbps(400));
    assert!(path.limit().is_some());
    path.run(30, Bitrate::kbps(150), Bitrate::kbps(400));
    assert_eq!(path.limit(), None);
}

#[test]
fn a_queue_of_a_second_is_stalled_and_one_of_a_moment_is_empty() {
    let (given, carried) = (Bitrate::kbps(150), Bitrate::kbps(60));
    let mut path = Path::new();
    assert!(path.backlog.is_empty());
    path.run(12, given, carried);
    assert!(!path.backlog.is_stalled() && !path.backlog.is_empty());
    path.run(8, given, carried);
    assert!(path.backlog.is_stalled());

    while !path.queue.is_empty() {
        path.run(1, Bitrate::ZERO, carried);
    }
    assert!(path.backlog.is_empty());
}
