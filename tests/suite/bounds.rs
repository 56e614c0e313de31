//! Each bound of `src/limits.rs` that keeps messages, memory or the database is named by a test that reaches
//! it, or stands here with why not.

mod files;
mod reached;

use super::support::source;

/// Sections of `src/limits.rs` that this is asked of.
const SECTIONS: [&str; 7] = ["SMPP", "Spool and handoff", "Worker", "Database", "Web", "Telemetry", "Files"];

/// Bounds that no test names.
const NOT_NAMED: [(&str, &[&str]); 4] = [
    (
        "the greatest value that a setting may have: `config check` refuses more",
        &["PREFIXES_MAX", "RECEIVE_WINDOW_MAX", "SUBMIT_WINDOW_MAX", "LANES_MAX", "DATABASE_HOSTS_MAX"],
    ),
    (
        "a time or a pace, past which nothing piles up: tests of the fault that it is for wait for it",
        &[
            "IN_DOUBT_SECONDS",
            "CONFIRM_SECONDS",
            "OVERLOAD_SLOW_SECONDS",
            "OVERLOAD_ANSWER_SECONDS",
            "OVERLOAD_CALM_SECONDS",
            "SPOOL_RETRY_MS",
            "SPOOL_FILLING_PERCENT",
            "SPOOL_STATED_RATE",
            "WORKER_HANG_SECONDS",
            "REPEATED_ELSEWHERE_SECONDS",
            "CLOCK_WARNING_SECONDS",
            "DATABASE_DEADLINE_SECONDS",
            "DATABASE_PING_MS",
            "DATABASE_KEEPALIVE_SECONDS",
            "DATABASE_CONNECTION_SECONDS_MAX",
            "DATABASE_PEER_CHECK_MS",
            "DATABASE_PEER_SILENT_SECONDS",
            "DATABASE_PEER_IDLE_SECONDS",
            "DATABASE_PEER_PROBE_SECONDS",
            "DATABASE_PEER_PROBES",
            "ROSTER_DEADLINE_SECONDS",
            "MIGRATE_DEADLINE_SECONDS",
            "IMPORT_DEADLINE_SECONDS",
            "REPLY_RETRY_SECONDS",
            "SUBMIT_AGAIN_SECONDS",
            "REPLY_EXPIRES_SECONDS",
            "HOST_STATUS_SECONDS",
            "HOST_STATUS_OLD_SECONDS",
            "HOST_STATUS_DAYS",
            "PASSWORD_PASSES",
            "PASSWORD_WAIT_SECONDS",
            "SIGN_IN_LOCK_SECONDS_MAX",
        ],
    ),
    (
        "how much is done at once: the rest has its turn after it",
        &[
            "DOUBT_FORGET_SLICE",
            "SPOOL_PRUNE_RECORDS",
            "SPOOL_LOG_BYTES",
            "HANDOFF_RECORDS_MAX",
            "RETRY_ALL_MAX",
            "OUTBOX_SLICE_MAX",
            "EARLY_RECEIPTS_SLICE",
            "SEGMENT_SETS_SLICE",
            "REREAD_MESSAGES_MAX",
            "REREAD_SLICE",
            "REREAD_SLICES_A_TURN",
            "REREAD_SHOWN_MAX",
            "IMPORT_BATCH_ROWS",
        ],
    ),
    (
        "its tests say it by its value or by what follows from it",
        &[
            "LINK_SOCKET_BYTES",
            "LINK_SOCKETS_BYTES_MAX",
            "LANE_QUEUE_MAX",
            "HANDOFF_FRAME_BYTES_MAX",
            "HANDOFF_QUEUE_MAX",
            "REPORTS_PER_TEXT_MAX",
            "REPLIES_PER_HOUR_DEFAULT",
            "COMMAND_REPLIES_PER_HOUR",
            "STRANGER_REPLIES_PER_HOUR",
            "SAME_TEXT_REPLIES_PER_HOUR",
            "PASSWORD_CHARS_MIN",
        ],
    ),
];

/// Names of the bounds of these sections.
fn bounds(limits: &str) -> Vec<&str> {
    let mut asked = false;
    let mut found = Vec::new();
    for line in limits.lines() {
        if let Some(section) = line.strip_prefix("// ---- ") {
            asked = SECTIONS.contains(&section.trim_end_matches('-').trim());
        } else if asked && let Some(rest) = line.strip_prefix("pub const ") {
            found.extend(rest.split(':').next());
        }
    }
    found
}

/// All that is code of tests.
fn tests() -> String {
    let mut all = String::new();
    for file in source::files("tests", "rs").into_iter().filter(|file| file.name != "tests/suite/bounds.rs") {
        all.push_str(&file.text);
    }
    for file in source::files("src", "rs") {
        if file.name.ends_with("tests.rs") || file.name.contains("/tests/") {
            all.push_str(&file.text);
        } else if let Some((_, tests)) = file.text.split_once("#[cfg(test)]\nmod tests {") {
            all.push_str(tests);
        }
    }
    all
}

#[test]
fn every_bound_is_named_by_a_test_or_stands_here_with_why_not() {
    let limits = source::files("src", "rs").into_iter().find(|file| file.name == "src/limits.rs").unwrap().text;
    let tests = tests();
    let bounds = bounds(&limits);
    assert!(bounds.len() > 60, "the bounds are read");
    let named = |bound: &str| {
        tests.match_indices(bound).any(|(at, _)| {
            let next = tests[at + bound.len()..].chars().next();
            !next.is_some_and(|c| c == '_' || c.is_ascii_alphanumeric())
        })
    };
    let listed: Vec<&str> = NOT_NAMED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut wrong = Vec::new();
    for bound in &bounds {
        if !named(bound) && !listed.contains(bound) {
            wrong.push(format!("`{bound}`: name it in a test that reaches it, or say here why none does"));
        }
    }
    wrong.extend(listed.iter().filter(|name| !bounds.contains(name)).map(|name| format!("`{name}` is no bound")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
