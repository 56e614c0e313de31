//! Which alphabet a text is sent in: the one in which it takes the fewest segments, of those that the link's
//! SMSC is set to take.
//!
//! Invariant: what is measured here is what [`segments`](super::segments) sends.

use super::gsm7;
use super::national::{Language, Shifts};
use crate::domain::alphabet::{DefaultAlphabet, LongMessages, SendAlphabet};

/// Bytes of user data that one short message carries over the air.
const USER_DATA_BYTES: usize = 140;

/// How a link sends texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// What `data_coding` 0 means.
    pub default: DefaultAlphabet,
    /// May texts go in the default alphabet?
    pub plain: bool,
    /// As Latin-1 (`data_coding` 3)?
    pub latin1: bool,
    /// As UCS2 (`data_coding` 8)?
    pub ucs2: bool,
    /// Languages whose national tables the phones here know: a bit each, by their identifier.
    pub languages: u16,
    /// How several segments are sent.
    pub long: LongMessages,
    /// References of 16 bits, not 8.
    pub wide: bool,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            default: DefaultAlphabet::Gsm7,
            plain: true,
            latin1: false,
            ucs2: true,
            languages: 0,
            long: LongMessages::Udh,
            wide: false,
        }
    }
}

/// The alphabet that a text is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// The default alphabet (`data_coding` 0); GSM 7-bit over the air.
    Gsm7,
    /// GSM 7-bit with national tables.
    National(Shifts),
    /// Latin-1 (`data_coding` 3).
    Latin1,
    /// UCS2 (`data_coding` 8).
    Ucs2,
}

impl Alphabet {
    /// `data_coding`.
    pub fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7 | Self::National(_) => 0,
            Self::Latin1 => 3,
            Self::Ucs2 => 8,
        }
    }

    /// National tables, where it has any.
    pub fn shifts(self) -> Shifts {
        if let Self::National(shifts) = self { shifts } else { Shifts::default() }
    }

    /// Units in so many bytes over the air: septets, bytes, or 16-bit units.
    fn units(self, bytes: usize) -> usize {
        match self {
            Self::Gsm7 | Self::National(_) => bytes * 8 / 7,
            Self::Latin1 => bytes,
            Self::Ucs2 => bytes / 2,
        }
    }
}

impl Sending {
    /// A link that takes these alphabets, and national tables of these languages (ISO 639-1).
    pub fn new(default: DefaultAlphabet, alphabets: &[SendAlphabet], languages: &[String]) -> Self {
        let bit = |code: &String| Language::from_code(code).map_or(0, |language| 1 << language.id());
        Self {
            default,
            plain: alphabets.contains(&SendAlphabet::Default),
            latin1: alphabets.contains(&SendAlphabet::Latin1),
            ucs2: alphabets.contains(&SendAlphabet::Ucs2),
            languages: languages.iter().map(bit).fold(0, |all, one| all | one),
            ..Self::default()
        }
    }

    /// Units of one segment, and of each of several.
    pub fn room(&self, alphabet: Alphabet) -> (usize, usize) {
        let shifts = alphabet.shifts().header_bytes();
        let single = if shifts == 0 { 0 } else { 1 + shifts };
        // Where the SMSC makes the header, the reference may get 16 bits.
        let wide = self.wide || self.long == LongMessages::Sar;
        let each = 1 + 5 + usize::from(wide) + shifts;
        (alphabet.units(USER_DATA_BYTES - single), alphabet.units(USER_DATA_BYTES - each))
    }

    /// Units that a character takes; `None` where the alphabet lacks it.
    pub fn cost(&self, alphabet: Alphabet, c: char) -> Option<usize> {
        let septets = |septets: Option<(Option<u8>, u8)>| septets.map(|(escape, _)| 1 + usize::from(escape.is_some()));
        match alphabet {
            Alphabet::Gsm7 => {
                // An SMSC with another default alphabet makes GSM 7-bit of it.
                let both = match self.default {
                    DefaultAlphabet::Gsm7 => true,
                    DefaultAlphabet::Latin1 => u32::from(c) <= 0xFF,
                    DefaultAlphabet::Ascii | DefaultAlphabet::Utf8 => c.is_ascii(),
                };
                septets(gsm7::septets(c)).filter(|_| both)
            }
            Alphabet::National(shifts) => septets(gsm7::septets_shifted(c, shifts)),
            Alphabet::Latin1 => matches!(u32::from(c), 0x0A | 0x0D | 0x20..=0x7E | 0xA0..=0xFF).then_some(1),
            Alphabet::Ucs2 => Some(c.len_utf16()),
        }
    }

