//! What bots publish: see `testing/media`.

use conclave_client_proto::{Clip, ClipError};

use super::Colour;

/// A moving block on a background of `colour`, in three simulcast layers.
pub(super) fn picture(colour: Colour) -> Result<Clip, ClipError> {
    match colour {
        Colour::Blue => Clip::from_ivf(&[
            include_bytes!("../../../../testing/media/blue-q.ivf"),
            include_bytes!("../../../../testing/media/blue-h.ivf"),
            include_bytes!("../../../../testing/media/blue-f.ivf"),
        ]),
        Colour::Green => Clip::from_ivf(&[
            include_bytes!("../../../../testing/media/green-q.ivf"),
            include_bytes!("../../../../testing/media/green-h.ivf"),
            include_bytes!("../../../../testing/media/green-f.ivf"),
        ]),
        Colour::Red => Clip::from_ivf(&[
            include_bytes!("../../../../testing/media/red-q.ivf"),
            include_bytes!("../../../../testing/media/red-h.ivf"),
            include_bytes!("../../../../testing/media/red-f.ivf"),
        ]),
    }
}

/// A 440 Hz tone.
pub(super) fn tone() -> Result<Clip, ClipError> {
    Clip::from_ivf(&[include_bytes!("../../../../testing/media/tone.ivf")])
}
