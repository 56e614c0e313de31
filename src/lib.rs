//! Scrutineer: an SMS election-observation gateway. The README is for its users; this page is for
//! its builders.
//!
//! # Processes
//! ```text
//!  SMSC ⇄ SMPP ⇄ [ gateway ] ⇄ unix socket ⇄ [ worker ] ⇄ PostgreSQL ⇄ [ web ] ⇄ browsers
//!                   spool (disk)
//! ```
//! One binary, a role each ([`role`]), a system user and a memory cap each. The gateway opens no
//! database connection and interprets no text; the worker speaks no SMPP; the web writes no
//! election data and touches neither spool nor socket.
//!
//! # The way of a message
//! 1. [`smpp`] splits a frame off the link and decodes it; the window is bounded in messages and bytes.
//! 2. [`spool`] appends it with others and syncs once; then `deliver_sm_resp` goes out. From here on
//!    it cannot be lost. What the SMSC delivers again after a reconnect is matched against the few
//!    messages whose response may not have arrived, and noted, not stored twice.
//! 3. [`handoff`] carries records to the worker, from the watermark that PostgreSQL holds.
//! 4. [`intake`] decodes ([`text`]), puts segments together, reads ([`grammar`]) and decides
//!    ([`intake::decide`], pure); one transaction a batch in [`store`] writes message, submission,
//!    revision, reply and watermark.
//! 5. [`outbox`] hands the reply, already leased in that transaction, to the gateway. Before a
//!    `submit_sm` is written to the wire its id and attempt are durable in the spool, so that each
//!    attempt is written once and has exactly one result, which comes back as a record like any other.
//!
//! # Invariants
//! - Acknowledged ⊆ spooled ⊆ stored, each once: the key is (run UUID, sequence), with a content hash;
//!   each opening of a spool begins a run, so that no key is given twice, whatever is done with its files.
//! - The watermark in PostgreSQL is the only cursor. What the database does not take for the moment is
//!   tried again in its lane; whatever else goes wrong, the worker connects anew and reads on from
//!   there; a replay changes nothing.
//! - An archived election's pages are made of what [`archive`] froze; live tables are not asked.
//! - A submission is the fold of its revisions in order of receipt ([`domain::submission`]), so the
//!   order in which hosts deliver to PostgreSQL doesn't matter.
//! - A reply's id is made of its message's key; gateway and database both know it, so that no replay,
//!   restart or rewind sends it again by itself. Only an outcome that nobody knows is retried, once.
//! - Every bound stands in [`limits`]; every use of the database has a deadline ([`store::Store`]).
//!
//! # Arrows
//! `domain, limits ← text, grammar, analysis, vitals ← smpp | spool | store ← intake, outbox, archive ← web ← role, cli ← main`;
//! a test keeps them. `domain`, `text`, `grammar` and `intake::decide` are pure.

pub mod analysis;
pub mod archive;
pub mod cli;
pub mod config;
pub mod domain;
pub mod generator;
pub mod grammar;
pub mod guide;
pub mod handoff;
pub mod intake;
pub mod limits;
pub mod outbox;
pub mod role;
pub mod smpp;
pub mod smsc;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod vitals;
pub mod web;
pub mod world;
