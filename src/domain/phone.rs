//! Phone numbers as the roster has them: digits only, in international form where the SMSC gives it.

use std::borrow::Cow;

/// An address brought to the form in which phones are stored and looked up: separators, a leading
/// `+` and a leading `00` are dropped. What is no phone number (an alphanumeric sender) stays as it is.
pub fn normalise(address: &str) -> String {
    normalised(address).into_owned()
}

/// [`normalise`] without a copy where the number is a part of the address as it stands.
pub fn normalised(address: &str) -> Cow<'_, str> {
    let trimmed = address.trim();
    let plain = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(plain.strip_prefix("00").filter(|rest| !rest.is_empty()).unwrap_or(plain));
    }
    let digits: String =
        trimmed.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '\u{a0}')).collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(trimmed);
    }
    Cow::Owned(match digits.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => digits,
    })
}

/// A number for logs: its first three and last two digits.
pub fn mask(phone: &str) -> String {
    let chars: Vec<char> = phone.chars().collect();
    if chars.len() <= 5 {
        return phone.to_owned();
    }
    let hidden = chars.len() - 5;
    chars
        .iter()
        .take(3)
        .copied()
        .chain(std::iter::repeat_n('•', hidden))
        .chain(chars.iter().skip(3 + hidden).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_zeros_and_separators_mean_nothing_in_a_phone_number() {
        for form in ["+355691234567", "00355691234567", "355 69 123-4567", " 355691234567 "] {
            assert_eq!(normalise(form), "355691234567");
        }
        assert_eq!(normalise("0691234567"), "0691234567");
    }

    #[test]
    fn what_is_no_number_stays_as_it_came() {
        for form in ["INFO", "Vodafone 1", "", "+", "00"] {
            assert_eq!(normalise(form), form.trim());
        }
    }

    #[test]
    fn a_masked_phone_shows_three_digits_and_two() {
        assert_eq!(mask("355691234567"), "355•••••••67");
        assert_eq!(mask("55555"), "55555");
        assert_eq!(mask("été1234"), "été••34");
    }
}
