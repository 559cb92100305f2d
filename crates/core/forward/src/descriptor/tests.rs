use proptest::prelude::*;

use super::*;

/// Writes bits, to make descriptors by hand.
#[derive(Default)]
struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    fn put(&mut self, value: u32, width: u32) {
        self.bits.extend((0..width).rev().map(|i| value >> i & 1 == 1));
    }

    fn put_non_symmetric(&mut self, value: u32, n: u32) {
        let width = u32::BITS - n.leading_zeros();
        let short = (1 << width) - n;
        if value < short {
            self.put(value, width - 1);
        } else {
            self.put(value + short, width);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter().enumerate().fold(0, |byte, (i, &bit)| byte | u8::from(bit) << (7 - i))
        };
        self.bits.chunks(8).map(byte).collect()
    }
}

fn mandatory(start: bool, end: bool, template: u8, number: u16) -> Writer {
    let mut writer = Writer::default();
    writer.put(start.into(), 1);
    writer.put(end.into(), 1);
    writer.put(template.into(), 6);
    writer.put(number.into(), 16);
    writer
}

fn write_structure(writer: &mut Writer, structure: &TemplateStructure) {
    writer.put(structure.id_offset.into(), 6);
    writer.put(u32::from(structure.decode_targets) - 1, 5);
    let next = |pair: &[Template]| match (
        pair[1].spatial_id - pair[0].spatial_id,
        pair[1].temporal_id.wrapping_sub(pair[0].temporal_id),
    ) {
        (0, 0) => SAME_LAYER,
        (0, _) => NEXT_TEMPORAL_LAYER,
        _ => NEXT_SPATIAL_LAYER,
    };
    structure.templates.windows(2).for_each(|pair| writer.put(next(pair).into(), 2));
    writer.put(3, 2);
    let all = |of: fn(&Template) -> &[u8]| structure.templates.iter().map(of);
    all(|t| &t.indications).flatten().for_each(|&dti| writer.put(dti.into(), 2));
    for diffs in all(|t| &t.frame_diffs) {
        for &diff in diffs {
            writer.put(1, 1);
            writer.put(u32::from(diff) - 1, 4);
        }
        writer.put(0, 1);
    }
    let chains = all(|t| &t.chain_diffs).map(<[u8]>::len).max().unwrap();
    writer.put_non_symmetric(chains as u32, u32::from(structure.decode_targets) + 1);
    for &chain in &structure.protected_by {
        writer.put_non_symmetric(chain.into(), chains as u32);
    }
    all(|t| &t.chain_diffs).flatten().for_each(|&diff| writer.put(diff.into(), 4));
    writer.put((!structure.resolutions.is_empty()).into(), 1);
    for size in &structure.resolutions {
        writer.put(u32::from(size.width) - 1, 16);
        writer.put(u32::from(size.height) - 1, 16);
    }
}

/// The structure that libwebrtc sends for one spatial and three temporal layers.
fn l1t3() -> TemplateStructure {
    let template = |temporal_id, indications: [u8; 3], frame_diffs: &[u8], chain_diff| Template {
        spatial_id: 0,
        temporal_id,
        indications: indications.to_vec(),
        frame_diffs: frame_diffs.to_vec(),
        chain_diffs: vec![chain_diff],
    };
    TemplateStructure {
        id_offset: 0,
        decode_targets: 3,
        templates: vec![
            template(0, [2, 2, 2], &[], 0),
            template(0, [2, 2, 2], &[4], 4),
            template(1, [0, 1, 2], &[2], 2),
            template(2, [0, 0, 1], &[1], 1),
            template(2, [0, 0, 1], &[1], 3),
        ],
        protected_by: vec![0, 0, 0],
        resolutions: vec![PixelSize { width: 1280, height: 720 }],
    }
}

fn key_frame(structure: &TemplateStructure, number: u16) -> Vec<u8> {
    let mut writer = mandatory(true, false, structure.id_offset, number);
    writer.put(0b10000, 5);
    write_structure(&mut writer, structure);
    writer.bytes()
}

