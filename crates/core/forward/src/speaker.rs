use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tells who speaks from the audio levels in RTP packets (RFC 6464).
///
/// `K` names a source of sound. Feed it each packet's level; call [`update`](Self::update) about
/// ten times a second, since silence often sends no packet.
///
/// - [`loudest`](Self::loudest) is whom to forward. Whoever gets a place keeps it for at least a
///   second, and for a second after the last word unless drowned out, so that no word is cut.
/// - [`speakers`](Self::speakers) is what to show: who speaks, and whom to feature. The featured
///   one stays while nobody else speaks.
#[derive(Debug)]
pub struct SpeakerDetector<K> {
    sources: BTreeMap<K, Source>,
    loudest: Vec<K>,
    speakers: Speakers<K>,
    challenger: Option<Challenger<K>>,
}

/// Who speaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Speakers<K> {
    /// The one to feature.
    pub active: Option<K>,
    /// All who are heard, loudest first.
    pub speaking: Vec<K>,
}

impl<K: Copy + Ord> SpeakerDetector<K> {
    /// Creates a detector that knows no source.
    pub const fn new() -> Self {
        Self {
            sources: BTreeMap::new(),
            loudest: Vec::new(),
            speakers: Speakers { active: None, speaking: Vec::new() },
            challenger: None,
        }
    }

    /// Takes note of one packet of `source`.
    ///
    /// `level` is in -dBov: 0 is the loudest sound, 127 is silence. `voice` is the packet's flag
    /// for voice activity, if it has one. `now` must not go backwards between calls.
    pub fn record(&mut self, now: Instant, source: K, level: u8, voice: Option<bool>) {
        let level = if voice == Some(false) { SILENCE } else { level.min(SILENCE) };
        self.sources.entry(source).or_insert_with(|| Source::new(now)).hear(now, level);
    }

    /// Adds a source before its first packet, so that it can have a place among the loudest.
    pub fn add(&mut self, now: Instant, source: K) {
        self.sources.entry(source).or_insert_with(|| Source::new(now));
    }

    /// Forgets a source.
    pub fn remove(&mut self, source: K) {
        self.sources.remove(&source);
        self.loudest.retain(|&s| s != source);
        self.speakers.speaking.retain(|&s| s != source);
        self.speakers.active.take_if(|active| *active == source);
        self.challenger.take_if(|challenger| challenger.source == source);
    }

    /// Lets time pass. Returns whether [`speakers`](Self::speakers) has changed since the last
    /// call.
    pub fn update(&mut self, now: Instant) -> bool {
        for source in self.sources.values_mut() {
            source.decay(now);
        }
        let before = self.speakers.clone();
        self.update_speaking();
        self.update_active(now);
        before != self.speakers
    }

    /// Who speaks, as of the last [`update`](Self::update).
    pub const fn speakers(&self) -> &Speakers<K> {
        &self.speakers
    }

    /// Chooses the at most `n` sources to forward, in no particular order.
    pub fn loudest(&mut self, now: Instant, n: usize) -> &[K] {
        let by_loudness = |sources: &BTreeMap<K, Source>, key: K| {
            sources.get(&key).map_or(0, |source| source.loudness_millis())
        };
        let mut holders = std::mem::take(&mut self.loudest);
        if holders.len() > n {
            holders.sort_by_key(|&key| Reverse(by_loudness(&self.sources, key)));
            holders.truncate(n);
        }

        let mut others: Vec<K> =
            self.sources.keys().copied().filter(|key| !holders.contains(key)).collect();
        others.sort_by_key(|&key| Reverse(by_loudness(&self.sources, key)));
        for other in others {
            if holders.len() < n {
                holders.push(other);
            } else if self.speaks(other) {
                let challenger = self.loudness(other);
                let weakest = holders
                    .iter_mut()
                    .filter(|key| {
                        self.sources.get(key).is_none_or(|s| s.may_yield(now, challenger))
                    })
                    .min_by_key(|key| by_loudness(&self.sources, **key));
                if let Some(weakest) = weakest {
                    *weakest = other;
                }
            }
        }

        for key in &holders {
            if let Some(source) = self.sources.get_mut(key) {
                source.placed_at.get_or_insert(now);
            }
        }
        for (key, source) in &mut self.sources {
            if !holders.contains(key) {
                source.placed_at = None;
            }
        }
        self.loudest = holders;
        &self.loudest
    }

    fn speaks(&self, key: K) -> bool {
        self.sources.get(&key).is_some_and(|source| source.speaking)
    }

    fn loudness(&self, key: K) -> f32 {
        self.sources.get(&key).map_or(0.0, |source| source.loudness)
    }

    /// Keeps the order of those who speak on, unless one is clearly louder than the one before.
    fn update_speaking(&mut self) {
        let mut speaking = std::mem::take(&mut self.speakers.speaking);
        speaking.retain(|&key| self.speaks(key));
        for (&key, source) in &self.sources {
            if source.speaking && !speaking.contains(&key) {
                let louder = |&other: &K| self.loudness(other) >= source.loudness;
                let place = speaking.iter().rposition(louder).map_or(0, |i| i + 1);
                speaking.insert(place, key);
            }
        }
        for end in (1..speaking.len()).rev() {
            for i in 0..end {
                let (Some(&a), Some(&b)) = (speaking.get(i), speaking.get(i + 1)) else { break };
                if self.loudness(b) > self.loudness(a) + CLEARLY_LOUDER {
                    speaking.swap(i, i + 1);
                }
            }
        }
        self.speakers.speaking = speaking;
    }

