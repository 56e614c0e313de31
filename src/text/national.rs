//! National language tables of the GSM 7-bit alphabet (3GPP TS 23.038, annex A): a locking table stands in the
//! place of the default one for a whole message, a single shift table in that of the extension table, for the
//! one septet after an escape. The user data header's elements 0x25 and 0x24 name them.

use std::ops::RangeInclusive;

use crate::domain::alphabet::SHIFT_LANGUAGES;

/// A language that has tables, by its national language identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Language {
    /// 1.
    Turkish = 1,
    /// 2: a single shift table alone.
    Spanish,
    /// 3.
    Portuguese,
    /// 4: Bengali and Assamese.
    Bengali,
    /// 5.
    Gujarati,
    /// 6.
    Hindi,
    /// 7.
    Kannada,
    /// 8.
    Malayalam,
    /// 9.
    Oriya,
    /// 10.
    Punjabi,
    /// 11.
    Tamil,
    /// 12.
    Telugu,
    /// 13.
    Urdu,
}

impl Language {
    /// All, in the order of their identifiers.
    pub const ALL: [Self; 13] = [
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];
    /// As the header names it.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// By the header's identifier.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id).checked_sub(1)?).copied()
    }

    /// ISO 639-1 code.
    pub fn code(self) -> &'static str {
        SHIFT_LANGUAGES.get(usize::from(self.id()) - 1).copied().unwrap_or_default()
    }

    /// By its ISO 639-1 code.
    pub fn from_code(code: &str) -> Option<Self> {
        let at = SHIFT_LANGUAGES.iter().position(|c| *c == code)?;
        Self::ALL.get(at).copied()
    }

    /// Has it a locking table? Spanish has none.
    pub fn locks(self) -> bool {
        self != Self::Spanish
    }
}

/// The tables that a message's header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Shifts {
    /// In the place of the default alphabet.
    pub locking: Option<Language>,
    /// In the place of the extension table.
    pub single: Option<Language>,
}

impl Shifts {
    /// Bytes of the header's elements.
    pub fn header_bytes(self) -> usize {
        3 * (usize::from(self.locking.is_some()) + usize::from(self.single.is_some()))
    }

    /// The header's elements, the locking one first.
    pub fn elements(self) -> impl Iterator<Item = [u8; 3]> {
        let locking = self.locking.map(|language| [0x25, 1, language.id()]);
        locking.into_iter().chain(self.single.map(|language| [0x24, 1, language.id()]))
    }
}

/// Septets and the characters that stand there in place of the default alphabet's.
const TURKISH: &[(u8, &str)] = &[(0x04, "€"), (0x07, "ı"), (0x0B, "Ğğ"), (0x1C, "Şş"), (0x40, "İ"), (0x60, "ç")];
const PORTUGUESE: &[(u8, &str)] = &[
    (0x04, "ê"),
    (0x06, "úíóç"),
    (0x0B, "Ôô"),
    (0x0E, "Áá"),
    (0x12, "ªÇÀ∞^\\€Ó|"),
    (0x1C, "ÂâÊ"),
    (0x24, "º"),
    (0x40, "Í"),
    (0x5B, "ÃÕÚ"),
    (0x60, "~"),
    (0x7B, "ãõ`"),
];

/// The same for the extension table, which the languages of Latin letters keep.
const TURKISH_SINGLE: &[(u8, &str)] =
    &[(0x47, "Ğ"), (0x49, "İ"), (0x53, "Ş"), (0x63, "ç"), (0x67, "ğ"), (0x69, "ı"), (0x73, "ş")];
const SPANISH_SINGLE: &[(u8, &str)] = &[
    (0x09, "ç"),
    (0x41, "Á"),
    (0x49, "Í"),
    (0x4F, "Ó"),
    (0x55, "Ú"),
    (0x61, "á"),
    (0x69, "í"),
    (0x6F, "ó"),
    (0x75, "ú"),
];
const PORTUGUESE_SINGLE: &[(u8, &str)] = &[
    (0x05, "ê"),
    (0x09, "ç"),
    (0x0B, "Ôô"),
    (0x0E, "Áá"),
    (0x12, "ΦΓ^ΩΠΨΣΘ"),
    (0x1F, "Ê"),
    (0x41, "À"),
    (0x49, "Í"),
    (0x4F, "Ó"),
    (0x55, "Ú"),
    (0x5B, "ÃÕ"),
    (0x61, "Â"),
    (0x69, "í"),
    (0x6F, "ó"),
    (0x75, "ú"),
    (0x7B, "ãõ"),
    (0x7F, "â"),
];

