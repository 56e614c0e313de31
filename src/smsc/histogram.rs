//! Latencies in fixed buckets: 64 to each doubling, so that a figure read from it is at most 1.6% off.

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
const DOUBLINGS: usize = 34;

/// A histogram of microseconds, up to some hours, in 17 kB.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; SUB as usize * DOUBLINGS], count: 0, max: 0 }
    }
}

impl Histogram {
    fn bucket(value: u64) -> usize {
        if value < SUB {
            return value as usize;
        }
        let doubling = value.ilog2() - SUB_BITS;
        // The leading bit says which doubling; the next six which part of it.
        (u64::from(doubling + 1) * SUB + ((value >> doubling) - SUB)) as usize
    }

    /// The greatest value that falls into a bucket.
    fn top(bucket: usize) -> u64 {
        let (doubling, part) = (bucket as u64 / SUB, bucket as u64 % SUB);
        match doubling.checked_sub(1) {
            None => part,
            Some(doubling) => ((SUB + part + 1) << doubling) - 1,
        }
    }

    /// Counts one value, microseconds.
    pub fn record(&mut self, value: u64) {
        let last = self.buckets.len() - 1;
        if let Some(n) = self.buckets.get_mut(Self::bucket(value).min(last)) {
            *n += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest value; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value below which the share `q` (0 to 1) of all lie, rounded up to its bucket's top.
    pub fn quantile(&self, q: f64) -> u64 {
        let wanted = ((self.count as f64 * q).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= wanted {
                return Self::top(i).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_right_to_two_percent(mut values in proptest::collection::vec(0u64..50_000_000, 1..300), q in 0.0f64..1.0) {
            let mut h = Histogram::default();
            values.iter().for_each(|v| h.record(*v));
            values.sort_unstable();
            let exact = values[((values.len() as f64 * q).ceil() as usize).clamp(1, values.len()) - 1];
            let got = h.quantile(q);
            prop_assert!(got >= exact && got <= exact + exact / 60 + 1, "{} {}", got, exact);
            prop_assert_eq!(h.max(), *values.last().unwrap());
        }
    }

    #[test]
    fn a_value_past_the_last_bucket_is_counted_in_it() {
        let mut h = Histogram::default();
        h.record(u64::MAX);
        assert_eq!((h.count(), h.max()), (1, u64::MAX));
        assert!(h.quantile(0.5) > 0);
    }
}
