use conclave_forward::set_frame_number;
use str0m::rtp::{ExtensionSerializer, ExtensionValues, SharedExtensionValue};

/// The Dependency Descriptor's name in a session description.
pub(crate) const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Carries the extension through str0m without looking inside, but for the frame number.
#[derive(Debug)]
pub(crate) struct DescriptorSerializer;

impl ExtensionSerializer for DescriptorSerializer {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(SharedExtensionValue { bytes, number }) = &ev.shared_value else { return 0 };
        let Some(target) = buf.get_mut(..bytes.len()) else { return 0 };
        target.copy_from_slice(bytes);
        if let Some(number) = number {
            set_frame_number(target, *number);
        }
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.shared_value = Some(SharedExtensionValue { bytes: buf.into(), number: None });
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
        ev.shared_value.as_ref().is_some_and(|value| value.bytes.len() > 16)
    }
}