    fn update_active(&mut self, now: Instant) {
        let active = self.speakers.active;
        let active_speaks = active.is_some_and(|key| self.speaks(key));
        let margin = if active_speaks { CLEARLY_LOUDER } else { 0.0 };
        let bar = active.filter(|_| active_speaks).map_or(0.0, |key| self.loudness(key)) + margin;

        let rival = self.speakers.speaking.iter().copied().find(|&key| Some(key) != active);
        let Some(rival) = rival.filter(|&key| self.loudness(key) > bar) else {
            self.challenger = None;
            return;
        };
        let since = match &self.challenger {
            Some(challenger) if challenger.source == rival => challenger.since,
            Some(_) | None => now,
        };
        let patience = if active_speaks { INTERRUPTION } else { UTTERANCE };
        if now.saturating_duration_since(since) >= patience {
            self.speakers.active = Some(rival);
            self.challenger = None;
        } else {
            self.challenger = Some(Challenger { source: rival, since });
        }
    }
}

impl<K: Copy + Ord> Default for SpeakerDetector<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The level that RFC 6464 gives to silence.
const SILENCE: u8 = 127;

/// Loudness is counted in dB above this level. What is quieter is silence.
const FLOOR: f32 = 80.0;

/// Speech begins above this loudness: -45 dBov. Speech comes at -20 to -35, what noise
/// suppression leaves of a room at less than -55.
const SPEECH_BEGINS: f32 = FLOOR - 45.0;

/// Speech goes on above this loudness.
const SPEECH_GOES_ON: f32 = FLOOR - 52.0;

/// Between words, someone counts as speaking for this long.
const HANGOVER: Duration = Duration::from_millis(600);

/// Time constant for rising levels: short enough to catch a first syllable, long enough that a
/// click of one packet is none.
const ATTACK: f32 = 0.08;

/// Time constant for falling levels.
const RELEASE: f32 = 0.4;

/// A source that sends nothing for this long is silent: it is muted, or sends nothing in silence.
const STALE: Duration = Duration::from_millis(200);

/// A place among the loudest is kept for at least this long, and as long after the last word.
const HOLD: Duration = Duration::from_secs(1);

/// Differences below this are not worth a change of order, in dB.
const CLEARLY_LOUDER: f32 = 6.0;

/// Who speaks for this long while the featured one is silent is featured: longer than a cough.
const UTTERANCE: Duration = Duration::from_millis(300);

/// Who is clearly louder than the featured one for this long is featured instead.
const INTERRUPTION: Duration = Duration::from_millis(1500);

#[derive(Debug)]
struct Challenger<K> {
    source: K,
    since: Instant,
}

#[derive(Debug)]
struct Source {
    /// Smoothed, in dB above [`FLOOR`].
    loudness: f32,
    heard_at: Instant,
    updated_at: Instant,
    speaking: bool,
    spoke_at: Option<Instant>,
    /// Since when it has a place among the loudest.
    placed_at: Option<Instant>,
}

impl Source {
    const fn new(now: Instant) -> Self {
        Self {
            loudness: 0.0,
            heard_at: now,
            updated_at: now,
            speaking: false,
            spoke_at: None,
            placed_at: None,
        }
    }

    fn hear(&mut self, now: Instant, level: u8) {
        self.heard_at = now;
        self.approach(now, (FLOOR - f32::from(level)).max(0.0));
        if self.loudness >= if self.speaking { SPEECH_GOES_ON } else { SPEECH_BEGINS } {
            self.speaking = true;
            self.spoke_at = Some(now);
        }
    }

    fn decay(&mut self, now: Instant) {
        if now.saturating_duration_since(self.heard_at) >= STALE {
            self.approach(now, 0.0);
        }
        let pause = self.spoke_at.map(|at| now.saturating_duration_since(at));
        self.speaking &= pause.is_some_and(|pause| pause < HANGOVER);
    }

    fn approach(&mut self, now: Instant, loudness: f32) {
        let elapsed = now.saturating_duration_since(self.updated_at).as_secs_f32();
        // A packet stands for the 20 ms that most carry, and for no more than 60: after a pause
        // the first packet is not the whole of it.
        let elapsed = if loudness > self.loudness { elapsed.clamp(0.0, 0.06) } else { elapsed };
        let constant = if loudness > self.loudness { ATTACK } else { RELEASE };
        self.loudness += (loudness - self.loudness) * (1.0 - (-elapsed / constant).exp());
        self.updated_at = now;
    }

    /// Whether it gives its place to someone who speaks this loud: once it has had it for a
    /// while and is silent, or is drowned out. (Else a few noisy microphones could keep the only
    /// person who speaks from being heard.)
    fn may_yield(&self, now: Instant, challenger: f32) -> bool {
        let long_ago =
            |at: Option<Instant>| at.is_none_or(|at| now.saturating_duration_since(at) >= HOLD);
        let drowned = challenger > self.loudness + CLEARLY_LOUDER;
        long_ago(self.placed_at) && (long_ago(self.spoke_at) || drowned)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 80")]
    fn loudness_millis(&self) -> u32 {
        (self.loudness * 1000.0) as u32
    }
}

#[cfg(test)]
mod tests;
