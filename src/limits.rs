//! Every bound of the program, with the relations between them.
//!
//! Units stand last in a name. Each bound has a test that reaches it; the sums at the end are what
//! the units' `MemoryMax=` must hold.

mod sums;

pub use self::sums::{
    GATEWAY_MEMORY_PARTS, WEB_MEMORY_PARTS, gateway_memory_bytes, web_memory_bytes, worker_memory_bytes,
    worker_memory_parts,
};

/// Memory caps of the three processes (`MemoryMax=` of their units).
pub const GATEWAY_MEMORY_BYTES_MAX: usize = 48 << 20;
/// See [`GATEWAY_MEMORY_BYTES_MAX`].
pub const WORKER_MEMORY_BYTES_MAX: usize = 96 << 20;
/// See [`GATEWAY_MEMORY_BYTES_MAX`].
pub const WEB_MEMORY_BYTES_MAX: usize = 64 << 20;

/// Percent of its cap at which a process takes nothing new that can wait elsewhere...
pub const MEMORY_SHED_PERCENT: u64 = 75;
/// ... and below which it does again.
pub const MEMORY_CALM_PERCENT: u64 = 70;
/// Percent of its cap at which a process takes nothing new at all...
pub const MEMORY_CRITICAL_PERCENT: u64 = 85;
/// ... and below which it does for those who come first.
pub const MEMORY_CRITICAL_CALM_PERCENT: u64 = 80;
/// Milliseconds between two looks at the memory.
pub const MEMORY_SAMPLE_MS: u64 = 250;

// ---- SMPP -------------------------------------------------------------------------------------

/// Greatest `command_length` taken: a full `message_payload` is 65,535 bytes, and must fit.
pub const PDU_BYTES_MAX: usize = 128 << 10;
/// Links that may be configured.
pub const LINKS_MAX: usize = 32;
/// Binds of all links together: several of one link, two of a pair.
pub const BINDS_MAX: usize = 32;
/// Prefixes of one link.
pub const PREFIXES_MAX: usize = 256;
/// Groups that a gateway has known since it started, those that lost their links in a reload counted.
pub const GROUPS_KNOWN_MAX: usize = 128;
/// `deliver_sm` of one link that may wait for the spool's sync; past it the socket is not read.
pub const RECEIVE_WINDOW_MAX: usize = 1_000;
/// Bytes of `deliver_sm` of all links together that may wait for the spool's sync.
pub const RECEIVE_BYTES_MAX: usize = 8 << 20;
/// Unanswered `submit_sm` of one link.
pub const SUBMIT_WINDOW_MAX: usize = 1_000;
/// Submits that wait in the gateway for a link's window, all links together.
pub const SUBMIT_QUEUE_MAX: usize = 2_048;
/// Kinds of PDU, by direction, `command_id` and `command_status`, that are counted one by one for a bind.
pub const PDU_COUNTERS_MAX: usize = 64;
/// Times that a text is tried again which the SMSC refuses for the moment.
pub const SUBMIT_TRIES_MAX: u32 = 5;
/// Seconds until the first such time; each further one waits that much longer.
pub const SUBMIT_AGAIN_SECONDS: u64 = 5;
/// Segments of one text that we send.
pub const SUBMIT_SEGMENTS_MAX: usize = 10;
/// `deliver_sm` kept while the bind response is awaited.
pub const BEFORE_BIND_MAX: usize = 16;
/// Records of one link that may be matched against redeliveries.
pub const IN_DOUBT_MAX: usize = 4_096;
/// Seconds for which a record stays in doubt: an hour, and one more by which a clock may have been set
/// forward between two runs.
pub const IN_DOUBT_SECONDS: i64 = 7_200;
/// Records of a link that other hosts are told of one by one as unanswered; past these they are told that nothing
/// that came after is confirmed.
pub const UNANSWERED_MAX: usize = 1_000;
/// Records in doubt that are forgotten at once.
pub const DOUBT_FORGET_SLICE: usize = 512;
/// Submits of one session whose response may still come after their outcome was given up.
pub const LATE_SUBMITS_MAX: usize = 1_000;
/// Seconds between `enquire_link`s while there is traffic: each one answered confirms the responses before it.
pub const CONFIRM_SECONDS: u64 = 2;
/// Seconds for which an `enquire_link` may be unanswered, and nothing heard, before what comes then is held until it
/// is answered; and for which that is held.
pub const SILENCE_SECONDS: u64 = 2;
/// Seconds without a sign of life after which the SMSC is asked for one, before what comes then is taken.
pub const IDLE_SECONDS: u64 = 10;
/// Seconds for which a response is withheld before the SMSC is told to deliver later.
pub const WITHHOLD_SECONDS: u64 = 5;
/// Seconds after which a message that waits for its acknowledgement is a sign of overload.
pub const OVERLOAD_SLOW_SECONDS: u64 = 1;
/// Seconds for which an overload status is held back where nothing is taken, or an SMSC's retries spin.
pub const OVERLOAD_ANSWER_SECONDS: u64 = 1;
/// Seconds without a sign of overload after which it has passed; and the least pause before a link
/// that was unbound binds again.
pub const OVERLOAD_CALM_SECONDS: u64 = 10;
/// Seconds of overload after which a link is unbound, so that the SMSC stores.
pub const OVERLOAD_UNBIND_SECONDS: u64 = 60;
/// Seconds within which a PDU that has begun must end.
pub const PDU_READ_SECONDS: u64 = 10;
/// Seconds for which a part of the gateway may do nothing before it counts as hung; no wait in it is longer.
pub const GATEWAY_HANG_SECONDS: u64 = 30;
/// Seconds by which times of receipt may be ahead of a clock that was set back.
pub const CLOCK_BACK_SECONDS_MAX: i64 = 26 * 3600;
/// Seconds that an unbind, ours or the SMSC's, may take.
pub const UNBIND_SECONDS: u64 = 5;
/// Bytes that wait to be written to one link; past them its socket is not read.
pub const WRITE_BYTES_MAX: usize = 128 << 10;
/// Bytes read from a link at once.
pub const READ_BYTES: usize = 64 << 10;
/// Receive buffers asked of the kernel for the sockets of all binds together; autotuning would pass the cap.
pub const LINK_SOCKETS_BYTES_MAX: usize = 4 << 20;
/// The greatest of one.
pub const LINK_SOCKET_BYTES: usize = 256 << 10;

