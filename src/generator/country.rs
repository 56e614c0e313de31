//! The country: regions, districts and polling stations, made of the seed.
//!
//! Stations are not held: each is made when it is asked for, always the same, so that a country of
//! any size costs a few kilobytes. Sizes, spreads and shares are of the order found in published
//! station results: about 650 registered voters (log-normal, 50 to 3,000), areas that differ in
//! turnout and leaning, stations that differ more than chance alone would make them.

use super::dice::Dice;
use super::names;

/// Candidates on the ballot.
pub const CANDIDATES: usize = 7;
/// Their names; the checklists have the same.
pub const CANDIDATE_NAMES: [&str; CANDIDATES] = ["Sunrise", "Harbour", "Plough", "Lantern", "Bridge", "Heron", "Anvil"];
const BASE_SHARES: [f64; CANDIDATES] = [0.36, 0.29, 0.16, 0.08, 0.06, 0.03, 0.02];

const REGIONS: u32 = 12;
const DISTRICTS: u32 = 60;

/// A region: the stratum of the sample.
#[derive(Debug, Clone)]
pub struct Region {
    /// Two digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Number of its first station.
    pub first_station: u32,
    /// How many stations it has.
    pub stations: u32,
    turnout: f64,
}

/// A district.
#[derive(Debug, Clone)]
pub struct District {
    /// The region's code and two digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Index of its region.
    pub region: usize,
    /// Number of its first station.
    pub first_station: u32,
    /// How many stations it has.
    pub stations: u32,
    size: f64,
    turnout: f64,
    weights: [f64; CANDIDATES],
}

/// One polling station with what was counted there.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// The district's code and four or more digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Index of its district.
    pub district: usize,
    /// Voters on its list.
    pub registered: u32,
    /// What was counted.
    pub count: Count,
}

/// What was counted at a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Ballots found in the box.
    pub cast: u32,
    /// Rejected ones.
    pub rejected: u32,
    /// Valid ones: the sum of `votes`. `valid + rejected` is `cast`, or a little below it.
    pub valid: u32,
    /// Votes by candidate.
    pub votes: [u32; CANDIDATES],
}

/// The whole country.
#[derive(Debug, Clone)]
pub struct Country {
    seed: u64,
    /// Regions, in order.
    pub regions: Vec<Region>,
    /// Districts, in order of their regions.
    pub districts: Vec<District>,
    /// How many stations there are.
    pub stations: u32,
    /// A station that is made to hold more ballots than voters.
    pub(super) overfull: Option<u32>,
}

/// Divides `total` by weight, each part at least one, so that the parts add up.
fn divide(total: u32, weights: &[f64]) -> Vec<u32> {
    let spare = f64::from(total.saturating_sub(weights.len() as u32));
    let sum: f64 = weights.iter().sum();
    let mut parts: Vec<u32> = weights.iter().map(|w| 1 + (spare * w / sum) as u32).collect();
    let mut left = total.saturating_sub(parts.iter().sum());
    let n = parts.len().max(1);
    for i in (0..n).cycle() {
        if left == 0 {
            break;
        }
        if let Some(part) = parts.get_mut(i) {
            *part += 1;
        }
        left -= 1;
    }
    parts
}

impl Country {
    /// Makes the country. It has at least one station a district.
    pub fn new(seed: u64, stations: u32) -> Self {
        let stations = stations.max(DISTRICTS);
        let mut dice = Dice::new(seed, "country", 0);
        let weights = |dice: &mut Dice, n: u32, spread: f64| -> Vec<f64> {
            (0..n).map(|_| (spread * dice.normal()).exp()).collect()
        };
        let region_weights = weights(&mut dice, REGIONS, 0.5);
        let of_region = divide(stations - DISTRICTS + REGIONS, &region_weights);
        // Each region has as many districts as its share of the stations asks for.
        let districts_of = divide(DISTRICTS, &region_weights);

        let (mut regions, mut districts) = (Vec::new(), Vec::new());
        let mut next = 0;
        for (r, (&n, &k)) in of_region.iter().zip(&districts_of).enumerate() {
            let leaning: [f64; CANDIDATES] = std::array::from_fn(|_| 0.30 * dice.normal());
            let turnout = 0.05 + 0.22 * dice.normal();
            let code = format!("{:02}", r + 1);
            let sizes = weights(&mut dice, k, 0.35);
            let first = next;
            for (d, count) in divide(n + k - 1, &sizes).into_iter().enumerate() {
                districts.push(District {
                    code: format!("{code}{:02}", d + 1),
                    name: names::area(&mut dice),
                    region: r,
                    first_station: next,
                    stations: count,
                    size: 620f64.ln() + 0.22 * dice.normal(),
                    turnout: turnout + 0.12 * dice.normal(),
                    weights: std::array::from_fn(|c| {
                        BASE_SHARES.get(c).copied().unwrap_or(0.01)
                            * (leaning.get(c).copied().unwrap_or(0.0) + 0.20 * dice.normal()).exp()
                    }),
                });
                next += count;
            }
            regions.push(Region {
                code,
                name: names::area(&mut dice),
                first_station: first,
                stations: next - first,
                turnout,
            });
        }
        Self { seed, regions, districts, stations: next, overfull: None }
    }

