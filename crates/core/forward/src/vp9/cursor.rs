use super::Vp9Error;

/// Reads bytes, one after the other.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, Vp9Error> {
        let byte = *self.bytes.get(self.at).ok_or(Vp9Error::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of two bytes, the higher one first.
    pub(super) fn u16(&mut self) -> Result<u16, Vp9Error> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }
}
