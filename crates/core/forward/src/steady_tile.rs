use std::time::{Duration, Instant};

use crate::layer::PixelSize;

/// The size that a tile counts as. A larger one counts at once, a smaller one after a while: a
/// switch of layers waits for a key frame, and who came for a moment shall not cost those who stay
/// two of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SteadyTile {
    size: PixelSize,
    smaller_since: Option<Instant>,
}

/// How long a tile must have been smaller.
const PATIENCE: Duration = Duration::from_secs(5);

impl SteadyTile {
    /// A tile that has just come into view.
    pub const fn new(size: PixelSize) -> Self {
        Self { size, smaller_since: None }
    }

    /// What it counts as, given the size that it has.
    pub fn update(&mut self, now: Instant, size: PixelSize) -> PixelSize {
        if size.area() < self.size.area() {
            let since = *self.smaller_since.get_or_insert(now);
            if now.saturating_duration_since(since) < PATIENCE {
                return self.size;
            }
        }
        *self = Self::new(size);
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin;

    const LARGE: PixelSize = PixelSize { width: 1280, height: 720 };
    const SMALL: PixelSize = PixelSize { width: 320, height: 180 };

    #[test]
    fn a_larger_tile_counts_at_once_and_a_smaller_one_after_a_while() {
        let (start, mut tile) = (origin(), SteadyTile::new(SMALL));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(tile.update(at(0), LARGE), LARGE);
        assert_eq!(tile.update(at(1), SMALL), LARGE);
        assert_eq!(tile.update(at(5), SMALL), LARGE);
        assert_eq!(tile.update(at(6), SMALL), SMALL);
        assert_eq!(tile.update(at(7), LARGE), LARGE);
    }

    #[test]
    fn a_tile_that_is_large_again_begins_the_while_anew() {
        let (start, mut tile) = (origin(), SteadyTile::new(LARGE));
        let at = |seconds| start + Duration::from_secs(seconds);
        tile.update(at(0), SMALL);
        tile.update(at(4), LARGE);
        assert_eq!(tile.update(at(8), SMALL), LARGE);
    }
}
