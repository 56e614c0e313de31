//! Two networks and a router with NAT between them, in network namespaces of the test's own: gateway,
//! worker and web stand on one side, PostgreSQL on the other. The router can forget connections or drop
//! what belongs to them, and says nothing, as those that made sites hang.
//!
//! Needs root, `ip`, `iptables` and `conntrack`; [`missing`] says which is not there.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// PostgreSQL's address, from where the program stands.
pub const DATABASE: &str = "10.77.2.2";

/// Which namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where gateway, worker and web run.
    Program,
    /// The router.
    Router,
    /// Where PostgreSQL runs.
    Database,
}

/// The networks. Gone when dropped, with all rules.
#[derive(Debug)]
pub struct Lab {
    name: String,
}

/// What this machine lacks for it.
pub fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root, for network namespaces".to_owned());
    }
    for (tool, package) in [("ip", "iproute2"), ("iptables", "iptables"), ("conntrack", "conntrack")] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Some(format!("needs `{tool}` (Debian's package {package})"));
        }
    }
    let probe = format!("scrp{}", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &probe]).output().is_ok_and(|o| o.status.success());
    let _ = Command::new("ip").args(["netns", "del", &probe]).output();
    (!made).then(|| "may not make network namespaces".to_owned())
}

impl Lab {
    /// Makes them.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let lab = Self { name: format!("scr{}n{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)) };
        let (gw, rt, db) = (lab.ns(Side::Program), lab.ns(Side::Router), lab.ns(Side::Database));
        for ns in [&gw, &rt, &db] {
            ip(&["netns", "add", ns]);
            ip(&["-n", ns, "link", "set", "lo", "up"]);
        }
        // The interfaces are born in their namespaces, so that their names meet nobody else's.
        ip(&["-n", &gw, "link", "add", "gw0", "type", "veth", "peer", "name", "rtgw", "netns", &rt]);
        ip(&["-n", &db, "link", "add", "db0", "type", "veth", "peer", "name", "rtdb", "netns", &rt]);
        for (ns, address, device) in [
            (&gw, "10.77.1.2/24", "gw0"),
            (&rt, "10.77.1.1/24", "rtgw"),
            (&rt, "10.77.2.1/24", "rtdb"),
            (&db, "10.77.2.2/24", "db0"),
        ] {
            ip(&["-n", ns, "addr", "add", address, "dev", device]);
            ip(&["-n", ns, "link", "set", device, "up"]);
        }
        ip(&["-n", &gw, "route", "add", "default", "via", "10.77.1.1"]);
        lab.route("sysctl -qw net.ipv4.ip_forward=1");
        lab.route("iptables -t nat -A POSTROUTING -o rtdb -j MASQUERADE");
        // What the router does not know is dropped in silence; to its own address too, or it would answer RST.
        lab.route("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
        lab.route("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP");
        lab.route("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0");
        lab
    }

    fn ns(&self, side: Side) -> String {
        let tail = match side {
            Side::Program => "gw",
            Side::Router => "rt",
            Side::Database => "db",
        };
        format!("{}{tail}", self.name)
    }

    /// Runs `f` on a thread that stands there; what it starts stands there too.
    pub fn inside<T: Send>(&self, side: Side, f: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(format!("/run/netns/{}", self.ns(side))).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                use std::os::fd::AsFd;
                let network = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(file.as_fd(), Some(network)).unwrap();
                f()
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The router forgets every connection: they are black holes from now on; new ones are let through.
    pub fn forget(&self) {
        self.route("conntrack -F");
    }

    /// The router forgets a connection by itself when it was idle for so long.
    pub fn forget_idle_after(&self, seconds: u32) {
        self.route(&format!("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established={seconds}"));
    }

    /// Drops all packets to and from the database, new connections too.
    pub fn drop_all(&self) {
        self.route("iptables -I FORWARD 1 -j DROP");
    }

    /// Ends [`Lab::drop_all`].
    pub fn heal(&self) {
        self.route("iptables -D FORWARD -j DROP");
    }

    /// Drops the packets of one connection, by its port as the database sees it.
    pub fn drop_port(&self, port: u16) {
        self.route(&format!("iptables -I FORWARD 1 -p tcp --sport {port} -j DROP"));
        self.route(&format!("iptables -I FORWARD 1 -p tcp --dport {port} -j DROP"));
    }

    fn route(&self, command: &str) {
        let ns = self.ns(Side::Router);
        let mut all = vec!["netns", "exec", &ns];
        all.extend(command.split(' '));
        ip(&all);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for side in [Side::Program, Side::Router, Side::Database] {
            let _ = Command::new("ip").args(["netns", "del", &self.ns(side)]).output();
        }
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}
