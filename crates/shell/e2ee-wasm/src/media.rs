//! Sources, codecs, and why frames are dropped, as strings.

use conclave_e2ee::{Dropped, NotSealed};
use conclave_frame::{Codec, OpenError, SealError, Source};
use wasm_bindgen::JsValue;

/// What a `TrackSource` and a media type name.
///
/// # Errors
///
/// No source, or a codec whose frames cannot be sealed. The reason is a string.
pub(crate) fn source_and_codec(source: &str, media_type: &str) -> Result<(Source, Codec), JsValue> {
    let source = match source {
        "camera" => Source::Camera,
        "microphone" => Source::Microphone,
        "screen" => Source::Screen,
        "screenAudio" => Source::ScreenAudio,
        _ => return Err(JsValue::from("source")),
    };
    let codec = Codec::from_media_type(media_type).ok_or_else(|| JsValue::from("codec"))?;
    Ok((source, codec))
}

/// Why a frame is not sent.
pub(crate) fn not_sealed(why: NotSealed) -> JsValue {
    JsValue::from(match why {
        NotSealed::Frame(SealError::Cipher) => "cipher",
        NotSealed::Frame(SealError::Codec) => "codec",
        NotSealed::Frame(SealError::CounterExhausted) => "counterExhausted",
        NotSealed::Frame(SealError::TooLong) => "tooLong",
        NotSealed::Frame(SealError::TooShort) => "tooShort",
        NotSealed::Muted => "muted",
        NotSealed::NotInGroup => "notInGroup",
        NotSealed::NotReady => "notReady",
        NotSealed::Stopped => "stopped",
    })
}

/// Why a frame is not played.
pub(crate) fn dropped(why: Dropped) -> JsValue {
    JsValue::from(match why {
        Dropped::Frame(OpenError::Codec) => "codec",
        Dropped::Frame(OpenError::Forged) => "forged",
        Dropped::Frame(OpenError::Header) => "header",
        Dropped::Frame(OpenError::PastEpoch) => "pastEpoch",
        Dropped::Frame(OpenError::Replayed) => "replayed",
        Dropped::Frame(OpenError::Revoked) => "revoked",
        Dropped::Frame(OpenError::TooLate) => "tooLate",
        Dropped::Frame(OpenError::TooLong) => "tooLong",
        Dropped::Frame(OpenError::TooShort) => "tooShort",
        Dropped::Frame(OpenError::UnknownEpoch) => "unknownEpoch",
        Dropped::Frame(OpenError::WrongLeaf) => "wrongLeaf",
        Dropped::Frame(OpenError::WrongTrack) => "wrongTrack",
        Dropped::Muted => "muted",
        Dropped::NotInGroup => "notInGroup",
    })
}
