//! Chance that is the same on every run: a small generator keyed by seed, purpose and index, so that
//! any station, observer or message can be made alone, in any order, and is always the same.

/// One stream of chance (xoshiro256**, keyed through SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: [u64; 4],
}

fn mix(x: &mut u64) -> u64 {
    *x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *x;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dice {
    /// The stream for one purpose (`"station"`) and index.
    pub(super) fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut x = seed;
        for byte in purpose.bytes() {
            x = x.wrapping_mul(0x0000_0100_0000_01B3) ^ u64::from(byte);
        }
        let mut y = mix(&mut x) ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Self { state: [mix(&mut y), mix(&mut y), mix(&mut y), mix(&mut y)] }
    }

    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (mut c, mut d) = (c ^ a, d ^ b);
        let (b2, a2) = (b ^ c, a ^ d);
        c ^= b << 17;
        d = d.rotate_left(45);
        self.state = [a2, b2, c, d];
        result
    }

    /// A number from 0 up to, not with, `n`; 0 when `n` is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as u64 + 1) as i64
    }

    /// From 0 up to, not with, 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Box–Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let u = 1.0 - self.unit();
        let v = self.unit();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// One of the list, which must not be empty.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, list: &'a [&'a T]) -> &'a T {
        let i = self.below(list.len() as u64) as usize;
        #[expect(
            clippy::indexing_slicing,
            reason = "below() is under the length; an empty list is a bug of the caller"
        )]
        list[i]
    }

    /// How many of `n` trials with probability `p` succeed: exact while small, else by the normal curve.
    pub(super) fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if n == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        let mean = f64::from(n) * p;
        let sd = (mean * (1.0 - p)).sqrt();
        if n <= 64 || sd < 2.5 {
            return (0..n).filter(|_| self.chance(p)).count() as u32;
        }
        (mean + sd * self.normal()).round().clamp(0.0, f64::from(n)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_stream_and_another_key_another() {
        let list = |seed, purpose, index| {
            let mut dice = Dice::new(seed, purpose, index);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(list(1, "a", 1), list(1, "a", 1));
        assert_ne!(list(1, "a", 1), list(2, "a", 1));
        assert_ne!(list(1, "a", 1), list(1, "b", 1));
        assert_ne!(list(1, "a", 1), list(1, "a", 2));
    }

    #[test]
    fn the_binomial_has_the_mean_and_spread_that_it_should() {
        for (n, p) in [(40u32, 0.3), (600, 0.02), (900, 0.5)] {
            let mut dice = Dice::new(3, "binomial", u64::from(n));
            let draws: Vec<f64> = (0..4_000).map(|_| f64::from(dice.binomial(n, p))).collect();
            let mean = draws.iter().sum::<f64>() / 4_000.0;
            let var = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4_000.0;
            let (m, v) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            assert!((mean - m).abs() < 0.1 * v.sqrt(), "{mean} {m}");
            assert!((var / v - 1.0).abs() < 0.1, "{var} {v}");
        }
    }
}
