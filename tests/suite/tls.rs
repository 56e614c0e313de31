//! The link to a PostgreSQL that is not local: TLS, the server's certificate and name verified.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::support::authority::authority;
use super::support::cluster::{Cluster, Durability};
use super::support::process;
use super::support::site::Site;

/// A server on TCP that speaks nothing but TLS.
fn secured(site: &Site, port: u16) -> Cluster {
    let cluster = Cluster::start(Durability::Fast);
    cluster.kill();
    let data = cluster.socket_dir().join("data");
    let owner = std::fs::metadata(&data).unwrap();
    for (from, to) in [("ours-server.pem", "server.crt"), ("ours-server.key", "server.key")] {
        let to = data.join(to);
        std::fs::copy(site.path().join(from), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
    let mut conf = std::fs::read_to_string(data.join("postgresql.conf")).unwrap();
    conf.push_str(&format!("listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n"));
    std::fs::write(data.join("postgresql.conf"), conf).unwrap();
    cluster.up();
    cluster
}

#[tokio::test]
async fn a_database_is_reached_by_tls_only_when_its_certificate_and_name_are_right() {
    let site = Site::without_database();
    for name in ["ours", "strange"] {
        authority(site.path(), name);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = secured(&site, port);
    let config = |host: &str, tls: &str, authority: &str| {
        let toml = format!(
            "[database]\nhost = \"{host}\"\nport = {port}\nname = \"postgres\"\ntls = \"{tls}\"\nca_file = \"{}\"\n[database.owner]\nuser = \"postgres\"\n",
            site.path().join(authority).display()
        );
        site.file("tls.toml", toml)
    };
    process::ok(&config("localhost", "verify-full", "ours.pem"), ["migrate"]).await;
    for (host, tls, authority, why) in [
        ("127.0.0.1", "verify-full", "ours.pem", "certificate not valid for name"),
        ("localhost", "verify-full", "strange.pem", "invalid peer certificate"),
        ("localhost", "disable", "ours.pem", "no encryption"),
    ] {
        let output = process::run(&config(host, tls, authority), ["migrate", "--check"]).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{host} {tls} {authority}");
        assert!(told.contains(why), "{why}: {told}\n{}", cluster.log());
    }
}