// ---- Administration of the gateway -------------------------------------------------------------

/// Connections to the gateway's local socket for its administration.
pub const ADMIN_CONNECTIONS_MAX: usize = 4;
/// Bytes of a request on it.
pub const ADMIN_REQUEST_BYTES_MAX: usize = 4 << 10;
/// Seconds for a request to come, and for each line of its answer to be taken.
pub const ADMIN_SECONDS: u64 = 5;
/// Requests that wait for the links.
pub const ADMIN_QUEUE_MAX: usize = 8;
/// Seconds that a trace may last.
pub const TRACE_SECONDS_MAX: u32 = 3_600;
/// Bytes of PDUs that one trace shows.
pub const TRACE_BYTES_MAX: usize = 8 << 20;
/// Bytes of one PDU that a trace shows.
pub const TRACE_PDU_BYTES_MAX: usize = 2 << 10;
/// PDUs a second of one bind that a trace shows; further ones are counted.
pub const TRACE_PDUS_PER_SECOND: u32 = 200;
/// PDUs of one bind that wait for who looks on.
pub const TRACE_QUEUE_MAX: usize = 64;

// ---- Spool and handoff ------------------------------------------------------------------------

/// Appends that may wait for the spool's thread.
pub const SPOOL_QUEUE_MAX: usize = 4_096;
/// Appends in one sync.
pub const SPOOL_BATCH_MAX: usize = 1_024;
/// Submits remembered, so that one asked for twice is sent once; the oldest are forgotten.
pub const SUBMITS_REMEMBERED_MAX: usize = 131_072;
/// Records deleted at once when their time is over.
pub const SPOOL_PRUNE_RECORDS: u32 = 500;
/// Milliseconds between attempts to write to a disk that fails.
pub const SPOOL_RETRY_MS: u64 = 250;
/// Bytes to which the spool's write-ahead log is cut back.
pub const SPOOL_LOG_BYTES: u32 = 8 << 20;
/// Bytes of a spool's file up to which SQLite looks through all of it when it is opened.
pub const SPOOL_CHECK_BYTES: u64 = 64 << 20;
/// Records missing in one place that are named one by one; of more, the last stands for all.
pub const SPOOL_LOST_NAMED_MAX: u64 = 4_096;
/// Percent of the spool's size: from the first on a person is told that it fills, from the second on in alarm.
pub const SPOOL_FILLING_PERCENT: [u64; 2] = [50, 80];
/// Messages a second at which the spool's capacity is stated in hours, beside the rate of the last hour.
pub const SPOOL_STATED_RATE: u64 = 20;
/// Runs (openings) of a spool that the worker is told of at once.
pub const SPOOL_RUNS_MAX: usize = 4_096;
/// Runs without a record that a spool still knows, the newest: a worker may have leased replies under them.
pub const SPOOL_EMPTY_RUNS_MAX: usize = 64;
/// Bytes of one frame on the socket between gateway and worker.
pub const HANDOFF_FRAME_BYTES_MAX: usize = 1 << 20;
/// Records in one frame.
pub const HANDOFF_RECORDS_MAX: usize = 256;
/// Bytes of records that the worker lets the gateway send ahead. What one lane's queue holds, so that the
/// worker always reads, however slow the database is: a gateway that cannot write gives the worker up.
pub const HANDOFF_CREDIT_BYTES_MAX: u32 = 512 << 10;
/// The same while the worker is short of memory.
pub const HANDOFF_CREDIT_BYTES_SHORT: u32 = 64 << 10;

