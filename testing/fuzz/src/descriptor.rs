//! The Dependency Descriptor.

use conclave_forward::{DescriptorIn, set_frame_number};

/// The bytes are two descriptors, of which the first may bring the structure that the second
/// refers to; the first byte says how long the first is.
pub(crate) fn target(data: &[u8]) {
    let Some((&len, rest)) = data.split_first() else { return };
    let (first, second) = rest.split_at(usize::from(len).min(rest.len()));
    let structure = DescriptorIn::parse(first, None).ok().and_then(|parsed| parsed.structure);
    let Ok(parsed) = DescriptorIn::parse(second, structure.as_ref()) else { return };

    let layers = structure.iter().chain(&parsed.structure).flat_map(|s| s.templates());
    let highest = layers.map(|template| template.spatial_id).max();
    assert!(parsed.spatial_id <= highest, "a layer that no template has");

    let mut renumbered = second.to_vec();
    set_frame_number(&mut renumbered, 0xabcd);
    let expected = DescriptorIn { frame_number: 0xabcd, ..parsed };
    assert_eq!(DescriptorIn::parse(&renumbered, structure.as_ref()), Ok(expected));
}
