//! The one test binary: what needs processes, sockets or PostgreSQL, a file a topic, and the checks
//! on the sources themselves. Shared helpers stand in [`support`].

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]
#![allow(unreachable_pub, reason = "helpers are public to the topics")]

mod acknowledge;
mod albania_2017;
mod architecture;
mod authentication;
mod bad_input;
mod bounds;
mod clock;
mod config;
mod demo;
mod doctor;
mod elections;
mod failover;
mod gateway;
mod grammar_corpus;
mod grammar_fixtures;
mod grammar_noise;
mod grammar_properties;
mod guide;
mod hang;
mod harness;
mod hosts;
mod imports;
mod intake;
mod kill;
mod link;
mod memory;
mod noise;
mod offline_sql;
mod outage;
mod overload;
mod package;
mod peers;
mod poison;
mod readings;
mod rehearsal;
mod replies;
mod router;
mod simulation;
mod smpp_properties;
mod spool;
mod storm;
mod support;
mod tidy;
mod tls;
mod web;