// ---- Worker -----------------------------------------------------------------------------------

/// Lanes of the worker, each with one database connection.
pub const LANES_MAX: usize = 16;
/// Records that may wait in one lane.
pub const LANE_QUEUE_MAX: usize = 10_240;
/// Records in one transaction.
pub const BATCH_RECORDS_MAX: usize = 256;
/// Records in one transaction while the worker is short of memory.
pub const BATCH_RECORDS_SHORT: usize = 32;
/// Submits handed to the gateway whose result has not come back.
pub const SUBMITS_IN_FLIGHT_MAX: usize = 2_048;
/// Bytes of a text that the grammar looks at; the rest is kept and noted.
pub const TEXT_BYTES_MAX: usize = 10 << 10;
/// Observers held in memory, all open elections together.
pub const OBSERVERS_MAX: usize = 200_000;
/// Elections held in memory: open, in draft, closed lately.
pub const ELECTIONS_MAX: i64 = 64;
/// Checklists of one election held in memory, every version counted.
pub const FORMS_MAX: i64 = 512;
/// Steps of the grammar's search for one text.
pub const GRAMMAR_STEPS_MAX: usize = 200_000;
/// Steps whose memory a thread keeps for the next text.
pub const GRAMMAR_SCRATCH_STEPS_MAX: usize = 2_048;
/// Segments of one reply.
pub const REPLY_SEGMENTS_MAX: u32 = 3;
/// Reports in one text.
pub const REPORTS_PER_TEXT_MAX: usize = 8;
/// Questions of one checklist.
pub const QUESTIONS_MAX: usize = 500;
/// Segments of one received text (8-bit total).
pub const SEGMENTS_MAX: u8 = 255;
/// Messages that one command may have processed again; the oldest first.
pub const RETRY_ALL_MAX: i64 = 1_000;
/// Times that one batch is tried anew after a lost race (deadlock, another host's insert).
pub const BATCH_RACES_MAX: u32 = 20;
/// Times in a row that a lane tries work which the database does not take for the moment, before the session
/// begins anew from the watermark.
pub const BATCH_TRIES_MAX: u32 = 10;
/// Phones whose keys the worker remembers.
pub const PHONE_IDS_MAX: usize = 65_536;
/// Phones of one lane whose replies are counted against the election's limit an hour.
pub const REPLY_COUNTS_MAX: usize = 65_536;
/// Frames to the gateway that may wait for its socket.
pub const HANDOFF_QUEUE_MAX: usize = 256;
/// Outbox rows taken in one statement.
pub const OUTBOX_SLICE_MAX: usize = 256;
/// Receipts without a message that are looked at in one round.
pub const EARLY_RECEIPTS_SLICE: i64 = 500;
/// Sets of segments past their time that are processed in one round.
pub const SEGMENT_SETS_SLICE: i64 = 50;
/// Days for which a closed election stays in the worker's memory, for what drains late.
pub const CLOSED_ELECTION_DAYS: i32 = 7;
/// Seconds after which a lane or task that is still at one piece of work counts as hung.
pub const WORKER_HANG_SECONDS: u32 = 180;
/// Seconds for which the parts of a text that was processed are known, when copies of them come.
pub const SEGMENT_COPIES_SECONDS: i32 = 3_600;
/// Such parts forgotten in one round.
pub const SEGMENT_COPIES_SLICE: i64 = 1_000;
/// Seconds within which two hosts may be given one text by an SMSC that saw no response to the first.
pub const REPEATED_ELSEWHERE_SECONDS: i32 = 300;
/// Seconds between a host's clock and PostgreSQL's past which `doctor` warns.
pub const CLOCK_WARNING_SECONDS: i32 = 2;
/// Seconds by which the clocks of two hosts may be apart: which of them was given a text first is known past these.
pub const CLOCKS_APART_SECONDS: i32 = 2 * CLOCK_WARNING_SECONDS;
/// Seconds by which a network may bring a message late, after the SMSC gave it to another host.
pub const ARRIVES_LATE_SECONDS: i32 = 60;
/// Seconds after which it is forgotten what was confirmed of a run that nothing is heard of.
pub const CONFIRMED_SECONDS: i32 = 86_400;
/// Seconds after which a text that lacks segments is processed as far as it came.
pub const SEGMENTS_WAIT_SECONDS: u32 = 600;

