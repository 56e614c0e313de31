//! A seeded election day: an invented country, its polling stations, observers and what they text,
//! with what a right system makes of each text. PURE: it knows `domain` alone.
//!
//! Everything is a function of the seed and can be made piece by piece, so that fifty thousand
//! observers stream through a fixed, small memory. The numbers are of the order of published
//! station results; no place, person or number of a real election is in it.

mod country;
mod day;
mod dice;
mod forms;
mod hand;
mod load;
mod names;
mod page;
mod sample;
mod script;
mod stream;

pub use country::{CANDIDATE_NAMES, CANDIDATES, Count, Country, District, Region, Station};
pub use day::{Day, Event, Expected, ExpectedReport};
pub use forms::Form;
pub use load::{LOAD_PREFIX, Load, LoadEvent};
pub use sample::{LANGUAGES, Observer, Sample};
pub use stream::Events;
