//! Chance that can be repeated.

/// `SplitMix64` (Steele, Lea, Flood 2014): a few words of state for each device,
/// and nothing that has to be hard to guess.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// Makes the chance of one device: it depends on nothing that others do.
    pub(super) fn of(seed: u64, number: u32) -> Self {
        let mut random = Self(seed ^ (u64::from(number) << 32 | u64::from(number)));
        // Neighbours begin far apart.
        Self(random.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Draws a number below `end`; 0 if that is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The upper half of the product: no remainder, and no bias that counts.
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// Draws whether an event of so many times in a million happens.
    pub(super) fn happens(&mut self, millionths: u32) -> bool {
        self.below(1_000_000) < u64::from(millionths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_chance_and_a_rate_is_a_rate() {
        let draw = |seed, number| {
            let mut random = Random::of(seed, number);
            (random.next(), random.next())
        };
        assert_eq!(draw(1, 7), draw(1, 7));
        assert_ne!(draw(1, 7), draw(2, 7));
        assert_ne!(draw(1, 7), draw(1, 8));
        let hits = (0..100_000u32).filter(|n| Random::of(5, *n).happens(20_000));
        let hits = hits.count();
        assert!((1_800..2_200).contains(&hits), "{hits} of 100000 at 2 %");
        let mut random = Random::of(0, 0);
        assert!(!random.happens(0) && random.happens(1_000_000));
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| random.below(3) < 3));
    }
}
