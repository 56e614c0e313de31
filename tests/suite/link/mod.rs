//! Links of the gateway process against SMSCs that the test plays PDU by PDU.

mod admin;
mod binds;
mod dead_letters;
mod groups;
mod reload;
mod smsc;
mod tls;
