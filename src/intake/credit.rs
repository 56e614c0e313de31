//! Bytes of records that the gateway may send ahead. Short of memory less is granted, and never nothing:
//! what the worker holds grows smaller only by being committed.

use std::sync::{Mutex, PoisonError};

use crate::limits::{HANDOFF_CREDIT_BYTES_MAX, HANDOFF_CREDIT_BYTES_SHORT};
use crate::vitals::pressure::Pressure;

/// The credit of one session.
#[derive(Debug, Default)]
pub struct Credits {
    pressure: Pressure,
    /// Granted and not yet committed. A record may take more than was left, so that it may be negative.
    out: Mutex<i64>,
}

impl Credits {
    /// Nothing is granted yet.
    pub fn new(pressure: Pressure) -> Self {
        Self { pressure, out: Mutex::default() }
    }

    /// So many bytes of records are committed (0: it is only time to look); how many more to grant now.
    pub fn returned(&self, bytes: u32) -> u32 {
        let short = self.pressure.is_high();
        let whole = if short { HANDOFF_CREDIT_BYTES_SHORT } else { HANDOFF_CREDIT_BYTES_MAX };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        *out -= i64::from(bytes);
        let more = (i64::from(whole) - *out).max(0);
        *out += more;
        u32::try_from(more).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vitals::pressure::Level;

    #[test]
    fn what_is_committed_is_granted_again() {
        let credits = Credits::default();
        assert_eq!(credits.returned(0), HANDOFF_CREDIT_BYTES_MAX);
        assert_eq!((credits.returned(0), credits.returned(700)), (0, 700));
    }

    #[test]
    fn short_of_memory_no_more_is_granted_until_little_is_out_and_then_a_little() {
        let pressure = Pressure::default();
        let credits = Credits::new(pressure.clone());
        credits.returned(0);
        pressure.set(Level::High);
        let mut out = HANDOFF_CREDIT_BYTES_MAX;
        while out > HANDOFF_CREDIT_BYTES_SHORT {
            out -= 1 << 10;
            assert_eq!(credits.returned(1 << 10), 0, "{out}");
        }
        assert_eq!(credits.returned(1 << 10), 1 << 10, "work goes on");
        assert_eq!(credits.returned(200 << 10), 200 << 10, "a record larger than that, too");
        pressure.set(Level::Calm);
        assert_eq!(credits.returned(0), HANDOFF_CREDIT_BYTES_MAX - HANDOFF_CREDIT_BYTES_SHORT, "all when it eased");
    }
}
