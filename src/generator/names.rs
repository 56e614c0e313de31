//! Invented names of places and people. No real place or person is meant.

use super::dice::Dice;

const ONSETS: [&str; 18] =
    ["b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "s", "t", "v", "z", "br", "dr", "kr", "st"];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "a", "e", "ia"];
const CODAS: [&str; 8] = ["", "", "", "n", "r", "l", "s", "m"];
const TAILS: [&str; 10] = ["ova", "eth", "und", "aro", "mere", "isk", "ela", "gar", "ost", "ul"];
const BUILDINGS: [&str; 8] = [
    "Primary School",
    "Town Hall",
    "Secondary School",
    "Library",
    "Clinic",
    "Market Hall",
    "Community Centre",
    "Sports Hall",
];
const GIVEN: [&str; 16] = [
    "Tessim", "Jovet", "Nimue", "Solen", "Dovin", "Kelis", "Mirel", "Hosek", "Zuvin", "Lunet", "Timon", "Suvel",
    "Joris", "Venka", "Hilmo", "Nestor",
];

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn syllable(dice: &mut Dice) -> String {
    format!("{}{}{}", dice.pick(&ONSETS), dice.pick(&VOWELS), dice.pick(&CODAS))
}

/// A region or district.
pub(super) fn area(dice: &mut Dice) -> String {
    let mut name = syllable(dice);
    if dice.chance(0.6) {
        name.push_str(&syllable(dice));
    }
    name.push_str(dice.pick(&TAILS));
    capital(&name)
}

/// A building in a village, where people vote.
pub(super) fn station(dice: &mut Dice) -> String {
    let village = capital(&(syllable(dice) + &syllable(dice)));
    format!("{village} {}", dice.pick(&BUILDINGS))
}

/// A person.
pub(super) fn person(dice: &mut Dice) -> String {
    let given = dice.pick(&GIVEN);
    format!("{given} {}", area(dice))
}
