//! What stands straight after a value and makes it doubtful: a word that turns it round, makes another
//! number of it, or names another half of the day.
//!
//! Such a value was hardly meant as it would be recorded (`2 thousand`, `yes/no`, `5 or 6`, `7:30 in the
//! evening`), and a note of what is left over is not enough: it goes back to the observer. Courtesy is the
//! contrary: it leaves no doubt where any other word after a short answer would (`no thanks`).

use super::lexicon::{Ready, Type};
use super::value::{Meant, candidates, is_letter};

/// Digits of a phone number, which says nothing about the value before it.
const PHONE_DIGITS: usize = 7;
/// Words after a time that are looked through for a half of the day.
const DAY_WORDS_MAX: usize = 5;

/// Turn round what stands before them.
const NOT: &[&str] = &["NOT", "PAS", "SIYO", "SIO", "ليس"];
/// Join a second value to the first.
const JOIN: &[&str] = &[
    "OR", "AND", "TO", "TILL", "UNTIL", "PLUS", "MINUS", "OU", "ET", "À", "A", "O", "U", "E", "Y", "ATÉ", "ATE",
    "HASTA", "AU", "NA", "HADI", "أو", "او", "و", "الى", "إلى",
];
/// Make another number of the one before them.
const TIMES: &[&str] = &[
    "HUNDRED",
    "HUNDREDS",
    "THOUSAND",
    "THOUSANDS",
    "MILLION",
    "DOZEN",
    "DOZENS",
    "HALF",
    "K",
    "CENT",
    "CENTS",
    "MILLE",
    "DEMI",
    "DOUZAINE",
    "MIL",
    "CEM",
    "CENTO",
    "CIEN",
    "CIENTO",
    "MEIO",
    "MEIA",
    "MEDIO",
    "DÚZIA",
    "DOCENA",
    "MIA",
    "ELFU",
    "NUSU",
    "ألف",
    "الف",
    "آلاف",
    "مئة",
    "مائة",
    "نصف",
];
/// Numbers in words, from one.
const NUMBERS: &[&[&str]] = &[
    &["ONE", "UNO", "MOJA", "واحد"],
    &["TWO", "DEUX", "DOIS", "DUAS", "DOS", "MBILI", "اثنان"],
    &["THREE", "TROIS", "TRÊS", "TRES", "TATU", "ثلاثة"],
    &["FOUR", "QUATRE", "QUATRO", "CUATRO", "NNE", "أربعة"],
    &["FIVE", "CINQ", "CINCO", "TANO", "خمسة"],
    &["SIX", "SEIS", "SITA", "ستة"],
    &["SEVEN", "SEPT", "SETE", "SIETE", "SABA", "سبعة"],
    &["EIGHT", "HUIT", "OITO", "OCHO", "NANE", "ثمانية"],
    &["NINE", "NEUF", "NOVE", "NUEVE", "TISA", "تسعة"],
    &["TEN", "DIX", "DEZ", "DIEZ", "KUMI", "عشرة"],
];
/// After noon.
const LATE: &[&str] = &[
    "PM",
    "EVENING",
    "AFTERNOON",
    "NIGHT",
    "TONIGHT",
    "SOIR",
    "NUIT",
    "APRÈS",
    "NOITE",
    "TARDE",
    "NOCHE",
    "مساء",
    "المساء",
    "ليلا",
    "عصرا",
    "ظهرا",
];
/// Before noon.
const EARLY: &[&str] = &["AM", "MORNING", "MATIN", "MANHÃ", "MAÑANA", "صباحا", "الصباح"];
/// Halves of a day whose hours are counted from six.
const FROM_SIX: &[&str] = &["ASUBUHI", "MCHANA", "ALASIRI", "JIONI", "USIKU", "ALFAJIRI", "SAA"];
/// `Good evening` says nothing of a time.
const GREET: &[&str] = &["GOOD", "BON", "BONNE", "BOM", "BOA", "BUENAS", "BUENOS"];
/// Said for politeness.
const COURTESY: &[&str] = &[
    "PLEASE",
    "PLS",
    "PLZ",
    "THANKS",
    "THANK",
    "YOU",
    "THX",
    "SIR",
    "MADAM",
    "BOSS",
    "OK",
    "OKAY",
    "MERCI",
    "BEAUCOUP",
    "SVP",
    "MONSIEUR",
    "MADAME",
    "CHEF",
    "OBRIGADO",
    "OBRIGADA",
    "SENHOR",
    "SENHORA",
    "POR",
    "FAVOR",
    "GRACIAS",
    "SEÑOR",
    "SEÑORA",
    "ASANTE",
    "SANA",
    "TAFADHALI",
    "MKUU",
    "شكرا",
    "من",
    "فضلك",
    "سيدي",
];