/// What the other languages' single shift tables share: what their locking tables have no place for.
const SHARED_SINGLE: &[(u8, &str)] = &[
    (0x00, "@£$¥¿\"¤%&'\u{0C}*+"),
    (0x0E, "-/<=>¡^¡_#*"),
    (0x28, "{}"),
    (0x2F, "\\"),
    (0x3C, "[~]"),
    (0x40, "|ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    (0x65, "€"),
];

/// Runs of their own: septet, first character, how many.
type Runs = &'static [(u8, u16, u8)];
const DANDA: (u8, u16, u8) = (0x19, 0x964, 2);
const SINGLE_RUNS: [Runs; 10] = [
    &[(0x19, 0x9E6, 2), (0x1C, 0x9E8, 8), (0x24, 0x9DF, 4), (0x2A, 0x9E3, 1), (0x2B, 0x9F2, 4), (0x30, 0x9F6, 5)],
    &[DANDA, (0x1C, 0xAE6, 10)],
    &[
        DANDA,
        (0x1C, 0x966, 10),
        (0x26, 0x951, 2),
        (0x2A, 0x953, 2),
        (0x2C, 0x958, 3),
        (0x30, 0x95B, 9),
        (0x39, 0x970, 2),
    ],
    &[DANDA, (0x1C, 0xCE6, 10), (0x26, 0xCDE, 1), (0x27, 0xCF1, 1), (0x2A, 0xCF2, 1)],
    &[DANDA, (0x1C, 0xD66, 10), (0x26, 0xD70, 2), (0x2A, 0xD72, 4), (0x2E, 0xD7A, 1), (0x30, 0xD7B, 5)],
    &[DANDA, (0x1C, 0xB66, 10), (0x26, 0xB5C, 2), (0x2A, 0xB5F, 1), (0x2B, 0xB70, 2)],
    &[DANDA, (0x1C, 0xA66, 10), (0x26, 0xA59, 2), (0x2A, 0xA5B, 2), (0x2C, 0xA5E, 1), (0x2D, 0xA75, 1)],
    &[DANDA, (0x1C, 0xBE6, 10), (0x26, 0xBF3, 2), (0x2A, 0xBF5, 4), (0x2E, 0xBFA, 1)],
    &[(0x1C, 0xC66, 10), (0x26, 0xC58, 2), (0x2A, 0xC78, 5), (0x30, 0xC7D, 3)],
    &[
        (0x19, 0x600, 2),
        (0x1C, 0x6F0, 10),
        (0x26, 0x60C, 2),
        (0x2A, 0x60E, 5),
        (0x30, 0x613, 2),
        (0x32, 0x61B, 1),
        (0x33, 0x61F, 1),
        (0x34, 0x640, 1),
        (0x35, 0x652, 1),
        (0x36, 0x658, 1),
        (0x37, 0x66B, 2),
        (0x39, 0x672, 2),
        (0x3B, 0x6CD, 1),
        (0x3F, 0x6D4, 1),
    ],
];

/// Septets at which these languages' locking tables have their letters, in order; elsewhere they have the line
/// breaks, the digits, small letters and marks of ASCII.
const PLACES: [RangeInclusive<u8>; 13] = [
    0x00..=0x09,
    0x0B..=0x0C,
    0x0E..=0x1A,
    0x1C..=0x1F,
    0x22..=0x27,
    0x2A..=0x2B,
    0x2D..=0x2D,
    0x2F..=0x2F,
    0x3C..=0x3E,
    0x40..=0x4F,
    0x50..=0x5F,
    0x60..=0x60,
    0x7B..=0x7F,
];
/// Letters of which the last six are a script's own.
const LETTERS: usize = 80;

/// A script of India: its block is laid out like those of the others, so that a letter's place in the block
/// follows from its place in the table.
struct Script {
    /// First character of its block.
    block: u16,
    /// Places in the block at which it has no letter, of those that others have.
    none: &'static [u8],
    /// The last six.
    own: [u8; 6],
}

const SCRIPTS: [Script; 9] = [
    Script {
        block: 0x980,
        none: &[0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4A],
        own: [0x4E, 0x57, 0x5C, 0x5D, 0x70, 0x71],
    },
    Script {
        block: 0xA80,
        none: &[0x0E, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4A],
        own: [0x50, 0x60, 0x61, 0x62, 0x63, 0x71],
    },
    Script { block: 0x900, none: &[], own: [0x50, 0x72, 0x7B, 0x7C, 0x7E, 0x7F] },
    Script {
        block: 0xC80,
        none: &[0x01, 0x0D, 0x11, 0x29, 0x34, 0x45, 0x49],
        own: [0x55, 0x56, 0x60, 0x61, 0x62, 0x63],
    },
    Script {
        block: 0xD00,
        none: &[0x01, 0x0D, 0x11, 0x29, 0x3C, 0x45, 0x49],
        own: [0x57, 0x60, 0x61, 0x62, 0x63, 0x79],
    },
    Script {
        block: 0xB00,
        none: &[0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4A],
        own: [0x56, 0x57, 0x60, 0x61, 0x62, 0x63],
    },
    Script {
        block: 0xA00,
        none: &[0x0B, 0x0C, 0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3D, 0x43, 0x44, 0x45, 0x46, 0x49, 0x4A],
        own: [0x51, 0x70, 0x71, 0x72, 0x73, 0x74],
    },
    Script {
        block: 0xB80,
        none: &[
            0x01, 0x0B, 0x0C, 0x0D, 0x11, 0x16, 0x17, 0x18, 0x1B, 0x1D, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27, 0x2B, 0x2C,
            0x2D, 0x3C, 0x3D, 0x43, 0x44, 0x45, 0x49,
        ],
        own: [0x50, 0x57, 0x70, 0x71, 0x72, 0x79],
    },
    Script {
        block: 0xC00,
        none: &[0x0D, 0x11, 0x29, 0x34, 0x3C, 0x45, 0x49],
        own: [0x55, 0x56, 0x60, 0x61, 0x62, 0x63],
    },
];

/// Urdu's letters, in the order of [`PLACES`].
const URDU: [u16; LETTERS] = [
    0x627, 0x622, 0x628, 0x67B, 0x680, 0x67E, 0x6A6, 0x62A, 0x6C2, 0x67F, //
    0x679, 0x67D, 0x67A, 0x67C, 0x62B, 0x62C, 0x681, 0x684, 0x683, 0x685, 0x686, 0x687, 0x62D, 0x62E, 0x62F, //
    0x68C, 0x688, 0x689, 0x68A, 0x68F, 0x68D, 0x630, 0x631, 0x691, 0x693, 0x699, 0x632, 0x696, 0x698, //
    0x69A, 0x633, 0x634, 0x635, 0x636, 0x637, 0x638, 0x639, 0x641, 0x642, 0x6A9, 0x6AA, 0x6AB, 0x6AF, 0x6B3, 0x6B1,
    0x644, 0x645, 0x646, //
    0x6BA, 0x6BB, 0x6BC, 0x648, 0x6C4, 0x6D5, 0x6C1, 0x6BE, 0x621, 0x6CC, 0x6D0, 0x6D2, 0x64D, 0x650, 0x64F,
    0x657, //
    0x654, 0x655, 0x651, 0x653, 0x656, 0x670,
];

/// The character of a septet in a language's locking table: `None` where it has none, `default` for what it
/// shares with the default alphabet.
pub fn locked(language: Language, septet: u8, default: Option<char>) -> Option<char> {
    match language {
        Language::Turkish => in_runs(TURKISH, septet).or(default),
        Language::Portuguese => in_runs(PORTUGUESE, septet).or(default),
        // It has no such table.
        Language::Spanish => default,
        _ => match letter_at(septet) {
            Some(at) => letter(language, at),
            None => match septet {
                0x0A => Some('\n'),
                0x0D => Some('\r'),
                0x28 => Some(')'),
                0x29 => Some('('),
                b' ' | b'!' | b',' | b'.' | b'0'..=b';' | b'?' | b'a'..=b'z' => Some(char::from(septet)),
                _ => None,
            },
        },
    }
}

/// The character of a septet after an escape, in a language's single shift table; `default`: what the
/// extension table has there.
pub fn shifted(language: Language, septet: u8, default: Option<char>) -> Option<char> {
    match language {
        Language::Turkish => in_runs(TURKISH_SINGLE, septet).or(default),
        Language::Spanish => in_runs(SPANISH_SINGLE, septet).or(default),
        Language::Portuguese => in_runs(PORTUGUESE_SINGLE, septet).or(default),
        _ => in_runs(SHARED_SINGLE, septet).or_else(|| {
            let runs = SINGLE_RUNS.get(usize::from(language.id()).checked_sub(4)?)?;
            let (from, first, _) = runs.iter().find(|(from, _, n)| (*from..*from + *n).contains(&septet))?;
            char::from_u32(u32::from(*first) + u32::from(septet - from))
        }),
    }
}

fn in_runs(runs: &[(u8, &str)], septet: u8) -> Option<char> {
    runs.iter().rev().find(|(from, _)| *from <= septet).and_then(|(from, c)| c.chars().nth(usize::from(septet - from)))
}

/// Which letter stands there, counted through all places.
fn letter_at(septet: u8) -> Option<usize> {
    let mut before = 0;
    for place in &PLACES {
        if place.contains(&septet) {
            return Some(before + usize::from(septet - place.start()));
        }
        before += place.clone().count();
    }
    None
}

fn letter(language: Language, at: usize) -> Option<char> {
    if language == Language::Urdu {
        return char::from_u32(u32::from(*URDU.get(at)?));
    }
    let script = SCRIPTS.get(usize::from(language.id()).checked_sub(4)?)?;
    let place = match at {
        // The blocks have a gap after the third sign, and one after the consonants.
        0..3 => at + 1,
        3..56 => at + 2,
        56..74 => at + 4,
        _ => return char::from_u32(u32::from(script.block) + u32::from(*script.own.get(at - 74)?)),
    };
    let place = u8::try_from(place).ok().filter(|place| !script.none.contains(place))?;
    char::from_u32(u32::from(script.block) + u32::from(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_where_the_standard_has_them() {
        let at = |language, septet| locked(language, septet, None);
        assert_eq!(at(Language::Turkish, 0x1D), Some('ş'));
        assert_eq!(at(Language::Portuguese, 0x1A), Some('|'));
        assert_eq!(at(Language::Portuguese, 0x7D), Some('`'));
        // First, in the middle, and last of a row; and where a script has no letter.
        assert_eq!(
            [0x00, 0x0F, 0x1A, 0x2F].map(|s| at(Language::Hindi, s)),
            [Some('\u{901}'), Some('\u{90F}'), Some('\u{91A}'), Some('\u{928}')]
        );
        assert_eq!(
            [0x3C, 0x4D, 0x4E, 0x50, 0x5F, 0x60, 0x7F].map(|s| at(Language::Hindi, s)),
            [
                Some('\u{929}'),
                Some('\u{939}'),
                Some('\u{93C}'),
                Some('\u{93E}'),
                Some('\u{94D}'),
                Some('\u{950}'),
                Some('\u{97F}')
            ]
        );
        assert_eq!(at(Language::Bengali, 0x12), None);
        assert_eq!(at(Language::Tamil, 0x13), Some('\u{B93}'));
        assert_eq!(at(Language::Tamil, 0x16), None);
        assert_eq!(
            [0x00, 0x26, 0x5F, 0x7F].map(|s| at(Language::Urdu, s)),
            [Some('\u{627}'), Some('\u{691}'), Some('\u{657}'), Some('\u{670}')]
        );
        assert_eq!(at(Language::Urdu, 0x28), Some(')'));
    }

    #[test]
    fn single_shifts_stand_where_the_standard_has_them() {
        let at = |language, septet| shifted(language, septet, None);
        assert_eq!(at(Language::Turkish, 0x67), Some('ğ'));
        assert_eq!(at(Language::Spanish, 0x75), Some('ú'));
        assert_eq!(at(Language::Portuguese, 0x19), Some('Θ'));
        assert_eq!(
            [0x1C, 0x2A, 0x34].map(|s| at(Language::Bengali, s)),
            [Some('\u{9E8}'), Some('\u{9E3}'), Some('\u{9FA}')]
        );
        assert_eq!(
            [0x25, 0x38, 0x3A].map(|s| at(Language::Hindi, s)),
            [Some('\u{96F}'), Some('\u{963}'), Some('\u{971}')]
        );
        assert_eq!([0x19, 0x3F, 0x5A].map(|s| at(Language::Urdu, s)), [Some('\u{600}'), Some('\u{6D4}'), Some('Z')]);
        assert_eq!(at(Language::Telugu, 0x19), None);
        assert_eq!(at(Language::Turkish, 0x1B), None);
    }

    #[test]
    fn no_table_has_a_character_twice_in_its_letters_and_none_has_the_escape() {
        for language in Language::ALL {
            assert_eq!(Language::from_id(language.id()), Some(language));
            assert_eq!(Language::from_code(language.code()), Some(language));
            assert_eq!((locked(language, 0x1B, None), shifted(language, 0x1B, None)), (None, None));
            let mut letters: Vec<char> = (0..0x80).filter_map(|s| locked(language, s, None)).collect();
            let all = letters.len();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!(letters.len(), all, "{language:?}");
        }
        assert_eq!(PLACES.iter().map(|p| p.clone().count()).sum::<usize>(), LETTERS);
        assert_eq!((Language::from_id(0), Language::from_id(14)), (None, None));
    }
}