/// The first packet of an L1T3 key frame of 1280x720, bit by bit after the specification.
const L1T3_KEY_FRAME: &str = concat!(
    "10000000",                          // start, not end, template 0
    "0000000100101010",                  // frame 298
    "10000",                             // a structure, nothing else
    "000000",                            // template ids begin at 0
    "00010",                             // three decode targets
    "0001010011",                        // temporal layers 0, 0, 1, 2, 2, no more
    "101010101010000110000001000001",    // SSS, SSS, -DS, --D, --D
    "0100110100010100000100000",         // frame differences: none, 4, 2, 1, 1
    "01",                                // one chain; it protects all: no bits
    "00000100001000010011",              // chain differences 0, 4, 2, 1, 3
    "100000100111111110000001011001111", // 1280x720
);

fn from_bits(bits: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    bits.chars().for_each(|bit| writer.put(u32::from(bit == '1'), 1));
    writer.bytes()
}

#[test]
fn reads_the_key_frame_descriptor_of_three_temporal_layers() {
    let bytes = from_bits(L1T3_KEY_FRAME);
    assert_eq!(bytes.len(), 20);

    let descriptor = DescriptorIn::parse(&bytes, None).unwrap();

    let expected = DescriptorIn {
        start_of_frame: true,
        end_of_frame: false,
        template_id: 0,
        frame_number: 298,
        structure: Some(l1t3()),
        spatial_id: Some(0),
        temporal_id: Some(0),
        active_decode_targets: Some(0b111),
    };
    assert_eq!(descriptor, expected);
    assert!(descriptor.starts_keyframe());
    let structure = descriptor.structure.unwrap();
    assert_eq!(structure.resolution(0), Some(PixelSize { width: 1280, height: 720 }));
    assert_eq!(structure.resolution(1), None);
}

#[test]
fn looks_layers_up_in_the_structure_that_came_before() {
    let structure = l1t3();
    let cases = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)];
    for (template, temporal) in cases {
        let bytes = mandatory(true, true, template, 299).bytes();
        let descriptor = DescriptorIn::parse(&bytes, Some(&structure)).unwrap();
        assert_eq!(descriptor.temporal_id, Some(temporal), "template {template}");
        assert_eq!(descriptor.frame_number, 299);
        assert!(!descriptor.starts_keyframe());
    }

    let unknown = mandatory(true, true, 5, 299).bytes();
    let error = DescriptorIn::parse(&unknown, Some(&structure)).unwrap_err();
    assert_eq!(error, DescriptorError::UnknownTemplate { id: 5 });
}

#[test]
fn template_ids_wrap_at_64() {
    let structure = TemplateStructure { id_offset: 62, ..l1t3() };
    let bytes = mandatory(false, true, 1, 7).bytes();

    let descriptor = DescriptorIn::parse(&bytes, Some(&structure)).unwrap();

    assert_eq!(descriptor.temporal_id, Some(2), "62, 63, 0, then 1: the fourth template");
    assert_eq!(structure.template(255), structure.template(63), "an id has six bits");
}

#[test]
fn without_a_structure_only_the_mandatory_fields_are_known() {
    let bytes = mandatory(true, true, 3, 65_535).bytes();

    let descriptor = DescriptorIn::parse(&bytes, None).unwrap();

    assert!(descriptor.start_of_frame && descriptor.end_of_frame);
    assert_eq!((descriptor.template_id, descriptor.frame_number), (3, 65_535));
    assert_eq!((descriptor.spatial_id, descriptor.temporal_id), (None, None));
}

#[test]
fn tells_which_decode_targets_are_active() {
    let mut writer = mandatory(true, true, 1, 300);
    writer.put(0b01000, 5);
    writer.put(0b011, 3);

    let descriptor = DescriptorIn::parse(&writer.bytes(), Some(&l1t3())).unwrap();

    assert_eq!(descriptor.active_decode_targets, Some(0b011));
}

#[test]
fn truncated_descriptors_are_refused() {
    let bytes = from_bits(L1T3_KEY_FRAME);
    for len in (0..bytes.len()).filter(|&len| len != MANDATORY_BYTES) {
        let error = DescriptorIn::parse(&bytes[..len], None).unwrap_err();
        assert_eq!(error, DescriptorError::Truncated, "{len} bytes");
    }
}

