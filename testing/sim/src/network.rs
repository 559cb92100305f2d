//! Bad networks, and how a call lives on them.

mod cases;
mod report;

use std::time::Duration;

pub use report::NetworkReport;

use crate::device::Move;

/// A bad network that a call of two has to live with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkCase {
    /// What the speaker sends is lost at random.
    LossUp,
    /// What the listener is sent is lost at random.
    LossDown,
    /// All that anybody sends is lost at random.
    LossBoth,
    /// A viewer's line loses a little, both ways.
    PictureLoss,
    /// A listener's line delays each packet by another time, so that packets overtake others.
    Jitter,
    /// A viewer's line becomes narrow, and wide again.
    Squeeze,
    /// A viewer's line becomes so narrow that no picture fits beside the sound.
    SoundOnly,
    /// Nothing passes a line for some seconds.
    Blackout,
    /// The translator of addresses in front of a device forgets it.
    NewPort,
    /// A device goes over to another network.
    NewNetwork,
    /// A publisher stops encoding the layer that is watched, and tells nobody.
    SilentLayer,
}

impl NetworkCase {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::LossUp,
        Self::LossDown,
        Self::LossBoth,
        Self::PictureLoss,
        Self::Jitter,
        Self::Squeeze,
        Self::SoundOnly,
        Self::Blackout,
        Self::NewPort,
        Self::NewNetwork,
        Self::SilentLayer,
    ];

    /// What happens, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LossUp => "30 % lost on the way up, 40 ms round trip",
            Self::LossDown => "30 % lost on the way down, 40 ms round trip",
            Self::LossBoth => "30 % lost on both lines, both ways, 40 ms round trip each",
            Self::PictureLoss => "5 % lost both ways, 40 ms round trip",
            Self::Jitter => "10 to 210 ms each way, packets overtake others",
            Self::Squeeze => "2 Mbit/s, 200 kbit/s for 20 s, 2 Mbit/s",
            Self::SoundOnly => "3 Mbit/s, 160 kbit/s for 30 s, 3 Mbit/s",
            Self::Blackout => "nothing passes for 3 s",
            Self::NewPort => "another port, without a word",
            Self::NewNetwork => "another address, without a word",
            Self::SilentLayer => "the watched layer falls silent",
        }
    }

    /// Lets a call live on the network, with chances drawn from `seed`.
    ///
    /// # Panics
    ///
    /// If the call does not come about on a good network, before it becomes bad.
    pub fn run(self, seed: u64) -> Vec<Figure> {
        match self {
            Self::LossUp => cases::loss(seed, cases::UP),
            Self::LossDown => cases::loss(seed, cases::DOWN),
            Self::LossBoth => cases::loss(seed, cases::BOTH),
            Self::PictureLoss => cases::picture_loss(seed),
            Self::Jitter => cases::jitter(seed),
            Self::Squeeze => cases::squeeze(seed),
            Self::SoundOnly => cases::sound_only(seed),
            Self::Blackout => cases::blackout(seed),
            Self::NewPort => cases::moves(seed, Move::Port),
            Self::NewNetwork => cases::moves(seed, Move::Network),
            Self::SilentLayer => cases::silent_layer(seed),
        }
    }

    /// The worst of each figure over seeds from one up to `seeds`.
    pub fn worst(self, seeds: u64) -> Vec<Figure> {
        let mut worst: Vec<Figure> = Vec::new();
        for seed in 1..=seeds {
            let figures = self.run(seed);
            if worst.is_empty() {
                worst = figures;
                continue;
            }
            for (worst, figure) in worst.iter_mut().zip(figures) {
                if figure.is_worse_than(worst) {
                    *worst = figure;
                }
            }
        }
        worst
    }
}

/// One thing that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What.
    pub what: &'static str,
    /// How much.
    pub value: f64,
    /// Of what: `%`, `ms`, or nothing for a count.
    pub unit: &'static str,
    /// What it may be.
    pub bound: Bound,
}

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// As much, or more.
    AtLeast(f64),
    /// As much, or less.
    AtMost(f64),
}

impl Figure {
    const fn share(what: &'static str, percent: f64, at_least: f64) -> Self {
        Self { what, value: percent, unit: "%", bound: Bound::AtLeast(at_least) }
    }

    fn time(what: &'static str, time: Duration, at_most: Duration) -> Self {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        Self { what, value: millis(time), unit: "ms", bound: Bound::AtMost(millis(at_most)) }
    }

    fn count(what: &'static str, count: u32, at_most: u32) -> Self {
        Self { what, value: count.into(), unit: "", bound: Bound::AtMost(at_most.into()) }
    }

    /// Whether it is what it may be.
    pub fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        }
    }

    fn is_worse_than(&self, other: &Self) -> bool {
        match self.bound {
            Bound::AtLeast(_) => self.value < other.value,
            Bound::AtMost(_) => self.value > other.value,
        }
    }
}
