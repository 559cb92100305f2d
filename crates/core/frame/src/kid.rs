use std::fmt;

/// Which key sealed a frame (RFC 9605 section 5.2): `track (4) | leaf (12) | epoch (8)`, 24 bits.
///
/// With the base key of an epoch it names exactly one key, so nothing is ever opened by trial.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kid {
    /// What the publisher sends.
    pub track: Track,
    /// Who sends it.
    pub leaf: Leaf,
    /// The low 8 bits of the group's epoch.
    pub epoch: u8,
}

impl Kid {
    const LEAF_SHIFT: u32 = 8;
    const TRACK_SHIFT: u32 = Self::LEAF_SHIFT + Leaf::BITS;

    /// The number in the SFrame header.
    pub fn to_u64(self) -> u64 {
        (u64::from(self.track.context()) << Self::TRACK_SHIFT)
            | (u64::from(self.leaf.index()) << Self::LEAF_SHIFT)
            | u64::from(self.epoch)
    }
}

impl TryFrom<u64> for Kid {
    type Error = KidError;

    fn try_from(number: u64) -> Result<Self, KidError> {
        let [0, 0, 0, 0, 0, high, middle, epoch] = number.to_be_bytes() else {
            return Err(KidError);
        };
        let leaf = (u16::from(high & 0x0f) << 8) | u16::from(middle);
        Ok(Self { track: Track::from_context(high >> 4), leaf: Leaf(leaf), epoch })
    }
}

/// The number of a leaf in the group's tree: at most 4096 devices in one call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Leaf(u16);

impl Leaf {
    const BITS: u32 = 12;

    /// The largest leaf index.
    pub const MAX: u32 = (1 << Self::BITS) - 1;

    /// The index.
    pub const fn index(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Leaf {
    type Error = LeafError;

    fn try_from(index: u32) -> Result<Self, LeafError> {
        match u16::try_from(index) {
            Ok(small) if index <= Self::MAX => Ok(Self(small)),
            Ok(_) | Err(_) => Err(LeafError),
        }
    }
}

/// The epoch of the group (RFC 9420 section 8).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u64);

impl Epoch {
    /// What a key id says of it.
    pub const fn low_bits(self) -> u8 {
        let [.., low] = self.0.to_be_bytes();
        low
    }
}

/// One thing that a device publishes, in one of its layers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Track {
    /// What it shows or lets hear.
    pub source: Source,
    /// The simulcast layer; 0 where there is one encoding.
    pub layer: Layer,
}

impl Track {
    /// A source with one encoding.
    pub const fn single(source: Source) -> Self {
        Self { source, layer: Layer(0) }
    }

    /// The four bits of the key id: `source (2) | layer (2)`.
    pub const fn context(self) -> u8 {
        (self.source.bits() << Layer::BITS) | self.layer.0
    }

    const fn from_context(context: u8) -> Self {
        let source = match (context >> Layer::BITS) & 0b11 {
            0 => Source::Microphone,
            1 => Source::Camera,
            2 => Source::Screen,
            _ => Source::ScreenAudio,
        };
        Self { source, layer: Layer(context & Layer::MAX) }
    }
}

/// What a publication is of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// A voice.
    Microphone,
    /// A face.
    Camera,
    /// A screen or window.
    Screen,
    /// The sound of a screen or window.
    ScreenAudio,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Microphone, Self::Camera, Self::Screen, Self::ScreenAudio];

    const fn bits(self) -> u8 {
        match self {
            Self::Microphone => 0,
            Self::Camera => 1,
            Self::Screen => 2,
            Self::ScreenAudio => 3,
        }
    }

    /// Whether it is heard rather than seen.
    pub const fn is_audio(self) -> bool {
        match self {
            Self::Microphone | Self::ScreenAudio => true,
            Self::Camera | Self::Screen => false,
        }
    }
}

/// One of at most four encodings of a source.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Layer(u8);

impl Layer {
    const BITS: u32 = 2;
    const MAX: u8 = (1 << Self::BITS) - 1;

    /// The index, from 0 to 3.
    pub const fn index(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Layer {
    type Error = LayerError;

    fn try_from(index: u8) -> Result<Self, LayerError> {
        if index <= Self::MAX { Ok(Self(index)) } else { Err(LayerError) }
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.to_u64())
    }
}

/// The number has bits above the 24 that a key id has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the number is no key id of this protocol")]
pub struct KidError;

/// The index is above 3.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a source has at most four layers")]
pub struct LayerError;

/// The index is above 4095.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a call has at most 4096 devices")]
pub struct LeafError;
