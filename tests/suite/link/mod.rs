//! Links of the gateway process against SMSCs that the test plays PDU by PDU.

mod admin;
mod binds;
mod dead_letters;
mod groups;
mod kannel;
mod metrics;
mod receipts;
mod reload;
mod rules;
mod smsc;
mod tls;
