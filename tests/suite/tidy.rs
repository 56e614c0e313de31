//! Habits of the house that a compiler does not check.

use super::support::source;

/// Lines at which a file has surely begun a second thing.
const LINES_MAX: usize = 600;
/// Lines past which one asks.
const LINES_ASK: usize = 400;

/// Source files of the project by what they are.
fn sources() -> Vec<source::Source> {
    let files: Vec<_> =
        ["src", "tests", "examples", "benches"].iter().flat_map(|dir| source::files(dir, "rs")).collect();
    assert!(files.len() > 20, "the sources are read");
    files
}

#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn no_file_has_grown_past_its_one_purpose() {
    let mut wrong = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, more than {LINES_MAX}", file.name));
        } else if lines > LINES_ASK {
            println!("{}: {lines} lines: what second thing has it begun?", file.name);
        }
    }
    none(wrong);
}

#[test]
fn each_file_opens_by_saying_what_it_is_for() {
    none(sources().iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.name.clone()).collect());
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat(), ["being", " built"].concat()];
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                wrong.push(format!("{}:{}: {}", file.name, number + 1, line.trim()));
            }
        }
    }
    none(wrong);
}

#[test]
fn a_lint_is_silenced_with_a_reason_only() {
    let mut wrong = Vec::new();
    for file in sources() {
        let code = source::code(&file.text);
        for head in ["[allow(", "[expect("] {
            for (at, _) in code.match_indices(head) {
                let end = code[at..].find(")]").map_or(code.len(), |end| at + end);
                if !code[at..end].contains("reason =") {
                    wrong.push(format!("{}:{}", file.name, source::line_of(&code, at)));
                }
            }
        }
    }
    none(wrong);
}

#[test]
fn migrations_are_named_by_number_verb_and_noun_without_a_gap() {
    let names: Vec<_> = source::files("migrations", "sql").into_iter().map(|file| file.name).collect();
    assert!(!names.is_empty());
    for (index, name) in names.iter().enumerate() {
        let stem = name.trim_start_matches("migrations/").trim_end_matches(".sql");
        let (number, words) = stem.split_once('_').unwrap_or_default();
        assert_eq!(number, format!("{:04}", index + 1), "{name}");
        assert!(words.contains('_') && words.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()), "{name}");
    }
}

#[test]
fn every_bound_is_one_that_the_program_keeps() {
    let limits = source::files("src", "rs").into_iter().find(|file| file.name == "src/limits.rs").unwrap();
    let others: String = source::files("src", "rs")
        .into_iter()
        .filter(|file| file.name != "src/limits.rs")
        .map(|file| source::code_without_tests(&file.text))
        .collect();
    let bounds: Vec<&str> =
        limits.text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next()).collect();
    assert!(bounds.len() > 20, "the bounds are read");
    none(
        bounds
            .into_iter()
            // The caps are kept by the units; the sums in limits.rs keep to them.
            .filter(|bound| !bound.ends_with("_MEMORY_BYTES_MAX") && !others.contains(bound))
            .map(|bound| format!("src/limits.rs: `{bound}` bounds nothing"))
            .collect(),
    );
}

#[test]
fn nothing_names_a_place_on_the_machine_that_it_was_written_on() {
    let places =
        [["/wo", "rk/"].concat(), ["/var/tmp/", "dev"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut wrong = Vec::new();
    for file in committed() {
        let Ok(text) = std::fs::read_to_string(source::root().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place.as_str())) {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(wrong);
}

#[test]
fn the_lock_file_of_the_npm_peers_names_no_host() {
    let lock = std::fs::read_to_string(source::root().join("tests/peers/package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\"") && !lock.contains("://registry"), "run `make peers-lock`");
    assert!(lock.contains("\"integrity\""));
}

#[test]
fn what_the_readme_tells_to_run_or_read_is_there() {
    let readme = std::fs::read_to_string(source::root().join("README.md")).unwrap();
    let makefile = std::fs::read_to_string(source::root().join("Makefile")).unwrap();
    let mut wrong = Vec::new();
    for code in inline_code(&readme) {
        let target = code.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next());
        if let Some(target) = target.filter(|target| !makefile.contains(&format!("\n{target}:"))) {
            wrong.push(format!("README.md: `make {target}` is no target of the Makefile"));
        }
        let folder = code.split('/').next().unwrap_or_default();
        let ours = ["config", "schemas", "migrations", "packaging", "tests", "src", "docs"].contains(&folder);
        if ours && code.contains('/') && !code.contains([' ', '*', '<']) && !source::root().join(code).exists() {
            wrong.push(format!("README.md: `{code}` is not there"));
        }
    }
    none(wrong);
}

/// What stands between backquotes, and each line of fenced code.
fn inline_code(markdown: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.trim().trim_start_matches("$ "));
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Files that git keeps, where git is at hand; none in an unpacked archive.
fn committed() -> Vec<String> {
    let out = std::process::Command::new("git").arg("-C").arg(source::root()).args(["ls-files"]).output();
    let Ok(out) = out else { return Vec::new() };
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}