/// Messages of one request that are read anew; the rest is for another request.
pub const REREAD_MESSAGES_MAX: u64 = 10_000;
/// Messages read anew in one transaction.
pub const REREAD_SLICE: i64 = 50;
/// Slices of one request after which others have their turn.
pub const REREAD_SLICES_A_TURN: usize = 20;
/// Messages that the result of a request shows one by one.
pub const REREAD_SHOWN_MAX: usize = 50;

// ---- Database ---------------------------------------------------------------------------------

/// Seconds that one use of the database may take, by default.
pub const DATABASE_DEADLINE_SECONDS: u64 = 5;
/// Hosts of one database of which one takes writes.
pub const DATABASE_HOSTS_MAX: usize = 8;
/// Seconds that getting a connection may take, making one included.
pub const DATABASE_ACQUIRE_SECONDS: u64 = 3;
/// Milliseconds that a connection which has been idle has to answer before it is used.
pub const DATABASE_PING_MS: u64 = 1_000;
/// Seconds between pings of idle connections: sooner than a router on the way forgets them.
pub const DATABASE_KEEPALIVE_SECONDS: u64 = 10;
/// Seconds after which a connection is made anew.
pub const DATABASE_CONNECTION_SECONDS_MAX: u64 = 1_800;
/// Milliseconds between the server's looks, while a statement runs, whether its connection was closed.
pub const DATABASE_PEER_CHECK_MS: u64 = 1_000;
/// Seconds after which the server ends a connection on which nothing that it sent was confirmed.
pub const DATABASE_PEER_SILENT_SECONDS: u64 = 10;
/// Seconds of silence after which the server asks whether the peer is there.
pub const DATABASE_PEER_IDLE_SECONDS: u64 = 10;
/// Seconds between such questions.
pub const DATABASE_PEER_PROBE_SECONDS: u64 = 3;
/// Such questions without an answer after which it ends the connection.
pub const DATABASE_PEER_PROBES: u64 = 3;
/// Seconds that reading the whole roster may take.
pub const ROSTER_DEADLINE_SECONDS: u64 = 60;
/// Seconds that a migration may take, waiting for another one included.
pub const MIGRATE_DEADLINE_SECONDS: u64 = 600;
/// Seconds that the transaction of an import may take.
pub const IMPORT_DEADLINE_SECONDS: u64 = 300;
/// Seconds after which another host's worker may take a leased reply.
pub const LEASE_SECONDS: i32 = 120;
/// Attempts at one reply: an unknown outcome is retried once.
pub const REPLY_ATTEMPTS_MAX: i16 = 2;
/// Seconds that a receipt waits for a response that names its id, before it may settle a text of unknown outcome:
/// more than any link's response timeout and a worker's way to the database.
pub const RECEIPT_WAITS_SECONDS: i32 = 420;
/// Receipts without a text that a command shows; more are only counted.
pub const RECEIPTS_SHOWN_MAX: i64 = 1_000;
/// Seconds until a reply that found no link is tried again.
pub const REPLY_RETRY_SECONDS: i32 = 15;
/// Replies an hour to a phone whose election is not known.
pub const REPLIES_PER_HOUR_DEFAULT: u32 = 60;
/// Wrong authentication codes remembered of one phone or observer; more than any lockout counts.
pub const AUTH_ATTEMPTS_MAX: i64 = 32;
/// Replies an hour to the commands of one phone.
pub const COMMAND_REPLIES_PER_HOUR: u32 = 10;
/// Replies an hour to a phone that nobody has and whose texts are no reports.
pub const STRANGER_REPLIES_PER_HOUR: u32 = 5;
/// Replies an hour to one and the same text of a phone that is no report.
pub const SAME_TEXT_REPLIES_PER_HOUR: u32 = 2;
/// Seconds for which a reply is worth sending.
pub const REPLY_EXPIRES_SECONDS: i64 = 6 * 3600;

