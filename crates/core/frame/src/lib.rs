//! Media frames sealed end to end: SFrame (RFC 9605) under keys of the meeting's group.
//!
//! A sealed frame is `clear prefix || SFrame header || ciphertext || tag`. The prefix is what a
//! codec's packetizer must read ([`Codec::clear_len`]); it goes, with codec and track, into the
//! authenticated data, so that whoever changes one bit of a frame makes it worthless. Whatever
//! fails here means one thing: drop the frame and count it. No failure gives plaintext away.

mod key;
mod kid;
mod open;
mod prefix;
mod seal;

pub use key::{BASE_KEY_LABEL, BASE_KEY_LEN, BaseKey, ReceiveKeys};
pub use kid::{Epoch, Kid, KidError, Layer, LayerError, Leaf, LeafError, Source, Track};
pub use open::{
    Expected, InstallError, MAX_EPOCHS, OLD_EPOCH_LIFE, OpenError, Opened, Opener, REPLAY_WINDOW,
};
pub use prefix::{Codec, MAX_FRAME_LEN};
pub use seal::{MAX_OVERHEAD, SealError, Sealer, TAG_LEN};