#[test]
fn endless_structures_are_refused() {
    let with_layers = |next: u32| {
        let mut writer = mandatory(true, true, 0, 0);
        writer.put(0b10000, 5);
        writer.put(0, 6 + 5);
        (0..70).for_each(|_| writer.put(next, 2));
        DescriptorIn::parse(&writer.bytes(), None).unwrap_err()
    };
    assert_eq!(with_layers(0), DescriptorError::TooManyTemplates);
    assert_eq!(with_layers(1), DescriptorError::TooManyLayers);
    assert_eq!(with_layers(2), DescriptorError::TooManyLayers);
}

#[test]
fn a_new_frame_number_changes_nothing_else() {
    let mut bytes = key_frame(&l1t3(), 298);
    set_frame_number(&mut bytes, 0xabcd);
    assert_eq!(bytes, key_frame(&l1t3(), 0xabcd));

    let mut short = [0x80, 1];
    set_frame_number(&mut short, 7);
    assert_eq!(short, [0x80, 1]);
}

/// Any structure that the format can hold.
fn any_structure() -> impl Strategy<Value = TemplateStructure> {
    let shape = (0..64u8, 1..=32u8, prop::collection::vec(0..4u8, 1..20), any::<bool>());
    shape.prop_flat_map(|(id_offset, decode_targets, steps, sized)| {
        let mut layers = vec![(0u8, 0u8)];
        for step in steps {
            let &(spatial, temporal) = layers.last().unwrap();
            layers.push(match step {
                1 if temporal < 7 => (spatial, temporal + 1),
                2 if spatial < 3 => (spatial + 1, 0),
                _ => (spatial, temporal),
            });
        }
        let spatial_layers = usize::from(layers.last().unwrap().0) + 1;
        (0..=decode_targets).prop_flat_map(move |chains| {
            let protecting = if chains == 0 { 0 } else { usize::from(decode_targets) };
            let layers = layers.clone();
            let template = (
                prop::collection::vec(0..4u8, usize::from(decode_targets)),
                prop::collection::vec(1..=16u8, 0..4),
                prop::collection::vec(0..16u8, usize::from(chains)),
            );
            let size = (1..=65_535u16, 1..=65_535u16);
            let sizes = if sized { spatial_layers } else { 0 };
            (
                prop::collection::vec(template, layers.len()),
                prop::collection::vec(0..chains.max(1), protecting),
                prop::collection::vec(size, sizes),
            )
                .prop_map(move |(templates, protected_by, sizes)| TemplateStructure {
                    id_offset,
                    decode_targets,
                    templates: layers
                        .iter()
                        .zip(templates)
                        .map(|(&(spatial_id, temporal_id), (indications, fdiffs, cdiffs))| {
                            Template {
                                spatial_id,
                                temporal_id,
                                indications,
                                frame_diffs: fdiffs,
                                chain_diffs: cdiffs,
                            }
                        })
                        .collect(),
                    protected_by,
                    resolutions: sizes
                        .into_iter()
                        .map(|(width, height)| PixelSize { width, height })
                        .collect(),
                })
        })
    })
}

proptest! {
    /// Whatever structure is written is read again, bit by bit.
    #[test]
    fn reads_any_structure(structure in any_structure(), number in any::<u16>()) {
        let bytes = key_frame(&structure, number);
        let descriptor = DescriptorIn::parse(&bytes, None).unwrap();
        prop_assert_eq!(descriptor.frame_number, number);
        prop_assert_eq!(descriptor.structure, Some(structure));
    }

    /// No bytes make it panic, whatever structure came before.
    #[test]
    fn survives_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        structure in prop::option::of(any_structure()),
    ) {
        let _ = DescriptorIn::parse(&bytes, structure.as_ref());
        let _ = structure.map(|structure| structure.template(bytes.len() as u8).cloned());
    }

    /// Nor does any change to a real one.
    #[test]
    fn survives_damaged_descriptors(flips in prop::collection::vec((0..20usize, any::<u8>()), 1..8)) {
        let mut bytes = from_bits(L1T3_KEY_FRAME);
        for (at, byte) in flips {
            bytes[at] ^= byte;
        }
        let _ = DescriptorIn::parse(&bytes, Some(&l1t3()));
    }
}