    /// The alphabets to try, those that every phone knows first: of two in which a text takes as many segments,
    /// the earlier one is taken.
    fn alphabets(&self) -> impl Iterator<Item = Alphabet> {
        // The SMSC would cut such a text without regard to its tables.
        let whole = self.plain && self.default == DefaultAlphabet::Gsm7 && self.long == LongMessages::Udh;
        let languages =
            Language::ALL.into_iter().filter(move |language| whole && self.languages >> language.id() & 1 == 1);
        let national = languages.flat_map(|language| {
            let locking = language.locks().then_some(language);
            let one = Shifts { locking: None, single: Some(language) };
            let lock = locking.map(|_| Shifts { locking, single: None });
            let both = locking.map(|_| Shifts { locking, single: Some(language) });
            [Some(one), lock, both].into_iter().flatten().map(Alphabet::National)
        });
        let common = [(self.plain, Alphabet::Gsm7), (self.latin1, Alphabet::Latin1), (self.ucs2, Alphabet::Ucs2)];
        common.into_iter().filter_map(|(allowed, alphabet)| allowed.then_some(alphabet)).chain(national)
    }

    /// The alphabet in which a text takes the fewest segments; `None` where none holds it.
    pub fn choose(&self, text: &str) -> Option<Measure> {
        let mut best: Option<Measure> = None;
        for alphabet in self.alphabets() {
            let Some(measure) = self.measure_in(alphabet, text) else { continue };
            if best.is_none_or(|best| measure.segments < best.segments) {
                best = Some(measure);
            }
            if best.is_some_and(|best| best.segments == 1) {
                break;
            }
        }
        best
    }

    fn measure_in(&self, alphabet: Alphabet, text: &str) -> Option<Measure> {
        let units = text.chars().try_fold(0, |units, c| Some(units + self.cost(alphabet, c)?))?;
        let (single, _) = self.room(alphabet);
        if units <= single {
            return Some(Measure { alphabet, segments: 1, units_left: single - units });
        }
        let (segments, units_left) = self.cuts(text, alphabet).fold((0, 0), |(n, _), (_, left)| (n + 1, left));
        Some(Measure { alphabet, segments, units_left })
    }

    /// Parts of a text of several segments, with the units free in each. An escape and its septet, and the two
    /// halves of a surrogate pair, are one character here, and never cut apart.
    pub fn cuts<'a>(&self, text: &'a str, alphabet: Alphabet) -> impl Iterator<Item = (&'a str, usize)> {
        let (_, each) = self.room(alphabet);
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let mut left = each;
            let mut end = rest.len();
            for (at, c) in rest.char_indices() {
                match left.checked_sub(self.cost(alphabet, c).unwrap_or(1)) {
                    Some(after) => left = after,
                    None => {
                        end = at;
                        break;
                    }
                }
            }
            let (part, after) = rest.split_at(end);
            rest = after;
            Some((part, left))
        })
    }

    /// A part's bytes as SMPP carries them: a septet a byte.
    pub fn encode(&self, alphabet: Alphabet, part: &str, out: &mut Vec<u8>) {
        match (alphabet, self.default) {
            (Alphabet::Gsm7, DefaultAlphabet::Gsm7) | (Alphabet::National(_), _) => {
                // Every character has septets, or the alphabet would not have been chosen.
                for (escape, septet) in part.chars().filter_map(|c| gsm7::septets_shifted(c, alphabet.shifts())) {
                    out.extend(escape);
                    out.push(septet);
                }
            }
            (Alphabet::Gsm7 | Alphabet::Latin1, _) => {
                out.extend(part.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')));
            }
            (Alphabet::Ucs2, _) => out.extend(part.encode_utf16().flat_map(u16::to_be_bytes)),
        }
    }
}

/// How much room a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// The alphabet.
    pub alphabet: Alphabet,
    /// Segments.
    pub segments: usize,
    /// Units free in the last segment: septets, bytes, or 16-bit units.
    pub units_left: usize,
}

/// Do so many units fit so many segments, by whichever link they go: also by one whose long texts have references
/// of 16 bits, and a byte less room in each segment? `pairs`: some characters take two units, of which a
/// segment's last place may stay empty.
pub fn fits(alphabet: Alphabet, units: usize, pairs: bool, segments: usize) -> bool {
    let (single, each) = Sending { wide: true, ..Sending::default() }.room(alphabet);
    let waste = if pairs { segments.saturating_sub(1) } else { 0 };
    units <= single || units + waste <= each * segments
}
