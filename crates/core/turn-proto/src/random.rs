use stun_types::message::TransactionId;

/// Numbers that differ from draw to draw and follow from a seed. They keep nothing secret.
#[derive(Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let words = seed.chunks_exact(8).filter_map(|c| c.try_into().ok()).map(u64::from_le_bytes);
        Self { state: words.fold(0x9e37_79b9_7f4a_7c15, |state, word| mix(state ^ word)) }
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    pub(crate) fn transaction(&mut self) -> TransactionId {
        TransactionId::from(u128::from(self.draw()) << 64 | u128::from(self.draw()))
    }
}

/// The finalizer of SplitMix64.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
