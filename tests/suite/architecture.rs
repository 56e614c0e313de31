//! The arrows between modules go one way, and what is said to be pure is: read from the sources.

use super::support::source::{self, Source};

/// Each module with those that it may name. One that is not here may not be there.
const ARROWS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("world", &[]),
    ("domain", &["limits"]),
    ("vitals", &["limits", "world"]),
    ("text", &["domain", "limits"]),
    ("grammar", &["domain", "limits", "text"]),
    ("analysis", &["domain", "limits"]),
    ("generator", &["domain", "limits"]),
    ("guide", &["domain", "limits", "grammar"]),
    ("handoff", &["domain", "limits", "vitals"]),
    ("smpp", &["domain", "limits", "world", "text", "handoff", "vitals"]),
    ("spool", &["domain", "limits", "world", "handoff", "vitals"]),
    ("store", &["domain", "limits", "text", "grammar", "analysis"]),
    ("intake::decide", &["domain", "limits", "text", "grammar"]),
    ("intake", &["domain", "limits", "world", "text", "grammar", "handoff", "store", "outbox", "vitals"]),
    ("outbox", &["domain", "limits", "world", "text", "handoff", "store", "vitals"]),
    ("archive", &["domain", "limits", "text", "grammar", "analysis", "store"]),
    ("web", &["domain", "limits", "text", "grammar", "analysis", "store", "intake", "outbox", "archive", "vitals"]),
    ("config", &["domain", "limits", "store"]),
    ("telemetry", &["limits", "config", "vitals"]),
    ("smsc", &["domain", "limits", "text", "grammar", "smpp"]),
    (
        "role",
        &[
            "domain",
            "limits",
            "world",
            "text",
            "grammar",
            "analysis",
            "handoff",
            "smpp",
            "spool",
            "store",
            "intake",
            "outbox",
            "archive",
            "web",
            "config",
            "telemetry",
            "vitals",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "limits",
            "text",
            "grammar",
            "analysis",
            "handoff",
            "smpp",
            "spool",
            "store",
            "intake",
            "outbox",
            "archive",
            "web",
            "config",
            "telemetry",
            "vitals",
            "smsc",
            "generator",
            "guide",
            "role",
        ],
    ),
    ("main", &["cli", "role"]),
];

/// Modules that know no clock, file, socket, database or runtime.
const PURE: &[&str] = &["limits", "domain", "text", "grammar", "analysis", "generator", "guide", "intake::decide"];

/// What a pure module may not name.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "rusqlite",
    "axum",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
    "now_utc",
    "now_local",
    "now_v7",
    "new_v4",
    "rand",
];

/// The module that a file belongs to.
fn module_of(name: &str) -> String {
    let path = name.strip_prefix("src/").unwrap_or(name).trim_end_matches(".rs");
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(second) if first == "intake" && second.starts_with("decide") => "intake::decide".to_owned(),
        _ => first.to_owned(),
    }
}

fn wrong_arrows(file: &Source) -> Vec<String> {
    let module = module_of(&file.name);
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}:1: module `{module}` has no place among the arrows", file.name)];
    };
    let code = source::code_without_tests(&file.text);
    let own = module.split("::").next().unwrap_or_default();
    let mut wrong = Vec::new();
    for head in ["crate", "scrutineer"] {
        for (at, named) in source::named_after(&code, head) {
            let inside = named == own && (module == own || code[at..].starts_with("intake::decide"));
            if !inside && !allowed.contains(&named) {
                wrong.push(format!("{}:{}: `{module}` names `{named}`", file.name, source::line_of(&code, at)));
            }
        }
    }
    wrong.extend(climbs_out(file, &code));
    wrong
}

