//! The table of the link's rules (`src/smpp/session/tests/dialog`) and the tests that it names: each is there, and
//! each dialog is in the table.

use std::collections::BTreeSet;

use crate::support::source;

const TABLE: &str = "src/smpp/session/tests/dialog/mod.rs";

/// Names of test functions in the last column of a table's rows: what stands between backquotes, without its
/// module, and is as long as only a test's name is.
fn named(table: &str) -> BTreeSet<&str> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | ")?.trim_end().strip_suffix('|'));
    let cells = rows.filter_map(|row| row.rsplit_once(" | ").map(|(_, cell)| cell));
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.filter_map(|word| word.rsplit("::").next()).filter(|word| word.matches('_').count() >= 3).collect()
}

#[test]
fn each_rule_of_the_link_names_tests_that_are_there_and_each_dialog_is_one_of_a_rule() {
    let files: Vec<_> = ["src", "tests"].iter().flat_map(|folder| source::files(folder, "rs")).collect();
    let table = &files.iter().find(|file| file.name == TABLE).expect("the table of rules").text;
    let named = named(table);
    assert!(named.len() > 80, "the table is read: {named:?}");
    let is_there = |name: &&str| files.iter().any(|file| file.text.contains(&format!("fn {name}(")));
    let gone: Vec<_> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(gone.is_empty(), "{TABLE} names what is no test: {gone:?}");

    let mut unnamed = Vec::new();
    for file in &files {
        // Its own document says of `submits` that it has more.
        let is_dialog = file.name.starts_with("src/smpp/session/tests/dialog/");
        if !is_dialog || file.name.ends_with("/submits.rs") {
            continue;
        }
        for test in file.text.split("#[tokio::test(start_paused = true)]\nasync fn ").skip(1) {
            let name = test.split('(').next().unwrap_or_default();
            if !named.contains(name) {
                unnamed.push(name.to_owned());
            }
        }
    }
    assert!(unnamed.is_empty(), "dialogs without a rule in {TABLE}: {unnamed:?}");
}