/// Runs of letters, and runs of digits, each with where it begins.
fn tokens(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let kind = |b: &u8| (is_letter(*b), b.is_ascii_digit());
        let rest = text.get(at..)?;
        let begin = at + rest.iter().position(|b| kind(b) != (false, false))?;
        let first = kind(text.get(begin)?);
        let length = text.get(begin..)?.iter().take_while(|b| kind(b) == first).count();
        at = begin + length;
        Some((begin, text.get(begin..at)?))
    })
}

fn among(words: &[&str], word: &[u8]) -> bool {
    words.iter().any(|w| w.as_bytes() == word)
}

/// Is it all courtesy?
pub(super) fn is_courtesy(text: &[u8]) -> bool {
    let mut words = tokens(text).peekable();
    words.peek().is_some() && words.all(|(_, word)| among(COURTESY, word))
}

/// Does what stands at `text[from..to]`, straight after it, make this answer doubtful?
pub(super) fn doubted(question: &Ready, meant: &Meant, text: &[u8], (from, to): (usize, usize)) -> bool {
    let after = text.get(from..to).unwrap_or_default();
    let mut words = tokens(after);
    let Some((place, first)) = words.next() else { return false };
    let joined = among(JOIN, first);
    let (place, word) = if joined { words.next().unwrap_or((place, first)) } else { (place, first) };
    if word.first().is_some_and(u8::is_ascii_digit) {
        return word.len() < PHONE_DIGITS;
    }
    if among(NOT, first) {
        return true;
    }
    match &question.kind {
        Type::Count { .. } | Type::Decimal { .. } => another_number(meant, word, joined, words.next().map(|w| w.1)),
        Type::Time { .. } => another_half(meant, after),
        Type::YesNo { .. } | Type::Choice { .. } | Type::Multi { .. } | Type::Flag { .. } => {
            let sign = after.get(..place).unwrap_or_default();
            // A word as long as this is no beginning of a remark such as *no problem*.
            let alternative = joined || sign.contains(&b'/') || word.len() >= 3;
            another_answer(question, meant, text.get(..to).unwrap_or_default(), from + place, alternative)
        }
        Type::Date { .. } | Type::Text => false,
    }
}

fn another_number(meant: &Meant, word: &[u8], joined: bool, next: Option<&[u8]>) -> bool {
    if among(TIMES, word) {
        return true;
    }
    let Some(number) = NUMBERS.iter().position(|words| among(words, word)) else { return false };
    // `5 (five)` says it twice.
    let again = !joined && matches!(meant, Meant::Number(n) if usize::try_from(*n) == Ok(number + 1));
    !again || next.is_some_and(|next| among(TIMES, next))
}

fn another_half(meant: &Meant, after: &[u8]) -> bool {
    let Meant::Time(minutes) = meant else { return false };
    let late = *minutes >= 12 * 60;
    let mut before: &[u8] = &[];
    tokens(after).take(DAY_WORDS_MAX).any(|(_, word)| {
        let before = std::mem::replace(&mut before, word);
        let another = (!late && among(LATE, word))
            || (late && among(EARLY, word))
            || (*minutes < 13 * 60 && among(FROM_SIX, word));
        another && !among(GREET, before)
    })
}

/// Another answer to the same question, be it all that stands there or offered as an alternative.
fn another_answer(question: &Ready, meant: &Meant, text: &[u8], at: usize, alternative: bool) -> bool {
    let mut found = Vec::new();
    candidates(question, text, at, at, &mut found);
    found.iter().any(|c| {
        let rest = text.get(c.end..).unwrap_or_default();
        let ends =
            if alternative { !rest.first().is_some_and(|b| is_letter(*b)) } else { tokens(rest).next().is_none() };
        // A flag that is refused is another answer too.
        ends && c.mended == 0 && !matches!(&c.result, Ok(Some(again)) if again == meant)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courtesy_is_nothing_but_courtesy() {
        for (text, is) in
            [(" THANK YOU SIR", true), ("شكرا", true), (" THANKS TO GOD", false), ("!", false), ("", false)]
        {
            assert_eq!(is_courtesy(text.as_bytes()), is, "{text}");
        }
    }
}
