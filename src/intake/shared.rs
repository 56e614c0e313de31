//! What the lanes, the upkeep and the requests of one session share.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::confirmed::Confirmed;
use super::credit::Credits;
use super::decide::Replies;
use super::limiter::ReplyLimiter;
use super::phones::PhoneIds;
use super::roster::RosterCell;
use super::tracker::Tracker;
use crate::handoff::message::FromWorker;
use crate::outbox::in_flight::InFlight;
use crate::store::{Health, Store};
use crate::vitals::pressure::Pressure;
use crate::world::World;

/// See the module.
#[derive(Debug)]
pub struct Session<L = Store> {
    /// PostgreSQL.
    pub store: L,
    /// Key of the spool's run that is read.
    pub spool_id: i32,
    /// Its UUID.
    pub spool: Uuid,
    /// UUID of the live run, under which replies are leased.
    pub lease: Uuid,
    /// UUIDs of all the spool's runs.
    pub runs: Vec<Uuid>,
    /// Which responses the SMSC is known to have.
    pub confirmed: Confirmed,
    /// The roster.
    pub roster: Arc<RosterCell>,
    /// Keys of phones.
    pub phones: Arc<PhoneIds>,
    /// How far the spool is committed.
    pub tracker: Mutex<Tracker>,
    /// Submits that the gateway has.
    pub in_flight: Arc<InFlight>,
    /// Frames for the gateway.
    pub to_gateway: mpsc::Sender<FromWorker>,
    /// Templates of replies.
    pub replies: Arc<Replies>,
    /// Replies an hour to one phone.
    pub limiter: Arc<Mutex<ReplyLimiter>>,
    /// Time and chance.
    pub world: World,
    /// Is memory short?
    pub pressure: Pressure,
    /// What the gateway may send.
    pub credits: Credits,
    /// Does the database take what it is given?
    pub health: Arc<Health>,
}