    /// The district of a station.
    fn district_of(&self, station: u32) -> usize {
        self.districts.partition_point(|d| d.first_station <= station).saturating_sub(1)
    }

    /// Mean turnout of a region before chance, between 0 and 1.
    pub fn turnout_of(region: &Region) -> f64 {
        logistic(region.turnout)
    }

    /// A station, by number from 0; numbers past the last give the last.
    pub fn station(&self, number: u32) -> Station {
        let number = number.min(self.stations.saturating_sub(1));
        let at = self.district_of(number);
        let mut dice = Dice::new(self.seed, "station", u64::from(number));
        let Some(district) = self.districts.get(at) else {
            // A country has districts; this keeps the function total.
            return Station {
                code: String::new(),
                name: String::new(),
                district: 0,
                registered: 0,
                count: Count::NONE,
            };
        };
        let registered = (district.size + 0.40 * dice.normal()).exp().clamp(50.0, 3_000.0) as u32;
        let name = names::station(&mut dice);
        let count = Count::draw(&mut dice, registered, district, self.overfull == Some(number));
        let code = format!("{}{:04}", district.code, number - district.first_station + 1);
        Station { code, name, district: at, registered, count }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Count {
    const NONE: Self = Self { cast: 0, rejected: 0, valid: 0, votes: [0; CANDIDATES] };

    fn draw(dice: &mut Dice, registered: u32, district: &District, overfull: bool) -> Self {
        let oddity = dice.unit();
        // A few stations where everybody voted, and fewer with more ballots than voters.
        let cast = if overfull || oddity < 0.0008 {
            registered + 1 + dice.below(u64::from(registered / 40 + 3)) as u32
        } else if oddity < 0.0024 {
            registered
        } else {
            let p = logistic(district.turnout + 0.34 * dice.normal());
            dice.binomial(registered, p)
        };
        Self::share_out(dice, cast, &district.weights, oddity > 0.986)
    }

    /// Divides the ballots among the candidates; `lopsided` gives one of them 95% and more.
    fn share_out(dice: &mut Dice, cast: u32, weights: &[f64; CANDIDATES], lopsided: bool) -> Self {
        let p = 0.014 * (0.6 * dice.normal()).exp();
        let rejected = dice.binomial(cast, p);
        // A ballot or two that were handed out and not put into the box's count.
        let lost = if dice.chance(0.05) { (1 + dice.below(3) as u32).min(cast - rejected) } else { 0 };
        let valid = cast - rejected - lost;
        let mut shares: [f64; CANDIDATES] =
            std::array::from_fn(|c| weights.get(c).copied().unwrap_or(0.0) * (0.28 * dice.normal()).exp());
        if lopsided {
            let sum: f64 = shares.iter().sum();
            if let Some(first) = shares.first_mut() {
                *first += 40.0 * sum;
            }
        }
        let mut sum: f64 = shares.iter().sum();
        let mut left = valid;
        let mut votes = [0; CANDIDATES];
        for (i, (vote, share)) in votes.iter_mut().zip(shares).enumerate() {
            *vote = if i + 1 == CANDIDATES { left } else { dice.binomial(left, share / sum) };
            left -= *vote;
            sum -= share;
        }
        Self { cast, rejected, valid, votes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_look_like_real_ones_and_their_sums_agree() {
        let country = Country::new(7, 5_400);
        assert_eq!((country.regions.len(), country.districts.len(), country.stations), (12, 60, 5_400));
        let all: Vec<Station> = (0..country.stations).map(|i| country.station(i)).collect();
        let n = all.len() as f64;
        let registered: f64 = all.iter().map(|s| f64::from(s.registered)).sum();
        assert!((500.0..900.0).contains(&(registered / n)), "{}", registered / n);
        assert!(all.iter().all(|s| (50..=3_000).contains(&s.registered)));
        for s in &all {
            assert_eq!(s.count.votes.iter().sum::<u32>(), s.count.valid);
            assert!((0..=3).contains(&(s.count.cast - s.count.valid - s.count.rejected)));
        }
        let cast: f64 = all.iter().map(|s| f64::from(s.count.cast)).sum();
        assert!((0.40..0.62).contains(&(cast / registered)), "{}", cast / registered);
        let rejected: f64 = all.iter().map(|s| f64::from(s.count.rejected)).sum();
        assert!((0.010..0.022).contains(&(rejected / cast)), "{}", rejected / cast);
        let over = all.iter().filter(|s| s.count.cast > s.registered).count();
        let lopsided = all.iter().filter(|s| s.count.votes.iter().any(|v| *v * 100 >= s.count.valid * 95)).count();
        assert!((1..20).contains(&over), "{over}");
        assert!((30..150).contains(&lopsided), "{lopsided}");
    }

    #[test]
    fn a_small_and_a_large_country_have_the_stations_that_were_asked_for() {
        for n in [60, 61, 540, 50_000] {
            let country = Country::new(1, n);
            assert_eq!(country.stations, n);
            assert_eq!(country.regions.iter().map(|r| r.stations).sum::<u32>(), n);
            assert!(country.districts.iter().all(|d| d.stations > 0));
        }
    }
}
