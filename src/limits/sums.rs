//! What each process holds at its bounds, part by part, bytes. `tests/suite/memory.rs` drives each to
//! them and compares: a measured peak above the sum fails.

use super::*;

/// What the runtime, the program's own data, SQLite's caches or PostgreSQL's connections take, and what
/// the allocator keeps of past bursts.
const GATEWAY_REST: usize = 12 << 20;
/// See [`GATEWAY_REST`].
const WEB_REST: usize = 12 << 20;
/// See [`GATEWAY_REST`].
const WORKER_REST: usize = 16 << 20;
/// What one observer takes in the worker's memory, with its indexes: while the roster is read anew
/// there are two.
const OBSERVER_BYTES: usize = 256;
/// What one waiting message takes beside its own bytes: in the session, in the spool's queue, in what is done.
const WAITING_BYTES: usize = 512;

/// Parts of the gateway's memory.
pub const GATEWAY_MEMORY_PARTS: [(&str, usize); 5] = [
    // As they came, and encoded for the spool.
    ("messages that wait for the disk", 2 * RECEIVE_BYTES_MAX),
    ("their places", SPOOL_QUEUE_MAX * WAITING_BYTES),
    ("reading and writing of the links", BINDS_MAX * (READ_BYTES + WRITE_BYTES_MAX)),
    ("submits", SUBMIT_QUEUE_MAX * 1_024 + SUBMITS_REMEMBERED_MAX * 32),
    ("runtime, spool, handoff", GATEWAY_REST),
];

/// Parts of the dashboard's memory.
pub const WEB_MEMORY_PARTS: [(&str, usize); 7] = [
    ("heads of requests", WEB_CONNECTIONS_MAX * WEB_HEAD_BYTES_MAX),
    ("pages and bodies", WEB_REQUESTS_MAX * (WEB_PAGE_BYTES_MAX + WEB_BODY_BYTES_MAX)),
    // As rows, as a file's lines, on the way out; a row may pass the bound with its texts.
    ("files", WEB_EXPORTS_MAX * 4 * WEB_EXPORT_BYTES as usize),
    (
        "last good pages, sessions, addresses",
        WEB_GOOD_PAGES_BYTES_MAX + WEB_SESSIONS_REMEMBERED_MAX * 512 + SIGN_IN_ADDRESSES_MAX * 128,
    ),
    ("a password's computation", (PASSWORD_MEMORY_KIB as usize) << 10),
    ("pages of archived elections", WEB_FROZEN_BYTES_MAX + WEB_FROZEN_PAGES_MAX * 2 * WEB_FROZEN_PATH_BYTES_MAX),
    ("runtime, caches, connections to PostgreSQL", WEB_REST),
];

/// Parts of the worker's memory with so many observers.
pub const fn worker_memory_parts(observers: usize) -> [(&'static str, usize); 4] {
    [
        ("observers, twice while they are read anew", 2 * observers * OBSERVER_BYTES),
        // As they came, decoded, as rows, and as a statement's arguments.
        ("records granted, in four forms", 4 * HANDOFF_CREDIT_BYTES_MAX as usize),
        ("phones and counts of replies", (PHONE_IDS_MAX + REPLY_COUNTS_MAX) * 48),
        ("runtime, lanes, connections to PostgreSQL", WORKER_REST),
    ]
}

/// Bytes that the gateway holds at its bounds.
pub const fn gateway_memory_bytes() -> usize {
    sum(&GATEWAY_MEMORY_PARTS)
}

/// Bytes that the dashboard holds at its bounds.
pub const fn web_memory_bytes() -> usize {
    sum(&WEB_MEMORY_PARTS)
}

/// Bytes that the worker holds at its bounds, with so many observers.
pub const fn worker_memory_bytes(observers: usize) -> usize {
    sum(&worker_memory_parts(observers))
}

const fn sum(parts: &[(&str, usize)]) -> usize {
    let (mut sum, mut rest) = (0, parts);
    while let [(_, bytes), more @ ..] = rest {
        sum += *bytes;
        rest = more;
    }
    sum
}

const _: () = assert!(gateway_memory_bytes() < GATEWAY_MEMORY_BYTES_MAX, "the gateway's bounds fit its cap");
const _: () = assert!(web_memory_bytes() < WEB_MEMORY_BYTES_MAX, "the dashboard's bounds fit its cap");
const _: () = assert!(worker_memory_bytes(50_000) < WORKER_MEMORY_BYTES_MAX, "a large election fits the worker's cap");