/// Paths that reach the crate's root by `super`, where the arrows cannot be read from them.
fn climbs_out(file: &Source, code: &str) -> Vec<String> {
    let depth = file.name.split('/').count() - 1 - usize::from(file.name.ends_with("/mod.rs"));
    let climb = vec!["super"; depth.max(1)].join("::");
    source::named_after(code, &climb)
        .into_iter()
        .map(|(at, _)| format!("{}:{}: write `crate::` for `{climb}::`", file.name, source::line_of(code, at)))
        .collect()
}

fn impurities(file: &Source) -> Vec<String> {
    if !PURE.contains(&module_of(&file.name).as_str()) {
        return Vec::new();
    }
    let code = source::code_without_tests(&file.text);
    words(&code, IMPURE).map(|(line, word)| format!("{}:{line}: a pure module names `{word}`", file.name)).collect()
}

/// Where these words stand alone.
fn words<'a>(code: &'a str, words: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    words.iter().flat_map(move |word| {
        code.match_indices(word).filter_map(move |(at, _)| {
            let bytes = code.as_bytes();
            let alone = !at.checked_sub(1).is_some_and(|i| source::is_word(bytes[i]))
                && !bytes.get(at + word.len()).is_some_and(|byte| source::is_word(*byte));
            alone.then(|| (source::line_of(code, at), *word))
        })
    })
}

fn report(mut wrong: Vec<String>) {
    wrong.sort();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn arrows_between_modules_go_one_way() {
    let files = source::files("src", "rs");
    assert!(files.len() > 20, "the sources are read");
    let arrows = files.iter().filter(|file| file.name != "src/lib.rs" && !source::is_tests(&file.name));
    report(arrows.flat_map(wrong_arrows).collect());
}

#[test]
fn pure_modules_know_no_clock_file_socket_or_runtime() {
    report(source::files("src", "rs").iter().flat_map(impurities).collect());
}

#[test]
fn sql_stands_in_the_store_alone() {
    let outside = source::files("src", "rs").into_iter().filter(|file| module_of(&file.name) != "store");
    report(
        outside
            .flat_map(|file| {
                let code = source::code_without_tests(&file.text);
                words(&code, &["sqlx"])
                    .map(|(line, _)| format!("{}:{line}: names `sqlx`", file.name))
                    .collect::<Vec<_>>()
            })
            .collect(),
    );
}

#[test]
fn a_wrong_arrow_is_found_wherever_it_hides() {
    let found = |name: &str, text: &str| {
        wrong_arrows(&Source { name: name.to_owned(), text: text.to_owned() })
            .into_iter()
            .map(|line| line.rsplit_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("src/smpp/a.rs", "use crate::store::X;"), ["`smpp` names `store`"]);
    assert_eq!(found("src/smpp/a.rs", "use crate::{limits::{A, B}, spool, domain};"), ["`smpp` names `spool`"]);
    assert_eq!(found("src/web/a.rs", "fn f() { crate::handoff::g() }"), ["`web` names `handoff`"]);
    assert_eq!(found("src/domain/a.rs", "use super::super::store;"), ["write `crate::` for `super::super::`"]);
    assert_eq!(found("src/intake/decide/a.rs", "use crate::intake::commit;"), ["`intake::decide` names `intake`"]);
    assert!(found("src/intake/decide.rs", "use crate::intake::decide::X;").is_empty());
    assert!(found("src/smpp/a.rs", "// use crate::store;\nconst A: &str = \"crate::store\";").is_empty());
    assert!(found("src/smpp/a.rs", "#[cfg(test)]\nmod tests { use crate::store; }").is_empty());
    assert_eq!(found("src/news/a.rs", "").len(), 1);
}

#[test]
fn impurity_is_found() {
    let found = |text: &str| impurities(&Source { name: "src/domain/a.rs".to_owned(), text: text.to_owned() }).len();
    assert_eq!(found("use tokio::time;"), 1);
    assert_eq!(found("let t = std::time::SystemTime::now();"), 1);
    assert_eq!(found("// tokio\nlet tokios = 1;"), 0);
}
