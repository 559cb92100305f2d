/// Makes new inputs of old ones: flips, inserts, deletes, repeats and splices bytes.
///
/// The same seed makes the same inputs.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

/// Longer inputs only make a run slower.
const MAX_LEN: usize = 64 * 1024;

/// Bytes at which parsers decide: ends of ranges, and the punctuation of our text formats.
const TELLING: &[u8] = &[
    0, 1, 2, 3, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x90, 0xbe, 0xbf, 0xc0, 0xff, b'"',
    b'{', b'}', b'[', b']', b',', b':', b'=', b'/', b'#', b'.', b'-', b'0', b'9', b'\r', b'\n',
    b' ',
];

impl Mutator {
    /// Starts at a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed | 1 }
    }

    /// A new input, made of one or two of `seeds`.
    pub fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(seeds).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.mutate(&mut input, seeds);
        }
        input.truncate(MAX_LEN);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let len = 1 + self.below(16);
        let end = input.len().min(at + len);
        match self.below(8) {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = *self.pick(TELLING).unwrap_or(&0);
                }
            }
            3 => {
                let inserted: Vec<u8> =
                    (0..len).map(|_| *self.pick(TELLING).unwrap_or(&0)).collect();
                input.splice(at..at, inserted);
            }
            4 => drop(input.drain(at..end)),
            5 => {
                let repeated = input.get(at..end).unwrap_or_default().repeat(1 + self.below(8));
                input.splice(at..at, repeated);
            }
            6 => self.repeat_line(input),
            _ => {
                let other = self.pick(seeds).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                let to = other.len().min(from + 1 + self.below(200));
                let piece = other.get(from..to).unwrap_or_default().to_vec();
                input.splice(at..end, piece);
            }
        }
    }

    /// Texts are made of lines; a line too many or in the wrong place is a mistake of its own.
    fn repeat_line(&mut self, input: &mut Vec<u8>) {
        let lines: Vec<Vec<u8>> =
            input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let Some(line) = self.pick(&lines).cloned() else { return };
        let before = self.below(lines.len() + 1);
        let at: usize = lines.iter().take(before).map(Vec::len).sum();
        input.splice(at..at, line);
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A number below `n`, or 0.
    fn below(&mut self, n: usize) -> usize {
        // xorshift64*, after Vigna.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let random = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(random).unwrap_or_default().checked_rem(n).unwrap_or_default()
    }
}
