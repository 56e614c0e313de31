//! The observers: a stratified sample of stations, region by region in proportion, and who stands
//! at each. An observer is made when asked for; only the sampled stations' numbers are held.

use super::country::{Country, Station};
use super::dice::Dice;
use super::names;

/// Languages that observers write in; the replies' templates have them.
pub const LANGUAGES: [&str; 3] = ["en", "fr", "sw"];

// Codes are spread over the six-digit numbers by an affine map, so that a slip of one digit hardly
// ever meets another observer's code. The multiplier has no factor in common with 900,000.
const CODES: u64 = 900_000;
const CODE_STEP: u64 = 556_211;

/// An observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Observer {
    /// Six digits.
    pub code: String,
    /// In international form, digits only, under +999, which belongs to no country.
    pub phone: String,
    /// A person who does not exist.
    pub name: String,
    /// Of [`LANGUAGES`].
    pub language: &'static str,
    /// Number of the station.
    pub station: u32,
}

/// The observers of a country.
#[derive(Debug, Clone)]
pub struct Sample {
    seed: u64,
    shift: u64,
    stations: Vec<u32>,
}

impl Sample {
    /// Draws the stations by simple random sampling without replacement within each region. Past
    /// one observer a station, stations get a second observer, a third …; one sampled station is
    /// made to hold more ballots than voters.
    pub fn draw(seed: u64, country: &mut Country, observers: u32) -> Self {
        let observers = observers.min(CODES as u32);
        let mut stations = Vec::with_capacity(observers as usize);
        let total = f64::from(country.stations.max(1));
        let mut owed = 0.0;
        for (r, region) in country.regions.iter().enumerate() {
            // The fractions are carried on, so that the parts add up.
            owed += f64::from(observers) * f64::from(region.stations) / total;
            let n = if r + 1 == country.regions.len() {
                observers as usize - stations.len()
            } else {
                (owed.round() as usize).saturating_sub(stations.len())
            };
            let mut dice = Dice::new(seed, "sample", r as u64);
            let mut taken = 0;
            while taken < n {
                let mut all: Vec<u32> = (region.first_station..region.first_station + region.stations).collect();
                let round = (n - taken).min(all.len());
                for i in 0..round {
                    let j = i + dice.below((all.len() - i) as u64) as usize;
                    all.swap(i, j);
                }
                all.truncate(round);
                taken += round.max(1);
                stations.extend(all);
            }
        }
        stations.sort_unstable();
        let mut dice = Dice::new(seed, "sample", u64::MAX);
        country.overfull = stations.get(dice.below(stations.len() as u64) as usize).copied();
        Self { seed, shift: dice.below(CODES), stations }
    }

    /// How many observers there are.
    pub fn len(&self) -> u32 {
        self.stations.len() as u32
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.stations.is_empty()
    }

    fn code(&self, observer: u32) -> u64 {
        100_000 + (u64::from(observer) * CODE_STEP + self.shift) % CODES
    }

    /// The code of an observer: six digits.
    pub fn code_of(&self, observer: u32) -> String {
        self.code(observer).to_string()
    }

    /// Is there an observer with this code?
    pub fn has_code(&self, code: u64) -> bool {
        // The step's inverse modulo CODES, by Euclid; cheap enough to be found each time.
        let Some(at) = code.checked_sub(100_000).filter(|at| *at < CODES) else { return false };
        let target = (at + CODES - self.shift % CODES) % CODES;
        (target * inverse(CODE_STEP, CODES)) % CODES < u64::from(self.len())
    }

    /// The phone of an observer: unique, spread over the numbers.
    pub fn phone(&self, observer: u32) -> String {
        format!("99955{:06}", (u64::from(observer) * 618_047 + self.shift) % 1_000_000)
    }

    /// An observer, by number from 0.
    pub fn observer(&self, number: u32) -> Observer {
        let mut dice = Dice::new(self.seed, "observer", u64::from(number));
        let name = names::person(&mut dice);
        let language = match dice.unit() {
            u if u < 0.55 => "en",
            u if u < 0.80 => "fr",
            _ => "sw",
        };
        Observer {
            code: self.code_of(number),
            phone: self.phone(number),
            name,
            language,
            station: self.stations.get(number as usize).copied().unwrap_or(0),
        }
    }

    /// The station of an observer.
    pub fn station(&self, country: &Country, number: u32) -> Station {
        country.station(self.stations.get(number as usize).copied().unwrap_or(0))
    }
}

/// `a`'s inverse modulo `m`, which has no factor in common with it.
fn inverse(a: u64, m: u64) -> u64 {
    let (mut old, mut now) = ((a as i64, 1i64), (m as i64, 0i64));
    while now.0 != 0 {
        let q = old.0 / now.0;
        (old, now) = (now, (old.0 - q * now.0, old.1 - q * now.1));
    }
    old.1.rem_euclid(m as i64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_sample_is_in_proportion_and_each_station_has_one_observer() {
        let mut country = Country::new(5, 5_400);
        let sample = Sample::draw(5, &mut country, 540);
        assert_eq!(sample.len(), 540);
        assert_eq!(sample.stations.iter().collect::<HashSet<_>>().len(), 540);
        for region in &country.regions {
            let n = sample
                .stations
                .iter()
                .filter(|s| (region.first_station..region.first_station + region.stations).contains(s))
                .count() as f64;
            let share = 540.0 * f64::from(region.stations) / 5_400.0;
            assert!((n - share).abs() <= 1.5, "{n} {share}");
        }
        let overfull = country.overfull.unwrap();
        assert!(country.station(overfull).count.cast > country.station(overfull).registered);
    }

    #[test]
    fn codes_and_phones_are_unique_and_known_codes_are_told_from_unknown_ones() {
        let mut country = Country::new(5, 60);
        let sample = Sample::draw(5, &mut country, 50_000);
        assert_eq!(sample.len(), 50_000);
        let codes: HashSet<u64> = (0..50_000).map(|i| sample.code(i)).collect();
        assert_eq!(codes.len(), 50_000);
        assert_eq!((0..50_000).map(|i| sample.phone(i)).collect::<HashSet<_>>().len(), 50_000);
        for code in 100_000..1_000_000 {
            assert_eq!(sample.has_code(code), codes.contains(&code), "{code}");
        }
    }
}
