//! The payload descriptor of VP9.

use conclave_forward::{PictureIds, Vp9Descriptor};

/// The first three bytes are the counters to put into the descriptor that the others begin with.
pub(crate) fn target(data: &[u8]) {
    let Some((&[high, low, base], payload)) = data.split_first_chunk::<3>() else { return };
    let picture_id = u16::from_be_bytes([high, low]) & 0x7fff;
    let ids = PictureIds { picture_id: Some(picture_id), tl0_pic_idx: Some(base) };
    let Ok(before) = Vp9Descriptor::parse(payload) else { return };
    let mut changed = payload.to_vec();
    put(&mut changed, before, ids);
    let after = Vp9Descriptor::parse(&changed).expect("it is a descriptor still");
    assert_eq!(after.len, before.len);
    assert_eq!(changed.get(after.len..), payload.get(before.len..), "sealed bytes are not touched");
    assert_eq!(after.ids().tl0_pic_idx, before.ids().tl0_pic_idx.map(|_| base));
    let counts = after.ids().picture_id;
    assert_eq!(counts.is_some(), before.ids().picture_id.is_some());
    assert!(counts.is_none_or(|id| id == picture_id || id == picture_id & 0x7f));

    put(&mut changed, after, before.ids());
    assert_eq!(changed, payload, "and nothing else of the descriptor");
}

fn put(payload: &mut [u8], descriptor: Vp9Descriptor, ids: PictureIds) {
    for (at, byte) in descriptor.changes(ids) {
        let place = payload.get_mut(at).expect("the descriptor is within the packet");
        *place = byte;
    }
}
