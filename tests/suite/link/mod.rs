//! Links of the gateway process against SMSCs that the test plays PDU by PDU.

mod binds;
mod smsc;
mod tls;