// ---- Web --------------------------------------------------------------------------------------

/// Connections of the web to the database.
pub const WEB_POOL_MAX: u32 = 4;
/// Open connections of browsers.
pub const WEB_CONNECTIONS_MAX: usize = 512;
/// Requests under way.
pub const WEB_REQUESTS_MAX: usize = 64;
/// Bytes of a request's body.
pub const WEB_BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request's line and headers.
pub const WEB_HEAD_BYTES_MAX: usize = 8 << 10;
/// Seconds that a browser has to send a request's line and headers, and to stay idle between two.
pub const WEB_HEAD_SECONDS: u64 = 15;
/// Seconds that one request may take, its body included.
pub const WEB_REQUEST_SECONDS: u64 = 20;
/// Seconds after which a connection is closed, however busy: a slow reader holds its place no longer.
pub const WEB_CONNECTION_SECONDS: u64 = 600;
/// Bytes that one page may weigh in memory while it is made and sent.
pub const WEB_PAGE_BYTES_MAX: usize = 256 << 10;
/// Rows of one page.
pub const WEB_PAGE_ROWS: i64 = 50;
/// Reports shown of one submission's history.
pub const WEB_REVISIONS_MAX: i64 = 200;
/// Tables that are sent as files (CSV, JSON) at once; further ones are told to come back.
pub const WEB_EXPORTS_MAX: usize = 2;
/// Rows that one statement reads for a file.
pub const WEB_EXPORT_ROWS: i64 = 1_000;
/// Bytes of texts and answers that one statement reads for a file (the last row may pass it).
pub const WEB_EXPORT_BYTES: i64 = 256 << 10;
/// Seconds for a whole file: as long as the connection may last.
pub const WEB_EXPORT_SECONDS_MAX: u64 = WEB_CONNECTION_SECONDS;
/// Rows that a filtered list looks through in their order before an index is asked.
pub const WEB_SCAN_ROWS: i64 = 5_000;
/// Rows that it looks through where no index helps; the page says so and leads on.
pub const WEB_SCAN_FAR_ROWS: i64 = 12_000;
/// Rows in a state that an index names which it looks through in that index.
pub const WEB_SCAN_STATE_ROWS: i64 = 40_000;
/// Rows that an index may name to be judged one by one.
pub const WEB_CANDIDATES_MAX: i64 = 2_000;
/// Conditions on answers in one filter.
pub const WEB_CONDITIONS_MAX: usize = 8;
/// Values of a range that are spelled out as equalities, so that an index finds them.
pub const WEB_CONDITION_VALUES_MAX: i64 = 64;
/// Characters of words that incidents are looked through for.
pub const WEB_WORDS_CHARS_MAX: usize = 100;
/// Areas that figures are kept of.
pub const WEB_AREA_ROWS: i64 = 500;
/// Of them, those that the overview's page shows one by one: its file has all.
pub const WEB_AREA_ROWS_SHOWN: usize = 250;
/// Characters of a text shown in a list; the message's own page has the whole.
pub const WEB_LIST_TEXT_CHARS: i32 = 480;
/// Characters of a text shown before it is folded.
pub const WEB_FOLD_CHARS: usize = 640;
/// Computed figures kept in memory.
pub const WEB_CACHE_ENTRIES_MAX: usize = 64;
/// Seconds for which computed figures are shown again.
pub const WEB_CACHE_SECONDS: u64 = 3;
/// Sessions of one person; the one that ends first gives way to a new one.
pub const WEB_SESSIONS_PER_USER: i64 = 16;
/// Expired sessions deleted at once.
pub const WEB_SESSIONS_SWEPT: i64 = 1_000;
/// Seconds between what a host says of itself, for the operators' page.
pub const HOST_STATUS_SECONDS: u64 = 5;
/// Seconds after which what a host said is shown as old.
pub const HOST_STATUS_OLD_SECONDS: i64 = 20;
/// Days after which a host that says nothing is forgotten.
pub const HOST_STATUS_DAYS: i32 = 14;
/// Parts of hosts that one page shows.
pub const HOST_STATUS_SHOWN: i64 = 200;
/// Observers in one statement, and in one page of the list.
pub const WEB_OBSERVER_ROWS: i64 = 100;
/// Observers that a filtered list looks up one by one, at first...
pub const WEB_OBSERVERS_LOOKED_FIRST: i64 = 2_000;
/// ... and in all, before what came is put together of all.
pub const WEB_OBSERVERS_LOOKED: i64 = 20_000;
/// Seconds for which a session that was asked for is not asked for again.
pub const WEB_SESSION_FRESH_SECONDS: u64 = 3;
/// Seconds for which a session counts while the database can't be asked.
pub const WEB_SESSION_AWAY_SECONDS: u64 = 1_800;
/// Seconds after which a session that nobody uses ends.
pub const WEB_SESSION_IDLE_SECONDS: i32 = 4 * 3_600;
/// Sessions held in memory.
pub const WEB_SESSIONS_REMEMBERED_MAX: usize = 1_024;
/// Requests under way of those who are not known to be signed in.
pub const WEB_STRANGERS_MAX: usize = 48;
/// Last good pages kept for when the database is away.
pub const WEB_GOOD_PAGES_MAX: usize = 128;
/// Bytes of them all, compressed.
pub const WEB_GOOD_PAGES_BYTES_MAX: usize = 2 << 20;
/// Seconds after which a good page is kept anew.
pub const WEB_GOOD_PAGE_AGAIN_SECONDS: u64 = 5;
/// Wrong passwords from one address after which it is locked for a while.
pub const SIGN_IN_ADDRESS_FAILURES_FREE: u32 = 20;
/// Seconds after which an address's failures are forgotten.
pub const SIGN_IN_ADDRESS_FORGET_SECONDS: u64 = 1_800;
/// Addresses whose failures are held in memory.
pub const SIGN_IN_ADDRESSES_MAX: usize = 4_096;
/// Memory of one password computation (Argon2id, one at a time).
pub const PASSWORD_MEMORY_KIB: u32 = 19 << 10;
/// Passes over that memory.
pub const PASSWORD_PASSES: u32 = 2;
/// Sign-ins that may wait for the one computation; further ones are told to come back.
pub const PASSWORD_WAITERS_MAX: usize = 8;
/// Seconds that a sign-in waits for it.
pub const PASSWORD_WAIT_SECONDS: u64 = 5;
/// Bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Characters of a new password, at least.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Wrong passwords in a row after which an account is locked for a while.
pub const SIGN_IN_FAILURES_FREE: i32 = 5;
/// Seconds of the first lock; each further failure doubles it.
pub const SIGN_IN_LOCK_SECONDS: i32 = 30;
/// Seconds of the longest lock.
pub const SIGN_IN_LOCK_SECONDS_MAX: i32 = 900;

