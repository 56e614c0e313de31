//! Is this process well? How near it is to its memory cap, whether its work moves on, and what time it is.
//!
//! Invariants: pressure is what the process itself holds and cannot drop, so that page cache sheds
//! nothing; progress and deadlines go by the monotonic clock, so that a clock that jumps stops nothing.

pub mod cgroup;
pub mod clock;
pub mod memory;
pub mod pressure;
pub mod progress;
