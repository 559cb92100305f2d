use proptest::prelude::*;

use super::*;

/// The parts of a descriptor, to make the bytes of.
#[derive(Clone, Debug, Default)]
struct Made {
    picture_id: Option<Counter>,
    /// Temporal and spatial layer.
    layers: Option<(u8, u8)>,
    tl0_pic_idx: u8,
    is_flexible: bool,
    references: Vec<u8>,
    is_predicted: bool,
    starts: bool,
    ends: bool,
    structure: Option<Structure>,
}

#[derive(Clone, Copy, Debug)]
enum Counter {
    Short(u8),
    Long(u16),
}

#[derive(Clone, Debug, Default)]
struct Structure {
    sizes: Vec<(u16, u16)>,
    /// For each picture of a group, what it refers to.
    group: Option<Vec<Vec<u8>>>,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let flags = [
            (PICTURE_ID, self.picture_id.is_some()),
            (PREDICTED, self.is_predicted),
            (LAYERS, self.layers.is_some()),
            (FLEXIBLE, self.is_flexible),
            (STARTS_FRAME, self.starts),
            (ENDS_FRAME, self.ends),
            (STRUCTURE, self.structure.is_some()),
        ];
        let mut bytes = vec![flags.iter().filter(|(_, set)| *set).map(|(flag, _)| flag).sum()];
        match self.picture_id {
            Some(Counter::Short(id)) => bytes.push(id & 0x7f),
            Some(Counter::Long(id)) => bytes.extend((id | 0x8000).to_be_bytes()),
            None => {}
        }
        if let Some((temporal, spatial)) = self.layers {
            bytes.push(temporal << 5 | spatial << 1);
            if !self.is_flexible {
                bytes.push(self.tl0_pic_idx);
            }
        }
        if self.is_flexible && self.is_predicted {
            let last = self.references.len() - 1;
            let more = |at| u8::from(at < last);
            bytes.extend(self.references.iter().enumerate().map(|(at, r)| r << 1 | more(at)));
        }
        if let Some(structure) = &self.structure {
            structure.write(&mut bytes);
        }
        bytes
    }

    fn ids(&self) -> PictureIds {
        let counts_base = self.layers.is_some() && !self.is_flexible;
        PictureIds {
            picture_id: self.picture_id.map(|counter| match counter {
                Counter::Short(id) => u16::from(id & 0x7f),
                Counter::Long(id) => id & 0x7fff,
            }),
            tl0_pic_idx: counts_base.then_some(self.tl0_pic_idx),
        }
    }
}

impl Structure {
    fn write(&self, bytes: &mut Vec<u8>) {
        let layers = self.sizes.len().saturating_sub(1) as u8;
        let sizes = if self.sizes.is_empty() { 0 } else { SIZES };
        let group = if self.group.is_some() { PICTURE_GROUP } else { 0 };
        bytes.push(layers << 5 | sizes | group);
        for (width, height) in &self.sizes {
            bytes.extend(width.to_be_bytes());
            bytes.extend(height.to_be_bytes());
        }
        if let Some(group) = &self.group {
            bytes.push(group.len() as u8);
            for references in group {
                bytes.push((references.len() as u8) << 2);
                bytes.extend(references);
            }
        }
    }
}

/// The first packet of a key frame: with the picture's size, and a group of two pictures that each
/// refer to the one before.
const KEY: [u8; 19] = [
    0xaa, 0x92, 0x34, 0x01, 0x07, 0x18, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x14, 0x01, 0x44, 0x01,
    // Sealed bytes: not to be looked at.
    0x00, 0xff, 0x00, 0xff,
];

#[test]
fn the_first_packet_of_a_key_frame_tells_its_counters_and_its_size() {
    let descriptor = Vp9Descriptor::parse(&KEY).unwrap();

    assert!(descriptor.starts_keyframe());
    assert!(!descriptor.ends_frame);
    assert_eq!(descriptor.ids(), PictureIds { picture_id: Some(0x1234), tl0_pic_idx: Some(7) });
    assert_eq!((descriptor.temporal_id, descriptor.spatial_id), (0, 0));
    assert_eq!(descriptor.size, Some(PixelSize { width: 320, height: 180 }));
    assert_eq!(descriptor.len, 15);
}

/// Puts other counters into a packet, if it is one.
fn set_ids(payload: &mut [u8], ids: PictureIds) {
    let Ok(descriptor) = Vp9Descriptor::parse(payload) else { return };
    for (at, byte) in descriptor.changes(ids) {
        payload[at] = byte;
    }
}

#[test]
fn other_counters_are_put_where_the_old_ones_were_and_nothing_else_changes() {
    let mut payload = KEY;
    set_ids(&mut payload, PictureIds { picture_id: Some(0x7fff), tl0_pic_idx: Some(200) });

    let mut expected = KEY;
    expected[1..3].copy_from_slice(&[0xff, 0xff]);
    expected[4] = 200;
    assert_eq!(payload, expected);
}

#[test]
fn a_stream_that_counts_in_seven_bits_goes_on_in_seven_bits() {
    let made = Made { picture_id: Some(Counter::Short(3)), ..Made::default() };
    let mut payload = made.bytes();
    set_ids(&mut payload, PictureIds { picture_id: Some(0x1285), tl0_pic_idx: Some(1) });
    assert_eq!(payload, [0x80, 0x05]);
}