/// Reports below which shares and quartiles are not shown: too few to conclude from.
pub const SMALL_CELL: i64 = 5;
/// Different values of one question that are held while it is summed up; past them neighbours become one.
pub const SUMMARY_VALUES_MAX: usize = 16_384;
/// Bands of one histogram.
pub const SUMMARY_BARS_MAX: usize = 24;
/// Seconds for which summaries of answers are shown again: they cost more than other figures.
pub const SUMMARY_CACHE_SECONDS: u64 = 20;
/// Archived elections that are served, the last archived first.
pub const ARCHIVES_MAX: i64 = 4_096;
/// Submissions frozen in one transaction.
pub const ARCHIVE_SLICE: i64 = 500;
/// Times that an archive is begun anew as reports still come in.
pub const ARCHIVE_TRIES: usize = 3;
/// Bytes of one page's figures, unpacked.
pub const ARCHIVE_FIGURE_BYTES_MAX: u64 = 2 << 20;
/// Bytes of archived elections' pages kept as they are sent, compressed...
pub const WEB_FROZEN_BYTES_MAX: usize = 2 << 20;
/// ... how many...
pub const WEB_FROZEN_PAGES_MAX: usize = 512;
/// ... and bytes of the address of each.
pub const WEB_FROZEN_PATH_BYTES_MAX: usize = 512;
/// Seconds that summing up one checklist's answers may take.
pub const SUMMARY_DEADLINE_SECONDS: u64 = 15;

