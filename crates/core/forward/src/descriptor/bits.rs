use super::DescriptorError;

/// Reads bits, the most significant one of each byte first.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// How many bits have been read.
    position: usize,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn flag(&mut self) -> Result<bool, DescriptorError> {
        let byte = self.bytes.get(self.position / 8).ok_or(DescriptorError::Truncated)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// Reads a number of `width` bits, at most 32.
    pub(super) fn u32(&mut self, width: u32) -> Result<u32, DescriptorError> {
        let mut value = 0;
        for _ in 0..width {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Reads a number of `width` bits, at most 16.
    pub(super) fn u16(&mut self, width: u32) -> Result<u16, DescriptorError> {
        self.u32(width).map(|value| (value & 0xffff) as u16)
    }

    /// Reads a number of `width` bits, at most 8.
    pub(super) fn u8(&mut self, width: u32) -> Result<u8, DescriptorError> {
        self.u32(width).map(|value| (value & 0xff) as u8)
    }

    /// Reads a number below `n`, coded in as few bits as that allows (the specification's
    /// `ns(n)`).
    pub(super) fn non_symmetric(&mut self, n: u32) -> Result<u32, DescriptorError> {
        let width = u32::BITS - n.leading_zeros();
        if width == 0 {
            return Ok(0);
        }
        let short = (1 << width) - n;
        let value = self.u32(width - 1)?;
        if value < short {
            return Ok(value);
        }
        Ok((value << 1) - short + u32::from(self.flag()?))
    }
}
