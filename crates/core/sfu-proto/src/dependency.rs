use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// The Dependency Descriptor's name in a session description.
pub(crate) const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// The bytes of a Dependency Descriptor, as they came or as they shall go.
#[derive(Clone, Debug)]
pub(crate) struct RawDescriptor(pub(crate) Vec<u8>);

/// Carries the extension through str0m without looking inside.
#[derive(Debug)]
pub(crate) struct DescriptorSerializer;

impl ExtensionSerializer for DescriptorSerializer {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(RawDescriptor(bytes)) = ev.user_values.get::<RawDescriptor>() else { return 0 };
        let Some(target) = buf.get_mut(..bytes.len()) else { return 0 };
        target.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.user_values.set(RawDescriptor(buf.to_vec()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, ev: &ExtensionValues) -> bool {
        // One-byte elements hold 1 to 16 bytes (RFC 8285 section 4.2).
        ev.user_values.get::<RawDescriptor>().is_some_and(|raw| raw.0.len() > 16)
    }
}