// ---- Telemetry --------------------------------------------------------------------------------

/// Scrapes of one process's metrics under way.
pub const METRICS_CONNECTIONS_MAX: usize = 4;
/// Bytes of a scrape's request.
pub const METRICS_REQUEST_BYTES_MAX: usize = 8 << 10;

// ---- Files ------------------------------------------------------------------------------------

/// Bytes of an imported file.
pub const IMPORT_BYTES_MAX: u64 = 256 << 20;
/// Bytes of one file of a Kannel configuration that is taken over...
pub const KANNEL_FILE_BYTES_MAX: u64 = 1 << 20;
/// ... and files of it, those that it includes counted.
pub const KANNEL_FILES_MAX: usize = 256;
/// Rows of one statement of an import.
pub const IMPORT_BATCH_ROWS: usize = 5_000;
/// Locations of one election.
pub const LOCATIONS_MAX: usize = 500_000;
/// Bad lines that an import names before it stops counting them out.
pub const IMPORT_ERRORS_SHOWN: usize = 50;

// ---- Simulated SMSC ----------------------------------------------------------------------------

/// Bytes that may wait to be written to the gateway before nothing more is delivered; at four times
/// as much it is not read from either.
pub const SMSC_OUT_BYTES_MAX: usize = 256 << 10;
/// Delivery receipts that wait for their time; further ones are counted as lost.
pub const SMSC_RECEIPTS_MAX: usize = 100_000;
/// Responses that wait for their time; further ones are given at once.
pub const SMSC_RESPONSES_MAX: usize = 10_000;
/// Replies remembered as perhaps unconfirmed when the session ends.
pub const SMSC_DOUBT_MAX: usize = 100_000;
/// Segments of one text that a phone sends.
pub const SMSC_SEGMENTS_MAX: usize = 20;