#[test]
fn a_key_frame_starts_where_the_lowest_layers_frame_refers_to_nothing() {
    let starts = |made: Made| Vp9Descriptor::parse(&made.bytes()).unwrap().starts_keyframe();
    let key = Made { starts: true, ..Made::default() };

    assert!(starts(key.clone()));
    assert!(starts(Made { layers: Some((0, 0)), ..key.clone() }));
    assert!(!starts(Made { is_predicted: true, ..key.clone() }), "it refers to earlier pictures");
    assert!(!starts(Made { layers: Some((0, 1)), ..key.clone() }), "it refers to a lower layer");
    assert!(!starts(Made { starts: false, ..key }), "it is a later packet of the frame");
}

#[test]
fn a_frame_refers_to_three_others_at_most() {
    let refers = |references: &[u8]| {
        let references = references.to_vec();
        let made = Made { is_flexible: true, is_predicted: true, references, ..Made::default() };
        Vp9Descriptor::parse(&made.bytes()).map(|descriptor| descriptor.len)
    };
    assert_eq!(refers(&[1]), Ok(2));
    assert_eq!(refers(&[1, 2, 4]), Ok(4));
    assert_eq!(refers(&[1, 2, 4, 8]), Err(Vp9Error::TooManyReferences));
}

fn any_structure() -> impl Strategy<Value = Structure> {
    let sizes = prop::collection::vec(any::<(u16, u16)>(), 0..=8);
    let references = prop::collection::vec(any::<u8>(), 0..=3);
    let group = prop::option::of(prop::collection::vec(references, 0..=20));
    (sizes, group).prop_map(|(sizes, group)| Structure { sizes, group })
}

fn any_descriptor() -> impl Strategy<Value = Made> {
    let counter =
        prop_oneof![(0..0x80_u8).prop_map(Counter::Short), (0..0x8000_u16).prop_map(Counter::Long)];
    let numbers = (prop::option::of(counter), prop::option::of((0..8_u8, 0..8_u8)), any::<u8>());
    let references = prop::collection::vec(0..0x80_u8, 1..=3);
    (numbers, any::<[bool; 4]>(), references, prop::option::of(any_structure())).prop_map(
        |((picture_id, layers, tl0_pic_idx), flags, references, structure)| {
            let [is_flexible, is_predicted, starts, ends] = flags;
            Made {
                picture_id,
                layers,
                tl0_pic_idx,
                is_flexible,
                references,
                is_predicted,
                starts,
                ends,
                structure,
            }
        },
    )
}

fn any_ids() -> impl Strategy<Value = PictureIds> {
    (prop::option::of(0..0x8000_u16), any::<Option<u8>>())
        .prop_map(|(picture_id, tl0_pic_idx)| PictureIds { picture_id, tl0_pic_idx })
}

proptest! {
    #[test]
    fn what_was_written_is_read(made in any_descriptor(), sealed in any::<Vec<u8>>()) {
        let bytes = made.bytes();
        let descriptor = Vp9Descriptor::parse(&[bytes.clone(), sealed].concat()).unwrap();

        prop_assert_eq!(descriptor.len, bytes.len());
        prop_assert_eq!(descriptor.ids(), made.ids());
        prop_assert_eq!(descriptor.is_predicted, made.is_predicted);
        prop_assert_eq!(
            (descriptor.starts_frame, descriptor.ends_frame),
            (made.starts, made.ends)
        );
        let layers = (descriptor.temporal_id, descriptor.spatial_id);
        prop_assert_eq!(layers, made.layers.unwrap_or_default());
        let highest = made.structure.and_then(|structure| structure.sizes.last().copied());
        let size = highest.map(|(width, height)| PixelSize { width, height });
        prop_assert_eq!(descriptor.size, size);
    }

    #[test]
    fn a_descriptor_that_ends_too_soon_is_refused(made in any_descriptor(), cut in any::<prop::sample::Index>()) {
        let bytes = made.bytes();
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert_eq!(Vp9Descriptor::parse(short), Err(Vp9Error::Truncated));
    }

    #[test]
    fn counters_that_are_put_in_are_read_again(
        made in any_descriptor(),
        ids in any_ids(),
        sealed in any::<Vec<u8>>(),
    ) {
        let before = [made.bytes(), sealed].concat();
        let mut after = before.clone();
        set_ids(&mut after, ids);

        let (old, new) = (Vp9Descriptor::parse(&before).unwrap(), Vp9Descriptor::parse(&after).unwrap());
        let mask = if matches!(made.picture_id, Some(Counter::Short(_))) { 0x7f } else { 0x7fff };
        let put = |old: Option<u16>, new: Option<u16>| old.map(|old| new.unwrap_or(old));
        let picture_id = put(old.ids().picture_id, ids.picture_id.map(|id| id & mask));
        prop_assert_eq!(new.ids().picture_id, picture_id);
        let tl0_pic_idx = old.ids().tl0_pic_idx.map(|old| ids.tl0_pic_idx.unwrap_or(old));
        prop_assert_eq!(new.ids().tl0_pic_idx, tl0_pic_idx);

        // Back again: nothing else was touched.
        set_ids(&mut after, old.ids());
        prop_assert_eq!(after, before);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in any::<Vec<u8>>(), ids in any_ids()) {
        let mut changed = bytes.clone();
        set_ids(&mut changed, ids);
        match Vp9Descriptor::parse(&bytes) {
            Ok(descriptor) => {
                prop_assert!(descriptor.len <= bytes.len());
                prop_assert_eq!(&changed[descriptor.len..], &bytes[descriptor.len..]);
            }
            Err(_) => prop_assert_eq!(changed, bytes),
        }
    }
}
