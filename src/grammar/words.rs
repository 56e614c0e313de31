//! Words that stand for yes and no, by language.
//!
//! Only whole words that mean the same in every language listed with them; single letters are English
//! alone, since `N` is *no* here and *yes* (`ndiyo`) there.

/// Language, words for yes, words for no; upper case, as clean-up leaves them.
const WORDS: &[(&str, &[&str], &[&str])] = &[
    ("en", &["YES", "Y"], &["NO", "N"]),
    ("fr", &["OUI"], &["NON"]),
    ("sw", &["NDIYO", "NDIO"], &["HAPANA"]),
    ("pt", &["SIM"], &["NAO", "NÃO"]),
    ("es", &["SI", "SÍ"], &["NO"]),
    ("ar", &["نعم", "أجل", "اجل"], &["لا", "كلا"]),
    ("sq", &["PO"], &["JO"]),
    ("ru", &["ДА"], &["НЕТ"]),
    ("ha", &["EH"], &["AA"]),
];

/// Words for yes and no in English and in the languages asked for, each with what it means.
pub(super) fn yes_no<'a>(languages: &'a [String]) -> impl Iterator<Item = (&'static str, bool)> + 'a {
    WORDS
        .iter()
        .filter(|(language, ..)| *language == "en" || languages.iter().any(|l| l == language))
        .flat_map(|(_, yes, no)| yes.iter().map(|word| (*word, true)).chain(no.iter().map(|word| (*word, false))))
}