const _: () = assert!(
    DATABASE_ACQUIRE_SECONDS + DATABASE_DEADLINE_SECONDS < 10,
    "a use that fails and the connection for the next take less than 10 s"
);
const _: () =
    assert!(DATABASE_PING_MS < DATABASE_ACQUIRE_SECONDS * 1_000, "after a dead connection there is time for another");
const _: () = assert!(
    BATCH_TRIES_MAX as u64 * (DATABASE_ACQUIRE_SECONDS + DATABASE_DEADLINE_SECONDS + 2) < WORKER_HANG_SECONDS as u64,
    "a database that takes nothing does not look like a worker that hangs"
);
const _: () = assert!(
    REPEATED_ELSEWHERE_SECONDS < CONFIRMED_SECONDS,
    "what a host that is gone had confirmed is known while it matters"
);
const _: () = assert!(HANDOFF_FRAME_BYTES_MAX >= 2 * PDU_BYTES_MAX, "a frame holds the greatest record");
const _: () = assert!(
    RECEIVE_BYTES_MAX + SUBMIT_QUEUE_MAX * 4_096 + 2 * LINK_SOCKETS_BYTES_MAX <= GATEWAY_MEMORY_BYTES_MAX / 2,
    "the gateway's buffers leave half of its cap to the program"
);
const _: () = assert!(
    MEMORY_CALM_PERCENT < MEMORY_SHED_PERCENT
        && MEMORY_SHED_PERCENT <= MEMORY_CRITICAL_CALM_PERCENT
        && MEMORY_CRITICAL_CALM_PERCENT < MEMORY_CRITICAL_PERCENT
        && MEMORY_CRITICAL_PERCENT < 100,
    "each level of memory pressure is left at less than it is entered at"
);
const _: () = assert!(
    OVERLOAD_SLOW_SECONDS < WITHHOLD_SECONDS && WITHHOLD_SECONDS < OVERLOAD_UNBIND_SECONDS,
    "the rungs of the overload ladder come one after the other"
);
const _: () = assert!(
    RECEIVE_BYTES_MAX / BINDS_MAX >= 2 * PDU_BYTES_MAX && LINK_SOCKETS_BYTES_MAX / BINDS_MAX >= PDU_BYTES_MAX,
    "each bind's share holds the greatest PDU"
);
const _: () = assert!(SPOOL_QUEUE_MAX >= RECEIVE_WINDOW_MAX, "one link's window fits the spool's queue");
const _: () =
    assert!(BATCH_RECORDS_SHORT <= BATCH_RECORDS_MAX && HANDOFF_CREDIT_BYTES_SHORT <= HANDOFF_CREDIT_BYTES_MAX);
const _: () = assert!(BATCH_RECORDS_MAX <= LANE_QUEUE_MAX, "a batch fits a lane");
const _: () = assert!(
    LANE_QUEUE_MAX * 52 >= HANDOFF_CREDIT_BYTES_MAX as usize,
    "one lane holds all that is granted: a submit's result, the smallest record that comes in numbers, takes 52 bytes"
);
const _: () =
    assert!(SUBMITS_IN_FLIGHT_MAX <= SUBMIT_QUEUE_MAX, "the gateway has a place for what the worker may send");
const _: () = assert!(
    WEB_STRANGERS_MAX < WEB_REQUESTS_MAX && WEB_SESSION_FRESH_SECONDS < WEB_SESSION_AWAY_SECONDS,
    "strangers leave places, and a session is kept for longer than it is fresh"
);
const _: () = assert!(
    WEB_CONNECTIONS_MAX * WEB_HEAD_BYTES_MAX
        + WEB_GOOD_PAGES_BYTES_MAX
        + WEB_SESSIONS_REMEMBERED_MAX * 512
        + SIGN_IN_ADDRESSES_MAX * 128
        + WEB_REQUESTS_MAX * (WEB_PAGE_BYTES_MAX + WEB_BODY_BYTES_MAX)
        + ((PASSWORD_MEMORY_KIB as usize) << 10)
        < WEB_MEMORY_BYTES_MAX - (12 << 20),
    "the web's buffers leave 12 MiB of its cap to the program"
);
