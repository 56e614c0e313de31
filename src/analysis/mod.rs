//! What answers say when they are put together: counts, shares, quartiles, bands. Pure.

pub mod summary;
