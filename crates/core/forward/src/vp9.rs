//! The payload descriptor of VP9 in RTP.
//!
//! Source: RFC 9628, section 4.2. It stands before what the encoder made, which is sealed: nothing
//! behind it is looked at.

mod cursor;

use crate::layer::PixelSize;
use crate::rewrite::PictureIds;

use cursor::Cursor;

/// What the payload descriptor of one VP9 packet says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vp9Descriptor {
    /// The frame refers to earlier pictures (P): it is part of no key frame.
    pub is_predicted: bool,
    /// The packet is the first of its frame (B).
    pub starts_frame: bool,
    /// The packet is the last of its frame (E).
    pub ends_frame: bool,
    /// The frame's temporal layer; 0 if the packet does not tell.
    pub temporal_id: u8,
    /// The frame's spatial layer; 0 if the packet does not tell.
    pub spatial_id: u8,
    /// The size of the largest pictures of the stream, if the packet tells.
    pub size: Option<PixelSize>,
    /// How many bytes the descriptor takes: what the encoder made begins behind.
    pub len: usize,
    picture_id: Option<Field>,
    tl0_pic_idx: Option<Field>,
}

/// A counter in the descriptor, and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Field {
    at: usize,
    value: u16,
    width: Width,
}

/// How many bits a counter has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Width {
    Seven,
    Eight,
    Fifteen,
}

impl Vp9Descriptor {
    /// Parses the descriptor that a packet's payload begins with.
    ///
    /// # Errors
    ///
    /// [`Vp9Error`] names what is wrong. No receiver could read the packet either.
    pub fn parse(payload: &[u8]) -> Result<Self, Vp9Error> {
        let mut cursor = Cursor::new(payload);
        let flags = cursor.byte()?;
        let has = |flag: u8| flags & flag != 0;

        let picture_id = if has(PICTURE_ID) { Some(parse_picture_id(&mut cursor)?) } else { None };
        let (mut temporal_id, mut spatial_id, mut tl0_pic_idx) = (0, 0, None);
        if has(LAYERS) {
            let layers = cursor.byte()?;
            temporal_id = layers >> 5;
            spatial_id = layers >> 1 & 0b111;
            if !has(FLEXIBLE) {
                let (at, value) = (cursor.at(), cursor.byte()?.into());
                tl0_pic_idx = Some(Field { at, value, width: Width::Eight });
            }
        }
        if has(FLEXIBLE) && has(PREDICTED) {
            skip_references(&mut cursor)?;
        }
        let size = if has(STRUCTURE) { parse_structure(&mut cursor)? } else { None };

        Ok(Self {
            is_predicted: has(PREDICTED),
            starts_frame: has(STARTS_FRAME),
            ends_frame: has(ENDS_FRAME),
            temporal_id,
            spatial_id,
            size,
            len: cursor.at(),
            picture_id,
            tl0_pic_idx,
        })
    }

    /// The packet is the first of a key frame. Of a stream with spatial layers, that is the lowest
    /// layer's frame: the others refer to it.
    pub const fn starts_keyframe(&self) -> bool {
        self.starts_frame && !self.is_predicted && self.spatial_id == 0
    }

    /// The counters.
    pub fn ids(&self) -> PictureIds {
        let tl0_pic_idx = self.tl0_pic_idx.map(|field| (field.value & 0xff) as u8);
        PictureIds { picture_id: self.picture_id.map(|field| field.value), tl0_pic_idx }
    }

    /// The bytes to replace so that the packet has other counters: where, and by what. Its length
    /// stays: a stream that counts in 7 bits goes on in 7 bits. What the packet does not count
    /// stays out.
    pub fn changes(&self, ids: PictureIds) -> impl Iterator<Item = (usize, u8)> + use<> {
        let tl0_pic_idx = ids.tl0_pic_idx.map(u16::from);
        let pairs = [(self.picture_id, ids.picture_id), (self.tl0_pic_idx, tl0_pic_idx)];
        let changes = |(field, value): (Option<Field>, Option<u16>)| {
            field.zip(value).map_or([None; 2], |(field, value)| field.holding(value))
        };
        pairs.into_iter().flat_map(changes).flatten()
    }
}

impl Field {
    /// The bytes that hold another value.
    fn holding(self, value: u16) -> [Option<(usize, u8)>; 2] {
        let [high, low] = value.to_be_bytes();
        match self.width {
            Width::Seven => [Some((self.at, low & !LONG_PICTURE_ID)), None],
            Width::Eight => [Some((self.at, low)), None],
            Width::Fifteen => [Some((self.at, high | LONG_PICTURE_ID)), Some((self.at + 1, low))],
        }
    }
}

fn parse_picture_id(cursor: &mut Cursor<'_>) -> Result<Field, Vp9Error> {
    let at = cursor.at();
    let first = cursor.byte()?;
    if first & LONG_PICTURE_ID == 0 {
        return Ok(Field { at, value: first.into(), width: Width::Seven });
    }
    let value = u16::from_be_bytes([first & !LONG_PICTURE_ID, cursor.byte()?]);
    Ok(Field { at, value, width: Width::Fifteen })
}

/// Skips what a frame of a stream in flexible mode refers to.
fn skip_references(cursor: &mut Cursor<'_>) -> Result<(), Vp9Error> {
    for _ in 0..MAX_REFERENCES {
        if cursor.byte()? & ANOTHER_REFERENCE == 0 {
            return Ok(());
        }
    }
    Err(Vp9Error::TooManyReferences)
}

/// Reads the scalability structure, and returns the size of the highest layer if it tells.
fn parse_structure(cursor: &mut Cursor<'_>) -> Result<Option<PixelSize>, Vp9Error> {
    let head = cursor.byte()?;
    let mut size = None;
    if head & SIZES != 0 {
        for _ in 0..=head >> 5 {
            size = Some(PixelSize { width: cursor.u16()?, height: cursor.u16()? });
        }
    }
    if head & PICTURE_GROUP != 0 {
        for _ in 0..cursor.byte()? {
            let references = cursor.byte()? >> 2 & 0b11;
            for _ in 0..references {
                cursor.byte()?;
            }
        }
    }
    Ok(size)
}

/// Flags of the first byte: I, P, L, F, B, E and V.
const PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const STARTS_FRAME: u8 = 0x08;
const ENDS_FRAME: u8 = 0x04;
const STRUCTURE: u8 = 0x02;

/// The flag M: the picture id has 15 bits instead of 7.
const LONG_PICTURE_ID: u8 = 0x80;

/// The flag N behind a `P_DIFF`: one more follows.
const ANOTHER_REFERENCE: u8 = 0x01;

/// VP9 frames refer to three others at most.
const MAX_REFERENCES: usize = 3;

/// Flags of the scalability structure: Y and G.
const SIZES: u8 = 0x10;
const PICTURE_GROUP: u8 = 0x08;

/// Why bytes do not begin with a VP9 payload descriptor. The publisher is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Vp9Error {
    /// The frame refers to more others than VP9 allows.
    #[error("the frame refers to more than three others")]
    TooManyReferences,
    /// The bytes end too soon.
    #[error("the payload descriptor is truncated")]
    Truncated,
}

#[cfg(test)]
mod tests;
